//! Answers as servers really write them, also those that do not keep to the letter.

mod rig;

use llm_provider_core::classify::Fault;
use llm_provider_core::completion::{Dialect, Piece, Reader};
use llm_provider_guest::errors::ErrorKind;
use llm_provider_guest::types::FinishReason as F;
use rig::{answer, ask, chat, good, named, read, responses, stream};

fn chunk(delta: &str, finish: &str) -> String {
    format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#)
}

/// Blocks and reason of chat completions whose choices have these deltas, and this reason in the last.
fn chat_of(deltas: &[&str], finish: &str) -> (Vec<String>, F) {
    let mut events: Vec<String> = deltas.iter().map(|delta| chunk(delta, "null")).collect();
    events.push(chunk("{}", &format!("\"{finish}\"")));
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    good(&chat(), &stream(&events))
}

#[test]
fn reasons_to_stop() {
    let of = |finish| chat_of(&[r#"{"content":"a"}"#], finish).1;
    assert_eq!(of("stop"), F::Stop);
    assert_eq!(of("length"), F::Length);
    assert_eq!(of("content_filter"), F::ContentFilter);
    assert_eq!(of("tool_calls"), F::Other("tool_calls".into()));
    assert_eq!(of("new"), F::Other("new".into()));
}

#[test]
fn a_refusal_is_text_that_ends_as_a_filter_does() {
    let got = chat_of(&[r#"{"content":null,"refusal":"I "}"#, r#"{"refusal":"cannot"}"#], "stop");
    assert_eq!(got, (vec!["text I cannot".to_owned()], F::ContentFilter));
}

#[test]
fn thinking_and_text_may_take_turns_and_have_either_name() {
    let deltas = [
        r#"{"reasoning":"a","reasoning_content":"a"}"#,
        r#"{"reasoning":"b"}"#,
        r#"{"content":"c"}"#,
        r#"{"reasoning_content":"d","content":"e"}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"f"}]},{"type":"text","text":"g"}]}"#,
    ];
    let want = ["thinking ab", "text c", "thinking d", "text e", "thinking f", "text g"];
    assert_eq!(chat_of(&deltas, "stop").0, want);
}

#[test]
fn calls_are_told_apart_however_they_are_numbered() {
    let calls = |deltas: &[&str]| {
        let deltas: Vec<String> = deltas.iter().map(|call| format!(r#"{{"tool_calls":[{call}]}}"#)).collect();
        let deltas: Vec<&str> = deltas.iter().map(String::as_str).collect();
        // Many say `stop` here.
        let (blocks, reason) = chat_of(&deltas, "stop");
        assert_eq!(reason, F::ToolCalls);
        blocks
    };
    let function = |arguments: &str| format!(r#""function":{{"name":"f","arguments":{arguments}}}"#);
    let (empty, object) = (function(r#""{}""#), function(r#"{"a": 1}"#));
    // Interleaved.
    let got = calls(&[
        r#"{"index":0,"id":"a","function":{"name":"f"}}"#,
        r#"{"index":1,"id":"b","function":{"name":"g"}}"#,
        r#"{"index":0,"function":{"arguments":"{1"}}"#,
        r#"{"index":1,"id":"","function":{"name":null,"arguments":"{2"}}"#,
        r#"{"index":0,"function":{"arguments":"}"}}"#,
    ]);
    assert_eq!(got, ["call a f {1}", "call b g {2"]);
    // One number for all.
    let got = calls(&[&format!(r#"{{"index":0,"id":"a",{empty}}}"#), &format!(r#"{{"index":0,"id":"b",{object}}}"#)]);
    assert_eq!(got, ["call a f {}", r#"call b f {"a":1}"#]);
    // No numbers.
    let got = calls(&[
        r#"{"id":"a","function":{"name":"f"}}"#,
        r#"{"function":{"arguments":"{}"}}"#,
        &format!("{{\"id\":\"b\",{empty}}}"),
    ]);
    assert_eq!(got, ["call a f {}", "call b f {}"]);
    // No numbers and no ids: names that are the same each time this is read, and others for another request.
    let got = calls(&[&format!("{{{empty}}}"), &format!("{{{empty}}}")]);
    assert_eq!(got, ["call call_k-1_0 f {}", "call call_k-1_1 f {}"]);
    // The same id or a new one with each fragment, but the name once.
    let got = calls(&[
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":""}}"#,
        r#"{"index":0,"id":"z","function":{"arguments":"{"}}"#,
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}"#,
    ]);
    assert_eq!(got, ["call a f {}"]);
    // Arguments before the name, and no arguments at all.
    let got = calls(&[
        r#"{"index":0,"function":{"arguments":"{"}}"#,
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}"#,
    ]);
    assert_eq!(got, ["call a f {}"]);
    assert_eq!(calls(&[r#"{"index":0,"id":"a","function":{"name":"f","arguments":null}}"#]), ["call a f {}"]);
}

#[test]
fn a_call_without_a_name_is_no_call() {
    let events = [chunk(r#"{"tool_calls":[{"index":0,"id":"a"}]}"#, "null"), chunk("{}", "\"tool_calls\"")];
    let (_, end) = read(&chat(), &stream(&[&events[0], &events[1]]), &[]);
    assert_eq!(end.unwrap_err().fault, Fault::Protocol);
}

#[test]
fn the_end_of_chat_completions() {
    let (said, stop) = (chunk(r#"{"content":"a"}"#, "null"), chunk("{}", "\"stop\""));
    let end = |events: &[&str]| {
        let (pieces, end) = read(&chat(), &stream(events), &[]);
        end.map(|()| answer(&pieces).stopped).map_err(|failure| failure.fault)
    };
    assert_eq!(end(&[&said, &stop]), Ok(Some(F::Stop)));
    assert_eq!(end(&[&said, "[DONE]"]), Ok(Some(F::Stop)));
    assert_eq!(end(&[&said]), Err(Fault::Transport));
    assert_eq!(end(&[]), Err(Fault::Transport));
    assert_eq!(end(&["[DONE]"]), Err(Fault::EmptyAnswer));
    // A call after the reason changes it.
    let call = chunk(r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]}"#, "null");
    assert_eq!(end(&[&said, &stop, &call]), Ok(Some(F::ToolCalls)));
}

#[test]
fn failures_within_a_stream_say_what_they_are() {
    let kind = |data: &str| {
        let (_, end) = read(&chat(), &stream(&[&chunk(r#"{"content":"a"}"#, "null"), data]), &[]);
        end.unwrap_err().error().kind
    };
    assert_eq!(kind(r#"{"error":{"message":"x","type":"server_error"}}"#), ErrorKind::Internal);
    assert_eq!(kind(r#"{"error":{"message":"x","code":429},"choices":[]}"#), ErrorKind::RateLimit);
    assert_eq!(kind(r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#), ErrorKind::ContextLength);
    assert_eq!(kind(r#"{"error":"x"}"#), ErrorKind::Internal);
    assert_eq!(kind("garbage"), ErrorKind::Protocol);
    assert_eq!(kind("<html>"), ErrorKind::Protocol);
    assert_eq!(kind(r#"{"choices":7}"#), ErrorKind::Protocol);
    let (_, end) = read(&chat(), b"event: error\ndata: {\"message\":\"x\",\"code\":503}\n\n", &[]);
    assert_eq!(end.unwrap_err().error().kind, ErrorKind::Overloaded);
}

#[test]
fn what_is_not_known_is_told_and_pings_are_not() {
    let events = [r#"{"object":"new.thing"}"#, &chunk(r#"{"content":"a","annotations":[]}"#, "\"stop\"")];
    let (pieces, end) = read(&chat(), &stream(&events), &[]);
    end.unwrap();
    assert_eq!(answer(&pieces).unknown, 1);
    let (pieces, _) = read(&chat(), b"event: ping\ndata: {}\n\n: a comment\n\n", &[]);
    assert_eq!(pieces, []);
    let events = [
        r#"{"type":"response.new.thing","output_index":"odd"}"#,
        r#"{"type":"response.web_search_call.searching","output_index":0}"#,
        r#"{"type":"keepalive","sequence_number":3}"#,
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"web_search_call","content":7}}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"web_search_call","content":7}}"#,
        r#"{"type":"response.completed","response":{"output":[{"type":"web_search_call","content":7}]}}"#,
    ];
    let (pieces, end) = read(&responses(), &named(&events), &[]);
    end.unwrap();
    assert_eq!(pieces, [Piece::Unknown, Piece::Unknown, Piece::Unknown, Piece::Stopped(F::Stop)]);
}

#[test]
fn whole_answers_are_read_like_streams() {
    let whole = |api: &llm_provider_openai::AnyApi, body: &str| {
        let (mut reader, mut pieces) = (api.reader(&ask()), Vec::new());
        reader.whole(body, &mut pieces)?;
        reader.end(&mut pieces)?;
        let answer = answer(&pieces);
        let blocks: Vec<String> = answer.blocks.into_iter().map(|(block, _)| block).collect();
        Ok((blocks, answer.stopped, answer.usage.map_or(0, |usage| usage.input_tokens)))
    };
    let failed = |api: &llm_provider_openai::AnyApi, body: &str| {
        let result: Result<_, llm_provider_core::classify::Failure> = whole(api, body);
        result.unwrap_err().error().kind
    };
    let body = r#"{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a","reasoning_content":"t",
        "refusal":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
        "logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
    let want = ["thinking t", "text a", "call c f {}"].map(str::to_owned).to_vec();
    assert_eq!(whole(&chat(), body).unwrap(), (want.clone(), Some(F::ToolCalls), 3));
    let body = r#"{"model":"m","status":"completed","error":null,"incomplete_details":null,"output":[
        {"type":"reasoning","id":"r","summary":[{"type":"summary_text","text":"t"}],"encrypted_content":null},
        {"type":"message","content":[{"type":"output_text","text":"a","annotations":[]}]},
        {"type":"function_call","call_id":"c","name":"f","arguments":"{}"}],
        "usage":{"input_tokens":3,"output_tokens":1}}"#;
    assert_eq!(whole(&responses(), body).unwrap(), (want, Some(F::ToolCalls), 3));
    for api in [chat(), responses()] {
        assert_eq!(failed(&api, r#"{"error":{"message":"x","code":503}}"#), ErrorKind::Overloaded);
        assert_eq!(failed(&api, "<html></html>"), ErrorKind::Protocol);
        assert_eq!(failed(&api, "{}"), ErrorKind::Protocol);
    }
    assert_eq!(failed(&responses(), r#"{"status":"in_progress","output":[]}"#), ErrorKind::Internal);
}

#[test]
fn the_ends_of_responses() {
    let end = |event: &str| {
        let (pieces, end) = read(&responses(), &named(&[event]), &[]);
        end.map(|()| answer(&pieces).stopped.unwrap()).map_err(|failure| failure.error().kind)
    };
    let incomplete = |reason: &str| {
        end(&format!(
            r#"{{"type":"response.incomplete","response":{{"status":"incomplete","incomplete_details":{{"reason":"{reason}"}}}}}}"#
        ))
    };
    assert_eq!(incomplete("max_output_tokens"), Ok(F::Length));
    assert_eq!(incomplete("content_filter"), Ok(F::ContentFilter));
    assert_eq!(incomplete("new"), Ok(F::Other("new".into())));
    let failed = |code: &str| {
        end(&format!(r#"{{"type":"response.failed","response":{{"error":{{"code":"{code}","message":"x"}}}}}}"#))
    };
    assert_eq!(failed("server_error"), Err(ErrorKind::Internal));
    assert_eq!(failed("rate_limit_exceeded"), Err(ErrorKind::RateLimit));
    assert_eq!(end(r#"{"type":"response.failed"}"#), Err(ErrorKind::Internal));
    assert_eq!(
        end(r#"{"type":"error","code":"context_length_exceeded","message":"x"}"#),
        Err(ErrorKind::ContextLength)
    );
    assert_eq!(
        end(r#"{"type":"error","error":{"type":"invalid_request_error","message":"x"}}"#),
        Err(ErrorKind::InvalidRequest)
    );
    assert_eq!(end(r#"{"type":"response.output_item.added","item":7}"#), Err(ErrorKind::Protocol));
    assert_eq!(end(r#"{"type":"response.created","response":{}}"#), Err(ErrorKind::Transport));
}

#[test]
fn text_without_pieces_comes_once_wherever_it_stands() {
    let part = r#"{"type":"output_text","text":"a"}"#;
    let message = format!(r#"{{"type":"message","content":[{part}]}}"#);
    let call = r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#;
    let events = [
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}"#.to_owned(),
        r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"a"}"#.to_owned(),
        format!(r#"{{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{part}}}"#),
        format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{message}}}"#),
        format!(r#"{{"type":"response.completed","response":{{"output":[{message},{call}]}}}}"#),
    ];
    for from in 0..events.len() {
        let events: Vec<&str> = events[from..].iter().map(String::as_str).collect();
        let want = (vec!["text a".to_owned(), "call c f {}".to_owned()], F::ToolCalls);
        assert_eq!(good(&responses(), &named(&events)), want, "{from}");
    }
}

#[test]
fn refusals_and_hidden_reasoning_of_responses() {
    let events = [
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"r","summary":[],"encrypted_content":"e"}}"#,
        r#"{"type":"response.refusal.delta","output_index":1,"content_index":0,"delta":"no"}"#,
        r#"{"type":"response.refusal.done","output_index":1,"content_index":0,"refusal":"no"}"#,
        r#"{"type":"response.completed","response":{"status":"completed"}}"#,
    ];
    let (pieces, end) = read(&responses(), &named(&events), &[]);
    end.unwrap();
    let answer = answer(&pieces);
    let signature = r#"{"id":"r","encrypted_content":"e"}"#.to_owned();
    assert_eq!(answer.blocks, [("thinking ".to_owned(), Some(signature)), ("text no".to_owned(), None)]);
    assert_eq!(answer.stopped, Some(F::ContentFilter));
    // Readable reasoning of open models.
    let events = [
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"r","summary":[]}}"#,
        r#"{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"hm"}"#,
        r#"{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"reasoning_text","text":"hm"}}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"r","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]}}"#,
        r#"{"type":"response.completed","response":{"status":"completed"}}"#,
    ];
    assert_eq!(good(&responses(), &named(&events)), (vec!["thinking hm".to_owned()], F::Stop));
}
