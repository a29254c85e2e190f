//! A CLI without a network. The model listens on the test's loopback, which the CLI cannot reach: the host asks it.

use super::tools;
use llm_provider_host::process::network_isolation;
use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::wit::events::NoticeKind;
use llm_provider_host::{CopilotCli, Isolation};
use llmp_model_server::{Reply, Script};
use llmp_tests::real_cli;
use llmp_tests::rig::{Rig, Seen, Wire, once, processes, room};
use serde_json::json;
use std::fs;
use std::path::PathBuf;

/// A rig around the real CLI whose process is isolated so; `None` when the person asked to skip those.
async fn rig(test: &str, script: Script, wire: Wire, isolation: Isolation) -> Option<Rig> {
    let room = room(test).await?;
    let sidecar = CopilotCli { isolation, ..real_cli::sidecar() };
    Some(Rig::with(script, sidecar, wire, json!({ "egress": "host" })).await.in_room(room))
}

/// Whether this system can do it. Where it cannot, the CLI must not have been started, and the turn says why.
async fn possible(rig: &Rig) -> bool {
    let Err(reason) = network_isolation() else { return true };
    let seen = rig.ask("anybody there?").await;
    let told = seen.failure();
    assert_eq!(told.kind, ErrorKind::Sidecar, "{told:?}");
    assert!(told.message.contains("cannot be started without a network"), "{told:?}");
    assert!(!told.request_sent && rig.model.seen() == 0, "{told:?}");
    assert_eq!(processes::sidecars(rig.home.path()).len(), 0, "it does not run with a network instead");
    println!("NOT ISOLATED HERE: {reason}");
    false
}

/// The network namespace of a process.
fn network_of(process: &str) -> PathBuf {
    fs::read_link(format!("/proc/{process}/ns/net")).expect("a living process")
}

/// Every process of the CLI is somewhere else, and there is nothing there.
fn assert_alone(rig: &Rig) {
    let all = processes::sidecars(rig.home.path());
    assert!(!all.is_empty(), "it runs");
    for process in all {
        let pid = process.pid.to_string();
        assert_ne!(network_of(&pid), network_of("self"), "{process:?}");
        let interfaces = fs::read_to_string(format!("/proc/{pid}/net/dev")).expect("its interfaces");
        let received = |line: &str| line.split_once(':')?.1.split_whitespace().next()?.parse::<u64>().ok();
        let moved: u64 = interfaces.lines().filter_map(received).sum();
        assert!(interfaces.contains("lo:") && moved == 0, "nothing ever moved there: {interfaces}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_are_answered_without_a_network() {
    let name = "turns_are_answered_without_a_network";
    for wire in [Wire::Completions, Wire::Responses, Wire::Anthropic] {
        let Some(rig) = rig(name, Script::echo(), wire, Isolation::Required).await else { return };
        if !possible(&rig).await {
            return;
        }
        let session = rig.instance.session();
        for prompt in ["one", "two"] {
            let seen = rig.send(&session, prompt).await;
            seen.answered();
            assert_eq!(seen.text, prompt, "{wire:?}");
            assert!(seen.notices().is_empty(), "{:?}", seen.notices());
        }
        assert_eq!(rig.model.seen(), 2, "the model was asked, by the host");
        assert_alone(&rig);
        rig.instance.close().await;
        assert_eq!(processes::sidecars(rig.home.path()).len(), 0, "its end is no different");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_run_for_a_cli_without_a_network() {
    let name = "tools_are_run_for_a_cli_without_a_network";
    let calling = Reply::new().tool_call(tools::call("call_1", "get_weather", "Oslo"));
    let script = Script::new(Reply::text("It is sunny.")).then(calling);
    let Some(rig) = rig(name, script, Wire::Completions, Isolation::Required).await else { return };
    if !possible(&rig).await {
        return;
    }
    let tool = tools::Probe::weather();
    let seen = tools::ask(&rig, &tool).await;
    seen.answered();
    assert_eq!((seen.text.as_str(), rig.model.seen()), ("It is sunny.", 2));
    assert_eq!(tool.calls(), [json!({"city": "Oslo"})]);
    assert_eq!(tools::results(&rig), [("call_1".to_owned(), "sunny in Oslo".to_owned())]);
    assert_alone(&rig);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_not_possible_it_is_done_without() {
    let name = "where_it_is_not_possible_it_is_done_without";
    for isolation in [Isolation::WherePossible, Isolation::Never] {
        let Some(rig) = rig(name, Script::echo(), Wire::Completions, isolation).await else { return };
        assert_eq!(rig.ask("hi").await.text, "hi");
        let process = processes::sidecar(rig.home.path());
        let apart = network_of(&process.pid.to_string()) != network_of("self");
        let expected = isolation == Isolation::WherePossible && network_isolation().is_ok();
        assert_eq!(apart, expected, "{isolation:?}");
    }
}

/// A CLI that sends its requests itself cannot do so there: it is really the host that asks in the tests above.
#[tokio::test(flavor = "multi_thread")]
async fn a_cli_that_sends_its_requests_itself_reaches_nobody() {
    let name = "a_cli_that_sends_its_requests_itself_reaches_nobody";
    let Some(room) = room(name).await else { return };
    let sidecar = CopilotCli { isolation: Isolation::Required, ..real_cli::sidecar() };
    let direct = json!({ "egress": "direct" });
    let rig = Rig::with(Script::echo(), sidecar, Wire::Completions, direct).await.in_room(room);
    if !possible(&rig).await {
        return;
    }
    // It tries for 25 seconds; the first failure is enough.
    let mut turn = rig.instance.session().send("one", once(Vec::new())).await.expect("started");
    let mut seen = Seen::default();
    while !seen.noticed(&NoticeKind::ProviderRetry) {
        match turn.next().await.expect("no answer, so no last item but an error") {
            Ok(event) => seen.note(event),
            Err(_) => break,
        }
    }
    assert_eq!(rig.model.seen(), 0, "the loopback of the test is not there");
}
