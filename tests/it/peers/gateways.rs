//! The plugins in front of gateways that write the dialect themselves and ask the fake model in the other one.

use super::model::{self, USAGE};
use llm_provider_host::wit::errors::{ErrorKind, Verdict};
use llm_provider_host::wit::types::Tool as Definition;
use llm_provider_host::{FinishReason, ProviderError, Tool, ToolFuture, TurnRequest, user_message};
use llmp_model_server::{Dialect, Role};
use llmp_tests::peers::{Peers, skipped};
use llmp_tests::rig::{CANARY_KEY, Seen, once, read};
use serde_json::{Value, json};
use std::sync::Arc;

struct Weather;

impl Tool for Weather {
    fn definition(&self) -> Definition {
        let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
        Definition {
            name: "get_weather".into(),
            description: "The weather of a city.".into(),
            parameters: schema.to_string(),
        }
    }

    fn call(&self, arguments: Value) -> ToolFuture {
        Box::pin(async move { Ok(format!("sunny in {}", arguments["city"].as_str().unwrap_or("nowhere")).into()) })
    }
}

/// One question with a system prompt and a tool, asked once.
async fn ask(peers: &Peers, prompt: &str) -> Seen {
    let tool: Arc<dyn Tool> = Arc::new(Weather);
    let request = TurnRequest {
        system: Some("Be brief.".into()),
        tools: vec![tool],
        max_output_tokens: Some(50),
        ..once(vec![user_message(prompt)])
    };
    read(peers.instance.session().turn(request).await.expect("started")).await
}

/// What the model was asked came through the gateway, in the other dialect and with the key.
fn assert_translated(peers: &Peers, dialect: Dialect, key: (&str, &str)) {
    let request = peers.model.requests().pop().expect("a request");
    assert_eq!((request.dialect, request.model()), (dialect, "stub-model"));
    assert_eq!(request.header(key.0), Some(key.1));
    assert_eq!((request.system().as_str(), request.tools()), ("Be brief.", vec!["get_weather".to_owned()]));
    assert_eq!(request.last_prompt(), "hello");
}

async fn assert_answers(peers: &Peers) {
    let seen = ask(peers, "tool").await;
    assert!(matches!(seen.answered().reason, FinishReason::Stop), "{:?}", seen.answered());
    assert!(seen.block_text().ends_with("It is sunny in Zürich."), "{:?}", seen.events);
    assert_eq!((seen.count("tool-answered"), seen.answered().usage.model_calls), (1, 2));
    let asked = peers.model.requests().pop().expect("a request").messages();
    let result = asked.last().expect("a message");
    assert_eq!((result.role, result.answers.as_deref()), (Role::Tool, Some("call_7")));
    let call = &asked[asked.len() - 2].tool_calls[0];
    let arguments: Value = serde_json::from_str(&call.arguments).expect("JSON");
    assert_eq!((call.name.as_str(), arguments), ("get_weather", json!({ "city": "Zürich" })));

    let seen = ask(peers, "tools").await;
    assert_eq!((seen.count("tool-answered"), seen.answered().usage.model_calls), (2, 2));
    let seen = ask(peers, "length").await;
    assert!(matches!(seen.answered().reason, FinishReason::Length), "{:?}", seen.answered());

    let seen = ask(peers, "hello").await;
    assert_eq!((seen.text.as_str(), seen.block_text().as_str()), ("Grüezi → 🦀", "Grüezi → 🦀"));
    assert!(seen.count("text-delta") >= 2, "it streams: {:?}", seen.events);
}

/// Two failures; returns the second, after which the host would hold back what comes.
async fn assert_fails(peers: &Peers) -> ProviderError {
    let seen = ask(peers, "401").await;
    let error = seen.failure();
    assert_eq!((error.kind, error.http_status), (ErrorKind::Authentication, Some(401)), "{error:?}");
    assert!(matches!(error.verdict, Verdict::Surface), "{error:?}");
    assert!(error.message.contains("Incorrect API key provided"), "{error:?}");
    assert!(!format!("{error:?}").contains(CANARY_KEY), "{error:?}");
    let seen = ask(peers, "429").await;
    let error = seen.failure();
    assert_eq!((error.kind, error.http_status), (ErrorKind::RateLimit, Some(429)), "{error:?}");
    assert!(!error.output_seen && !error.tools_ran, "{error:?}");
    error.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openai_plugin_speaks_with_a_gateway() {
    if skipped("the_openai_plugin_speaks_with_a_gateway") {
        return;
    }
    let peers = Peers::openai(model::script()).await;
    assert_answers(&peers).await;
    assert_translated(&peers, Dialect::Anthropic, ("x-api-key", CANARY_KEY));
    let seen = ask(&peers, "hello").await;
    let usage = &seen.answered().usage;
    // This gateway tells Anthropic's count of the input, which leaves out what came from the cache.
    assert_eq!((usage.input_tokens, usage.cache_read_tokens), (USAGE.input - USAGE.cached, USAGE.cached));
    assert_eq!((usage.output_tokens, usage.model_calls), (USAGE.output, 1));
    let error = assert_fails(&peers).await;
    assert_eq!(error.retry_after, Some(7_000), "{error:?}");
    assert!(matches!(error.verdict, Verdict::RetryAfter(7_000)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_anthropic_plugin_speaks_with_a_gateway() {
    if skipped("the_anthropic_plugin_speaks_with_a_gateway") {
        return;
    }
    let peers = Peers::anthropic(model::script()).await;
    assert_answers(&peers).await;
    assert_translated(&peers, Dialect::ChatCompletions, ("authorization", &format!("Bearer {CANARY_KEY}")));
    // This gateway does not tell the model's usage, nor when to come back, and says `api_error` of every failure.
    let seen = ask(&peers, "hello").await;
    let usage = &seen.answered().usage;
    assert_eq!((usage.model_calls, usage.output_tokens), (1, 0));
    let error = assert_fails(&peers).await;
    assert!(error.retry_after.is_none() && matches!(error.verdict, Verdict::RetryAfter(_)), "{error:?}");
}
