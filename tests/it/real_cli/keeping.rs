//! Sessions that the CLI loses or rests with, tools of its own, images and schemas.

use llm_provider_host::wit::events::NoticeKind;
use llm_provider_host::wit::types::{ImageBlock, ImageSource};
use llm_provider_host::{AllowKinds, Block, DenyAll, Message, PermissionKind, Policy, Role, TurnRequest, user_message};
use llmp_model_server::{Reply, Role as Spoken, Script, ToolCall};
use llmp_tests::rig::processes::{all_gone, sidecar};
use llmp_tests::rig::{PATIENCE, Rig, Wire, conversation};
use serde_json::json;
use std::fs;
use std::time::Duration;

/// S24, B05: the sessions are gone from the CLI's home while it rests; nothing is forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn s24_a_session_that_is_gone_is_carried_over() {
    let name = "s24_a_session_that_is_gone_is_carried_over";
    let more = json!({"idle-stop-ms": 300});
    let Some(rig) = Rig::real_with(name, Script::echo(), Wire::Completions, more).await else { return };
    let session = rig.instance.session();
    rig.send(&session, "first-1").await.answered();
    all_gone(rig.home.path(), PATIENCE).await.expect("an idle CLI is ended");
    fs::remove_dir_all(rig.home.path().join("copilot-cli/state/session-state")).expect("its sessions");
    let seen = rig.send(&session, "second-2").await;
    seen.answered();
    assert!(matches!(seen.notices()[..], [NoticeKind::Resumed, NoticeKind::ReSeeded]), "{:?}", seen.notices());
    let dialogue = rig.last_request().dialogue();
    assert_eq!(dialogue.len(), 1);
    assert!(dialogue[0].1.contains("first-1") && dialogue[0].1.ends_with("second-2"), "{dialogue:?}");
}

/// The CLI is ended when it has nothing to do, and takes its session up again, with the history it has on disk.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_cli_is_ended_and_goes_on_where_it_was() {
    let name = "an_idle_cli_is_ended_and_goes_on_where_it_was";
    let more = json!({"idle-stop-ms": 300});
    let Some(rig) = Rig::real_with(name, Script::echo(), Wire::Completions, more).await else { return };
    let session = rig.instance.session();
    rig.send(&session, "one").await.answered();
    let first = sidecar(rig.home.path()).pid;
    all_gone(rig.home.path(), PATIENCE).await.expect("an idle CLI is ended");
    let seen = rig.send(&session, "two").await;
    seen.answered();
    assert_ne!(sidecar(rig.home.path()).pid, first);
    assert!(matches!(seen.notices()[..], [NoticeKind::Resumed]), "{:?}", seen.notices());
    let said: Vec<String> = rig.last_request().dialogue().into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["one", "one", "two"]);
}

/// One of the few files that are not its own and that the CLI may read.
const SYSTEM: &str = "/etc/os-release";

fn reading() -> Script {
    let call = ToolCall::new("call_1", "view", &json!({"path": SYSTEM}));
    Script::new(Reply::text("I see.")).then(Reply::new().tool_call(call))
}

/// B09: the CLI's own tools are off unless the policy lists them, and then its permissions decide.
#[tokio::test(flavor = "multi_thread")]
async fn b09_the_policy_decides_about_the_clis_own_tools() {
    let text = fs::read_to_string(SYSTEM).expect("every system has a name");
    let line = text.lines().next().expect("a line");
    let allow = |policy: Policy| policy.provider_tools(["view"], AllowKinds(vec![PermissionKind::Read]));
    let deny = |policy: Policy| policy.provider_tools(["view"], DenyAll);
    for allowed in [true, false] {
        let policy = |policy| if allowed { allow(policy) } else { deny(policy) };
        let name = "b09_the_policy_decides_about_the_clis_own_tools";
        let Some(rig) = Rig::real_under(name, reading(), Wire::Completions, json!({}), policy).await else { return };
        let seen = rig.ask("what is this system called?").await;
        assert_eq!(seen.text, "I see.", "the turn goes on: {:?}", seen.error);
        assert_eq!(rig.model.requests()[0].tools(), ["view"]);
        let told =
            rig.last_request().messages().into_iter().find(|message| message.role == Spoken::Tool).expect("told");
        assert_eq!(told.text.contains(line), allowed, "{}", told.text);
        assert_eq!(seen.noticed(&NoticeKind::PermissionDenied), !allowed);
    }
}

const PIXEL: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8,
    6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x64, 0xf8, 0xcf,
    0x50, 0x0f, 0, 3, 0x86, 1, 0x80, 0x5a, 0x34, 0x7d, 0x6b, 0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60,
    0x82,
];

/// B25: an image reaches the model, also when the conversation is carried over.
#[tokio::test(flavor = "multi_thread")]
async fn b25_an_image_reaches_the_model() {
    let Some(rig) = Rig::real("b25_an_image_reaches_the_model", Script::new(Reply::text("a dot"))).await else {
        return;
    };
    let image = ImageBlock { media_type: "image/png".into(), source: ImageSource::Data(PIXEL.to_vec()) };
    let mut shown = user_message("what is this?");
    shown.blocks.push(Block::Image(image));
    let pictures = |rig: &Rig| rig.last_request().body.to_string().matches("data:image/png;base64,iVBORw0KGgo").count();
    let session = rig.instance.session();
    rig.turn(&session, TurnRequest::new(vec![shown.clone()])).await.answered();
    assert_eq!(pictures(&rig), 1);
    let answer = Message { role: Role::Assistant, ..user_message("a dot") };
    let history = vec![shown, answer, user_message("are you sure?")];
    rig.turn(&rig.instance.session(), TurnRequest::new(history)).await.answered();
    assert_eq!(pictures(&rig), 1, "carried over once");
    assert!(rig.last_request().last_prompt().contains("image-1.png"), "the record names it");
}

/// B25: structured output.
#[tokio::test(flavor = "multi_thread")]
async fn b25_a_schema_reaches_the_model() {
    let Some(rig) = Rig::real("b25_a_schema_reaches_the_model", Script::new(Reply::text("{}"))).await else { return };
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let request =
        TurnRequest { output_schema: Some(schema.to_string()), ..TurnRequest::new(conversation(&["where?"])) };
    rig.turn(&rig.instance.session(), request).await.answered();
    assert_eq!(rig.last_request().body["response_format"]["json_schema"]["schema"], schema);
}

/// N01: the CLI does not sleep through a long Retry-After, and neither do we.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_wait_that_the_endpoint_asks_for_is_told_at_once() {
    let name = "a_long_wait_that_the_endpoint_asks_for_is_told_at_once";
    let script = Script::new(Reply::error(429, "come back later").retry_after(3_600));
    let Some(rig) = Rig::real(name, script).await else { return };
    let begin = std::time::Instant::now();
    let seen = rig.ask("now?").await;
    assert_eq!(seen.failure().http_status, Some(429));
    assert!(begin.elapsed() < Duration::from_secs(30), "N01: nobody sleeps for an hour: {:?}", begin.elapsed());
}
