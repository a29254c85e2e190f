//! Configurations that cannot work say which key is wrong.

mod rig;

use llm_provider_core::completion::Dialect;
use rig::dialect;

#[test]
fn a_configuration_needs_an_address_and_nothing_else() {
    let api = dialect(r#"{"base-url":"http://127.0.0.1:1"}"#).unwrap();
    assert_eq!((api.settings().model.as_deref(), api.settings().activity_timeout), (None, 120_000));
    let api = dialect(r#"{"base-url":"http://127.0.0.1:1","model":"m","activity-timeout-ms":5}"#).unwrap();
    assert_eq!((api.settings().model.as_deref(), api.settings().activity_timeout), (Some("m"), 5));
}

#[test]
fn what_cannot_work_is_refused_by_its_key() {
    let base = r#""base-url":"https://a.example/v1""#;
    let table = [
        ("{}".to_owned(), "base-url"),
        (r#"{"base-url":"a.example"}"#.to_owned(), "`base-url`"),
        (format!(r#"{{{base},"apikey":"x"}}"#), "apikey"),
        (format!(r#"{{{base},"api":"completions"}}"#), "chat-completions"),
        (format!(r#"{{{base},"api-key":"sk-123"}}"#), "invalid type"),
        (format!(r#"{{{base},"api-key":{{"secret":"nope"}}}}"#), "`api-key` names the secret `nope`"),
        (format!(r#"{{{base},"headers":{{"x":{{"secret":"nope"}}}}}}"#), "`headers.x`"),
        (format!(r#"{{{base},"headers":{{"a b":"x"}}}}"#), "`headers`"),
        (format!(r#"{{{base},"headers":{{"Content-Type":"x"}}}}"#), "`headers.Content-Type`"),
        (
            format!(r#"{{{base},"api-key":{{"secret":"key"}},"headers":{{"Authorization":"x"}}}}"#),
            "`headers.Authorization`",
        ),
        (format!(r#"{{{base},"key-header":"x-key"}}"#), "`key-header`"),
        (format!(r#"{{{base},"organization":"a\nb"}}"#), "`organization`"),
        (format!(r#"{{{base},"model":""}}"#), "`model`"),
        (format!(r#"{{{base},"activity-timeout-ms":0}}"#), "`activity-timeout-ms`"),
        (format!(r#"{{{base},"api-version":"1"}}"#), "`api-version`"),
        (format!(r#"{{{base},"deployments":true}}"#), "`deployments`"),
        (format!(r#"{{{base},"service":"azure","deployments":true}}"#), "needs an `api-version`"),
        (format!(r#"{{{base},"service":"azure","api-version":"1&x=2"}}"#), "`api-version`"),
        (format!(r#"{{{base},"service":"azure","project":"p"}}"#), "`project`"),
        (format!(r#"{{{base},"api":"responses","max-tokens-field":"max_tokens"}}"#), "`max-tokens-field`"),
        (format!(r#"{{{base},"api":"responses","stream-usage":false}}"#), "`stream-usage`"),
    ];
    for (config, key) in table {
        let message = dialect(&config).unwrap_err().message;
        assert!(message.starts_with("the OpenAI plugin's configuration: "), "{message}");
        assert!(message.contains(key), "{config}: {message}");
    }
}

/// The description and the code know the same keys.
#[test]
fn the_schema_in_the_description_has_every_key() {
    let description: serde_json::Value = serde_json::from_str(include_str!("../plugin.json")).unwrap();
    let properties = description["config-schema"]["properties"].as_object().unwrap();
    // The message of an unknown key lists those that are known.
    let message = dialect(r#"{"no-such-key":1}"#).unwrap_err().message;
    let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
    assert_eq!(known.len(), properties.len());
    for key in known {
        assert!(properties.contains_key(key), "{key}");
    }
}
