//! Tools that the host runs within a turn.

use llm_provider_host::wit::events::NoticeKind;
use llm_provider_host::wit::types::Tool as Definition;
use llm_provider_host::{Block, Tool, ToolFuture, TurnRequest, user_message};
use llmp_model_server::{Message, Reply, Role, Script, ToolCall, Usage};
use llmp_tests::rig::{PATIENCE, Rig, Seen, Wire, read};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Barrier;

type Handler = Box<dyn Fn(Value) -> ToolFuture + Send + Sync>;

/// A tool made of a function; it notes its calls.
pub(super) struct Probe {
    name: &'static str,
    calls: Mutex<Vec<Value>>,
    handler: Handler,
}

impl Probe {
    fn new(name: &'static str, handler: impl Fn(Value) -> ToolFuture + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { name, calls: Mutex::default(), handler: Box::new(handler) })
    }

    pub(super) fn weather() -> Arc<Self> {
        Self::new("get_weather", |arguments| {
            Box::pin(async move { Ok(format!("sunny in {}", arguments["city"].as_str().unwrap_or("nowhere")).into()) })
        })
    }

    pub(super) fn calls(&self) -> Vec<Value> {
        self.calls.lock().expect("no panic inside").clone()
    }
}

impl Tool for Probe {
    fn definition(&self) -> Definition {
        Definition {
            name: self.name.into(),
            description: format!("The tool {}.", self.name),
            parameters: json!({"type": "object", "properties": {"city": {"type": "string"}}}).to_string(),
        }
    }

    fn call(&self, arguments: Value) -> ToolFuture {
        self.calls.lock().expect("no panic inside").push(arguments.clone());
        (self.handler)(arguments)
    }
}

pub(super) fn call(id: &str, name: &str, city: &str) -> ToolCall {
    ToolCall::new(id, name, &json!({ "city": city }))
}

pub(super) async fn ask(rig: &Rig, tool: &Arc<Probe>) -> Seen {
    let tool: Arc<dyn Tool> = Arc::<Probe>::clone(tool);
    let request = TurnRequest { tools: vec![tool], ..TurnRequest::new(vec![user_message("what is it like?")]) };
    rig.turn(&rig.instance.session(), request).await
}

/// The results in the model's last request, in order.
pub(super) fn results(rig: &Rig) -> Vec<(String, String)> {
    let tool =
        |message: Message| (message.role == Role::Tool).then(|| (message.answers.unwrap_or_default(), message.text));
    rig.last_request().messages().into_iter().filter_map(tool).collect()
}

/// S30, S33: a tool of the caller, its call and its result.
#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_run_and_its_answer_reaches_the_model() {
    for wire in [Wire::Completions, Wire::Responses, Wire::Anthropic] {
        let usage = |output| Usage { input: 10, output, ..Usage::default() };
        let calling = Reply::deltas(["let me look. "]).tool_call(call("call_1", "get_weather", "Oslo")).usage(usage(1));
        let script = Script::new(Reply::text("It is sunny.").usage(usage(2))).then(calling);
        let name = "a_tool_is_run_and_its_answer_reaches_the_model";
        let Some(rig) = Rig::real_with(name, script, wire, json!({})).await else { return };
        let tool = Probe::weather();
        let seen = ask(&rig, &tool).await;
        let finished = seen.answered();
        assert_eq!((finished.usage.model_calls, finished.usage.input_tokens, finished.usage.output_tokens), (2, 20, 3));
        assert_eq!(seen.text, "let me look. It is sunny.");
        let blocks = seen.blocks();
        let [Block::Text(_), Block::ToolCall(called), Block::Text(_)] = &blocks[..] else { panic!("{blocks:#?}") };
        assert_eq!((called.id.as_str(), called.name.as_str()), ("call_1", "get_weather"));
        assert_eq!(serde_json::from_str::<Value>(&called.arguments).expect("JSON"), json!({"city": "Oslo"}));
        assert_eq!(tool.calls(), [json!({"city": "Oslo"})], "{wire:?}: it ran once");
        assert_eq!(results(&rig), [("call_1".to_owned(), "sunny in Oslo".to_owned())], "{wire:?}");
        let requests = rig.model.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].tools(), ["get_weather"], "no tool of the CLI's own is offered");
        assert!(seen.notices().is_empty(), "{:?}", seen.notices());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_calls_run_at_once_and_are_answered_in_order() {
    let calling = Reply::new().tool_call(call("call_1", "both", "Oslo")).tool_call(call("call_2", "both", "Rome"));
    let script = Script::new(Reply::text("Both.")).then(calling);
    let Some(rig) = Rig::real("parallel_calls_run_at_once_and_are_answered_in_order", script).await else { return };
    // Each waits for the other, and the first answers last.
    let together = Arc::new(Barrier::new(2));
    let tool = Probe::new("both", move |arguments| {
        let together = Arc::clone(&together);
        Box::pin(async move {
            together.wait().await;
            let city = arguments["city"].as_str().unwrap_or_default().to_owned();
            tokio::time::sleep(Duration::from_millis(if city == "Oslo" { 100 } else { 0 })).await;
            Ok(city.into())
        })
    });
    let seen = tokio::time::timeout(PATIENCE, ask(&rig, &tool)).await.expect("they run at once");
    seen.answered();
    assert_eq!(tool.calls().len(), 2);
    assert_eq!(results(&rig), [("call_1".to_owned(), "Oslo".to_owned()), ("call_2".to_owned(), "Rome".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_tool_tells_the_model_why() {
    let calling = || Reply::new().tool_call(call("call_1", "breaks", "Oslo"));
    let script = Script::new(Reply::text("Pity.")).then(calling()).then(Reply::text("Pity.")).then(calling());
    let Some(rig) = Rig::real("a_failing_tool_tells_the_model_why", script).await else { return };
    let tool = Probe::new("breaks", |_| Box::pin(async { Err("the thermometer is \u{1f525} broken".to_owned()) }));
    assert_eq!(ask(&rig, &tool).await.text, "Pity.");
    assert!(results(&rig)[0].1.contains("the thermometer is \u{1f525} broken"), "{:?}", results(&rig));
    let tool = Probe::new("breaks", |_| Box::pin(async { panic!("a handler's own fault") }));
    assert_eq!(ask(&rig, &tool).await.text, "Pity.");
    assert!(results(&rig)[0].1.contains("the tool `breaks` crashed"), "{:?}", results(&rig));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_was_not_offered_is_not_run() {
    let calling =
        Reply::new().tool_call(call("call_1", "bash", "Oslo")).tool_call(call("call_2", "get_weather", "Rome"));
    let script = Script::new(Reply::text("I see.")).then(calling);
    let Some(rig) = Rig::real("a_tool_that_was_not_offered_is_not_run", script).await else { return };
    let tool = Probe::weather();
    let seen = ask(&rig, &tool).await;
    assert_eq!(seen.text, "I see.", "{:?}", seen.error);
    assert_eq!(tool.calls(), [json!({"city": "Rome"})]);
    let results = results(&rig);
    assert!(results[0].1.contains("does not exist"), "{results:?}");
    assert_eq!(results[1], ("call_2".to_owned(), "sunny in Rome".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tools_the_cli_runs_none_of_its_own() {
    let bash = ToolCall::new("call_1", "bash", &json!({"command": "touch ran", "description": "x"}));
    let script = Script::new(Reply::text("I see.")).then(Reply::new().tool_call(bash));
    let Some(rig) = Rig::real("without_tools_the_cli_runs_none_of_its_own", script).await else { return };
    let seen = rig.ask("run a command").await;
    assert_eq!(seen.text, "I see.", "{:?}", seen.error);
    let requests = rig.model.requests();
    assert!(requests[0].tools().is_empty(), "none is offered: {:?}", requests[0].tools());
    assert!(results(&rig)[0].1.contains("does not exist"), "{:?}", results(&rig));
    assert!(!rig.home.path().join("copilot-cli/work/ran").exists());
    assert!(!seen.noticed(&NoticeKind::PermissionDenied), "the CLI did not even ask");
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_arguments_are_the_models_to_mend() {
    let broken = ToolCall::fragments("call_1", "get_weather", ["{\"city\": ", "oops"]);
    let script = Script::new(Reply::text("Done."))
        .then(Reply::new().tool_call(broken))
        .then(Reply::new().tool_call(call("call_2", "get_weather", "Oslo")));
    let Some(rig) = Rig::real("broken_arguments_are_the_models_to_mend", script).await else { return };
    let tool = Probe::weather();
    let seen = ask(&rig, &tool).await;
    assert_eq!(seen.text, "Done.", "{:?}", seen.error);
    assert_eq!(tool.calls(), [json!({"city": "Oslo"})]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_turn_drops_its_tool() {
    let (dropped, mut gone) = tokio::sync::mpsc::channel::<()>(1);
    let script = Script::new(Reply::text("fine")).then(Reply::new().tool_call(call("call_1", "endless", "Oslo")));
    let Some(rig) = Rig::real("a_cancelled_turn_drops_its_tool", script).await else { return };
    let held = Arc::new(Mutex::new(Some(dropped)));
    let tool = Probe::new("endless", move |_| {
        let held = held.lock().expect("sound").take();
        Box::pin(async move {
            let _held = held;
            std::future::pending().await
        })
    });
    let session = rig.instance.session();
    let tools: Vec<Arc<dyn Tool>> = vec![Arc::<Probe>::clone(&tool) as Arc<dyn Tool>];
    let options = TurnRequest { tools, ..TurnRequest::new(Vec::new()) };
    let turn = session.send("use it", options).await.expect("started");
    let canceller = turn.canceller();
    let (seen, ()) = tokio::join!(read(turn), async {
        while tool.calls().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        canceller.cancel();
    });
    assert!(seen.failure().tools_ran, "a retry would run it again: {:?}", seen.error);
    assert_eq!(tokio::time::timeout(PATIENCE, gone.recv()).await.expect("the handler is dropped"), None);
    assert_eq!(rig.send(&session, "and now").await.text, "fine");
}
