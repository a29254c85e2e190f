//! What the server remembers of its requests. The fixtures are bodies that the Copilot CLI 1.0.102 really sent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may fail"
)]

mod client;

use client::{SOON, ask, exchange, post};
use llmp_model_server::{Dialect, Message, ModelServer, RecordedRequest, Reply, ReplyState, Role, Script};
use serde_json::{Value, json};

async fn recorded(dialect: Dialect, body: &str) -> RecordedRequest {
    let server = ModelServer::start(Script::demo()).await.unwrap();
    exchange(&server, "POST", &dialect.path("m", true), body.as_bytes()).await;
    server.requests().pop().unwrap()
}

#[tokio::test]
async fn the_same_conversation_reads_the_same_in_every_dialect() {
    let bodies = [
        (Dialect::ChatCompletions, include_str!("fixtures/cli_chat_third_turn.json")),
        (Dialect::Responses, include_str!("fixtures/cli_responses_third_turn.json")),
        (Dialect::Anthropic, include_str!("fixtures/cli_anthropic_third_turn.json")),
    ];
    for (dialect, body) in bodies {
        let request = recorded(dialect, body).await;
        assert_eq!((request.system().as_str(), request.model()), ("SYS-REPLACED", "stub-model"));
        assert!(request.wants_stream() && request.tools().is_empty());
        assert_eq!(request.last_prompt(), "third prompt");
        let dialogue: Vec<(Role, String)> = request.dialogue();
        let expected = [
            (Role::User, "first prompt"),
            (Role::Assistant, "One."),
            (Role::User, "second prompt"),
            (Role::Assistant, "Two."),
            (Role::User, "third prompt"),
        ];
        assert_eq!(dialogue, expected.map(|(role, text)| (role, text.to_owned())), "{dialect}");
        assert_eq!(request.messages()[2].reasoning, "thinking hard", "{dialect}");
    }
}

#[tokio::test]
async fn results_of_parallel_tools_keep_their_calls() {
    let request = recorded(Dialect::ChatCompletions, include_str!("fixtures/cli_chat_tool_results.json")).await;
    let messages = request.messages();
    let calls: Vec<&str> = messages[2].tool_calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(calls, ["call_a", "call_b", "call_c"]);
    let answers: Vec<Option<&str>> = messages[3..].iter().map(|message| message.answers.as_deref()).collect();
    assert_eq!(answers, [Some("call_a"), Some("call_b"), Some("call_c")]);
    assert!(request.tools().contains(&"get_weather".to_owned()));
}

/// Shapes from the providers' references, not from a recording.
#[tokio::test]
async fn tool_turns_read_the_same_in_every_dialect() {
    let chat = json!({"messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "ok", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
        {"role": "user", "content": "more"},
    ]});
    let responses = json!({"input": [
        {"role": "user", "content": "go"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}"},
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
        {"role": "user", "content": [{"type": "input_text", "text": "more"}]},
    ]});
    let anthropic = json!({"messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [
            {"type": "text", "text": "ok"}, {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "done"}]},
            {"type": "text", "text": "more"}]},
    ]});
    let gemini = json!({"contents": [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [{"text": "ok"}, {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "c1", "name": "f", "response": {"result": "done"}}}, {"text": "more"}]},
    ]});
    let mut read: Vec<Vec<Message>> = Vec::new();
    let bodies = [chat, responses, anthropic, gemini];
    for (dialect, body) in Dialect::ALL.into_iter().zip(bodies) {
        read.push(recorded(dialect, &body.to_string()).await.messages());
    }
    assert_eq!(read[0].len(), 4);
    for (dialect, messages) in Dialect::ALL.into_iter().zip(&read) {
        assert_eq!(messages, &read[0], "{dialect}");
    }
}

/// As above: the Copilot CLI, whose recordings the others are read from, does not speak it.
#[tokio::test]
async fn geminis_request_says_some_things_in_its_path() {
    let body = json!({
        "systemInstruction": {"parts": [{"text": "Be "}, {"text": "brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "look"}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}}]},
            {"role": "model", "parts": [
                {"text": "hm", "thought": true}, {"text": "", "thoughtSignature": "S"}, {"text": "a cat"}]},
            {"parts": [{"text": "and now?"}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}, {"googleSearch": {}}],
    });
    let server = ModelServer::start(Script::demo()).await.unwrap();
    for stream in [true, false] {
        let path = Dialect::Gemini.path("beta%2F2%3Afree", stream);
        exchange(&server, "POST", &path, body.to_string().as_bytes()).await;
        let request = server.requests().pop().unwrap();
        assert_eq!((request.model(), request.wants_stream()), ("beta/2:free", stream));
        assert_eq!((request.system().as_str(), request.tools()), ("Be brief.", vec!["f".to_owned(), "g".to_owned()]));
        let expected = [(Role::User, "look"), (Role::Assistant, "a cat"), (Role::User, "and now?")];
        assert_eq!(request.dialogue(), expected.map(|(role, text)| (role, text.to_owned())));
        assert_eq!(request.messages()[2].reasoning, "hm");
    }
}

#[tokio::test]
async fn a_request_keeps_path_headers_body_and_number() {
    let server = ModelServer::start(Script::demo()).await.unwrap();
    exchange(&server, "POST", "/v1/messages?beta=true", b"{\"model\":\"m\"}").await;
    let request = server.requests().pop().unwrap();
    assert_eq!((request.number, request.path.as_str()), (1, "/v1/messages?beta=true"));
    assert_eq!(request.header("x-TEST"), Some("Yes"));
    assert_eq!((request.body_bytes, &*request.body), (13, &json!({"model": "m"})));
    assert_eq!(request.state, ReplyState::Finished);
    assert!(request.ended_at >= Some(request.at));
}

#[tokio::test]
async fn a_body_that_is_no_json_is_recorded_and_refused() {
    let server = ModelServer::start(Script::demo()).await.unwrap();
    let got = exchange(&server, "POST", "/v1/responses", b"{oops").await;
    assert_eq!(got.status, Some(400));
    assert!(got.json()["error"]["message"].as_str().unwrap().contains("no JSON"));
    assert_eq!(*server.requests()[0].body, Value::Null);
}

#[tokio::test]
async fn any_odd_body_is_answered() {
    let server = ModelServer::start(Script::demo()).await.unwrap();
    let odd = [
        "null",
        "[]",
        "1",
        "{\"messages\":3}",
        "{\"input\":[1,{\"type\":7}],\"system\":{}}",
        "{\"messages\":[[]]}",
        "{\"contents\":[1,{\"parts\":[2,{}]}],\"systemInstruction\":3}",
    ];
    for dialect in Dialect::ALL {
        for body in odd {
            let got = exchange(&server, "POST", &dialect.path("m", false), body.as_bytes()).await;
            assert_eq!(got.status, Some(200), "{body}");
        }
    }
}

#[tokio::test]
async fn the_ring_keeps_the_latest_and_counts_all() {
    let server = ModelServer::start(Script::new(Reply::text("x")).keep_requests(2)).await.unwrap();
    for prompt in ["a", "b", "c"] {
        post(&server, &ask(Dialect::Anthropic, prompt, false)).await;
    }
    let prompts: Vec<String> = server.requests().iter().map(RecordedRequest::last_prompt).collect();
    assert_eq!((prompts, server.seen()), (vec!["b".to_owned(), "c".to_owned()], 3));
    server.wait_for_requests(3, SOON).await.unwrap();
}
