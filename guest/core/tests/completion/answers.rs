//! Answers: what is told of them, in which order, and what they cost.

use crate::rig::{Rig, calling, header, saying, stream, tools};
use llm_provider_guest::events::{Attempt, BlockEnd, BlockKind, BlockStart, Delta, Event, NoticeKind, ToolCallHead};
use llm_provider_guest::types::{Block, FinishReason, TextBlock, ThinkingBlock, ToolCall, ToolOwner};
use serde_json::{Value, json};

#[test]
fn an_answer_is_told_in_order_with_an_index_for_each_block() {
    let mut rig = Rig::default();
    let turn = rig.ask_with(tools(ToolOwner::Return));
    // Blocks that are open at the same time, with numbers of the service's own.
    rig.answer(&[
        json!({"model": "toy-1-0613"}),
        json!({"thinking": 9}),
        json!({"more": [9, "hm"]}),
        json!({"text": 4}),
        json!({"more": [4, "yes"]}),
        json!({"more": [4, ""]}),
        json!({"close": [9, "proof"]}),
        json!({"call": [7, "c1", "look"]}),
        json!({"more": [7, "{}"]}),
        json!({"more": [4, " and no"]}),
        json!({"stopped": "calls"}),
    ]);
    let delta = |index, text: &str| Delta { index, text: text.into() };
    let thinking = Block::Thinking(ThinkingBlock { text: "hm".into(), signature: Some("proof".into()) });
    let text = Block::Text(TextBlock { text: "yes and no".into() });
    let call = Block::ToolCall(ToolCall { id: "c1".into(), name: "look".into(), arguments: "{}".into() });
    let head = ToolCallHead { id: "c1".into(), name: "look".into() };
    let events = rig.events(turn);
    let (last, before) = events.split_last().unwrap();
    assert_eq!(
        before,
        [
            Event::AttemptStarted(Attempt { number: 1, model: Some("toy-1".into()) }),
            Event::BlockStarted(BlockStart { index: 0, kind: BlockKind::Thinking }),
            Event::ThinkingDelta(delta(0, "hm")),
            Event::BlockStarted(BlockStart { index: 1, kind: BlockKind::Text }),
            Event::TextDelta(delta(1, "yes")),
            Event::BlockFinished(BlockEnd { index: 0, block: thinking }),
            Event::BlockStarted(BlockStart { index: 2, kind: BlockKind::ToolCall(head) }),
            Event::ToolArgumentsDelta(delta(2, "{}")),
            Event::TextDelta(delta(1, " and no")),
            Event::BlockFinished(BlockEnd { index: 1, block: text }),
            Event::BlockFinished(BlockEnd { index: 2, block: call }),
        ]
    );
    let Event::Finished(finished) = last else { panic!("{last:?}") };
    assert_eq!(finished.reason, FinishReason::ToolCalls);
    assert_eq!(finished.model.as_deref(), Some("toy-1-0613"));
    assert_eq!(finished.provider_request_id.as_deref(), Some("toy-1"));
}

/// A name in the answer goes before that in the head, whatever becomes of the answer.
#[test]
fn an_answer_may_say_its_own_name() {
    let named =
        |end: Vec<Value>| [vec![json!({"name": "own"}), json!({"text": 0}), json!({"more": [0, "a"]})], end].concat();
    let mut rig = Rig::default();
    let turn = rig.ask();
    rig.answer(&named(vec![json!({"stopped": "stop"})]));
    assert_eq!(rig.finished(turn).provider_request_id.as_deref(), Some("own"));
    let refusal = json!({"failed": {"code": "server_error", "message": "oops"}});
    for end in [vec![], vec![refusal]] {
        let mut rig = Rig::default();
        let turn = rig.ask();
        rig.answer(&named(end));
        assert_eq!(rig.failed(turn).error.provider_request_id.as_deref(), Some("own"));
    }
}

#[test]
fn what_does_not_fit_a_block_is_left_out() {
    let mut rig = Rig::default();
    let turn = rig.ask();
    rig.answer(&[
        json!({"more": [0, "before it begins"]}),
        json!({"close": [0, null]}),
        json!({"text": 0}),
        json!({"more": [0, "in it"]}),
        json!({"close": [0, null]}),
        json!({"close": [0, "again"]}),
        json!({"more": [0, "after it"]}),
        json!({"stopped": "length"}),
        json!({"stopped": "stop"}),
    ]);
    assert_eq!(rig.text(turn), "in it");
    assert_eq!(rig.finished(turn).reason, FinishReason::Stop, "the last word counts");
}

#[test]
fn costs_are_summed_over_the_calls_of_a_turn() {
    let mut rig = Rig::default();
    let turn = rig.ask_with(tools(ToolOwner::Callback));
    rig.answer(&calling(&["a"]));
    rig.tool_result(turn, "a", "seen");
    // Told early and again: the last one of a call counts.
    let mut events = vec![json!({"usage": [1000, 1000]})];
    events.extend(saying("done"));
    rig.answer(&events);
    let told: Vec<_> = rig
        .events(turn)
        .into_iter()
        .filter_map(|event| if let Event::Usage(usage) = event { Some(usage) } else { None })
        .map(|usage| (usage.model_calls, usage.input_tokens, usage.output_tokens))
        .collect();
    assert_eq!(told, [(1, 7, 3), (2, 17, 5)]);
    assert_eq!(rig.finished(turn).usage.input_tokens, 17);
}

#[test]
fn a_failed_turn_tells_once_what_it_cost() {
    let costs = |rig: &Rig, turn| rig.events(turn).iter().filter(|event| matches!(event, Event::Usage(_))).count();
    let half = [json!({"text": 0}), json!({"more": [0, "so"]}), json!({"usage": [10, 1]})];
    // Cut off, failed in the stream, and given up.
    for how in 0..3 {
        let mut rig = Rig::default();
        let turn = rig.ask();
        let id = rig.newest();
        rig.accept(id);
        rig.events_of(id, &half);
        match how {
            0 => rig.end(id),
            1 => rig.events_of(id, &[json!({"failed": {"code": "overloaded_error", "message": "busy"}})]),
            _ => rig.give(llm_provider_guest::provider::Input::CancelTurn(turn)),
        }
        assert_eq!((rig.failed(turn).usage.input_tokens, costs(&rig, turn)), (10, 1), "{how}");
        assert_eq!(rig.failed(turn).usage.model_calls, 1);
    }
}

#[test]
fn unknown_events_are_counted_and_told_once() {
    let mut rig = Rig::default();
    let turn = rig.ask_with(tools(ToolOwner::Callback));
    let mut events = vec![json!({"ping": 1}), json!({"pong": 2})];
    events.extend(calling(&["a"]));
    rig.answer(&events);
    rig.tool_result(turn, "a", "seen");
    let mut events = vec![json!({"ping": 3})];
    events.extend(saying("done"));
    rig.answer(&events);
    let notices = rig.notices(turn);
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].0, NoticeKind::UnknownEventIgnored);
    assert!(notices[0].1.contains('3'), "{}", notices[0].1);
}

#[test]
fn a_server_that_does_not_stream_is_understood() {
    let mut rig = Rig::default();
    let turn = rig.ask();
    let id = rig.newest();
    rig.head(id, 200, vec![header("content-type", "Application/JSON; charset=utf-8")]);
    let body = serde_json::to_string(&saying("hello")).unwrap();
    let (first, second) = body.split_at(20);
    rig.chunk(id, first.as_bytes());
    assert_eq!(rig.events(turn).len(), 1, "nothing is told of half an answer");
    rig.chunk(id, second.as_bytes());
    rig.end(id);
    assert_eq!(rig.text(turn), "hello");
    assert_eq!(rig.finished(turn).usage.input_tokens, 10);
}

#[test]
fn a_server_that_names_no_type_streams() {
    let mut rig = Rig::default();
    let turn = rig.ask();
    let id = rig.newest();
    rig.head(id, 201, Vec::new());
    rig.events_of(id, &saying("hello"));
    rig.end(id);
    assert_eq!(rig.text(turn), "hello");
    assert_eq!(rig.finished(turn).provider_request_id, None);
}

#[test]
fn the_last_event_may_come_without_its_blank_line() {
    let mut rig = Rig::default();
    let turn = rig.ask();
    let id = rig.newest();
    rig.accept(id);
    let bytes = stream(&saying("hello"));
    rig.chunk(id, &bytes[..bytes.len() - 2]);
    rig.end(id);
    assert_eq!(rig.finished(turn).reason, FinishReason::Stop);
}

#[test]
fn an_answer_without_a_word_is_none() {
    let empty = [
        vec![json!({"stopped": "stop"})],
        // A call was announced and none was made.
        vec![json!({"stopped": "calls"})],
        vec![json!({"text": 0}), json!({"close": [0, null]}), json!({"stopped": "stop"})],
        vec![json!({"thinking": 0}), json!({"stopped": "stop"})],
    ];
    for events in empty {
        let mut rig = Rig::default();
        let turn = rig.ask();
        rig.answer(&events);
        assert_eq!(rig.reach(turn), (true, false, false), "{events:?}");
        assert_eq!(rig.failed(turn).error.provider_request_id.as_deref(), Some("toy-1"));
    }
    // One that was cut off by a limit or a filter is what it says.
    let mut rig = Rig::default();
    let turn = rig.ask();
    rig.answer(&[json!({"stopped": "length"})]);
    assert_eq!(rig.finished(turn).reason, FinishReason::Length);
    // After results of tools there may be nothing to add.
    let turn = rig.ask_with(tools(ToolOwner::Callback));
    rig.answer(&calling(&["a"]));
    rig.tool_result(turn, "a", "seen");
    rig.answer(&[json!({"stopped": "stop"})]);
    assert_eq!(rig.finished(turn).reason, FinishReason::Stop);
}

#[test]
fn calls_that_were_announced_and_not_made_leave_a_plain_answer() {
    let mut rig = Rig::default();
    let turn = rig.ask_with(tools(ToolOwner::Callback));
    rig.answer(&[json!({"text": 0}), json!({"more": [0, "no"]}), json!({"stopped": "calls"})]);
    assert_eq!(rig.finished(turn).reason, FinishReason::Stop);
}

#[test]
fn turns_in_several_sessions_do_not_mix() {
    let mut rig = Rig::default();
    for session in [2, 3] {
        rig.give(llm_provider_guest::provider::Input::OpenSession(session));
    }
    let turns: Vec<u64> =
        (1..=3).map(|session| rig.ask_in(session, vec![crate::rig::user("hello")], Default::default())).collect();
    let ids: Vec<u64> = rig.sent.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [1, 2, 3]);
    ids.iter().for_each(|id| rig.accept(*id));
    let answers: Vec<Vec<u8>> = ["one", "two", "three"].iter().map(|text| stream(&saying(text))).collect();
    // A byte of each in turn, from the last to the first.
    for at in 0..answers.iter().map(Vec::len).max().unwrap() {
        for (id, answer) in ids.iter().zip(&answers).rev() {
            if let Some(byte) = answer.get(at) {
                rig.chunk(*id, &[*byte]);
            }
        }
    }
    rig.end(2);
    rig.broken(3, llm_provider_guest::http_types::FailureKind::Broken, true);
    assert!(!rig.monitor.ended(turns[0]));
    rig.end(1);
    let texts: Vec<String> = turns.iter().map(|turn| rig.text(*turn)).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    assert!(turns.iter().all(|turn| rig.finished(*turn).reason == FinishReason::Stop));
}
