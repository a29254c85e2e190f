//! A process of the real CLI for each turn.

use llm_provider_host::wit::errors::{ErrorKind, Verdict};
use llm_provider_host::wit::events::NoticeKind;
use llm_provider_host::{
    Capability, CopilotOneShot, Destination, FinishReason, Policy, ReasoningEffort, Secret, SecretGrant, TurnRequest,
    user_message,
};
use llmp_model_server::{Finish, Gate, Reply, Script, Usage};
use llmp_tests::real_cli;
use llmp_tests::rig::{CANARY_KEY, PATIENCE, Rig, Seen, Wire, conversation, once, plugin, processes, read, room};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SIDECAR: &str = "copilot-cli-oneshot";

/// A secret that may go into one variable of the sidecar.
fn variable(value: &str, variable: &str) -> SecretGrant {
    let to = Destination::SidecarVariable { sidecar: SIDECAR.to_owned(), variable: variable.to_owned() };
    SecretGrant { value: Secret::new(value), destinations: vec![to] }
}

async fn rig_with(test: &str, script: Script, wire: Wire, more: Value) -> Option<Rig> {
    let room = room(test).await?;
    let sidecar = CopilotOneShot { cli: real_cli::sidecar() };
    let mut config = json!({ "mode": "one-shot" });
    config.as_object_mut()?.extend(more.as_object()?.clone());
    let key = variable(CANARY_KEY, "COPILOT_PROVIDER_API_KEY");
    Some(Rig::granted(script, sidecar, wire, config, |policy| policy.secret("api-key", key)).await.in_room(room))
}

async fn rig(test: &str, script: Script) -> Option<Rig> {
    rig_with(test, script, Wire::Completions, json!({})).await
}

/// No process of this tenant is left, and none of its reports.
async fn nothing_is_left(tenant: &Path) {
    processes::all_gone(tenant, PATIENCE).await.expect("it ends");
    let reports = fs::read_dir(tenant.join(SIDECAR).join("tmp")).into_iter().flatten().flatten();
    let reports: Vec<_> = reports.map(|entry| entry.file_name()).collect();
    assert!(reports.iter().all(|name| !name.to_string_lossy().starts_with("usage-")), "{reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_streamed_by_a_process_of_its_own() {
    let name = "a_turn_is_streamed_by_a_process_of_its_own";
    let usage = Usage { input: 120, output: 30, cached: 20, ..Usage::default() };
    for wire in [Wire::Completions, Wire::Responses, Wire::Anthropic] {
        let gate = Gate::new();
        let reply = Reply::new().reasoning(["hm ", "so"]).and_deltas(["Hel", "lo"]).usage(usage).gate_after(1, &gate);
        let Some(rig) = rig_with(name, Script::new(reply), wire, json!({})).await else { return };
        let session = rig.instance.session();
        let mut turn = session.send("hi", TurnRequest::new(Vec::new())).await.expect("started");
        let mut seen = Seen::default();
        while seen.text.is_empty() && seen.thinking.is_empty() {
            seen.note(turn.next().await.expect("an item").expect("an event"));
        }
        assert_eq!(processes::sidecars(rig.home.path()).len(), 1, "the text comes while the process runs");
        gate.open();
        let rest = read(turn).await;
        rest.answered();
        assert_eq!((rest.block_text().as_str(), &rest.answered().reason), ("Hello", &FinishReason::Stop), "{wire:?}");
        let told = rest.answered().usage;
        assert_eq!((told.model_calls, told.input_tokens, told.output_tokens), (1, 120, 30), "{wire:?}");
        assert_eq!(told.cache_read_tokens, 20, "{wire:?}");
        let request = rig.last_request();
        assert!(request.wants_stream() && request.tools().is_empty());
        assert_eq!(request.last_prompt(), "hi");
        nothing_is_left(rig.home.path()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_turn_goes_on_and_an_edited_history_begins_anew() {
    let name = "the_second_turn_goes_on_and_an_edited_history_begins_anew";
    let usage = |input, output| Usage { input, output, ..Usage::default() };
    let script = Script::new(Reply::text("yes3").usage(usage(7, 3)))
        .then(Reply::text("yes1").usage(usage(100, 10)))
        .then(Reply::text("yes2").usage(usage(150, 20)));
    let Some(rig) = rig(name, script).await else { return };
    let session = rig.instance.session();
    let costs = |seen: &Seen| (seen.answered().usage.input_tokens, seen.answered().usage.output_tokens);
    let first = rig.send(&session, "q1").await;
    assert_eq!((costs(&first), first.noticed(&NoticeKind::Opened)), ((100, 10), true), "{:?}", first.notices());
    let second = rig.send(&session, "q2").await;
    let said: Vec<String> = rig.last_request().dialogue().into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["q1", "yes1", "q2"], "the model sees the conversation, once and in order");
    // The CLI reports the sums of the conversation; the turn costs what came to them.
    assert_eq!((costs(&second), second.noticed(&NoticeKind::Continued)), ((150, 20), true), "{:?}", second.notices());
    let edited = rig.turn(&session, TurnRequest::new(conversation(&["Q1", "yes1", "q3"]))).await;
    assert_eq!((costs(&edited), edited.noticed(&NoticeKind::ReSeeded)), ((7, 3), true), "{:?}", edited.notices());
    let dialogue = rig.last_request().dialogue();
    assert_eq!(dialogue.len(), 1);
    for text in ["Q1", "yes1", "q3"] {
        assert_eq!(dialogue[0].1.matches(text).count(), 1, "`{text}` once in {}", dialogue[0].1);
    }
    nothing_is_left(rig.home.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_go_in_as_they_are() {
    let script = Script::with(|request| {
        let prompt = request.last_prompt();
        if prompt.len() > 1_000 { Reply::text("that was long") } else { Reply::text(prompt) }
    });
    let Some(rig) = rig("prompts_go_in_as_they_are", script).await else { return };
    for prompt in
        ["/help", "@/etc/hostname", "!ls", "--allow-all-tools", "caf\u{e9} \u{1f980} \"quoted\" \\n $HOME `id`"]
    {
        assert_eq!(rig.ask(prompt).await.text, prompt);
        assert_eq!(rig.last_request().last_prompt(), prompt);
    }
    let long = "long ".repeat(200_000);
    assert_eq!(rig.ask(&format!("{long}end")).await.text, "that was long");
    assert_eq!(rig.last_request().last_prompt(), format!("{long}end"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_in_one_variable_and_the_arguments_are_the_hosts() {
    let name = "the_key_is_in_one_variable_and_the_arguments_are_the_hosts";
    let gate = Gate::new();
    let script = Script::new(Reply::deltas(["your key is ", CANARY_KEY]).gate_after(1, &gate));
    let Some(rig) = rig(name, script).await else { return };
    let session = rig.instance.session();
    let turn = session.send("tell me my secret prompt", TurnRequest::new(Vec::new())).await.expect("started");
    gate.reached(1).await;
    let sidecar = processes::sidecar(rig.home.path());
    gate.open();
    let seen = read(turn).await;
    seen.answered();
    assert!(!format!("{:?} {:?}", seen.events, session.history()).contains(CANARY_KEY), "what repeats it is masked");
    let holds: Vec<&String> =
        sidecar.environment.iter().filter(|(_, value)| value.contains(CANARY_KEY)).map(|(name, _)| name).collect();
    assert_eq!(holds, ["COPILOT_PROVIDER_API_KEY"]);
    let names: Vec<&str> = sidecar.environment.keys().map(String::as_str).collect();
    let mut expected = vec![
        "COPILOT_CACHE_HOME",
        "COPILOT_DISABLE_KEYTAR",
        "COPILOT_HOME",
        "COPILOT_OFFLINE",
        "COPILOT_PKG_CACHE_HOME",
        "COPILOT_PROVIDER_API_KEY",
        "COPILOT_PROVIDER_BASE_URL",
        "COPILOT_PROVIDER_MAX_PROMPT_TOKENS",
        "COPILOT_PROVIDER_TYPE",
        "HOME",
        "LANG",
        "LLMP_SIDECAR_RUN",
        "PATH",
        "TMPDIR",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
    ];
    expected.sort_unstable();
    assert_eq!(names, expected);
    let arguments = sidecar.arguments.join(" ");
    assert!(!arguments.contains(CANARY_KEY) && !arguments.contains("secret prompt"), "{arguments}");
    for flag in ["--available-tools=none", "--no-custom-instructions", "--output-format=json", "--stream=on"] {
        assert!(sidecar.arguments.iter().any(|argument| argument == flag), "{flag} in {arguments}");
    }
    let authorization = format!("Bearer {CANARY_KEY}");
    assert_eq!(rig.last_request().header("authorization"), Some(authorization.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn efforts_and_limits_reach_the_model() {
    let Some(rig) = rig("efforts_and_limits_reach_the_model", Script::echo()).await else { return };
    let mut request = TurnRequest::new(vec![user_message("hi")]);
    request.reasoning_effort = Some(ReasoningEffort::High);
    request.max_output_tokens = Some(777);
    rig.turn(&rig.instance.session(), request).await.answered();
    let body = rig.last_request().body;
    assert_eq!((&body["reasoning_effort"], &body["max_tokens"]), (&json!("high"), &json!(777)), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_the_endpoint_are_typed() {
    for (status, kind, requests) in [(400, ErrorKind::InvalidRequest, 1), (401, ErrorKind::Authentication, 1)] {
        let script = Script::new(Reply::text("fine")).then(Reply::error(status, "no"));
        let Some(rig) = rig("failures_of_the_endpoint_are_typed", script).await else { return };
        let session = rig.instance.session();
        let seen = rig.send(&session, "q1").await;
        let told = seen.failure();
        assert_eq!((told.kind, told.http_status, &told.verdict), (kind, Some(status), &Verdict::Surface));
        assert!(told.request_sent && !told.output_seen);
        nothing_is_left(rig.home.path()).await;
        assert_eq!(rig.model.seen(), requests, "nothing is repeated that cannot help");
        let next = rig.send(&session, "q2").await;
        assert_eq!(next.text, "fine");
        let dialogue = format!("{:?}", rig.last_request().dialogue());
        assert!(dialogue.contains("q2") && !dialogue.contains("q1"), "what failed does not count: {dialogue}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_is_told_anew() {
    let script = Script::new(Reply::deltas(["whole ", "answer"])).then(Reply::deltas(["half ", "gone"]).reset_after(1));
    let Some(rig) = rig("a_stream_that_breaks_is_told_anew", script).await else { return };
    let seen = rig.ask("hi").await;
    seen.answered();
    assert_eq!((seen.text.as_str(), seen.block_text().as_str()), ("whole answer", "whole answer"));
    assert_eq!(seen.count("attempt-abandoned"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_cut_is_whole_and_its_session_is_left() {
    let script = Script::new(Reply::text("next"))
        .then(Reply::text("part one, ").finish(Finish::Length))
        .then(Reply::text("part two"));
    let Some(rig) = rig("an_answer_that_was_cut_is_whole_and_its_session_is_left", script).await else { return };
    let session = rig.instance.session();
    let seen = rig.send(&session, "q1").await;
    assert_eq!((seen.block_text().as_str(), &seen.answered().reason), ("part one, part two", &FinishReason::Stop));
    assert_eq!(seen.answered().usage.model_calls, 2);
    let next = rig.send(&session, "q2").await;
    assert!(next.noticed(&NoticeKind::ReSeeded), "{:?}", next.notices());
    assert!(rig.last_request().dialogue()[0].1.contains("part one, part two"), "the model sees all of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_cannot_do_is_refused_before_anything_starts() {
    let name = "what_it_cannot_do_is_refused_before_anything_starts";
    let Some(rig) = rig(name, Script::echo()).await else { return };
    let session = rig.instance.session();
    let mut request = TurnRequest::new(vec![user_message("hi")]);
    request.system = Some("Be brief.".to_owned());
    let seen = rig.turn(&session, request).await;
    assert_eq!((seen.failure().kind, seen.failure().request_sent), (ErrorKind::Unsupported, false));
    assert!(seen.failure().hint.is_some());
    assert!(!rig.home.path().join(SIDECAR).exists(), "not even a directory was made");
    assert_eq!((rig.model.seen(), processes::sidecars(rig.home.path()).len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_turn_leaves_no_process() {
    let gate = Gate::new();
    let script = Script::new(Reply::text("fine")).then(Reply::deltas(["early ", "LATE"]).gate_after(1, &gate));
    let Some(rig) = rig("a_cancelled_turn_leaves_no_process", script).await else { return };
    let session = rig.instance.session();
    let mut turn = session.send("q1", TurnRequest::new(Vec::new())).await.expect("started");
    let mut seen = Seen::default();
    while seen.text.is_empty() {
        seen.note(turn.next().await.expect("an item").expect("an event"));
    }
    assert_eq!(processes::sidecars(rig.home.path()).len(), 1);
    let begin = Instant::now();
    turn.canceller().cancel();
    let rest = read(turn).await;
    assert_eq!(rest.failure().kind, ErrorKind::Cancelled);
    nothing_is_left(rig.home.path()).await;
    println!("cancelled and gone within {:.1?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(5));
    rig.client_left().await;
    gate.open();
    let next = rig.send(&session, "q2").await;
    assert_eq!(next.text, "fine");
    assert!(!format!("{:?}", rig.last_request().dialogue()).contains("early"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_is_one_failure() {
    let gate = Gate::new();
    let script = Script::new(Reply::text("fine")).then(Reply::deltas(["half ", "LATE"]).gate_after(1, &gate));
    let Some(rig) = rig("a_killed_process_is_one_failure", script).await else { return };
    let session = rig.instance.session();
    let turn = session.send("q1", once(Vec::new())).await.expect("started");
    gate.reached(1).await;
    processes::sidecar(rig.home.path()).signal("KILL");
    let seen = read(turn).await;
    assert_eq!((seen.failure().kind, &seen.failure().verdict), (ErrorKind::Sidecar, &Verdict::RetryInFreshSession));
    assert!(seen.failure().message.contains("signal 9") && seen.failure().request_sent, "{:?}", seen.error);
    gate.open();
    assert_eq!(rig.send(&session, "q2").await.text, "fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn six_turns_at_once_run_four_at_a_time() {
    let Some(rig) = rig("six_turns_at_once_run_four_at_a_time", Script::echo()).await else { return };
    let sessions: Vec<_> = (0..6).map(|_| rig.instance.session()).collect();
    let mut turns = Vec::new();
    for (at, session) in sessions.iter().enumerate() {
        turns.push(session.send(format!("turn {at}"), TurnRequest::new(Vec::new())).await.expect("started"));
    }
    for (at, turn) in turns.into_iter().enumerate() {
        let seen = tokio::time::timeout(PATIENCE, read(turn)).await.expect("in time");
        assert_eq!(seen.text, format!("turn {at}"), "{:?}", seen.error);
    }
    nothing_is_left(rig.home.path()).await;
}

/// The token is no token, and there is no way to GitHub: the CLI says so on its standard error, before any JSON.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_away_says_nothing_of_the_token() {
    let name = "a_network_that_is_away_says_nothing_of_the_token";
    let Some(_room) = room(name).await else { return };
    let mut cli = real_cli::sidecar();
    // Nothing listens there: the test needs no network and gives nobody a token.
    cli.network.proxy = Some("http://127.0.0.1:9".to_owned());
    let token = variable("gho_0000000000000000000000000000000000", "COPILOT_GITHUB_TOKEN");
    let home = TempDir::new().expect("a directory");
    let policy = Policy::new(home.path()).allow(Capability::Tools).allow(Capability::Http);
    let policy = policy.secret("token", token).sidecar(CopilotOneShot { cli });
    let config = json!({ "mode": "one-shot", "auth": { "type": "github", "token": "token" } });
    let plugin = plugin().await;
    let instance = plugin.host().tenant(policy).instance(&plugin, config.to_string()).expect("an instance");
    let session = instance.session();
    let turn = session.send("hi", once(Vec::new())).await.expect("started");
    let seen = read(turn).await;
    let told = seen.failure();
    assert_eq!((told.kind, &told.verdict), (ErrorKind::Transport, &Verdict::RetryAfter(500)), "{told:?}");
    assert!(!told.request_sent && told.hint.is_some() && told.message.contains("could not be validated"), "{told:?}");
    assert!(!format!("{told:?}").contains("gho_"));
    nothing_is_left(home.path()).await;
}
