//! What is sent.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod rig;

use llm_provider_core::classify::Fault;
use llm_provider_core::completion::{Ask, Dialect};
use llm_provider_guest::provider::{Sampling, ToolChoice};
use llm_provider_guest::secrets::{Chunk, SecretEncoding, SecretRef};
use llm_provider_guest::types::{ImageSource, Message};
use proptest::prelude::*;
use rig::{
    ask, assistant, body, body_of, bytes, call, dialect, hi, image, raw, refused, result, text, thinking, tool, user,
};
use serde_json::{Value, json};

#[test]
fn the_least_request() {
    assert_eq!(body(&hi()), json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}));
    let with_system = body(&Ask { system: Some("s".into()), ..hi() });
    assert_eq!(with_system["systemInstruction"], json!({"parts": [{"text": "s"}]}));
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
        "headers": {"x-plain": "p", "x-secret": {"secret": "key"}},
    }));
    let want = "https://api.example/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse";
    assert_eq!((method.as_str(), url.as_str()), ("POST", want));
    let want = [
        plain("content-type", "application/json"),
        plain("accept", "text/event-stream"),
        ("x-goog-api-key".to_owned(), vec![secret()]),
        plain("x-plain", "p"),
        ("x-secret".to_owned(), vec![secret()]),
    ];
    assert_eq!(headers, want);
    let token = of(json!({"auth-token": {"secret": "key"}})).2;
    assert!(token.contains(&("authorization".into(), vec![Chunk::Bytes(b"Bearer ".to_vec()), secret()])));
    for (model, path) in [
        ("models/gemini-3-flash", "models/gemini-3-flash"),
        ("tunedModels/mine-1", "tunedModels/mine-1"),
        ("a/b?c#d", "models/a%2Fb%3Fc%23d"),
        ("../x", "models/..%2Fx"),
    ] {
        let url = dialect(json!({})).request(&Ask { model: model.into(), ..hi() }).unwrap().url;
        assert_eq!(url, format!("https://api.example/v1beta/{path}:streamGenerateContent?alt=sse"));
    }
}

fn contents(said: Vec<Message>) -> Value {
    body(&ask(said))["contents"].clone()
}

#[test]
fn adjacent_messages_of_a_role_are_one_and_results_come_first() {
    let written = contents(vec![
        user(vec![text("a")]),
        user(vec![text("b")]),
        assistant(vec![text("c"), thinking("", Some("gemini/call:S")), call("1", r#"{"x":1}"#)]),
        assistant(vec![call("2", "")]),
        user(vec![text("d"), result("1", "one", false)]),
        user(vec![result("2", "two", true), text("e")]),
    ]);
    let want = json!([
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
        {"role": "model", "parts": [
            {"text": "c"},
            {"functionCall": {"id": "1", "name": "add", "args": {"x": 1}}, "thoughtSignature": "S"},
            {"functionCall": {"id": "2", "name": "add", "args": {}}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "1", "name": "add", "response": {"result": "one"}}},
            {"functionResponse": {"id": "2", "name": "add", "response": {"error": "two"}}},
            {"text": "d"},
            {"text": "e"},
        ]},
    ]);
    assert_eq!(written, want);
}

#[test]
fn signatures_go_back_onto_their_parts() {
    let written = contents(vec![
        user(vec![text("a")]),
        assistant(vec![
            thinking("hm", Some("gemini/thought:T")),
            thinking("no proof", None),
            thinking("of another", Some("anthropic/thinking:X")),
            text("one"),
            thinking("", Some("gemini/text:S1")),
            text("two"),
            text("three"),
            thinking("", Some("gemini/call:S2")),
            call("1", "{}"),
            thinking("", Some("gemini/empty:S3")),
        ]),
        user(vec![result("1", "r", false)]),
    ]);
    let want = json!([
        {"text": "hm", "thought": true, "thoughtSignature": "T"},
        {"text": "one"},
        {"text": "two", "thoughtSignature": "S1"},
        {"text": "three"},
        {"functionCall": {"id": "1", "name": "add", "args": {}}, "thoughtSignature": "S2"},
        {"text": "", "thoughtSignature": "S3"},
    ]);
    assert_eq!(written[1]["parts"], want);
}

/// What a signature was given for may be gone from the history: it must not end up on something else.
#[test]
fn a_signature_without_its_part_is_left_out() {
    let parts = |blocks| contents(vec![user(vec![text("a")]), assistant(blocks), user(vec![text("b")])])[1].clone();
    let plain = json!({"role": "model", "parts": [{"text": "c"}]});
    assert_eq!(parts(vec![thinking("", Some("gemini/call:S")), text("c")]), plain);
    assert_eq!(parts(vec![text("c"), thinking("", Some("gemini/text:S"))]), plain);
    assert_eq!(parts(vec![thinking("", Some("gemini/text:S")), thinking("x", None), text("c")]), plain);
    let only = contents(vec![
        user(vec![text("a")]),
        assistant(vec![thinking("", Some("gemini/text:S"))]),
        user(vec![text("b")]),
    ]);
    assert_eq!(only, json!([{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}]));
}

/// Another model's calls have no signature, and from Gemini 3 on those of the current turn need one.
#[test]
fn calls_of_another_model_are_said_to_be_so() {
    let said = || {
        vec![
            user(vec![text("a")]),
            assistant(vec![call("0", "{}")]),
            user(vec![result("0", "r", false), text("now this")]),
            assistant(vec![call("1", "{}"), call("2", "{}")]),
            user(vec![result("1", "r", false), result("2", "r", false)]),
            assistant(vec![text("and"), thinking("", Some("gemini/call:S")), call("3", "{}")]),
            user(vec![result("3", "r", false)]),
        ]
    };
    let signatures = |model: &str| {
        let body = body(&Ask { model: model.into(), ..ask(said()) });
        let contents = body["contents"].as_array().unwrap().clone();
        let parts = contents.iter().flat_map(|content| content["parts"].as_array().unwrap().clone());
        let calls = parts.filter(|part| part["functionCall"].is_object());
        calls.map(|part| part["thoughtSignature"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(signatures("gemini-3-flash"), ["", "skip_thought_signature_validator", "", "S"]);
    assert_eq!(signatures("gemini-2.5-flash"), ["", "", "", "S"]);
}

#[test]
fn what_the_api_does_not_take_is_put_right_or_refused() {
    let written = contents(vec![
        user(vec![text("b")]),
        assistant(vec![call("1", r#"{"x": oops"#), call("2", "[1]")]),
        user(vec![result("1", "", true), result("2", "", false)]),
    ]);
    assert_eq!(written[1]["parts"][0]["functionCall"]["args"], json!({"INVALID_JSON": r#"{"x": oops"#}));
    assert_eq!(written[1]["parts"][1]["functionCall"]["args"], json!({"INVALID_JSON": "[1]"}));
    for misplaced in [
        vec![user(vec![thinking("a", None)])],
        vec![user(vec![call("1", "{}")])],
        vec![user(vec![result("nobody's", "r", false)])],
        vec![assistant(vec![result("1", "r", false)])],
        vec![user(vec![])],
    ] {
        assert_eq!(refused(&ask(misplaced)).fault, Fault::Invalid);
    }
}

#[test]
fn images() {
    let written = contents(vec![
        user(vec![image(ImageSource::Data(vec![1, 2, 3])), image(ImageSource::Url("https://h/i.png".into()))]),
        assistant(vec![image(ImageSource::Data(vec![4]))]),
        user(vec![text("a")]),
    ]);
    let want = json!([
        {"inlineData": {"mimeType": "image/png", "data": "AQID"}},
        {"fileData": {"mimeType": "image/png", "fileUri": "https://h/i.png"}},
    ]);
    assert_eq!(written[0]["parts"], want);
    assert_eq!(written[1]["parts"], json!([{"inlineData": {"mimeType": "image/png", "data": "BA=="}}]));
}

#[test]
fn tools_and_the_choice_among_them() {
    let of = |tool_choice| body(&Ask { tools: vec![tool("add"), tool("sub")], tool_choice, ..hi() });
    let calling = |choice| of(choice)["toolConfig"]["functionCallingConfig"].clone();
    let auto = of(ToolChoice::Auto);
    let want = json!([{"functionDeclarations": [
        {"name": "add", "description": "Adds.", "parametersJsonSchema": {"type": "object"}},
        {"name": "sub", "description": "Adds.", "parametersJsonSchema": {"type": "object"}},
    ]}]);
    assert_eq!((&auto["tools"], &auto["toolConfig"]), (&want, &Value::Null));
    assert_eq!(calling(ToolChoice::None), json!({"mode": "NONE"}));
    assert_eq!(calling(ToolChoice::Required), json!({"mode": "ANY"}));
    let named = calling(ToolChoice::Named("sub".into()));
    assert_eq!(named, json!({"mode": "ANY", "allowedFunctionNames": ["sub"]}));
}

#[test]
fn every_option_has_its_place() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let written = body(&Ask {
        max_output_tokens: Some(9),
        sampling: Sampling {
            temperature: Some(0.5),
            top_p: Some(0.25),
            top_k: Some(40),
            frequency_penalty: Some(1.5),
            presence_penalty: Some(-0.5),
            seed: Some(7),
        },
        stop_sequences: vec!["END".into()],
        effort: Some("low".into()),
        output_schema: Some(raw(&schema)),
        ..hi()
    });
    let want = json!({
        "maxOutputTokens": 9, "temperature": 0.5, "topP": 0.25, "topK": 40, "seed": 7, "frequencyPenalty": 1.5,
        "presencePenalty": -0.5, "stopSequences": ["END"],
        "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": true},
        "responseMimeType": "application/json", "responseJsonSchema": schema,
    });
    assert_eq!(written["generationConfig"], want);
    let safety = json!([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}]);
    assert_eq!(body_of(&dialect(json!({"safety-settings": safety})), &hi())["safetySettings"], safety);
    for asked in [
        Ask { sampling: Sampling { seed: Some(1 << 31), ..Sampling::default() }, ..hi() },
        Ask { sampling: Sampling { top_k: Some(u32::MAX), ..Sampling::default() }, ..hi() },
        Ask { stop_sequences: vec!["x".into(); 6], ..hi() },
        Ask { effort: Some("very hard".into()), ..hi() },
        Ask { effort: Some("-2".into()), ..hi() },
        Ask { effort: Some("extreme".into()), model: "gemini-2.5-flash".into(), ..hi() },
    ] {
        assert_eq!(refused(&asked).fault, Fault::Unsupported);
    }
}

#[test]
fn how_hard_to_think() {
    let level = |level: &str| json!({"thinkingLevel": level, "includeThoughts": true});
    let budget = |budget: i32| json!({"thinkingBudget": budget, "includeThoughts": true});
    for (model, effort, want) in [
        ("gemini-3-flash", "minimal", level("MINIMAL")),
        ("gemini-3-flash", "high", level("HIGH")),
        ("gemini-3-flash", "of_the_future", level("OF_THE_FUTURE")),
        ("gemini-3-flash", "2000", budget(2_000)),
        ("gemini-3-pro-preview", "minimal", level("LOW")),
        ("gemini-2.5-flash", "minimal", json!({"thinkingBudget": 0})),
        ("gemini-2.5-pro", "minimal", budget(128)),
        ("gemini-2.5-flash", "low", budget(1_024)),
        ("gemini-2.5-flash", "medium", budget(8_192)),
        ("gemini-2.5-flash", "high", budget(24_576)),
        ("gemini-2.5-flash", "-1", budget(-1)),
    ] {
        let written = body(&Ask { model: model.into(), effort: Some(effort.into()), ..hi() });
        assert_eq!(written["generationConfig"], json!({"thinkingConfig": want}), "{model} {effort}");
    }
    let told = dialect(json!({"thinking": "budget"}));
    let written = body_of(&told, &Ask { effort: Some("low".into()), ..hi() });
    assert_eq!(written["generationConfig"]["thinkingConfig"], budget(1_024));
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,20}", "[{}\\[\\]\":,0-9a-z ]{0,20}"]
}

proptest! {
    /// Whatever a history holds, what is sent has roles that alternate, nothing empty, results first and named.
    #[test]
    fn any_history_is_written_as_the_api_takes_it(
        said in prop::collection::vec(
            (any::<bool>(), prop::collection::vec((0..8u8, any_text(), any_text()), 0..5)), 1..8),
        model in prop::sample::select(vec!["gemini-3-flash", "gemini-2.5-flash"]),
    ) {
        let block = |(kind, a, b): &(u8, String, String)| match kind {
            0 => text(a),
            1 => thinking(a, Some(b)),
            2 => thinking(a, Some(&format!("gemini/thought:{b}"))),
            3 => thinking("", Some(&format!("gemini/call:{b}"))),
            4 => thinking("", Some(&format!("gemini/text:{b}"))),
            5 => call("c", b),
            6 => result("c", b, true),
            _ => image(ImageSource::Url(a.clone())),
        };
        let history = said.iter().map(|(by_user, blocks)| {
            let blocks = blocks.iter().map(block).collect();
            if *by_user { user(blocks) } else { assistant(blocks) }
        });
        let asked = Ask { model: model.into(), ..ask(history.collect()) };
        let Ok(request) = dialect(json!({})).request(&asked) else { return Ok(()) };
        let body: Value = serde_json::from_slice(&bytes(&request)).unwrap();
        let contents = body["contents"].as_array().unwrap();
        prop_assert!(!contents.is_empty());
        prop_assert!(contents.windows(2).all(|pair| pair[0]["role"] != pair[1]["role"]));
        for content in contents {
            let parts = content["parts"].as_array().unwrap();
            prop_assert!(!parts.is_empty());
            let is_result = |part: &Value| part["functionResponse"].is_object();
            prop_assert!(content["role"] != "user" || parts.is_sorted_by_key(|part| !is_result(part)));
            prop_assert!(parts.iter().all(|part| !is_result(part) || part["functionResponse"]["name"] == "add"));
            let is_call = |part: &&Value| part.get("functionCall").is_some();
            prop_assert!(parts.iter().filter(is_call).all(|part| part["functionCall"]["args"].is_object()));
        }
    }
}
