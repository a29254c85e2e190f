//! Tools that the host runs for a turn.

use super::bystander::{PATIENCE, assert_answers};
use llm_provider_host::wit::types::Tool as Definition;
use llm_provider_host::{
    HostError, Limits, Plugin, PluginFault, Session, Tool, ToolContent, ToolFuture, ToolOutput, ToolOwner, TurnError,
    TurnRequest, user_message,
};
use llmp_tests::plugins::{instance, naughty, naughty_with};
use llmp_tests::rig::{Seen, read};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A tool that does what its name says, and counts.
struct Named {
    name: &'static str,
    schema: Value,
    calls: AtomicUsize,
    /// Dropped with the future of a call.
    held: Mutex<Option<tokio::sync::mpsc::Sender<()>>>,
}

impl Named {
    fn new(name: &'static str) -> Arc<Self> {
        Self::with(name, json!({"type": "object", "properties": {"n": {"type": "integer"}}}))
    }

    fn with(name: &'static str, schema: Value) -> Arc<Self> {
        Arc::new(Self { name, schema, calls: AtomicUsize::new(0), held: Mutex::default() })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Tool for Named {
    fn definition(&self) -> Definition {
        Definition { name: self.name.into(), description: String::new(), parameters: self.schema.to_string() }
    }

    fn call(&self, arguments: Value) -> ToolFuture {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (name, held) = (self.name, self.held.lock().expect("no panic inside").take());
        Box::pin(async move {
            let _held = held;
            act(name, arguments).await
        })
    }
}

async fn act(name: &str, arguments: Value) -> ToolOutput {
    match name {
        "text" => Ok("as it is".into()),
        "json" => Ok(json!({"got": arguments}).into()),
        "bytes" => Ok(b"caf\xc3\xa9".to_vec().into()),
        "binary" => Ok(ToolContent::Bytes(vec![255, 0])),
        "fails" => Err("the disk is full".to_owned()),
        "crash" => panic!("a handler's own fault"),
        "slow" => {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok("slow".into())
        }
        _ => std::future::pending().await,
    }
}

async fn session() -> (Plugin, Session) {
    let plugin = naughty().await;
    let session = instance(&plugin).session();
    (plugin, session)
}

fn request(prompt: &str, tools: &[Arc<Named>]) -> TurnRequest {
    let tools = tools.iter().map(|tool| Arc::clone(tool) as Arc<dyn Tool>).collect();
    TurnRequest { tools, ..TurnRequest::new(vec![user_message(prompt)]) }
}

async fn ask(session: &Session, request: TurnRequest) -> Seen {
    let turn = session.turn(request).await.expect("started");
    tokio::time::timeout(PATIENCE, read(turn)).await.expect("in time")
}

/// What the tools gave, a line each, sorted.
async fn said(session: &Session, prompt: &str, tools: &[Arc<Named>]) -> Vec<String> {
    let seen = ask(session, request(prompt, tools)).await;
    seen.answered();
    let mut lines: Vec<String> = seen.text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn s31_s33_results_are_text_json_or_bytes() {
    let (_plugin, session) = session().await;
    let tools = ["text", "json", "bytes", "binary", "fails"].map(Named::new);
    let prompt = "invoke 1|text|{}\n2|json|{\"n\": 1}\n3|bytes|{}\n4|binary|{}\n5|fails|{}";
    let expected = [
        "/wA=",
        "1 ok as it is",
        "2 ok {\"got\":{\"n\":1}}",
        "3 ok caf\u{e9}",
        "4 ok [2 bytes that are no text, in base64]",
        "5 failed the disk is full",
    ];
    assert_eq!(said(&session, prompt, &tools).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn s32_what_cannot_be_run_is_told_to_the_model_and_runs_nothing() {
    let (_plugin, session) = session().await;
    let tools = [Named::new("json")];
    let prompt = "invoke 1|nowhere|{}\n2|json|{\"n\": \n3|json|{\"n\": \"x\"}\n4|json|[]";
    let lines = said(&session, prompt, &tools).await;
    let says = [
        "1 failed no tool is named `nowhere`",
        "2 failed the arguments are not JSON: EOF",
        "3 failed the arguments do not fit the schema of `json`: at /n: \"x\" is not of type \"integer\"",
        "4 failed the arguments do not fit the schema of `json`: [] is not of type \"object\"",
    ];
    for (line, says) in lines.iter().zip(says) {
        assert!(line.starts_with(says), "{line}");
    }
    assert_eq!((lines.len(), tools[0].calls()), (4, 0), "{lines:?}");
    let lines = said(&session, "invoke 1|json|\n2|json|null", &tools).await;
    assert_eq!(lines, ["1 ok {\"got\":{}}", "2 ok {\"got\":{}}"], "missing arguments are an empty object");
}

#[tokio::test(flavor = "multi_thread")]
async fn h05_a_hundred_panics_are_a_hundred_failures() {
    let (_plugin, session) = session().await;
    let tools = [Named::new("crash"), Named::new("text")];
    let mut failures = 0;
    for _ in 0..4 {
        let calls: Vec<String> = (0..25).map(|id| format!("{id}|crash|{{}}")).collect();
        let prompt = format!("invoke {}\n\nlast|text|{{}}", calls.join("\n"));
        let lines = said(&session, &prompt, &tools).await;
        failures += lines.iter().filter(|line| line.ends_with(" failed the tool `crash` crashed")).count();
        assert_eq!(lines.last().map(String::as_str), Some("last ok as it is"), "the turn goes on");
    }
    assert_eq!((failures, tools[0].calls()), (100, 100));
    assert_answers(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b01_dedupe_by_call_id() {
    let (_plugin, session) = session().await;
    let tools = [Named::new("slow"), Named::new("text")];
    // Three times at once, then again when the first has long answered.
    let prompt = "invoke 1|slow|{}\n1|slow|{}\n1|slow|{}\n\n1|slow|{}\n2|text|{}";
    let lines = said(&session, prompt, &tools).await;
    let expected = ["1 failed this call was run before and is not run again", "1 ok slow", "2 ok as it is"];
    assert_eq!(lines, expected);
    assert_eq!(tools[0].calls(), 1);
    assert_eq!(said(&session, "invoke 1|slow|{}", &tools).await, ["1 ok slow"], "another turn counts anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn b01_a_tool_that_the_caller_runs_is_never_run_here() {
    let (_plugin, session) = session().await;
    let tools = [Named::new("text")];
    let request = TurnRequest { tool_owner: ToolOwner::Return, ..request("invoke 1|text|{}", &tools) };
    let seen = ask(&session, request).await;
    let Some(TurnError::Fault(PluginFault::Contract(says))) = &seen.error else { panic!("{:?}", seen.error) };
    assert!(says.contains("whose tools the caller runs"), "{says}");
    assert_eq!(tools[0].calls(), 0);
    assert_answers(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_never_returns_is_given_up_at_the_deadline() {
    let plugin = naughty_with(|limits| limits.tool_deadline = Duration::from_millis(40)).await;
    let session = instance(&plugin).session();
    let tools = [Named::new("endless"), Named::new("text")];
    let prompt = "invoke 1|endless|{}\n2|text|{}";
    let lines = said(&session, prompt, &tools).await;
    assert_eq!(lines, ["1 failed the tool `endless` did not answer within 40ms", "2 ok as it is"]);
    let own = TurnRequest { tool_deadline: Some(Duration::from_millis(30)), ..request(prompt, &tools) };
    let seen = ask(&session, own).await;
    assert!(seen.text.contains("did not answer within 30ms"), "{}", seen.text);
    let limits = Limits::default();
    assert!(limits.tool_deadline < limits.turn_deadline, "the model can be told");
}

#[tokio::test(flavor = "multi_thread")]
async fn b17_a_cancelled_turn_drops_its_tools_and_runs_no_others() {
    let (_plugin, session) = session().await;
    let endless = Named::new("endless");
    let (held, mut dropped) = tokio::sync::mpsc::channel(1);
    *endless.held.lock().expect("no panic inside") = Some(held);
    let turn = session.turn(request("invoke 1|endless|{}", &[Arc::clone(&endless)])).await.expect("started");
    let canceller = turn.canceller();
    let (seen, ()) = tokio::join!(read(turn), async {
        while endless.calls() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        canceller.cancel();
    });
    assert!(seen.error.as_ref().is_some_and(TurnError::is_cancelled), "{:?}", seen.error);
    assert_eq!(tokio::time::timeout(PATIENCE, dropped.recv()).await.expect("the handler is dropped"), None);
    let late = Named::new("text");
    let mut turn = session.turn(request("invoke-late 1|text|{}", &[Arc::clone(&late)])).await.expect("started");
    assert!(turn.next().await.expect("an event").is_ok());
    turn.canceller().cancel();
    let seen = read(turn).await;
    assert_eq!((seen.text.as_str(), late.calls()), ("1 failed the turn was cancelled\n", 0));
    assert_answers(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_with_a_tool_that_cannot_be_offered_does_not_start() {
    let (_plugin, session) = session().await;
    let broken = Named::with("broken", json!({"type": "objet"}));
    for tools in [vec![Named::new("text"), broken], vec![Named::new("broken"), Named::new("broken")]] {
        let refused = session.turn(request("x", &tools)).await.err().expect("refused");
        let TurnError::Host(HostError::UnusableTool { tool, .. }) = &refused else { panic!("{refused:?}") };
        assert_eq!(tool, "broken");
        assert!(refused.hint().is_some());
    }
    assert_answers(&session).await;
}
