//! What refused requests mean, body by body.

mod rig;

use llm_provider_core::completion::Dialect;
use llm_provider_guest::errors::ErrorKind as K;
use rig::chat;

#[test]
fn bodies_of_every_shape_are_understood() {
    let table: &[(u16, &str, K, Option<&str>, &str)] = &[
        (
            401,
            r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
            K::Authentication,
            Some("invalid_api_key"),
            "Incorrect API key",
        ),
        (
            429,
            r#"{"error":{"message":"no money","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            K::Quota,
            Some("insufficient_quota"),
            "no money",
        ),
        (
            429,
            r#"{"error":{"message":"no money","type":"insufficient_quota","code":null}}"#,
            K::Quota,
            Some("insufficient_quota"),
            "no money",
        ),
        (
            429,
            r#"{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}"#,
            K::RateLimit,
            Some("rate_limit_exceeded"),
            "slow down",
        ),
        (
            413,
            r#"{"error":{"message":"too large","type":"tokens","code":"rate_limit_exceeded"}}"#,
            K::ContextLength,
            None,
            "too large",
        ),
        (
            400,
            r#"{"error":{"message":"long","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            K::ContextLength,
            Some("context_length_exceeded"),
            "long",
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"the request exceeds the context","type":"exceed_context_size_error","n_ctx":4096}}"#,
            K::ContextLength,
            Some("exceed_context_size_error"),
            "exceeds",
        ),
        (
            400,
            r#"{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            K::ContentFilter,
            Some("content_filter"),
            "filtered",
        ),
        (
            400,
            r#"{"error":{"message":"filtered","code":"400","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            K::ContentFilter,
            Some("ResponsibleAIPolicyViolation"),
            "filtered",
        ),
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"no such deployment"}}"#,
            K::NotFound,
            Some("DeploymentNotFound"),
            "no such deployment",
        ),
        (
            401,
            r#"{"error":{"code":"401","message":"Access denied due to invalid subscription key"}}"#,
            K::Authentication,
            Some("401"),
            "Access denied",
        ),
        (
            503,
            r#"{"error":{"message":"overloaded","type":"server_error","code":null}}"#,
            K::Overloaded,
            None,
            "overloaded",
        ),
        (404, r#"{"error":"model 'x' not found, try pulling it first"}"#, K::NotFound, None, "try pulling"),
        (
            400,
            r#"{"object":"error","message":"bad","type":"BadRequestError","param":null,"code":400}"#,
            K::InvalidRequest,
            Some("400"),
            "bad",
        ),
        (
            422,
            r#"{"detail":[{"loc":["body","model"],"msg":"field required","type":"missing"},{"msg":"and more"}]}"#,
            K::InvalidRequest,
            None,
            "field required; and more",
        ),
        (401, r#"{"detail":"Unauthorized"}"#, K::Authentication, None, "Unauthorized"),
        (
            400,
            r#"[{"error":{"code":400,"message":"not valid","status":"INVALID_ARGUMENT"}}]"#,
            K::InvalidRequest,
            Some("INVALID_ARGUMENT"),
            "not valid",
        ),
        (502, r#"{"error":{"message":"upstream","code":502,"metadata":{}}}"#, K::Internal, Some("502"), "upstream"),
        (503, "<html><body>Bad gateway</body></html>", K::Overloaded, None, "and a web page"),
        (500, "", K::Internal, None, "with status 500"),
        (500, "upstream\nconnect error", K::Internal, None, "upstream connect error"),
        (429, "{}", K::RateLimit, None, "429: {}"),
        (400, "null", K::InvalidRequest, None, "400"),
    ];
    for (status, body, kind, code, message) in table {
        let error = chat().refusal(*status, body.as_bytes()).error();
        assert_eq!((error.kind, error.provider_code.as_deref()), (*kind, *code), "{body}");
        assert!(error.message.contains(message), "{body}: {}", error.message);
        assert_eq!(error.http_status, Some(*status), "{body}");
        assert!(!error.message.contains("<html>"), "{body}");
    }
}

#[test]
fn a_field_that_a_service_does_not_take_leads_to_its_key() {
    let body = r#"{"error":{"message":"Unsupported parameter","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#;
    let hint = chat().refusal(400, body.as_bytes()).hint.unwrap();
    assert_eq!(hint, "set `max-tokens-field` to `max_completion_tokens` in the configuration");
    assert!(chat().refusal(404, b"").hint.unwrap().contains("base-url"));
    assert!(chat().refusal(400, b"").hint.is_none());
}

#[test]
fn texts_of_any_length_are_cut() {
    let error = chat().refusal(500, "é".repeat(100_000).as_bytes()).error();
    assert!(error.message.chars().count() < 300, "{}", error.message.chars().count());
    chat().refusal(500, &[0xff, 0xfe, 0x00]);
}
