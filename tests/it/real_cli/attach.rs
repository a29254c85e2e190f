//! A real CLI that runs already as a server on TCP, and whoever may stand at its address instead.

use llm_provider_host::wit::errors::{ErrorKind, Verdict};
use llm_provider_host::{Attach, CopilotCli, Destination, Policy, Secret, SecretGrant, Session, Turn};
use llmp_model_server::{Gate, Reply, Script};
use llmp_tests::cli_server::{CliServer, Listener, Manner};
use llmp_tests::real_cli;
use llmp_tests::rig::{CANARY_KEY, PATIENCE, Rig, Seen, Wire, once, processes, read, room};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const TOKEN: &str = "9f86d081884c7d659a2feaa0c55ad015";

fn input(value: &str) -> SecretGrant {
    let to = Destination::SidecarInput { sidecar: "copilot-cli".to_owned() };
    SecretGrant { value: Secret::new(value), destinations: vec![to] }
}

/// A rig around the CLI at an address, with a connection token unless `more` says otherwise.
async fn attached(script: Script, attach: Attach, token: &str, more: Value) -> Rig {
    let sidecar = CopilotCli { attach: Some(attach), ..real_cli::sidecar() };
    let mut config = json!({ "connection-token": { "secret": "connection-token" }, "connect-timeout-ms": 1_500 });
    for (key, value) in more.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    let granted = |policy: Policy| policy.secret("api-key", input(CANARY_KEY)).secret("connection-token", input(token));
    Rig::granted(script, sidecar, Wire::Completions, config, granted).await
}

fn at(address: SocketAddr) -> Attach {
    Attach { address, working_directory: PathBuf::from("/") }
}

/// Asks and reads until the first text.
async fn half(session: &Session, prompt: &str) -> (Turn, Seen) {
    let mut turn = session.send(prompt, once(Vec::new())).await.expect("started");
    let mut seen = Seen::default();
    while seen.text.is_empty() {
        seen.note(turn.next().await.expect("an item").expect("an event"));
    }
    (turn, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_work_and_the_server_survives_its_clients() {
    let Some(_room) = room("turns_work_and_the_server_survives_its_clients").await else { return };
    let server = CliServer::start(Some(TOKEN)).await;
    let first = attached(Script::echo(), server.attach(), TOKEN, json!({})).await;
    let second = attached(Script::echo(), server.attach(), TOKEN, json!({})).await;
    let session = first.instance.session();
    for prompt in ["one", "two"] {
        assert_eq!(first.send(&session, prompt).await.text, prompt);
    }
    let said: Vec<String> = first.last_request().dialogue().into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["one", "one", "two"]);
    let other = second.instance.session();
    assert_eq!(second.send(&other, "three").await.text, "three");
    first.instance.close().await;
    assert_eq!(server.child.try_wait(), None, "it is not the plugin's to end");
    assert_eq!(second.send(&other, "four").await.text, "four");
    drop(second);
    // A client that comes back has its conversation carried over.
    let again = first.send(&session, "five").await;
    assert!(again.text.ends_with("\n\nfive"), "{again:?}");
    assert_eq!(first.last_request().dialogue().len(), 1);
    assert_eq!(processes::sidecars(first.home.path()).len(), 0, "no process was started");
    first.instance.close().await;
    assert_eq!(server.child.try_wait(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_one_typed_error_and_no_storm() {
    let Some(_room) = room("a_wrong_token_is_one_typed_error_and_no_storm").await else { return };
    let server = CliServer::start(Some(TOKEN)).await;
    let way = Listener::start(Manner::Forward(server.address)).await;
    let wrong = "00000000000000000000000000000000";
    let rig = attached(Script::echo(), at(way.address), wrong, json!({})).await;
    let session = rig.instance.session();
    let seen = rig.send(&session, "one").await;
    let told = seen.failure();
    assert_eq!((told.kind, &told.verdict), (ErrorKind::Authentication, &Verdict::Surface), "{told:?}");
    assert_eq!(told.provider_code.as_deref(), Some("-32002"));
    assert!(told.hint.is_some() && !told.request_sent && !format!("{told:?}").contains(wrong), "{told:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(way.connections(), 1, "nothing tries again by itself");
    assert_eq!((rig.model.seen(), server.child.try_wait()), (0, None));
}

/// B18: there is no way to a server without a connection token.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_token_is_not_used() {
    let Some(_room) = room("a_server_without_a_token_is_not_used").await else { return };
    let server = CliServer::start(None).await;
    let rig = attached(Script::echo(), server.attach(), TOKEN, json!({})).await;
    let seen = rig.ask("one").await;
    assert_eq!(seen.failure().kind, ErrorKind::Authentication);
    assert_eq!(seen.failure().provider_code.as_deref(), Some("-32003"));
    let silent = Listener::start(Manner::Say(Vec::new())).await;
    let rig = attached(Script::echo(), at(silent.address), TOKEN, json!({ "connection-token": null })).await;
    let seen = rig.ask("one").await;
    assert_eq!(seen.failure().kind, ErrorKind::Authentication);
    assert!(seen.failure().hint.as_ref().is_some_and(|hint| hint.contains("connection-token")));
    assert_eq!((silent.connections(), silent.received()), (1, 0), "not a word is said without a token");
}

/// P11: another program listens where the CLI should be.
#[tokio::test(flavor = "multi_thread")]
async fn p11_squatters_are_refused() {
    let frame = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
    let http = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nno!";
    let version = frame(r#"{"jsonrpc":"2.0","id":1,"result":{"ok":true,"protocolVersion":99,"version":"x"}}"#);
    let cases = [
        ("says nothing", Manner::Say(Vec::new()), ErrorKind::Timeout),
        ("says garbage", Manner::Say(vec![b'x'; 100_000]), ErrorKind::Protocol),
        ("speaks HTTP", Manner::SayAndClose(http.into()), ErrorKind::Protocol),
        ("speaks another version", Manner::Say(version), ErrorKind::Protocol),
        ("announces too much", Manner::Say(b"Content-Length: 99999999999\r\n\r\n".to_vec()), ErrorKind::Protocol),
        ("hangs up", Manner::SayAndClose(Vec::new()), ErrorKind::Sidecar),
    ];
    for (what, manner, kind) in cases {
        let squatter = Listener::start(manner).await;
        let rig = attached(Script::echo(), at(squatter.address), TOKEN, json!({})).await;
        let seen = tokio::time::timeout(PATIENCE, rig.ask("a prompt")).await.expect("in time");
        assert_eq!(seen.failure().kind, kind, "{what}: {:?}", seen.error);
        assert!(!seen.failure().request_sent, "{what}");
        assert_eq!(squatter.connections(), 1, "{what}");
        // The handshake is all it gets: neither the prompt nor the endpoint's key.
        assert!(squatter.received() < 200, "{what}: {}", squatter.received());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_is_one_error_and_the_next_turn_says_so() {
    let Some(_room) = room("a_server_that_dies_is_one_error_and_the_next_turn_says_so").await else { return };
    let server = CliServer::start(Some(TOKEN)).await;
    let gate = Gate::new();
    let script = Script::new(Reply::deltas(["half ", "LATE"]).gate_after(1, &gate));
    let rig = attached(script, server.attach(), TOKEN, json!({})).await;
    let session = rig.instance.session();
    let (turn, seen) = half(&session, "one").await;
    assert_eq!(seen.text, "half ");
    server.child.kill();
    let rest = read(turn).await;
    let told = rest.failure();
    assert_eq!((told.kind, &told.verdict), (ErrorKind::Sidecar, &Verdict::RetryInFreshSession), "{told:?}");
    assert!(told.output_seen && told.request_sent && told.message.contains("closed the connection"), "{told:?}");
    server.child.wait().await;
    let next = rig.send(&session, "two").await;
    let told = next.failure();
    assert_eq!((told.kind, &told.verdict), (ErrorKind::Sidecar, &Verdict::Surface), "{told:?}");
    assert!(told.message.contains(&server.address.to_string()) && !told.request_sent, "{told:?}");
    assert!(told.hint.is_some(), "{told:?}");
}
