//! Tools: rounds within a turn, calls handed back, and the names of calls.

use crate::rig::{Rig, call, calling, calls, results, saying, tool, tools, user};
use llm_provider_guest::events::Event;
use llm_provider_guest::provider::{Input, ToolChoice, TurnOptions};
use llm_provider_guest::types::{FinishReason, ToolOwner};
use serde_json::json;

#[test]
fn results_go_back_in_the_order_of_the_calls() {
    let mut rig = Rig::default();
    let turn = rig.ask_with(tools(ToolOwner::Callback));
    let first = rig.asked();
    let mut events = vec![json!({"thinking": 7}), json!({"more": [7, "hm"]}), json!({"close": [7, "proof"]})];
    events.extend(calling(&["a", "b", "c"]));
    rig.answer(&events);
    assert_eq!(rig.called(), ["a", "b", "c"], "all run at once");
    rig.tool_result(turn, "c", "third");
    rig.tool_result(turn, "a", "first");
    assert_eq!(rig.sent.len(), 1, "the model waits for all of them");
    rig.tool_result(turn, "b", "second");
    let asked = rig.asked();
    assert_eq!(
        asked["messages"],
        json!([
            {"role": "Role::User", "blocks": [{"text": "hello"}]},
            {"role": "Role::Assistant", "blocks": [
                {"thinking": "hm", "signature": "proof"},
                {"call": "a", "name": "look", "arguments": "{\"at\":0}"},
                {"call": "b", "name": "look", "arguments": "{\"at\":1}"},
                {"call": "c", "name": "look", "arguments": "{\"at\":2}"},
            ]},
            {"role": "Role::User", "blocks": [
                {"result": "a", "content": "first"},
                {"result": "b", "content": "second"},
                {"result": "c", "content": "third"},
            ]},
        ])
    );
    assert_ne!(asked["key"], first["key"], "each call has a name of its own");
    rig.answer(&saying("done"));
    assert_eq!(rig.text(turn), "done");
    assert_eq!(rig.finished(turn).provider_request_id.as_deref(), Some("toy-2"), "of the last request");
    let answered: Vec<String> = rig
        .events(turn)
        .into_iter()
        .filter_map(|event| if let Event::ToolAnswered(result) = event { Some(result.call_id) } else { None })
        .collect();
    assert_eq!(answered, ["c", "a", "b"], "told as they came");
}

#[test]
fn a_turn_has_as_many_rounds_as_the_model_wants() {
    let mut rig = Rig::default();
    let turn = rig.ask_with(tools(ToolOwner::Callback));
    for round in 0..10 {
        let id = format!("c{round}");
        rig.answer(&calling(&[&id]));
        rig.tool_result(turn, &id, "seen");
    }
    rig.answer(&saying("done"));
    assert_eq!(rig.asked()["messages"].as_array().unwrap().len(), 21);
    let ids: Vec<u64> = rig.sent.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, (1..=11).collect::<Vec<u64>>());
    let finished = rig.finished(turn);
    assert_eq!((finished.reason, finished.usage.model_calls), (FinishReason::Stop, 11));
}

#[test]
fn a_forced_call_is_asked_for_once() {
    for (choice, asked) in [
        (ToolChoice::Required, "ToolChoice::Required"),
        (ToolChoice::Named("look".into()), "ToolChoice::Named(\"look\")"),
        (ToolChoice::Auto, "ToolChoice::Auto"),
    ] {
        let mut rig = Rig::default();
        let turn = rig.ask_with(TurnOptions { tool_choice: choice, ..tools(ToolOwner::Callback) });
        assert_eq!(rig.asked()["choice"], asked);
        rig.answer(&calling(&["a"]));
        rig.tool_result(turn, "a", "seen");
        assert_eq!(rig.asked()["choice"], "ToolChoice::Auto");
    }
    let mut rig = Rig::default();
    let turn = rig.ask_with(TurnOptions { tool_choice: ToolChoice::None, ..tools(ToolOwner::Callback) });
    rig.answer(&calling(&["a"]));
    rig.tool_result(turn, "a", "seen");
    assert_eq!(rig.asked()["choice"], "ToolChoice::None", "what was forbidden stays so");
}

#[test]
fn results_that_nobody_waits_for_are_ignored() {
    let mut rig = Rig::default();
    let turn = rig.ask_with(tools(ToolOwner::Callback));
    rig.tool_result(turn, "a", "before it was called");
    rig.answer(&calling(&["a", "b"]));
    rig.tool_result(turn, "a", "seen");
    rig.tool_result(turn, "a", "twice");
    rig.tool_result(turn, "x", "never called");
    rig.tool_result(99, "b", "of no turn");
    assert_eq!(rig.sent.len(), 1);
    rig.tool_result(turn, "b", "seen");
    assert_eq!(rig.sent.len(), 2);
    rig.tool_result(turn, "b", "late");
    rig.answer(&saying("done"));
    rig.tool_result(turn, "b", "later");
    let answered = rig.events(turn).iter().filter(|event| matches!(event, Event::ToolAnswered(_))).count();
    assert_eq!((answered, rig.sent.len()), (2, 2));
    assert_eq!(rig.asked()["messages"][2]["blocks"][0]["content"], "seen");
}

#[test]
fn calls_of_the_owner_end_the_turn() {
    let mut rig = Rig::default();
    let turn = rig.ask_with(tools(ToolOwner::Return));
    rig.answer(&calling(&["a", "b"]));
    assert_eq!(rig.finished(turn).reason, FinishReason::ToolCalls);
    assert!(rig.invoked.is_empty());
    assert_eq!(rig.monitor.blocks(turn).len(), 2);
    let turn = rig.ask_in(1, vec![user("hello"), calls(&["a", "b"]), results(&["b", "a"])], tools(ToolOwner::Return));
    rig.answer(&saying("done"));
    assert_eq!(rig.text(turn), "done");
}

#[test]
fn an_answer_that_was_cut_off_runs_no_tools() {
    let mut rig = Rig::default();
    let turn = rig.ask_with(tools(ToolOwner::Callback));
    let mut events = calling(&["a"]);
    events.push(json!({"stopped": "length"}));
    rig.answer(&events);
    assert!(rig.invoked.is_empty());
    assert_eq!(rig.finished(turn).reason, FinishReason::Length);
}

#[test]
fn every_call_has_a_name_of_its_own() {
    let mut rig = Rig::default();
    let history = vec![user("hello"), calls(&["used", "used-2"]), results(&["used", "used-2"])];
    let turn = rig.ask_in(1, history, tools(ToolOwner::Callback));
    rig.answer(&calling(&["", "a", "a", "used", ""]));
    let called: Vec<String> = rig.called().into_iter().map(str::to_owned).collect();
    let unique: std::collections::BTreeSet<&String> = called.iter().collect();
    assert_eq!(unique.len(), 5, "{called:?}");
    assert_eq!(called[1], "a", "a good name stays");
    assert!(called.iter().all(|id| !id.is_empty() && id != "used" && id != "used-2"));
    called.iter().for_each(|id| rig.tool_result(turn, id, "seen"));
    // The next round too.
    rig.answer(&calling(&["a", &called[0]]));
    assert!(rig.called()[5..].iter().all(|id| !called.iter().any(|before| before == id)));
}

#[test]
fn a_turn_that_is_cancelled_while_tools_run_asks_no_more() {
    let mut rig = Rig::default();
    let turn = rig.ask_with(tools(ToolOwner::Callback));
    rig.answer(&calling(&["a"]));
    assert!(rig.timer.is_some());
    rig.give(Input::CancelTurn(turn));
    assert_eq!(rig.reach(turn), (true, true, true));
    assert!(rig.given_up().is_empty(), "nothing was open");
    rig.tool_result(turn, "a", "late");
    assert_eq!(rig.sent.len(), 1);
}

#[test]
fn tools_have_no_deadline_here() {
    let mut rig = Rig::default();
    let turn = rig.ask_with(TurnOptions { tools: vec![tool("look")], ..tools(ToolOwner::Callback) });
    rig.answer(&calling(&["a"]));
    rig.pass(100 * crate::rig::TIMEOUT);
    assert!(!rig.monitor.ended(turn));
    assert_eq!(rig.invoked, [(turn, call("a", "look", "{\"at\":0}"))]);
    rig.tool_result(turn, "a", "seen");
    rig.pass(crate::rig::TIMEOUT - 1);
    assert!(!rig.monitor.ended(turn), "the model has its whole time again");
    rig.answer(&saying("done"));
    assert_eq!(rig.text(turn), "done");
}
