//! Tools that the host runs within a turn.

use super::Subject;
use super::probe::{Probe, call, results};
use super::shape::well_formed;
use llm_provider_host::wit::types::ToolResult;
use llm_provider_host::{Block, Event, ToolChoice, ToolOwner, TurnRequest};
use llmp_model_server::{RecordedRequest, Reply, Script, ToolCall, Usage};
use llmp_tests::rig::{Flavor, PATIENCE, Rig, Seen, read};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;

contract! {
    everywhere: [
        rounds_of_tools_are_one_turn,
        parallel_calls_run_at_once_and_are_answered_in_order,
    ],
    http: [
        a_forced_call_is_asked_for_once,
        what_goes_wrong_is_told_the_model,
        a_name_used_twice_is_two_calls,
    ]
}

async fn ask(rig: &Rig, tool: &Arc<Probe>) -> Seen {
    let seen = rig.turn(&rig.instance.session(), tool.request(ToolOwner::Callback)).await;
    well_formed(&seen);
    seen
}

/// S30, S33: two rounds; what all calls cost is one sum.
async fn rounds_of_tools_are_one_turn(subject: Subject) {
    let usage = |output| Usage { input: 10, output, ..Usage::default() };
    let script = Script::new(Reply::text("It is sunny.").usage(usage(4)))
        .then(Reply::deltas(["let me look. "]).tool_call(call("call_1", "Oslo")).usage(usage(1)))
        .then(Reply::new().tool_call(call("call_2", "Rome")).usage(usage(2)));
    let Some(rig) = subject.rig("rounds_of_tools_are_one_turn", script).await else { return };
    let tool = Probe::sunny();
    let seen = ask(&rig, &tool).await;
    let sum = seen.answered().usage;
    assert_eq!((sum.model_calls, sum.input_tokens, sum.output_tokens), (3, 30, 7));
    assert_eq!(seen.text, "let me look. It is sunny.");
    let blocks = seen.blocks();
    let [Block::Text(_), Block::ToolCall(one), Block::ToolCall(two), Block::Text(_)] = &blocks[..] else {
        panic!("{blocks:#?}")
    };
    assert_eq!((one.id.as_str(), two.id.as_str()), ("call_1", "call_2"));
    assert_eq!(serde_json::from_str::<Value>(&one.arguments).expect("JSON"), json!({"city": "Oslo"}));
    assert_eq!(tool.calls(), [json!({"city": "Oslo"}), json!({"city": "Rome"})], "each ran once");
    let expected = [("call_1", "sunny in Oslo"), ("call_2", "sunny in Rome")];
    assert_eq!(results(&rig), expected.map(|(id, text)| (id.to_owned(), text.to_owned())));
    assert_eq!(seen.count("tool-answered"), 2);
    let requests = rig.model.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.tools() == ["get_weather"]), "offered in every round");
    let calls: Vec<_> = requests[2].messages().into_iter().flat_map(|message| message.tool_calls).collect();
    assert_eq!(calls.iter().map(|call| call.id.as_str()).collect::<Vec<_>>(), ["call_1", "call_2"]);
}

async fn parallel_calls_run_at_once_and_are_answered_in_order(subject: Subject) {
    let calling = Reply::new().tool_call(call("call_1", "Oslo")).tool_call(call("call_2", "Rome"));
    let script = Script::new(Reply::text("Both.")).then(calling);
    let name = "parallel_calls_run_at_once_and_are_answered_in_order";
    let Some(rig) = subject.rig(name, script).await else { return };
    // Each waits for the other, and the first answers last.
    let together = Arc::new(Barrier::new(2));
    let tool = Probe::new(move |arguments| {
        let together = Arc::clone(&together);
        Box::pin(async move {
            together.wait().await;
            let city = arguments["city"].as_str().unwrap_or_default().to_owned();
            tokio::time::sleep(Duration::from_millis(if city == "Oslo" { 100 } else { 0 })).await;
            Ok(city.into())
        })
    });
    let seen = tokio::time::timeout(PATIENCE, ask(&rig, &tool)).await.expect("they run at once");
    assert_eq!(seen.text, "Both.", "{:?}", seen.error);
    assert_eq!(results(&rig), [("call_1".to_owned(), "Oslo".to_owned()), ("call_2".to_owned(), "Rome".to_owned())]);
    assert_eq!(seen.count("tool-answered"), 2);
}

/// The words of each dialect for a choice.
fn word(flavor: Flavor, choice: &ToolChoice) -> Value {
    match (flavor, choice) {
        (_, ToolChoice::Auto) => Value::Null,
        (Flavor::Chat | Flavor::Responses, ToolChoice::None) => json!("none"),
        (Flavor::Chat | Flavor::Responses, ToolChoice::Required) => json!("required"),
        (Flavor::Chat, ToolChoice::Named(name)) => json!({"type": "function", "function": {"name": name}}),
        (Flavor::Responses, ToolChoice::Named(name)) => json!({"type": "function", "name": name}),
        (Flavor::Anthropic, ToolChoice::None) => json!({"type": "none"}),
        (Flavor::Anthropic, ToolChoice::Required) => json!({"type": "any"}),
        (Flavor::Anthropic, ToolChoice::Named(name)) => json!({"type": "tool", "name": name}),
        (Flavor::Gemini, ToolChoice::None) => json!({"mode": "NONE"}),
        (Flavor::Gemini, ToolChoice::Required) => json!({"mode": "ANY"}),
        (Flavor::Gemini, ToolChoice::Named(name)) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
    }
}

async fn a_forced_call_is_asked_for_once(subject: Subject) {
    let rig = subject.http(Script::new(Reply::text("Done."))).await;
    let chosen = |request: &RecordedRequest| match subject.flavor() {
        Flavor::Gemini => request.body["toolConfig"]["functionCallingConfig"].clone(),
        _ => request.body["tool_choice"].clone(),
    };
    for choice in [ToolChoice::Required, ToolChoice::Named("get_weather".into())] {
        rig.model.push(Reply::new().tool_call(call("call_1", "Oslo"))).expect("room");
        let request = TurnRequest { tool_choice: choice.clone(), ..Probe::sunny().request(ToolOwner::Callback) };
        rig.turn(&rig.instance.session(), request).await.answered();
        let requests = rig.model.requests();
        let [.., first, second] = &requests[..] else { panic!("two rounds: {}", requests.len()) };
        assert_eq!(chosen(first), word(subject.flavor(), &choice), "{choice:?}");
        assert_eq!(chosen(second), Value::Null, "{choice:?}: the model may answer now");
    }
    for choice in [ToolChoice::Auto, ToolChoice::None] {
        let request = TurnRequest { tool_choice: choice.clone(), ..Probe::sunny().request(ToolOwner::Callback) };
        rig.turn(&rig.instance.session(), request).await.answered();
        assert_eq!(chosen(&rig.last_request()), word(subject.flavor(), &choice), "{choice:?}");
    }
}

fn answers(seen: &Seen) -> Vec<&ToolResult> {
    seen.events.iter().filter_map(|event| if let Event::ToolAnswered(it) = event { Some(it) } else { None }).collect()
}

/// A handler that fails or crashes, a tool that was not offered, arguments that are no JSON.
async fn what_goes_wrong_is_told_the_model(subject: Subject) {
    let rig = subject.http(Script::new(Reply::text("I see."))).await;
    let fire = "the thermometer is \u{1f525} broken";
    let failing = Probe::new(move |_| Box::pin(async move { Err(fire.to_owned()) }));
    let crashing = Probe::new(|_| Box::pin(async { panic!("a handler's own fault") }));
    let other = ToolCall::new("call_1", "bash", &json!({"command": "ls"}));
    let broken = ToolCall::fragments("call_1", "get_weather", ["{\"city\": ", "oops"]);
    // Here arguments are JSON, which need not be an object.
    let gemini = subject.flavor() == Flavor::Gemini;
    let not_arguments = if gemini { "object" } else { "the arguments are not JSON" };
    let cases = [
        (failing, call("call_1", "Oslo"), fire, 1),
        (crashing, call("call_1", "Oslo"), "the tool `get_weather` crashed", 1),
        (Probe::sunny(), other, "no tool is named `bash`", 0),
        (Probe::sunny(), broken, not_arguments, 0),
    ];
    for (tool, calling, told, ran) in cases {
        rig.model.push(Reply::new().tool_call(calling)).expect("room");
        let seen = ask(&rig, &tool).await;
        assert_eq!((seen.text.as_str(), tool.calls().len()), ("I see.", ran), "{told}: {:?}", seen.error);
        let results = results(&rig);
        assert!(results.len() == 1 && results[0].1.contains(told), "{told}: {results:?}");
        let answers = answers(&seen);
        assert!(answers.len() == 1 && answers[0].is_error, "{told}: {answers:?}");
        if subject.flavor() == Flavor::Anthropic {
            assert!(rig.last_request().body.to_string().contains("\"is_error\":true"), "{told}");
        }
        if gemini {
            assert!(rig.last_request().body.to_string().contains("\"response\":{\"error\":"), "{told}");
        }
    }
}

/// A service that gives every call the same name does not confuse the results, and no call runs twice.
async fn a_name_used_twice_is_two_calls(subject: Subject) {
    let calling = |city| Reply::new().tool_call(call("call_1", city));
    let script = Script::new(Reply::text("Both.")).then(calling("Oslo")).then(calling("Rome"));
    let rig = subject.http(script).await;
    let tool = Probe::sunny();
    let session = rig.instance.session();
    let seen = read(session.turn(tool.request(ToolOwner::Callback)).await.expect("started")).await;
    well_formed(&seen);
    assert_eq!(seen.text, "Both.", "{:?}", seen.error);
    assert_eq!(tool.calls(), [json!({"city": "Oslo"}), json!({"city": "Rome"})]);
    let texts: Vec<String> = results(&rig).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["sunny in Oslo", "sunny in Rome"]);
}
