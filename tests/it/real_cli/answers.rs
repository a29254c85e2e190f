//! Answers of unusual shapes.

use llm_provider_host::wit::errors::{ErrorKind, Verdict};
use llm_provider_host::{FinishReason, TurnRequest, user_message};
use llmp_model_server::{Finish, Reply, Script, Usage};
use llmp_tests::rig::{Rig, Wire, read};
use serde_json::json;

/// S28, B16: usage is the sum of the calls of a turn.
#[tokio::test(flavor = "multi_thread")]
async fn continued_answers_are_joined_and_their_usage_is_summed() {
    let usage = |output| Usage { input: 10, output, ..Usage::default() };
    let part = |texts: [&'static str; 2], output| Reply::deltas(texts).finish(Finish::Length).usage(usage(output));
    let script = Script::new(Reply::deltas(["five ", "six"]).usage(usage(4)))
        .then(part(["one ", "two "], 1))
        .then(part(["three ", "four "], 2));
    let Some(rig) = Rig::real("continued_answers_are_joined_and_their_usage_is_summed", script).await else { return };
    let seen = rig.ask("count").await;
    let finished = seen.answered();
    assert_eq!(
        (seen.text.as_str(), seen.block_text().as_str()),
        ("one two three four five six", "one two three four five six")
    );
    assert_eq!(seen.blocks().len(), 1, "one text, one block: {:#?}", seen.blocks());
    assert_eq!(finished.reason, FinishReason::Stop);
    let usage = finished.usage;
    assert_eq!((usage.model_calls, usage.input_tokens, usage.output_tokens), (3, 30, 7));
}

/// B22: a truncated answer does not look complete.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_stays_cut_off_says_so() {
    let name = "an_answer_that_stays_cut_off_says_so";
    let script = Script::new(Reply::text("more ").finish(Finish::Length));
    let Some(rig) = Rig::real(name, script).await else { return };
    let seen = rig.ask("endless").await;
    assert_eq!(seen.answered().reason, FinishReason::Length);
    let calls = usize::try_from(rig.model.seen()).expect("few");
    assert_eq!(seen.text, "more ".repeat(calls));
    assert_eq!(seen.text, seen.block_text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filtered_answer_is_an_answer_with_its_reason() {
    let script = Script::new(Reply::new().finish(Finish::ContentFilter))
        .then(Reply::text("half a ").finish(Finish::ContentFilter));
    let Some(rig) = Rig::real("a_filtered_answer_is_an_answer_with_its_reason", script).await else { return };
    for text in ["half a ", ""] {
        let seen = rig.ask("something bad").await;
        assert_eq!(seen.answered().reason, FinishReason::ContentFilter);
        assert_eq!((seen.text.as_str(), seen.block_text().as_str()), (text, text));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_answer_is_a_failure_that_may_be_tried_again() {
    let script = Script::new(Reply::text("fine")).then(Reply::deltas([""]));
    let Some(rig) = Rig::real("an_empty_answer_is_a_failure_that_may_be_tried_again", script).await else { return };
    let session = rig.instance.session();
    let seen = rig.send(&session, "say nothing").await;
    assert_eq!((seen.failure().kind, seen.failure().verdict), (ErrorKind::Internal, Verdict::RetryNow));
    assert_eq!(rig.send(&session, "again").await.text, "fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_one_piece_is_delivered() {
    for wire in [Wire::Completions, Wire::Responses, Wire::Anthropic] {
        let name = "an_answer_in_one_piece_is_delivered";
        let Some(rig) = Rig::real_with(name, Script::new(Reply::text("all at once")), wire, json!({})).await else {
            return;
        };
        let seen = rig.ask("go").await;
        seen.answered();
        assert_eq!((seen.text.as_str(), seen.block_text().as_str()), ("all at once", "all at once"));
    }
}

/// Servers that cannot stream answer with a JSON document all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_does_not_stream_is_understood_or_refused_in_words() {
    let body = json!({
        "id": "c1", "object": "chat.completion", "created": 1, "model": "stub-model",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "whole"}, "finish_reason": "stop"}],
    });
    let script = Script::new(Reply::raw(200, "application/json", [body.to_string()]));
    let name = "an_endpoint_that_does_not_stream_is_understood_or_refused_in_words";
    let Some(rig) = Rig::real(name, script).await else { return };
    let seen = rig.ask("go").await;
    if seen.finished().is_some() {
        assert_eq!(seen.text, "whole");
    } else {
        assert!(!seen.failure().message.is_empty(), "{:?}", seen.error);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_character_arrives_however_it_is_cut() {
    let text = "a\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{e9}e\u{301} \u{6f22}\u{5b57} \u{202e}rtl\u{202c} \u{0}\u{7f}\\\"\n\r\t</s>";
    for wire in [Wire::Completions, Wire::Responses, Wire::Anthropic] {
        let script = Script::echo().then(Reply::text_by_chars(text, 1).split_bytes(1));
        let Some(rig) = Rig::real_with("every_character_arrives_however_it_is_cut", script, wire, json!({})).await
        else {
            return;
        };
        let session = rig.instance.session();
        let seen = rig.send(&session, text).await;
        seen.answered();
        assert_eq!((seen.text.as_str(), seen.block_text().as_str()), (text, text), "{wire:?}");
        rig.send(&session, "again").await.answered();
        let dialogue = rig.last_request().dialogue();
        assert_eq!(dialogue[0].1, text.trim(), "{wire:?}: the prompt");
        assert_eq!(dialogue[1].1.trim(), text.trim(), "{wire:?}: the answer, sent back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_arrives_whole() {
    let deltas: Vec<String> = (0..5_000).map(|at| format!("{at} ")).collect();
    let Some(rig) = Rig::real("a_long_answer_arrives_whole", Script::new(Reply::deltas(deltas.clone()))).await else {
        return;
    };
    let seen = rig.ask("count").await;
    seen.answered();
    assert_eq!(seen.text, deltas.concat());
    assert_eq!(seen.block_text(), deltas.concat());
    // The CLI cuts a delta that it gets in two parts.
    assert!(seen.count("text-delta") >= deltas.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_loses_nothing() {
    let deltas: Vec<String> = (0..5_000).map(|at| format!("{at} ")).collect();
    let Some(rig) = Rig::real("a_slow_reader_loses_nothing", Script::new(Reply::deltas(deltas.clone()))).await else {
        return;
    };
    let session = rig.instance.session();
    let request = TurnRequest::new(vec![user_message("count")]);
    let turn = session.turn(request).await.expect("started");
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let seen = read(turn).await;
    seen.answered();
    assert_eq!(seen.text, deltas.concat());
}
