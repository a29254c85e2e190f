//! Requests, option by option.
#![allow(clippy::unwrap_used)] // a panic here is a test that fails

mod rig;

use llm_provider_core::classify::Fault;
use llm_provider_core::completion::{Ask, Dialect};
use llm_provider_core::offer::OfferedTool;
use llm_provider_guest::provider::{Sampling, ToolChoice};
use llm_provider_guest::types::{Block, ImageBlock, ImageSource, Message, ThinkingBlock, ToolCall, ToolResult};
use llm_provider_openai::AnyApi;
use rig::{ask, assistant, body, chat, dialect, headers, responses, text, user};
use serde_json::{Value, json, value::RawValue};

fn schema(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn tool() -> OfferedTool {
    let parameters = schema(r#"{"type":"object","z":1,"a":2}"#);
    OfferedTool { name: "f".into(), description: "does".into(), parameters }
}

fn written(api: &AnyApi, ask: &Ask) -> Value {
    body(&api.request(ask).unwrap())
}

/// What an ask adds to the plainest body.
fn added(api: &AnyApi, ask: &Ask) -> Value {
    let plain = written(api, &rig::ask());
    let body = written(api, ask);
    let new = |(key, value): (&String, &Value)| (plain.get(key) != Some(value)).then(|| (key.clone(), value.clone()));
    body.as_object().unwrap().iter().filter_map(new).collect()
}

fn call(id: &str) -> Block {
    Block::ToolCall(ToolCall { id: id.into(), name: "f".into(), arguments: "{\"a\":1}".into() })
}

fn result(id: &str, content: &str) -> Block {
    Block::ToolResult(ToolResult { call_id: id.into(), content: content.into(), is_error: false })
}

fn thinking(text: &str, signature: Option<&str>) -> Block {
    Block::Thinking(ThinkingBlock { text: text.into(), signature: signature.map(str::to_owned) })
}

fn image(source: ImageSource) -> Block {
    Block::Image(ImageBlock { media_type: "image/png".into(), source })
}

fn conversation() -> Vec<Message> {
    vec![
        user(vec![
            text("look"),
            image(ImageSource::Data(vec![1, 2, 3])),
            image(ImageSource::Url("https://i.example/x.png".into())),
        ]),
        assistant(vec![
            thinking("hm", Some(r#"{"id":"rs_1","encrypted_content":"gAAA"}"#)),
            thinking("foreign", Some("EqQBCg==")),
            text("one"),
            text("more"),
            call("a"),
            call("b"),
        ]),
        user(vec![result("a", "A"), result("b", "B"), text("go on")]),
        assistant(vec![thinking("only", None)]),
        user(vec![text("two"), text("texts")]),
    ]
}

#[test]
fn the_plainest_requests() {
    let request = chat().request(&ask()).unwrap();
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://a.example/v1/chat/completions"));
    assert_eq!(
        headers(&request),
        ["content-type: application/json", "accept: text/event-stream", "idempotency-key: k-1"]
    );
    let want = json!({
        "model": "m", "messages": [{"role": "user", "content": "hi"}],
        "stream": true, "stream_options": {"include_usage": true},
    });
    assert_eq!(body(&request), want);
    let request = responses().request(&ask()).unwrap();
    assert_eq!(request.url, "https://a.example/v1/responses");
    let want = json!({
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "store": false, "include": ["reasoning.encrypted_content"], "stream": true,
    });
    assert_eq!(body(&request), want);
}

#[test]
fn a_conversation_in_chat_completions() {
    let got = written(&chat(), &Ask { system: Some("sys".into()), messages: conversation(), ..ask() });
    let function = json!({"name": "f", "arguments": "{\"a\":1}"});
    let want = json!([
        {"role": "system", "content": "sys"},
        {"role": "user", "content": [
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AQID"}},
            {"type": "image_url", "image_url": {"url": "https://i.example/x.png"}},
        ]},
        {"role": "assistant", "content": "one\n\nmore", "tool_calls": [
            {"id": "a", "type": "function", "function": function},
            {"id": "b", "type": "function", "function": function},
        ]},
        {"role": "tool", "tool_call_id": "a", "content": "A"},
        {"role": "tool", "tool_call_id": "b", "content": "B"},
        {"role": "user", "content": "go on"},
        {"role": "user", "content": [{"type": "text", "text": "two"}, {"type": "text", "text": "texts"}]},
    ]);
    assert_eq!(got["messages"], want);
    let got =
        written(&chat(), &Ask { messages: vec![assistant(vec![call("a")]), user(vec![result("a", "")])], ..ask() });
    assert_eq!(got["messages"][0]["content"], Value::Null);
}

#[test]
fn a_conversation_in_responses() {
    let got = written(&responses(), &Ask { system: Some("sys".into()), messages: conversation(), ..ask() });
    assert_eq!(got["instructions"], "sys");
    let want = json!([
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "look"},
            {"type": "input_image", "image_url": "data:image/png;base64,AQID"},
            {"type": "input_image", "image_url": "https://i.example/x.png"},
        ]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAA"},
        {"type": "message", "role": "assistant", "content": "one"},
        {"type": "message", "role": "assistant", "content": "more"},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{\"a\":1}"},
        {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{\"a\":1}"},
        {"type": "function_call_output", "call_id": "a", "output": "A"},
        {"type": "function_call_output", "call_id": "b", "output": "B"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go on"}]},
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "two"}, {"type": "input_text", "text": "texts"},
        ]},
    ]);
    assert_eq!(got["input"], want);
}

#[test]
fn blocks_on_the_wrong_side_are_refused() {
    for api in [chat(), responses()] {
        for message in [
            user(vec![call("a")]),
            user(vec![thinking("a", None)]),
            assistant(vec![result("a", "")]),
            assistant(vec![image(ImageSource::Data(vec![]))]),
        ] {
            let failure = api.request(&Ask { messages: vec![message], ..ask() }).unwrap_err();
            assert_eq!(failure.fault, Fault::Invalid, "{}", failure.message);
        }
    }
}

#[test]
fn tools_and_the_choice_between_them() {
    let with = |tool_choice| Ask { tools: vec![tool()], tool_choice, ..ask() };
    let parameters = json!({"type": "object", "z": 1, "a": 2});
    let flat =
        json!([{"type": "function", "name": "f", "description": "does", "parameters": parameters, "strict": false}]);
    let nested =
        json!([{"type": "function", "function": {"name": "f", "description": "does", "parameters": parameters}}]);
    assert_eq!(added(&chat(), &with(ToolChoice::Auto)), json!({"tools": nested}));
    assert_eq!(added(&responses(), &with(ToolChoice::Auto)), json!({"tools": flat}));
    for (choice, word) in [(ToolChoice::None, "none"), (ToolChoice::Required, "required")] {
        assert_eq!(added(&chat(), &with(choice.clone()))["tool_choice"], word);
        assert_eq!(added(&responses(), &with(choice))["tool_choice"], word);
    }
    let named = with(ToolChoice::Named("f".into()));
    assert_eq!(added(&chat(), &named)["tool_choice"], json!({"type": "function", "function": {"name": "f"}}));
    assert_eq!(added(&responses(), &named)["tool_choice"], json!({"type": "function", "name": "f"}));
    // The schema's keys keep their order, which caches go by.
    let request = chat().request(&with(ToolChoice::Auto)).unwrap();
    assert!(rig::written(&request.body).contains(r#"{"type":"object","z":1,"a":2}"#));
}

#[test]
fn options_of_both() {
    let sampling = Sampling { temperature: Some(0.5), top_p: Some(0.25), ..Sampling::default() };
    let asked = Ask {
        sampling,
        effort: Some("low".into()),
        max_output_tokens: Some(9),
        output_schema: Some(schema("{\"a\":1}")),
        ..ask()
    };
    let want = json!({
        "temperature": 0.5, "top_p": 0.25, "reasoning_effort": "low", "max_tokens": 9,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"a": 1}, "strict": true}},
    });
    assert_eq!(added(&chat(), &asked), want);
    let want = json!({
        "temperature": 0.5, "top_p": 0.25, "reasoning": {"effort": "low", "summary": "auto"}, "max_output_tokens": 9,
        "text": {"format": {"type": "json_schema", "name": "answer", "schema": {"a": 1}, "strict": true}},
    });
    assert_eq!(added(&responses(), &asked), want);
}

#[test]
fn what_an_api_has_no_place_for_is_refused() {
    let sampling = |sampling| Ask { sampling, ..ask() };
    let none = Sampling::default;
    let only_chat = [
        (sampling(Sampling { frequency_penalty: Some(0.5), ..none() }), json!({"frequency_penalty": 0.5})),
        (sampling(Sampling { presence_penalty: Some(0.5), ..none() }), json!({"presence_penalty": 0.5})),
        (sampling(Sampling { seed: Some(7), ..none() }), json!({"seed": 7})),
        (Ask { stop_sequences: vec!["x".into()], ..ask() }, json!({"stop": ["x"]})),
    ];
    for (asked, want) in only_chat {
        assert_eq!(added(&chat(), &asked), want);
        assert_eq!(responses().request(&asked).unwrap_err().fault, Fault::Unsupported);
    }
    let top_k = sampling(Sampling { top_k: Some(3), ..none() });
    for api in [chat(), responses()] {
        let failure = api.request(&top_k).unwrap_err();
        assert_eq!(failure.fault, Fault::Unsupported);
        assert!(failure.message.contains("top-k"), "{}", failure.message);
    }
}

#[test]
fn the_configuration_shows_in_requests() {
    let of = |config: &str| dialect(config).unwrap();
    let api = of(r#"{"base-url":"https://api.openai.com","api-key":{"secret":"key"},"organization":"o","project":"p",
        "headers":{"X-Title":"t","x-more":{"secret":"other"}}}"#);
    let request = api.request(&Ask { max_output_tokens: Some(9), ..ask() }).unwrap();
    assert_eq!(
        headers(&request)[3..],
        ["authorization: Bearer <key>", "openai-organization: o", "openai-project: p", "X-Title: t", "x-more: <other>"]
    );
    assert_eq!(body(&request)["max_completion_tokens"], 9);
    let request = api.models_request(None).unwrap();
    assert_eq!((request.method.as_str(), request.url.as_str()), ("GET", "https://api.openai.com/v1/models"));
    assert_eq!(headers(&request)[..2], ["accept: application/json", "authorization: Bearer <key>"]);
    let api = of(r#"{"base-url":"https://r.example","service":"azure","api-key":{"secret":"key"},
        "api-version":"2024-10-21","deployments":true}"#);
    let request = api.request(&Ask { max_output_tokens: Some(9), ..ask() }).unwrap();
    assert_eq!(request.url, "https://r.example/openai/deployments/m/chat/completions?api-version=2024-10-21");
    assert_eq!(headers(&request)[3..], ["api-key: <key>"]);
    assert_eq!(body(&request)["max_completion_tokens"], 9);
    let api = of(r#"{"base-url":"https://a.example/v1","api-key":{"secret":"key"},"key-header":"X-Key",
        "max-tokens-field":"max_completion_tokens","stream-usage":false,"strict-output-schema":false}"#);
    let asked = Ask { max_output_tokens: Some(9), output_schema: Some(schema("{}")), ..ask() };
    let request = api.request(&asked).unwrap();
    assert_eq!(headers(&request)[3..], ["X-Key: <key>"]);
    let body = body(&request);
    assert_eq!((&body["max_completion_tokens"], body.get("stream_options")), (&json!(9), None));
    assert_eq!(body["response_format"]["json_schema"]["strict"], false);
}
