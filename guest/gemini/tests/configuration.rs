//! The configuration, and that the description says the same of it.
#![allow(missing_docs, clippy::unwrap_used)]

mod rig;

use llm_provider_core::completion::Dialect;
use llm_provider_gemini::Gemini;
use llm_provider_guest::provider::Setup;
use rig::{configured, hi};
use serde_json::{Value, json};

#[test]
fn a_configuration_needs_an_address_and_nothing_else() {
    let settings = configured(json!({})).unwrap().settings().clone();
    assert_eq!((settings.model, settings.activity_timeout), (None, 120_000));
    let settings = configured(json!({"model": "m", "activity-timeout-ms": 7})).unwrap().settings().clone();
    assert_eq!((settings.model.as_deref(), settings.activity_timeout), (Some("m"), 7));
    let none = Gemini::configure(&Setup { config: "{}".into(), secrets: vec![], seed: 1 }).unwrap_err();
    assert!(none.message.contains("base-url"), "{}", none.message);
    for (base, want) in [
        ("https://h", "https://h/v1beta/models/"),
        ("https://h/", "https://h/v1beta/models/"),
        ("https://h/v1", "https://h/v1/models/"),
        ("http://127.0.0.1:1/a/v1beta/", "http://127.0.0.1:1/a/v1beta/models/"),
    ] {
        let url = configured(json!({"base-url": base})).unwrap().request(&hi()).unwrap().url;
        assert!(url.starts_with(want), "{base}: {url}");
    }
}

#[test]
fn what_cannot_work_names_its_key() {
    let table = [
        (json!({"base-url": "api.example"}), "`base-url`"),
        (json!({"base-url": "https://h?x=1"}), "`base-url`"),
        (json!({"base-url": "https://user@h"}), "`base-url`"),
        (json!({"api-key": {"secret": "other"}}), "`api-key` names the secret `other`"),
        (json!({"api-key": "AIza"}), "invalid type"),
        (json!({"auth-token": {"secret": "other"}}), "`auth-token`"),
        (json!({"api-key": {"secret": "key"}, "auth-token": {"secret": "key"}}), "exclude each other"),
        (json!({"headers": {"a b": "x"}}), "`headers`"),
        (json!({"headers": {"x": "a\nb"}}), "`headers.x`"),
        (json!({"headers": {"x": {"secret": "other"}}}), "`headers.x`"),
        (json!({"headers": {"Content-Type": "x"}}), "`headers.Content-Type`"),
        (json!({"api-key": {"secret": "key"}, "headers": {"X-Goog-Api-Key": "x"}}), "`headers.X-Goog-Api-Key`"),
        (json!({"auth-token": {"secret": "key"}, "headers": {"authorization": "x"}}), "`headers.authorization`"),
        (json!({"model": ""}), "`model`"),
        (json!({"thinking": "lots"}), "lots"),
        (json!({"safety-settings": [{"category": "a b", "threshold": "OFF"}]}), "category"),
        (json!({"safety-settings": [{"category": "HARM", "threshold": ""}]}), "threshold"),
        (json!({"safety-settings": [{"category": "HARM"}]}), "threshold"),
        (json!({"activity-timeout-ms": 0}), "`activity-timeout-ms`"),
        (json!({"of-the-future": 1}), "of-the-future"),
    ];
    for (more, key) in table {
        let message = configured(more.clone()).expect_err(&more.to_string()).message;
        assert!(message.starts_with("the Gemini plugin's configuration: "), "{message}");
        assert!(message.contains(key) && !message.contains('\n'), "{more}: {message}");
    }
    configured(json!({"headers": {"x-goog-api-key": {"secret": "key"}}})).unwrap();
}

#[test]
fn the_description_has_the_same_keys_and_defaults() {
    let description: Value = serde_json::from_str(include_str!("../plugin.json")).unwrap();
    let said = description["config-schema"]["properties"].as_object().unwrap();
    let unknown = configured(json!({"?": 1})).unwrap_err().message;
    let keys: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
    assert_eq!(said.len(), keys.len(), "{unknown}");
    assert!(said.keys().all(|key| keys.contains(&key.as_str())), "{unknown}");
    let settings = configured(json!({})).unwrap().settings().clone();
    assert_eq!(said["activity-timeout-ms"]["default"], settings.activity_timeout);
}
