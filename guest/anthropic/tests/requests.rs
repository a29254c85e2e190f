//! What is sent.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod rig;

use llm_provider_core::classify::Fault;
use llm_provider_core::completion::{Ask, Dialect};
use llm_provider_guest::provider::{Sampling, ToolChoice};
use llm_provider_guest::secrets::{Chunk, SecretEncoding, SecretRef};
use llm_provider_guest::types::ImageSource;
use proptest::prelude::*;
use rig::{
    ask, assistant, body, body_of, bytes, call, dialect, hi, image, raw, refused, result, text, thinking, tool, user,
};
use serde_json::{Value, json};

const SIGNED: &str = "anthropic/thinking:SIG";

#[test]
fn the_least_request() {
    let want = json!({
        "model": "claude",
        "max_tokens": 100,
        "stream": true,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    });
    assert_eq!(body(&hi()), want);
    let without_limit = body(&Ask { max_output_tokens: None, ..hi() });
    assert_eq!(without_limit["max_tokens"], 8_192);
    let configured = dialect(json!({"max-output-tokens": 5}));
    assert_eq!(body_of(&configured, &Ask { max_output_tokens: None, ..hi() })["max_tokens"], 5);
}

/// What Anthropic's own client sent for the same three turns, by way of the Copilot CLI; it wants the temperature 0.
#[test]
fn a_recorded_conversation_is_written_the_same() {
    let recorded: Value = serde_json::from_str(include_str!("fixtures/three_turns_request.json")).unwrap();
    let said = |at: usize| text(recorded["messages"][at]["content"][0]["text"].as_str().unwrap());
    let ask = Ask {
        model: "stub-model".into(),
        system: Some("SYS-REPLACED".into()),
        max_output_tokens: Some(8_192),
        sampling: Sampling { temperature: Some(0.0), ..Sampling::default() },
        ..ask(vec![
            user(vec![said(0)]),
            assistant(vec![thinking("thinking hard", Some("anthropic/thinking:SIG-STUB")), text("One.")]),
            user(vec![said(2)]),
            assistant(vec![text("Two.")]),
            user(vec![said(4)]),
        ])
    };
    let mut written = body(&ask);
    assert_eq!(written["temperature"], 0.0);
    written["temperature"] = json!(0);
    assert_eq!(written, recorded);
}

#[test]
fn the_address_and_the_headers() {
    let plain = |name: &str, value: &str| (name.to_owned(), vec![Chunk::Bytes(value.as_bytes().to_vec())]);
    let secret = || Chunk::Secret(SecretRef { name: "key".into(), encoding: SecretEncoding::Raw });
    let of = |more: Value| {
        let request = dialect(more).request(&hi()).unwrap();
        let headers: Vec<_> = request.headers.into_iter().map(|header| (header.name, header.value)).collect();
        (request.method, request.url, headers)
    };
    let (method, url, headers) = of(json!({
        "api-key": {"secret": "key"},
        "beta": ["a-1", "b-2"],
        "headers": {"x-plain": "p", "x-secret": {"secret": "key"}},
    }));
    assert_eq!((method.as_str(), url.as_str()), ("POST", "https://api.example/v1/messages"));
    let want = [
        plain("anthropic-version", "2023-06-01"),
        plain("content-type", "application/json"),
        plain("accept", "text/event-stream"),
        ("x-api-key".to_owned(), vec![secret()]),
        plain("anthropic-beta", "a-1,b-2"),
        plain("x-plain", "p"),
        ("x-secret".to_owned(), vec![secret()]),
    ];
    assert_eq!(headers, want);
    let token = of(json!({"auth-token": {"secret": "key"}})).2;
    assert!(token.contains(&("authorization".into(), vec![Chunk::Bytes(b"Bearer ".to_vec()), secret()])));
    for base in ["https://h/a", "https://h/a/", "https://h/a/v1", "https://h/a/v1/"] {
        assert_eq!(of(json!({"base-url": base})).1, "https://h/a/v1/messages");
    }
}

fn messages(said: Vec<llm_provider_guest::types::Message>) -> Value {
    body(&ask(said))["messages"].clone()
}

#[test]
fn adjacent_messages_of_a_role_are_one_and_results_come_first() {
    let written = messages(vec![
        user(vec![text("a")]),
        user(vec![text("b")]),
        assistant(vec![text("c"), call("1", r#"{"x":1}"#)]),
        assistant(vec![call("2", "")]),
        user(vec![text("d"), result("1", "one", false)]),
        user(vec![result("2", "two", true), text("e")]),
    ]);
    let want = json!([
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [
            {"type": "text", "text": "c"},
            {"type": "tool_use", "id": "1", "name": "add", "input": {"x": 1}},
            {"type": "tool_use", "id": "2", "name": "add", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "1", "content": "one"},
            {"type": "tool_result", "tool_use_id": "2", "content": "two", "is_error": true},
            {"type": "text", "text": "d"},
            {"type": "text", "text": "e"},
        ]},
    ]);
    assert_eq!(written, want);
}

#[test]
fn what_the_api_does_not_take_is_left_out_or_put_right() {
    let written = messages(vec![
        user(vec![text("a"), text(" \n")]),
        assistant(vec![text(""), thinking("of another", Some("gpt:xyz")), thinking("bare", None)]),
        user(vec![text("b")]),
        assistant(vec![call("f.x:0|y", r#"{"x": oops"#), call("3", "[1]")]),
        user(vec![result("f.x:0|y", "", true), result("3", "", false)]),
    ]);
    let want = json!([
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "f_2ex_3a0_7cy", "name": "add", "input": {"INVALID_JSON": r#"{"x": oops"#}},
            {"type": "tool_use", "id": "3", "name": "add", "input": {"INVALID_JSON": "[1]"}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "f_2ex_3a0_7cy", "is_error": true,
             "content": "The tool failed without a message."},
            {"type": "tool_result", "tool_use_id": "3"},
        ]},
    ]);
    assert_eq!(written, want);
    let nothing = refused(&dialect(json!({})), &ask(vec![user(vec![text("  ")])]));
    assert_eq!(nothing.fault, Fault::Invalid);
}

#[test]
fn thinking_goes_back_as_it_came() {
    let written = messages(vec![
        user(vec![text("a")]),
        assistant(vec![
            thinking("hm", Some(SIGNED)),
            thinking("", Some(SIGNED)),
            thinking("", Some("anthropic/redacted-thinking:DATA")),
            text("b"),
        ]),
        user(vec![text("c")]),
    ]);
    let want = json!([
        {"type": "thinking", "thinking": "hm", "signature": "SIG"},
        {"type": "thinking", "thinking": "", "signature": "SIG"},
        {"type": "redacted_thinking", "data": "DATA"},
        {"type": "text", "text": "b"},
    ]);
    assert_eq!(written[1]["content"], want);
}

#[test]
fn images() {
    let written = messages(vec![user(vec![
        image(ImageSource::Data(vec![1, 2, 3])),
        image(ImageSource::Url("https://h/i.png".into())),
    ])]);
    let want = json!([
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AQID"}},
        {"type": "image", "source": {"type": "url", "url": "https://h/i.png"}},
    ]);
    assert_eq!(written[0]["content"], want);
    let shown = ask(vec![assistant(vec![image(ImageSource::Data(vec![]))]), user(vec![text("a")])]);
    assert_eq!(refused(&dialect(json!({})), &shown).fault, Fault::Unsupported);
}

#[test]
fn tools_and_the_choice_among_them() {
    let of = |tool_choice| body(&Ask { tools: vec![tool("add"), tool("sub")], tool_choice, ..hi() });
    let auto = of(ToolChoice::Auto);
    let want = json!([
        {"name": "add", "description": "Adds.", "input_schema": {"type": "object"}},
        {"name": "sub", "description": "Adds.", "input_schema": {"type": "object"}},
    ]);
    assert_eq!((&auto["tools"], &auto["tool_choice"]), (&want, &Value::Null));
    assert_eq!(of(ToolChoice::None)["tool_choice"], json!({"type": "none"}));
    assert_eq!(of(ToolChoice::Required)["tool_choice"], json!({"type": "any"}));
    assert_eq!(of(ToolChoice::Named("sub".into()))["tool_choice"], json!({"type": "tool", "name": "sub"}));
}

#[test]
fn sampling_stop_sequences_and_a_schema() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let written = body(&Ask {
        sampling: Sampling { temperature: Some(0.5), top_p: Some(0.9), top_k: Some(40), ..Sampling::default() },
        stop_sequences: vec!["END".into()],
        output_schema: Some(raw(&schema)),
        ..hi()
    });
    assert_eq!(
        json!([written["temperature"], written["top_p"], written["top_k"], written["stop_sequences"]]),
        json!([0.5, 0.9, 40, ["END"]])
    );
    assert_eq!(written["output_config"], json!({"format": {"type": "json_schema", "schema": schema}}));
    for sampling in [
        Sampling { frequency_penalty: Some(0.0), ..Sampling::default() },
        Sampling { presence_penalty: Some(0.1), ..Sampling::default() },
        Sampling { seed: Some(1), ..Sampling::default() },
    ] {
        assert_eq!(refused(&dialect(json!({})), &Ask { sampling, ..hi() }).fault, Fault::Unsupported);
    }
}

#[test]
fn the_cache_is_marked_after_tools_system_and_history() {
    let mark = json!({"type": "ephemeral"});
    let cached = dialect(json!({"prompt-cache": "ephemeral"}));
    let said = Ask {
        system: Some("s".into()),
        tools: vec![tool("add"), tool("sub")],
        ..ask(vec![
            user(vec![text("a")]),
            assistant(vec![call("1", "{}")]),
            user(vec![text("late"), result("1", "r", false)]),
        ])
    };
    let mut written = body_of(&cached, &said);
    let marked = ["/tools/1", "/system/0", "/messages/2/content/1"];
    for place in marked {
        let block = written.pointer_mut(place).unwrap().as_object_mut().unwrap();
        assert_eq!(block.remove("cache_control").as_ref(), Some(&mark), "{place}");
    }
    assert!(!written.to_string().contains("cache_control"));
    assert_eq!(written, body(&said));
    // Thinking takes no mark.
    let thought = ask(vec![user(vec![text("a")]), assistant(vec![thinking("hm", Some(SIGNED))])]);
    assert!(!body_of(&cached, &thought).to_string().contains("cache_control"));
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,20}", "[{}\\[\\]\":,0-9a-z ]{0,20}"]
}

fn any_blocks() -> impl Strategy<Value = Vec<(u8, String, String)>> {
    prop::collection::vec((0..6u8, any_text(), any_text()), 0..5)
}

proptest! {
    /// Whatever a history holds, what is sent has roles that alternate, nothing empty, and results first.
    #[test]
    fn any_history_is_written_as_the_api_takes_it(
        said in prop::collection::vec((any::<bool>(), any_blocks()), 1..8),
        cache: bool,
    ) {
        let block = |(kind, a, b): &(u8, String, String)| match kind {
            0 => text(a),
            1 => thinking(a, Some(b)),
            2 => thinking(a, Some(&format!("{SIGNED}{b}"))),
            3 => call(a, b),
            4 => result(a, b, true),
            _ => image(ImageSource::Url(a.clone())),
        };
        let history = said.iter().map(|(by_user, blocks)| {
            let blocks = blocks.iter().map(block).collect();
            if *by_user { user(blocks) } else { assistant(blocks) }
        });
        let dialect = dialect(json!({"prompt-cache": if cache { "ephemeral" } else { "off" }}));
        let Ok(request) = dialect.request(&ask(history.collect())) else { return Ok(()) };
        let body: Value = serde_json::from_slice(&bytes(&request)).unwrap();
        let turns = body["messages"].as_array().unwrap();
        prop_assert!(!turns.is_empty());
        prop_assert!(turns.windows(2).all(|pair| pair[0]["role"] != pair[1]["role"]));
        for turn in turns {
            let content = turn["content"].as_array().unwrap();
            prop_assert!(!content.is_empty());
            prop_assert!(turn["role"] != "user" || content.is_sorted_by_key(|block| block["type"] != "tool_result"));
            prop_assert!(content.iter().all(|block| block["type"] != "tool_use" || block["input"].is_object()));
        }
        prop_assert!(body.to_string().matches(r#""cache_control""#).count() <= 1);
    }
}
