//! The shape of each dialect's replies: the events, their order, their keys.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may fail"
)]

mod client;

use client::{ask, exchange, post, reply_to};
use llmp_model_server::{Dialect, Finish, ModelError, ModelServer, Reply, ReplyState, Script, ToolCall, Usage};
use serde_json::{Value, json};

const SIGNATURE: &str = "c2lnbmVkLWJ5LWxsbXAtbW9kZWwtc2VydmVy";
const USAGE: Usage = Usage { input: 106, output: 7, cached: 40, cache_write: 5, reasoning: 3 };

fn full() -> Reply {
    Reply::new()
        .reasoning(["think ", "hard"])
        .and_deltas(["He", "llo ü"])
        .tool_call(ToolCall::new("call_a", "get_weather", &json!({"city": "Oslo"})))
        .tool_call(ToolCall::fragments("call_b", "get_time", ["{\"zo", "ne\":1}"]))
        .usage(USAGE)
}

fn data(events: &[(String, Value)]) -> Vec<&Value> {
    events.iter().map(|(_, data)| data).collect()
}

/// All values at `pointer` in the events, strings joined.
fn joined(events: &[(String, Value)], pointer: &str) -> String {
    data(events).into_iter().filter_map(|data| data.pointer(pointer)?.as_str()).collect()
}

#[tokio::test]
async fn chat_streams_role_reasoning_text_calls_finish_usage_done() {
    let got = reply_to(Dialect::ChatCompletions, true, full()).await;
    assert!(got.complete && got.text().ends_with("data: [DONE]\n\n"));
    assert!(got.head.contains("content-type: text/event-stream") && got.head.contains("x-request-id: req_1"));
    let events = got.events();
    let all = data(&events);
    assert_eq!(all[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert!(all.iter().all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk["id"] == "chatcmpl-1"));
    assert_eq!(joined(&events, "/choices/0/delta/reasoning_content"), "think hard");
    assert_eq!(joined(&events, "/choices/0/delta/content"), "Hello ü");
    let calls: Vec<&Value> = all.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0")).collect();
    let opening =
        json!({"index": 1, "id": "call_b", "type": "function", "function": {"name": "get_time", "arguments": ""}});
    assert_eq!(calls[2], &opening);
    assert_eq!(calls[3], &json!({"index": 1, "function": {"arguments": "{\"zo"}}));
    let [.., finish, usage] = all.as_slice() else { panic!("too few chunks") };
    assert_eq!(finish["choices"][0], json!({"index": 0, "delta": {}, "finish_reason": "tool_calls"}));
    assert_eq!(finish["usage"], Value::Null);
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["prompt_tokens"], 106);
    assert_eq!(usage["usage"]["prompt_tokens_details"]["cached_tokens"], 40);
    assert_eq!(usage["usage"]["completion_tokens_details"]["reasoning_tokens"], 3);
}

#[tokio::test]
async fn chat_streams_usage_only_when_asked() {
    let server = ModelServer::start(Script::new(full())).await.unwrap();
    let mut asked = ask(Dialect::ChatCompletions, "hi", true);
    asked.body["stream_options"]["include_usage"] = json!(false);
    let got = post(&server, &asked).await;
    assert!(!got.text().contains("usage"));
}

#[tokio::test]
async fn responses_streams_numbered_events_item_by_item() {
    let got = reply_to(Dialect::Responses, true, full()).await;
    let events = got.events();
    let expected = "created in_progress \
        output_item.added reasoning_summary_part.added reasoning_summary_text.delta reasoning_summary_text.delta \
        reasoning_summary_text.done reasoning_summary_part.done output_item.done \
        output_item.added content_part.added output_text.delta output_text.delta output_text.done content_part.done \
        output_item.done \
        output_item.added function_call_arguments.delta function_call_arguments.done output_item.done \
        output_item.added function_call_arguments.delta function_call_arguments.delta function_call_arguments.done \
        output_item.done completed";
    let names: Vec<String> = expected.split_whitespace().map(|name| format!("response.{name}")).collect();
    assert_eq!(got.names(), names);
    for (number, (name, data)) in events.iter().enumerate() {
        assert_eq!((data["sequence_number"].as_u64(), data["type"].as_str()), (Some(number as u64), Some(&**name)));
    }
    let output = &data(&events).last().unwrap()["response"]["output"];
    assert_eq!(output[0]["summary"][0]["text"], "think hard");
    assert!(output[0]["encrypted_content"].is_string());
    assert_eq!(output[1]["content"][0]["text"], "Hello ü");
    assert_eq!(output[3]["arguments"], "{\"zone\":1}");
    assert_eq!(output[3]["call_id"], "call_b");
    // Every delta names an item that was added before.
    let added: Vec<&Value> = data(&events).iter().filter_map(|data| data.pointer("/item/id")).collect();
    assert!(data(&events).iter().filter_map(|data| data.get("item_id")).all(|id| added.contains(&id)));
}

#[tokio::test]
async fn anthropic_streams_blocks_with_signature_and_usage() {
    let got = reply_to(Dialect::Anthropic, true, full()).await;
    let delta = "content_block_delta";
    let (start, stop) = ("content_block_start", "content_block_stop");
    let expected = [
        ["message_start", "ping"].as_slice(),
        &[start, delta, delta, delta, stop],
        &[start, delta, delta, stop],
        &[start, delta, stop],
        &[start, delta, delta, stop],
        &["message_delta", "message_stop"],
    ]
    .concat();
    assert_eq!(got.names(), expected);
    assert!(got.head.contains("\r\nrequest-id: req_1"));
    let events = got.events();
    let message = &events[0].1["message"];
    assert_eq!(message["usage"]["input_tokens"], 61);
    assert_eq!(message["usage"]["cache_read_input_tokens"], 40);
    assert_eq!(message["usage"]["cache_creation_input_tokens"], 5);
    assert_eq!(joined(&events, "/delta/thinking"), "think hard");
    assert_eq!(events[5].1["delta"]["type"], "signature_delta");
    assert_eq!(joined(&events, "/delta/text"), "Hello ü");
    assert_eq!(joined(&events, "/delta/partial_json"), "{\"city\":\"Oslo\"}{\"zone\":1}");
    let [.., last, _] = events.as_slice() else { panic!("too few events") };
    assert_eq!(last.1["delta"]["stop_reason"], "tool_use");
    assert_eq!(last.1["usage"]["output_tokens"], 7);
}

/// All parts of all events.
fn parts(events: &[(String, Value)]) -> Vec<Value> {
    let parts = |data: &&Value| data["candidates"][0]["content"]["parts"].as_array().unwrap().clone();
    data(events).iter().flat_map(parts).collect()
}

#[tokio::test]
async fn gemini_streams_responses_with_a_part_each() {
    let got = reply_to(Dialect::Gemini, true, full()).await;
    assert!(got.complete && got.text().ends_with("}\r\n\r\n"));
    assert!(got.head.contains("content-type: text/event-stream") && !got.head.contains("req_1"));
    let events = got.events();
    let expected = json!([
        {"text": "think ", "thought": true},
        {"text": "hard", "thought": true},
        {"text": "", "thought": true, "thoughtSignature": SIGNATURE},
        {"text": "He"},
        {"text": "llo ü"},
        {"functionCall": {"id": "call_a", "name": "get_weather", "args": {"city": "Oslo"}}},
        {"functionCall": {"id": "call_b", "name": "get_time", "args": {"zone": 1}}},
        {"text": ""},
    ]);
    assert_eq!(Value::Array(parts(&events)), expected);
    let all = data(&events);
    assert!(all.iter().all(|event| event["responseId"] == "resp_1" && event["modelVersion"] == "m"));
    let [first, .., last] = all.as_slice() else { panic!("too few events") };
    let so_far = json!({"promptTokenCount": 106, "totalTokenCount": 106, "cachedContentTokenCount": 40});
    assert_eq!((&first["usageMetadata"], &first["candidates"][0]["finishReason"]), (&so_far, &Value::Null));
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    let counts = json!({
        "promptTokenCount": 106, "candidatesTokenCount": 4, "thoughtsTokenCount": 3, "totalTokenCount": 113,
        "cachedContentTokenCount": 40,
    });
    assert_eq!(last["usageMetadata"], counts);
}

#[tokio::test]
async fn geminis_thoughts_are_signed_on_what_follows_them() {
    let call = || ToolCall::fragments("call_a", "f", ["oops"]);
    let signed = json!({"functionCall": {"id": "call_a", "name": "f", "args": "oops"}, "thoughtSignature": SIGNATURE});
    let end = json!({"text": "", "thoughtSignature": SIGNATURE});
    for (reply, streamed, whole) in [
        (Reply::new().reasoning(["a"]).tool_call(call()).tool_call(call()), 1, &signed),
        (Reply::new().and_deltas(["x"]).reasoning(["a"]), 2, &end),
    ] {
        let got = reply_to(Dialect::Gemini, true, reply.clone()).await;
        assert_eq!(&parts(&got.events())[streamed], whole);
        assert_eq!(got.text().matches(SIGNATURE).count(), 1);
        let got = reply_to(Dialect::Gemini, false, reply).await;
        assert_eq!(&got.json()["candidates"][0]["content"]["parts"][streamed], whole);
        assert_eq!(got.text().matches(SIGNATURE).count(), 1);
    }
}

#[tokio::test]
async fn a_whole_reply_says_what_the_stream_says() {
    let chat = reply_to(Dialect::ChatCompletions, false, full()).await;
    assert!(chat.complete && chat.head.contains("content-length") && chat.head.contains("application/json"));
    let message = &chat.json()["choices"][0]["message"];
    assert_eq!(message["content"], "Hello ü");
    assert_eq!(message["reasoning_content"], "think hard");
    assert_eq!(message["tool_calls"][1]["function"]["arguments"], "{\"zone\":1}");
    assert_eq!(chat.json()["usage"]["total_tokens"], 113);

    let streamed = reply_to(Dialect::Responses, true, full()).await;
    let whole = reply_to(Dialect::Responses, false, full()).await;
    assert_eq!(whole.json(), streamed.events().last().unwrap().1["response"]);

    let anthropic = reply_to(Dialect::Anthropic, false, full()).await.json();
    assert_eq!(anthropic["content"][0]["thinking"], "think hard");
    assert_eq!(anthropic["content"][2]["input"], json!({"city": "Oslo"}));
    assert_eq!(anthropic["stop_reason"], "tool_use");

    let gemini = reply_to(Dialect::Gemini, false, full()).await.json();
    let expected = json!([
        {"text": "think hard", "thought": true, "thoughtSignature": SIGNATURE},
        {"text": "Hello ü"},
        {"functionCall": {"id": "call_a", "name": "get_weather", "args": {"city": "Oslo"}}},
        {"functionCall": {"id": "call_b", "name": "get_time", "args": {"zone": 1}}},
    ]);
    assert_eq!(gemini["candidates"][0]["content"], json!({"parts": expected, "role": "model"}));
    let streamed = reply_to(Dialect::Gemini, true, full()).await.events().pop().unwrap().1;
    assert_eq!(gemini["usageMetadata"], streamed["usageMetadata"]);
}

#[tokio::test]
async fn every_finish_reason_has_its_word() {
    let cases = [
        (Finish::Stop, "stop", "completed", "end_turn", "STOP"),
        (Finish::Length, "length", "incomplete", "max_tokens", "MAX_TOKENS"),
        (Finish::ContentFilter, "content_filter", "incomplete", "refusal", "SAFETY"),
        (Finish::Other("odd".into()), "odd", "odd", "odd", "odd"),
    ];
    for (finish, chat, responses, anthropic, gemini) in cases {
        let reply = Reply::text("x").finish(finish);
        let got = reply_to(Dialect::ChatCompletions, false, reply.clone()).await.json();
        assert_eq!(got["choices"][0]["finish_reason"], chat);
        let got = reply_to(Dialect::Responses, false, reply.clone()).await.json();
        assert_eq!(got["status"], responses);
        let got = reply_to(Dialect::Anthropic, false, reply.clone()).await.json();
        assert_eq!(got["stop_reason"], anthropic);
        let got = reply_to(Dialect::Gemini, false, reply).await.json();
        assert_eq!(got["candidates"][0]["finishReason"], gemini);
    }
    let cut = reply_to(Dialect::Responses, true, Reply::text("x").finish(Finish::Length)).await;
    let (name, data) = cut.events().pop().unwrap();
    assert_eq!(name, "response.incomplete");
    assert_eq!(data["response"]["incomplete_details"]["reason"], "max_output_tokens");
}

#[tokio::test]
async fn an_error_keeps_status_headers_and_the_shape_of_the_dialect() {
    let error = ModelError::new(429, "slow down").kind("insufficient_quota").code("insufficient_quota");
    for dialect in Dialect::ALL {
        for stream in [true, false] {
            let reply = Reply::failure(error.clone()).retry_after(3).header("X-Odd", "1");
            let got = reply_to(dialect, stream, reply).await;
            assert_eq!(got.status, Some(429));
            let error = &got.json()["error"];
            assert!(got.head.contains("x-odd: 1"));
            assert_eq!(error["message"], "slow down");
            // Gemini has another word for the kind, and says in the body when to come back.
            let gemini = dialect == Dialect::Gemini;
            assert_eq!(error[if gemini { "status" } else { "type" }], "insufficient_quota");
            assert_eq!(got.head.contains("retry-after: 3"), !gemini);
            assert_eq!(error["details"][1]["retryDelay"] == "3s", gemini);
        }
    }
}

#[tokio::test]
async fn a_page_and_a_raw_stream_come_as_they_are() {
    let page = reply_to(Dialect::Anthropic, true, Reply::html(503, "<html>down</html>")).await;
    assert_eq!((page.status, page.text().as_str()), (Some(503), "<html>down</html>"));
    assert!(page.head.contains("content-type: text/html"));
    let garbage = reply_to(Dialect::ChatCompletions, true, Reply::raw_events(["data: {not", " json\n\n"])).await;
    assert_eq!((garbage.status, garbage.text().as_str()), (Some(200), "data: {not json\n\n"));
    let empty = reply_to(Dialect::ChatCompletions, true, Reply::raw_events(Vec::<&str>::new())).await;
    assert!(empty.complete && empty.body.is_empty() && empty.head.contains("text/event-stream"));
}

#[tokio::test]
async fn a_header_that_http_forbids_is_reported_not_sent() {
    let script = Script::new(Reply::text("x").header("bad name", "1"));
    let server = ModelServer::start(script).await.unwrap();
    let got = post(&server, &ask(Dialect::Responses, "hi", true)).await;
    assert_eq!((got.status, server.requests()[0].state), (Some(500), ReplyState::Finished));
    assert!(got.text().contains("bad name"));
}

#[tokio::test]
async fn models_are_listed_to_openais_clients() {
    let server = ModelServer::start(Script::demo().models(["a", "b"])).await.unwrap();
    let list = exchange(&server, "GET", "/v1/models", b"").await.json();
    assert_eq!(list["data"][1]["id"], "b");
    assert_eq!(exchange(&server, "GET", "/nothing", b"").await.status, Some(404));
    assert_eq!(exchange(&server, "GET", "/v1/responses", b"").await.status, Some(405));
    assert_eq!(server.seen(), 0);
}

#[tokio::test]
async fn geminis_models_come_in_pages() {
    let names: Vec<String> = (0..120).map(|number| format!("m{number}")).collect();
    let server = ModelServer::start(Script::demo().models(names.clone())).await.unwrap();
    let page = async |query: &str| exchange(&server, "GET", &format!("/v1beta/models{query}"), b"").await;
    let (mut listed, mut sizes, mut query) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = page(&query).await.json();
        let models = page["models"].as_array().unwrap();
        sizes.push(models.len());
        listed.extend(models.iter().map(|model| model["name"].as_str().unwrap().replace("models/", "")));
        let Some(token) = page["nextPageToken"].as_str() else { break };
        query = format!("?pageToken={token}");
    }
    assert_eq!((listed, sizes), (names, vec![50, 50, 20]));
    let model = &page("?pageSize=1000").await.json()["models"][119];
    assert_eq!(
        (&model["displayName"], &model["supportedGenerationMethods"][0]),
        (&json!("m119"), &json!("generateContent"))
    );
    assert_eq!(page("?pageToken=120").await.json(), json!({}));
    for wrong in ["?pageToken=121", "?pageToken=x", "?pageSize=-1"] {
        let refused = page(wrong).await;
        assert_eq!((refused.status, &refused.json()["error"]["status"]), (Some(400), &json!("INVALID_ARGUMENT")));
    }
}

#[tokio::test]
async fn geminis_other_paths_are_refused_in_its_words() {
    let server = ModelServer::start(Script::demo()).await.unwrap();
    for (method, path, status) in [
        ("GET", "/v1beta/models/m:generateContent", 405),
        ("POST", "/v1beta/models/m:embedContent", 404),
        ("POST", "/v1beta/models/m:streamGenerateContent", 501),
    ] {
        let got = exchange(&server, method, path, b"{}").await;
        assert_eq!((got.status, &got.json()["error"]["code"]), (Some(status), &json!(status)), "{path}");
    }
    assert_eq!(server.seen(), 0);
}

#[tokio::test]
async fn the_same_script_gives_the_same_bytes() {
    for dialect in Dialect::ALL {
        let (one, two) = (reply_to(dialect, true, full()).await, reply_to(dialect, true, full()).await);
        assert_eq!(one.text(), two.text());
    }
}
