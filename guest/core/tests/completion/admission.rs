//! What is refused before anything is sent, and what is made of the rest.

use crate::rig::{Rig, assistant, calls, results, said, setup, tool, tools, user};
use llm_provider_core::completion::Completions;
use llm_provider_guest::Plugin;
use llm_provider_guest::errors::ErrorKind;
use llm_provider_guest::provider::{Input, ReasoningEffort, Sampling, ToolChoice, TurnOptions};
use llm_provider_guest::types::{Block, Message, Role, TextBlock, Tool, ToolOwner};
use serde_json::json;

/// A turn that must be refused, by what its message says.
fn refused(history: Vec<Message>, options: TurnOptions, says: &str) {
    let mut rig = Rig::default();
    let turn = rig.ask_in(1, history, options);
    let error = rig.failed(turn).error;
    assert!(matches!(error.kind, ErrorKind::InvalidRequest | ErrorKind::Unsupported), "{:?}", error.kind);
    assert!(error.message.contains(says), "`{}` does not say `{says}`", error.message);
    assert_eq!(rig.reach(turn), (false, false, false));
    assert_eq!(rig.events(turn).len(), 1);
    assert!(rig.sent.is_empty() && rig.timer.is_none());
}

#[test]
fn options_that_cannot_be_are_refused() {
    let plain = TurnOptions::default;
    let sampled = |sampling| TurnOptions { sampling, ..plain() };
    let offered = |tools| TurnOptions { tools, ..plain() };
    let forced = |choice| TurnOptions { tool_choice: choice, ..tools(ToolOwner::Return) };
    let bad = Tool { parameters: "[]".into(), ..tool("look") };
    let table = [
        (TurnOptions { model: Some(String::new()), ..plain() }, "name of the model is empty"),
        (TurnOptions { provider_tools: vec!["search".into()], ..plain() }, "no tools of its own"),
        (TurnOptions { max_output_tokens: Some(0), ..plain() }, "max-output-tokens"),
        (TurnOptions { stop_sequences: vec!["x".into(), String::new()], ..plain() }, "stop sequence"),
        (sampled(Sampling { temperature: Some(f64::NAN), ..Sampling::default() }), "finite"),
        (sampled(Sampling { top_p: Some(f64::INFINITY), ..Sampling::default() }), "finite"),
        (sampled(Sampling { frequency_penalty: Some(f64::NEG_INFINITY), ..Sampling::default() }), "finite"),
        (sampled(Sampling { presence_penalty: Some(f64::NAN), ..Sampling::default() }), "finite"),
        (offered(vec![tool("a b")]), "`a b`"),
        (offered(vec![tool("look"), tool("look")]), "twice"),
        (offered(vec![bad]), "not a JSON object"),
        (TurnOptions { output_schema: Some("7".into()), ..plain() }, "output-schema"),
        (TurnOptions { tool_choice: ToolChoice::Required, ..plain() }, "none is offered"),
        (TurnOptions { tool_choice: ToolChoice::Named("look".into()), ..plain() }, "`look`"),
        (forced(ToolChoice::Named("smell".into())), "`smell`"),
        // The dialect's own.
        (TurnOptions { reasoning_effort: Some(ReasoningEffort::High), ..plain() }, "do not think harder"),
    ];
    for (options, says) in table {
        let mut rig = Rig::default();
        let turn = rig.ask_with(options.clone());
        assert!(rig.failed(turn).error.message.contains(says), "{says}: {:?}", rig.failed(turn).error);
        assert!(rig.sent.is_empty());
        if says != "do not think harder" {
            refused(vec![user("hello")], options, says);
        }
    }
}

#[test]
fn conversations_that_cannot_be_answered_are_refused() {
    let nothing = Message { role: Role::User, blocks: Vec::new() };
    let wrong = |role, message: Message| Message { role, ..message };
    let table = [
        (vec![], "empty"),
        (vec![nothing.clone()], "empty"),
        (vec![user("")], "empty"),
        (vec![user("hello"), assistant("hi")], "anything to answer"),
        (vec![user("hello"), assistant("hi"), nothing, user("")], "anything to answer"),
        (vec![user("hello"), calls(&["a"])], "anything to answer"),
        (vec![user("hello"), results(&["a"])], "`a`"),
        (vec![user("hello"), calls(&["a"]), results(&["a", "a"])], "`a`"),
        (vec![user("hello"), results(&["a"]), calls(&["a"]), user("so?")], "`a`"),
        (vec![user("hello"), calls(&["a", "a"]), results(&["a"])], "`a`"),
        (vec![user("hello"), calls(&["a"]), user("so?"), assistant("hm"), results(&["a"])], "`a`"),
        (vec![wrong(Role::User, calls(&["a"])), results(&["a"])], "user"),
        (vec![user("hello"), calls(&["a"]), wrong(Role::Assistant, results(&["a"])), user("so?")], "assistant"),
    ];
    for (history, says) in table {
        refused(history, tools(ToolOwner::Return), says);
    }
}

#[test]
fn a_call_may_have_the_name_of_one_that_was_answered() {
    let mut rig = Rig::default();
    let history = vec![
        user("hello"),
        calls(&["a"]),
        results(&["a"]),
        assistant("hm"),
        user("so?"),
        calls(&["a"]),
        results(&["a"]),
    ];
    let turn = rig.ask_in(1, history, tools(ToolOwner::Return));
    assert!(!rig.monitor.ended(turn));
}

/// The kept history never changes: were it refused, the conversation could not go on.
#[test]
fn a_call_without_a_result_is_answered_with_an_error() {
    let lacks = |id: &str| json!({"result": id, "content": "There is no result of this call: it did not run, or its result was not kept."});
    let seen = |id: &str| json!({"result": id, "content": "seen"});
    let says = |text: &str| json!({"text": text});
    // In the message that follows the calls, before all else; at the end and before the model speaks again.
    let table = [
        (vec![user("hello"), calls(&["a"]), user("so?")], 2, json!([lacks("a"), says("so?")])),
        (
            vec![user("hello"), calls(&["a"]), user("so?"), assistant("hm"), user("?")],
            2,
            json!([lacks("a"), says("so?")]),
        ),
        (vec![user("hello"), calls(&["a", "b", "c"]), results(&["b"])], 2, json!([lacks("a"), lacks("c"), seen("b")])),
        (
            vec![user("hello"), calls(&["a"]), calls(&["b"]), user("x"), results(&["a"])],
            3,
            json!([lacks("b"), says("x")]),
        ),
        (
            vec![user("hello"), calls(&["a"]), results(&["a"]), calls(&["a"]), user("x")],
            4,
            json!([lacks("a"), says("x")]),
        ),
    ];
    for (history, at, blocks) in table {
        let mut rig = Rig::default();
        let turn = rig.ask_in(1, history.clone(), tools(ToolOwner::Return));
        assert!(!rig.monitor.ended(turn), "{history:?}");
        assert_eq!(rig.asked()["messages"][at]["blocks"], blocks, "{history:?}");
        assert_eq!(rig.asked()["messages"].as_array().unwrap().len(), history.len());
    }
}

#[test]
fn a_conversation_goes_on_after_an_answer_that_was_cut_off_behind_a_call() {
    for reason in ["length", "filter", "odd"] {
        let mut rig = Rig::default();
        let turn = rig.ask_with(tools(ToolOwner::Callback));
        let mut events = crate::rig::calling(&["a"]);
        events.push(json!({"stopped": reason}));
        rig.answer(&events);
        let kept = Message { role: Role::Assistant, blocks: rig.monitor.blocks(turn) };
        assert!(rig.invoked.is_empty() && matches!(kept.blocks[..], [Block::ToolCall(_)]), "{reason}");
        let turn = rig.ask_in(1, vec![user("hello"), kept, user("go on")], tools(ToolOwner::Callback));
        rig.answer(&crate::rig::saying("done"));
        assert_eq!(rig.text(turn), "done", "{reason}");
    }
}

#[test]
fn what_says_nothing_is_left_out() {
    let mut rig = Rig::default();
    let text = |text: &str| Block::Text(TextBlock { text: text.into() });
    let mixed = Message { role: Role::User, blocks: vec![text(""), text("so?")] };
    let history = vec![user("hello"), said(Role::Assistant, ""), mixed, Message { role: Role::User, blocks: vec![] }];
    rig.ask_in(1, history, TurnOptions { system: Some(String::new()), ..TurnOptions::default() });
    let asked = rig.asked();
    let says = |text| json!({"role": "Role::User", "blocks": [{"text": text}]});
    assert_eq!(asked["messages"], json!([says("hello"), says("so?")]));
    assert_eq!(asked["system"], json!(null));
}

#[test]
fn options_are_handed_on() {
    let mut rig = Rig::default();
    rig.ask_with(TurnOptions {
        model: Some("toy-2".into()),
        system: Some("be brief".into()),
        tool_choice: ToolChoice::None,
        max_output_tokens: Some(7),
        sampling: Sampling { temperature: Some(0.5), ..Sampling::default() },
        stop_sequences: vec!["END".into()],
        output_schema: Some("{}".into()),
        ..tools(ToolOwner::Return)
    });
    let mut asked = rig.asked();
    assert_eq!(asked["key"].take().as_str().map(str::len), Some(32));
    assert_eq!(
        asked,
        json!({
            "model": "toy-2", "system": "be brief", "choice": "ToolChoice::None", "tools": ["look", "listen"],
            "messages": [{"role": "Role::User", "blocks": [{"text": "hello"}]}], "max": 7, "temperature": 0.5,
            "stop": ["END"], "schema": "{}", "key": null,
        })
    );
    let mut rig = Rig::default();
    rig.ask_with(TurnOptions { tool_choice: ToolChoice::None, ..TurnOptions::default() });
    assert_eq!((&rig.asked()["choice"], &rig.asked()["model"]), (&json!("ToolChoice::Auto"), &json!("toy-1")));
}

#[test]
fn a_turn_needs_a_model() {
    let mut rig = Rig::new(r#"{"timeout":60000}"#);
    let turn = rig.ask();
    assert!(rig.failed(turn).error.message.contains("no model is named"));
    rig.ask_with(TurnOptions { model: Some("toy-2".into()), ..TurnOptions::default() });
    assert_eq!(rig.asked()["model"], "toy-2");
}

#[test]
fn a_turn_needs_a_session_of_its_own() {
    let mut rig = Rig::default();
    let turn = rig.ask_in(7, vec![user("hello")], TurnOptions::default());
    assert!(rig.failed(turn).error.message.contains("not open"));
    let first = rig.ask();
    let second = rig.ask();
    assert!(rig.failed(second).error.message.contains("one at a time"));
    assert_eq!(rig.reach(second), (false, false, false));
    assert!(!rig.monitor.ended(first));
    assert_eq!(rig.sent.len(), 1);
    rig.give(Input::CancelTurn(first));
    let third = rig.ask();
    assert!(!rig.monitor.ended(third));
}

#[test]
fn a_configuration_that_cannot_work_makes_no_plugin() {
    let error = Completions::<crate::rig::toy::Toy>::configure(setup("{}")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(error.message.contains("timeout"), "{}", error.message);
}

#[test]
fn keys_are_the_instances_own() {
    let key = |seed| {
        let mut rig = Rig::default();
        let setup = llm_provider_guest::provider::Setup { seed, ..setup(r#"{"model":"toy-1","timeout":1000}"#) };
        rig.plugin = Completions::configure(setup).unwrap();
        rig.give(Input::OpenSession(1));
        rig.ask();
        rig.asked()["key"].clone()
    };
    assert_eq!(key(1), key(1));
    assert_ne!(key(1), key(2));
}
