//! The configuration, and that the description says the same of it.
#![allow(missing_docs, clippy::unwrap_used)]

mod rig;

use llm_provider_anthropic::{Config, Messages, PromptCache, ThinkingMode};
use llm_provider_core::classify::Fault;
use llm_provider_core::completion::Dialect;
use llm_provider_guest::provider::Setup;
use rig::secrets;
use serde_json::{Value, json};

fn parse(more: Value) -> Result<Config, String> {
    let mut config = json!({"base-url": "https://api.example"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Config::parse(&config.to_string(), &secrets()).map_err(|failure| failure.message)
}

#[test]
fn what_is_there_when_nothing_is_said() {
    let config = parse(json!({})).unwrap();
    assert_eq!((config.version.as_str(), config.max_output_tokens), ("2023-06-01", 8_192));
    assert_eq!((config.prompt_cache, config.thinking), (PromptCache::Ephemeral, ThinkingMode::Budget));
    let config = json!({"base-url": "http://h", "model": "m", "activity-timeout-ms": 7});
    let setup = Setup { config: config.to_string(), secrets: vec![], seed: 1 };
    let settings = Messages::configure(&setup).unwrap().settings().clone();
    assert_eq!((settings.model.as_deref(), settings.activity_timeout), (Some("m"), 7));
    let setup = Setup { config: "{}".into(), secrets: vec![], seed: 1 };
    let failure = Messages::configure(&setup).unwrap_err();
    assert_eq!(failure.fault, Fault::Invalid);
    assert!(failure.message.contains("base-url"), "{}", failure.message);
}

#[test]
fn what_cannot_work_names_its_key() {
    let table = [
        (json!({"base-url": "api.example"}), "base-url"),
        (json!({"base-url": "https:///v1"}), "base-url"),
        (json!({"base-url": "https://h?x=1"}), "base-url"),
        (json!({"base-url": "https://user@h"}), "base-url"),
        (json!({"base-url": "https://h\r\nx: y"}), "base-url"),
        (json!({"api-key": {"secret": "other"}}), "api-key"),
        (json!({"auth-token": {"secret": "other"}}), "auth-token"),
        (json!({"api-key": {"secret": "key"}, "auth-token": {"secret": "key"}}), "auth-token"),
        (json!({"version": "a\nb"}), "version"),
        (json!({"beta": ["a,b"]}), "beta"),
        (json!({"headers": {"a b": "x"}}), "headers"),
        (json!({"headers": {"x": "a\nb"}}), "headers.x"),
        (json!({"headers": {"x": {"secret": "other"}}}), "headers.x"),
        (json!({"headers": {"Anthropic-Version": "1"}}), "version"),
        (json!({"headers": {"content-type": "x"}}), "headers.content-type"),
        (json!({"api-key": {"secret": "key"}, "headers": {"X-Api-Key": "x"}}), "api-key"),
        (json!({"model": ""}), "model"),
        (json!({"max-output-tokens": 0}), "max-output-tokens"),
        (json!({"activity-timeout-ms": 0}), "activity-timeout-ms"),
        (json!({"prompt-cache": "forever"}), "forever"),
        (json!({"thinking": "lots"}), "lots"),
        (json!({"of-the-future": 1}), "of-the-future"),
    ];
    for (more, key) in table {
        let error = parse(more.clone()).expect_err(&more.to_string());
        assert!(error.contains(key) && !error.contains('\n'), "{more}: {error}");
    }
    for fine in [json!({"headers": {"x-api-key": {"secret": "key"}}}), json!({"base-url": "http://127.0.0.1:9/v1/"})] {
        parse(fine).unwrap();
    }
}

#[test]
fn the_description_has_the_same_keys_and_defaults() {
    let description: Value = serde_json::from_str(include_str!("../plugin.json")).unwrap();
    let said = description["config-schema"]["properties"].as_object().unwrap();
    let unknown = parse(json!({"?": 1})).unwrap_err();
    let keys: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
    assert_eq!(said.len(), keys.len(), "{unknown}");
    assert!(said.keys().all(|key| keys.contains(&key.as_str())), "{unknown}");
    let config = parse(json!({})).unwrap();
    assert_eq!(said["max-output-tokens"]["default"], config.max_output_tokens);
    assert_eq!(said["activity-timeout-ms"]["default"], config.activity_timeout_ms);
    assert_eq!(said["version"]["default"], config.version);
    assert_eq!(
        (&said["prompt-cache"]["default"], &said["thinking"]["default"]),
        (&json!("ephemeral"), &json!("budget"))
    );
}
