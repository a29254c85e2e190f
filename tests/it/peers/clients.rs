//! The official clients understand the fake model as they understand the real one.

use super::model;
use llmp_model_server::{Dialect, ModelServer, RecordedRequest, Role};
use llmp_tests::peers::{client, skipped};
use llmp_tests::rig::CANARY_KEY;
use serde_json::{Value, json};

/// An error of the OpenAI client's own classes.
fn thrown(class: &str, status: u16, code: Option<&str>, retry_after: Option<&str>) -> Value {
    json!({ "class": class, "api": true, "status": status, "code": code, "retryAfter": retry_after })
}

/// A thrown error, which names its request, without these fields.
fn without(error: &Value, names: &[&str]) -> Value {
    let mut error = error.clone();
    let fields = error.as_object_mut().expect("an error");
    assert!(fields["requestID"].as_str().is_some_and(|id| id.starts_with("req_")), "{fields:?}");
    for name in names {
        fields.remove(*name);
    }
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openai_client_understands_chat_completions_and_responses() {
    if skipped("the_openai_client_understands_chat_completions_and_responses") {
        return;
    }
    let server = ModelServer::start(model::script()).await.expect("a server");
    let seen = client(include_str!("../../peers/openai.mjs"), &server.openai_base_url()).await;
    assert_eq!(seen["models"], json!(["stub-model", "other-model"]));
    chat(&seen["chat"]);
    responses(&seen["responses"]);
    let failures = &seen["failures"];
    for (prompt, class, status, code, retry_after) in [
        ("401", "AuthenticationError", 401, Some("invalid_api_key"), None),
        ("404", "NotFoundError", 404, Some("model_not_found"), None),
        ("429", "RateLimitError", 429, Some("rate_limit_exceeded"), Some("7")),
        ("529", "InternalServerError", 529, None, None),
        ("context", "BadRequestError", 400, Some("context_length_exceeded"), None),
    ] {
        for dialect in ["chat", "responses"] {
            let error = without(&failures[prompt][dialect], &["requestID", "type"]);
            assert_eq!(error, thrown(class, status, code, retry_after), "{prompt} {dialect}");
        }
    }
    let broken = &failures["break"];
    assert_eq!((&broken["chat"]["class"], &broken["chat"]["type"]), (&json!("APIError"), &json!("server_error")));
    let failed = json!({ "code": "server_error", "message": "The model broke" });
    let responses = &broken["responses"];
    assert_eq!((&responses["status"], &responses["error"]), (&json!("failed"), &failed));
    assert_eq!(responses["deltas"], json!(["lost "]));
}

fn chat(chat: &Value) {
    let text = &chat["text"];
    assert_eq!(text["deltas"], json!(["Grüezi ", "→ ", "🦀"]));
    assert_eq!((&text["text"], &text["finish"]), (&json!("Grüezi → 🦀"), &json!("stop")));
    let usage = json!({
        "prompt_tokens": 106, "completion_tokens": 7, "total_tokens": 113,
        "prompt_tokens_details": { "cached_tokens": 40 }, "completion_tokens_details": { "reasoning_tokens": 0 },
    });
    assert_eq!(text["usage"], usage);
    let call = |id: &str, arguments: &str| {
        let function = json!({ "name": "get_weather", "arguments": arguments });
        json!({ "id": id, "type": "function", "function": function })
    };
    assert_eq!(chat["tool"]["calls"], json!([call("call_7", "{\"city\": \"Zürich\"}")]));
    assert_eq!((&chat["tool"]["text"], &chat["tool"]["finish"]), (&json!("Let me look."), &json!("tool_calls")));
    let both = [call("call_0", "{\"city\":\"Oslo\"}"), call("call_1", "{\"city\":\"Bern\"}")];
    assert_eq!(chat["tools"]["calls"], json!(both));
    assert_eq!((&chat["round"]["text"], &chat["round"]["usage"]), (&json!("It is sunny."), &usage));
}

fn responses(responses: &Value) {
    let text = &responses["text"];
    assert_eq!(text["deltas"], json!(["Grüezi ", "→ ", "🦀"]));
    assert_eq!((&text["text"], &text["status"]), (&json!("Grüezi → 🦀"), &json!("completed")));
    let usage = &text["usage"];
    assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(106), &json!(7)));
    assert_eq!(usage["input_tokens_details"]["cached_tokens"], 40);
    assert_eq!(text["kinds"].as_array().and_then(|kinds| kinds.last()), Some(&json!("response.completed")));
    let call = &responses["tool"]["output"][1];
    assert_eq!((&call["type"], &call["call_id"]), (&json!("function_call"), &json!("call_7")));
    assert_eq!(call["arguments"], "{\"city\": \"Zürich\"}");
    let thought = &responses["think"]["output"][0];
    assert_eq!((&thought["type"], &thought["summary"][0]["text"]), (&json!("reasoning"), &json!("Let me see.")));
    assert_eq!(responses["round"]["text"], "It is sunny.");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_anthropic_client_understands_messages() {
    if skipped("the_anthropic_client_understands_messages") {
        return;
    }
    let server = ModelServer::start(model::script()).await.expect("a server");
    let seen = client(include_str!("../../peers/anthropic.mjs"), &server.base_url()).await;
    assert_eq!(seen["models"], json!(["stub-model", "other-model"]));
    assert_eq!(seen["text"]["deltas"], json!(["Grüezi ", "→ ", "🦀"]));
    let usage = json!({
        "input_tokens": 66, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 0, "output_tokens": 7,
    });
    assert_eq!((&seen["text"]["stop"], &seen["text"]["usage"]), (&json!("end_turn"), &usage));
    let call = |id: &str, city: &str| {
        let input = json!({ "city": city });
        json!({ "type": "tool_use", "id": id, "name": "get_weather", "input": input })
    };
    let text = json!({ "type": "text", "text": "Let me look." });
    assert_eq!(seen["tool"]["blocks"], json!([text, call("call_7", "Zürich")]));
    assert_eq!(seen["tools"]["blocks"], json!([call("call_0", "Oslo"), call("call_1", "Bern")]));
    let thought = &seen["think"]["blocks"][0];
    assert_eq!((&thought["type"], &thought["thinking"]), (&json!("thinking"), &json!("Let me see.")));
    assert!(thought["signature"].as_str().is_some_and(|signature| !signature.is_empty()), "{thought}");
    assert_eq!((&seen["tool"]["stop"], &seen["length"]["stop"]), (&json!("tool_use"), &json!("max_tokens")));
    assert_eq!((&seen["round"]["text"], &seen["round"]["usage"]), (&json!("It is sunny."), &usage));
    for (prompt, class, kind, status, retry_after) in [
        ("401", "AuthenticationError", "authentication_error", Some(401), None),
        ("404", "NotFoundError", "not_found_error", Some(404), None),
        ("429", "RateLimitError", "rate_limit_error", Some(429), Some("7")),
        ("529", "OverloadedError", "overloaded_error", Some(529), None),
        ("break", "APIError", "api_error", None, None),
    ] {
        let error = without(&seen["failures"][prompt], &["requestID"]);
        let expected =
            json!({ "class": class, "api": true, "status": status, "type": kind, "retryAfter": retry_after });
        assert_eq!(error, expected, "{prompt}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gemini_client_understands_generate_content() {
    if skipped("the_gemini_client_understands_generate_content") {
        return;
    }
    let server = ModelServer::start(model::script()).await.expect("a server");
    let seen = client(include_str!("../../peers/gemini.mjs"), &server.base_url()).await;
    let listed = json!([["models/stub-model", "stub-model"], ["models/other-model", "other-model"]]);
    assert_eq!(seen["models"], listed);
    gemini_answers(&seen);
    for (prompt, status, word) in [
        ("401", 401, Some("UNAUTHENTICATED")),
        ("404", 404, Some("NOT_FOUND")),
        ("429", 429, Some("RESOURCE_EXHAUSTED")),
        ("529", 529, None),
        ("stream", 429, Some("RESOURCE_EXHAUSTED")),
    ] {
        let failure = &seen["failures"][prompt];
        let thrown = (&failure["class"], &failure["api"], &failure["status"]);
        assert_eq!(thrown, (&json!("ApiError"), &json!(true), &json!(status)), "{prompt}");
        let report = &failure["body"]["error"];
        assert_eq!((&report["code"], &report["status"]), (&json!(status), &json!(word)), "{prompt}");
        let pause = if status == 429 { json!("7s") } else { Value::Null };
        assert_eq!(report["details"][0]["retryDelay"], pause, "{prompt}");
    }
    let broken = &seen["failures"]["break"];
    assert_eq!((&broken["class"], &broken["status"]), (&json!("ApiError"), &json!(500)));
    assert!(broken["body"].as_str().is_some_and(|body| body.contains("The model broke")), "{broken}");
    asked_as_geminis_client_asks(&server);
}

fn gemini_answers(seen: &Value) {
    let usage = json!({
        "promptTokenCount": 106, "candidatesTokenCount": 7, "totalTokenCount": 113, "cachedContentTokenCount": 40,
    });
    let text = &seen["text"];
    assert_eq!(text["deltas"], json!(["Grüezi ", "→ ", "🦀"]));
    assert_eq!((&text["finish"], &text["usage"]), (&json!("STOP"), &usage));
    assert_eq!((&text["id"], &text["modelVersion"]), (&json!("resp_1"), &json!("stub-model")));
    let call = |id: &str, city: &str| json!({ "id": id, "name": "get_weather", "args": { "city": city } });
    let tool = &seen["tool"];
    assert_eq!((&tool["deltas"], &tool["finish"]), (&json!(["Let me look."]), &json!("STOP")));
    assert_eq!(tool["calls"], json!([call("call_7", "Zürich")]));
    assert_eq!(seen["tools"]["calls"], json!([call("call_0", "Oslo"), call("call_1", "Bern")]));
    let [first, second, signed, ..] = &seen["think"]["parts"].as_array().expect("parts")[..] else {
        panic!("{}", seen["think"])
    };
    assert_eq!((first, second), (&thought("Let me "), &thought("see.")));
    let signature = &signed["thoughtSignature"];
    assert!(signature.as_str().is_some_and(|signature| !signature.is_empty()), "{signed}");
    assert_eq!(seen["think"]["deltas"], json!(["Seen."]), "the client keeps thoughts apart");
    let counts = &seen["think"]["usage"];
    assert_eq!((&counts["candidatesTokenCount"], &counts["thoughtsTokenCount"]), (&json!(1), &json!(3)));
    assert_eq!(seen["length"]["finish"], "MAX_TOKENS");
    let whole = &seen["whole"];
    assert_eq!((&whole["text"], &whole["parts"][0]["thoughtSignature"]), (&json!("Seen."), signature));
    assert_eq!((&seen["round"]["text"], &seen["round"]["usage"]), (&json!("It is sunny."), &usage));
    // The client throws away of its history what it takes for invalid.
    assert_eq!(seen["chat"]["texts"], json!(["Grüezi → 🦀", "Seen."]));
    assert!(seen["chat"]["roles"].as_array().is_some_and(|roles| roles.len() > 4), "{}", seen["chat"]);
}

fn thought(text: &str) -> Value {
    json!({ "text": text, "thought": true })
}

/// What the real client asks is read as what the plugin asks.
fn asked_as_geminis_client_asks(server: &ModelServer) {
    let requests = server.requests();
    let first = &requests[0];
    assert_eq!((first.dialect, first.model(), first.wants_stream()), (Dialect::Gemini, "stub-model", true));
    assert_eq!(first.header("x-goog-api-key"), Some(CANARY_KEY));
    assert_eq!((first.system().as_str(), first.tools()), ("Be brief.", vec!["get_weather".to_owned()]));
    assert_eq!(first.body["generationConfig"]["thinkingConfig"]["thinkingBudget"], 1024);
    let result = requests.iter().flat_map(RecordedRequest::messages).find(|message| message.role == Role::Tool);
    let result = result.expect("a tool's result");
    assert_eq!((result.answers.as_deref(), result.text.as_str()), (Some("call_7"), "sunny"));
}
