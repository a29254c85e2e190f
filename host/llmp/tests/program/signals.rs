//! Ctrl-C and termination, whatever the program is doing.

use crate::run::Place;
use llmp_model_server::{ModelServer, Reply, Script};
use std::time::Duration;

/// An end that waits for no deadline: those of servers' starts are 30 s, that of their end is 5 s.
const SOON: Duration = Duration::from_secs(4);

/// A server of tools that never says a word.
const SILENT: &str = "[mcp.slow]\ncommand = \"/bin/sh\"\nargs = [\"-c\", \"echo > started; exec sleep 60\"]\n";

/// A server of tools that does not end.
const STAYING: &str = r#"
while read -r line; do
  id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case $line in
    *'"initialize"'*)
      result='{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}';;
    *'"tools/list"'*) result='{"tools":[]}';;
    *) continue;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
trap '' TERM
echo > closing
sleep 60
"#;

async fn model(script: Script) -> (ModelServer, Place) {
    let server = ModelServer::start(script).await.expect("a server");
    let place = Place::new().asking(&server.openai_base_url());
    (server, place)
}

#[test]
fn a_signal_ends_the_start_of_the_program() {
    for arguments in [&["ask", "hi"][..], &["chat"]] {
        for signal in ["-INT", "-TERM"] {
            let place = Place::new().asking("http://127.0.0.1:9/v1");
            place.file("llmp.toml", SILENT);
            let running = place.start(arguments);
            place.until_there("started");
            running.signal(signal);
            let (ran, took) = running.end();
            assert_eq!(ran.code, Some(130), "{arguments:?} {signal} {ran:?}");
            assert!(ran.stderr.ends_with("error: interrupted\n") && took < SOON, "{signal} {took:?} {ran:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_the_prompt_cancels_nothing_that_comes() {
    let (_server, place) = model(Script::text("fine")).await;
    let mut chat = place.start(&["chat"]);
    chat.until_told("talking to openai");
    chat.signal("-INT");
    chat.until_told("/quit or Ctrl-D ends the conversation");
    chat.type_in("hello\n/quit\n");
    let (ran, _) = chat.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "fine\n"), "{ran:?}");
    assert!(!ran.stderr.contains("interrupted"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_termination_at_the_prompt_ends_the_chat() {
    let (_server, place) = model(Script::text("fine")).await;
    let mut chat = place.start(&["chat"]);
    chat.until_told("talking to openai");
    chat.signal("-TERM");
    let (ran, took) = chat.end();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(ran.stderr.ends_with("error: interrupted\n") && took < SOON, "{took:?} {ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_turn_and_a_termination_ends_the_chat_too() {
    let hanging = || Reply::deltas(["one"]).hang_after(1);
    let (server, place) = model(Script::text("fine").then(hanging())).await;
    let mut chat = place.start(&["chat"]);
    chat.type_in("hello\n");
    server.wait_for_requests(1, Duration::from_secs(30)).await.expect("asked");
    chat.signal("-INT");
    chat.until_told("error: interrupted");
    chat.type_in("again\n/usage\n");
    chat.until_told("1 answers");
    server.push(hanging()).expect("a place");
    chat.type_in("and again\n");
    server.wait_for_requests(3, Duration::from_secs(30)).await.expect("asked");
    chat.signal("-TERM");
    let (ran, _) = chat.end();
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(ran.stdout.contains("fine\n") && ran.stderr.ends_with("error: interrupted\n"), "{ran:?}");
}

/// The answer is there: what is cut short is only the polite end of a server that does not end.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_closing() {
    let (_server, place) = model(Script::text("fine")).await;
    let script = place.file("staying.sh", STAYING);
    place.file(
        "llmp.toml",
        format!("[mcp.staying]\ncommand = \"/bin/sh\"\nargs = [{:?}]\n", script.display().to_string()),
    );
    let ask = place.start(&["ask", "hi"]);
    place.until_there("closing");
    ask.signal("-INT");
    let (ran, took) = ask.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "fine\n"), "{ran:?}");
    assert!(took < SOON, "{took:?} {ran:?}");
}
