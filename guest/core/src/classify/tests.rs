//! Row by row against what the real CLI emits (PROTOCOL sections 2, 4 and 5) and against HTTP statuses.

use super::*;
use ErrorKind as K;
use ErrorScope as S;
use Verdict as V;

fn row(fault: Fault, class: Option<&str>, status: Option<u16>, code: Option<&str>) -> (ErrorKind, ErrorScope, Verdict) {
    let Meaning { kind, scope, verdict } =
        classify(&Facts { fault, status, code, class, retry_after: None, should_retry: None });
    (kind, scope, verdict)
}

#[test]
fn model_errors_as_the_cli_reports_them() {
    let provider = |class, status, code| row(Fault::Provider, Some(class), status, code);
    let table = [
        ("400", provider("query", Some(400), None), (K::InvalidRequest, S::Request, V::Surface)),
        (
            "401",
            provider("authentication", Some(401), Some("invalid_api_key")),
            (K::Authentication, S::User, V::Surface),
        ),
        ("403", provider("authentication", Some(403), None), (K::Permission, S::User, V::Surface)),
        ("404", provider("query", Some(404), None), (K::NotFound, S::Model, V::SwitchModel)),
        ("413", provider("query", Some(413), None), (K::ContextLength, S::Request, V::Compact)),
        (
            "400 context_length_exceeded",
            provider("query", Some(400), Some("context_length_exceeded")),
            (K::ContextLength, S::Request, V::Compact),
        ),
        ("429", provider("rate_limit", Some(429), None), (K::RateLimit, S::User, V::RetryAfter(30_000))),
        (
            "429 insufficient_quota",
            provider("rate_limit", Some(429), Some("insufficient_quota")),
            (K::Quota, S::User, V::Surface),
        ),
        ("500", provider("query", Some(500), None), (K::Internal, S::Model, V::RetryAfter(500))),
        ("503", provider("query", Some(503), None), (K::Overloaded, S::Model, V::RetryAfter(2_000))),
        ("529", provider("query", Some(529), None), (K::Overloaded, S::Model, V::RetryAfter(2_000))),
        (
            "garbage, reset, refused, DNS",
            row(Fault::Transport, Some("query"), None, None),
            (K::Transport, S::Model, V::RetryAfter(500)),
        ),
        ("empty content", row(Fault::EmptyAnswer, Some("query"), None, None), (K::Internal, S::Request, V::RetryNow)),
        ("hang", row(Fault::Timeout, None, None, None), (K::Timeout, S::Request, V::RetryInFreshSession)),
        (
            "prompt budget",
            row(Fault::PromptTooLong, Some("query"), None, None),
            (K::ContextLength, S::Request, V::Compact),
        ),
        ("class policy", provider("policy", None, None), (K::Permission, S::Org, V::Surface)),
        ("class quota", provider("quota", None, None), (K::Quota, S::User, V::Surface)),
        ("429 of class quota", provider("quota", Some(429), None), (K::Quota, S::User, V::Surface)),
        ("its own code", provider("quota", Some(429), Some("x_quota")), (K::Quota, S::User, V::Surface)),
        (
            "a pause",
            provider("quota", Some(429), Some("rate_limit_exceeded")),
            (K::RateLimit, S::User, V::RetryAfter(30_000)),
        ),
        ("session", provider("quota", Some(429), Some("session_quota_exceeded")), (K::Quota, S::User, V::Surface)),
        ("billing", provider("query", Some(402), Some("billing_not_configured")), (K::Quota, S::User, V::Surface)),
        (
            "a week",
            provider("rate_limit", Some(429), Some("user_weekly_rate_limited")),
            (K::Quota, S::User, V::Surface),
        ),
        ("class authorization", provider("authorization", None, None), (K::Permission, S::User, V::Surface)),
        ("class context_limit", provider("context_limit", None, None), (K::ContextLength, S::Request, V::Compact)),
        ("unknown class", provider("from_the_future", None, None), (K::Internal, S::Request, V::Surface)),
    ];
    for (name, got, want) in table {
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn crash_hang_and_credentials() {
    let of = |fault| row(fault, None, None, None);
    assert_eq!(of(Fault::SidecarExit), (K::Sidecar, S::Session, V::RetryInFreshSession));
    assert_eq!(of(Fault::SidecarStart), (K::Sidecar, S::Global, V::Surface));
    assert_eq!(of(Fault::SidecarStorm), (K::Sidecar, S::Global, V::RetryAfter(60_000)));
    assert_eq!(of(Fault::Unauthenticated), (K::Authentication, S::User, V::Surface));
    assert_eq!(of(Fault::SessionLost), (K::NotFound, S::Session, V::RetryInFreshSession));
    assert_eq!(of(Fault::Version), (K::Protocol, S::Global, V::Surface));
    assert_eq!(of(Fault::Exhausted), (K::Quota, S::Org, V::RetryAfter(2_000)));
    let facts = Facts { retry_after: Some(90_000), ..Facts::of(Fault::Exhausted) };
    assert_eq!(classify(&facts).verdict, V::RetryAfter(90_000));
}

#[test]
fn statuses_that_may_be_tried_again_are_exactly_these() {
    let again: Vec<u16> = (100..=599)
        .filter(|status| {
            let facts = Facts { status: Some(*status), ..Facts::of(Fault::Provider) };
            !classify(&facts).is_final()
        })
        .filter(|status| *status >= 400)
        .collect();
    let mut want = vec![408, 409, 425, 429];
    want.extend((500..=599).filter(|status| *status != 501));
    assert_eq!(again, want);
}

#[test]
fn a_hint_decides_the_pause_and_numbers_in_codes_decide_nothing() {
    let facts = Facts { status: Some(429), retry_after: Some(7_000), ..Facts::of(Fault::Provider) };
    assert_eq!(classify(&facts).verdict, V::RetryAfter(7_000));
    let facts = Facts { code: Some("1500 tokens"), status: Some(400), ..Facts::of(Fault::Provider) };
    assert_eq!(classify(&facts).kind, K::InvalidRequest);
}

#[test]
fn codes_of_openai_and_what_is_compatible_with_it() {
    let code = |code| row(Fault::Provider, None, Some(400), Some(code));
    let table = [
        ("context_length_exceeded", (K::ContextLength, S::Request, V::Compact)),
        ("string_above_max_length", (K::ContextLength, S::Request, V::Compact)),
        ("exceed_context_size_error", (K::ContextLength, S::Request, V::Compact)),
        ("insufficient_quota", (K::Quota, S::User, V::Surface)),
        ("invalid_api_key", (K::Authentication, S::User, V::Surface)),
        ("account_deactivated", (K::Authentication, S::User, V::Surface)),
        ("invalid_organization", (K::Permission, S::Org, V::Surface)),
        ("unsupported_country_region_territory", (K::Permission, S::Org, V::Surface)),
        ("model_not_found", (K::NotFound, S::Model, V::SwitchModel)),
        ("content_filter", (K::ContentFilter, S::Request, V::Surface)),
        ("ResponsibleAIPolicyViolation", (K::ContentFilter, S::Request, V::Surface)),
        ("image_content_policy_violation", (K::ContentFilter, S::Request, V::Surface)),
        ("invalid_prompt", (K::InvalidRequest, S::Request, V::Surface)),
        ("failed_to_download_image", (K::InvalidRequest, S::Request, V::Surface)),
        ("rate_limit_exceeded", (K::RateLimit, S::User, V::RetryAfter(30_000))),
        ("server_error", (K::Internal, S::Model, V::RetryAfter(500))),
        ("engine_overloaded", (K::Overloaded, S::Model, V::RetryAfter(2_000))),
    ];
    for (name, want) in table {
        assert_eq!(code(name), want, "{name}");
        assert!(is_known_code(name), "{name}");
    }
    assert!(!is_known_code("invalid_request_error"));
    let hinted = Facts { code: Some("rate_limit_exceeded"), retry_after: Some(7_000), ..Facts::of(Fault::Provider) };
    assert_eq!(classify(&hinted).verdict, V::RetryAfter(7_000));
}

#[test]
fn types_decide_where_there_is_neither_code_nor_status() {
    let class = |class| row(Fault::Provider, Some(class), None, None);
    assert_eq!(class("invalid_request_error"), (K::InvalidRequest, S::Request, V::Surface));
    assert_eq!(class("authentication_error"), (K::Authentication, S::User, V::Surface));
    assert_eq!(class("permission_error"), (K::Permission, S::User, V::Surface));
    assert_eq!(class("not_found_error"), (K::NotFound, S::Model, V::SwitchModel));
    assert_eq!(class("server_error"), (K::Internal, S::Model, V::RetryAfter(500)));
    assert_eq!(class("tokens"), (K::RateLimit, S::User, V::RetryAfter(30_000)));
}

/// The types of Anthropic's errors, as they come within a stream: without a status.
#[test]
fn types_of_anthropic() {
    let table = [
        ("authentication_error", (K::Authentication, S::User, V::Surface)),
        ("billing_error", (K::Quota, S::User, V::Surface)),
        ("permission_error", (K::Permission, S::User, V::Surface)),
        ("not_found_error", (K::NotFound, S::Model, V::SwitchModel)),
        ("request_too_large", (K::ContextLength, S::Request, V::Compact)),
        ("rate_limit_error", (K::RateLimit, S::User, V::RetryAfter(30_000))),
        ("overloaded_error", (K::Overloaded, S::Model, V::RetryAfter(2_000))),
        ("api_error", (K::Internal, S::Model, V::RetryAfter(500))),
        ("timeout_error", (K::Timeout, S::Model, V::RetryAfter(500))),
        ("invalid_request_error", (K::Internal, S::Request, V::Surface)),
    ];
    for (code, want) in table {
        assert_eq!(row(Fault::Provider, None, None, Some(code)), want, "{code}");
    }
    // Which says nothing more than the status.
    let row = row(Fault::Provider, None, Some(413), Some("invalid_request_error"));
    assert_eq!(row, (K::ContextLength, S::Request, V::Compact));
}

/// Google's statuses and reasons. Some come with a status of HTTP that says less: a key that is not valid with 400.
#[test]
fn words_of_google() {
    let table = [
        ("INVALID_ARGUMENT", (K::InvalidRequest, S::Request, V::Surface)),
        ("OUT_OF_RANGE", (K::InvalidRequest, S::Request, V::Surface)),
        ("UNAUTHENTICATED", (K::Authentication, S::User, V::Surface)),
        ("API_KEY_INVALID", (K::Authentication, S::User, V::Surface)),
        ("ACCESS_TOKEN_EXPIRED", (K::Authentication, S::User, V::Surface)),
        ("CREDENTIALS_MISSING", (K::Authentication, S::User, V::Surface)),
        ("PERMISSION_DENIED", (K::Permission, S::User, V::Surface)),
        ("FAILED_PRECONDITION", (K::Permission, S::User, V::Surface)),
        ("SERVICE_DISABLED", (K::Permission, S::User, V::Surface)),
        ("CONSUMER_SUSPENDED", (K::Permission, S::User, V::Surface)),
        ("API_KEY_SERVICE_BLOCKED", (K::Permission, S::User, V::Surface)),
        ("BILLING_DISABLED", (K::Quota, S::User, V::Surface)),
        ("RESOURCE_EXHAUSTED", (K::RateLimit, S::User, V::RetryAfter(30_000))),
        ("RATE_LIMIT_EXCEEDED", (K::RateLimit, S::User, V::RetryAfter(30_000))),
        ("NOT_FOUND", (K::NotFound, S::Model, V::SwitchModel)),
        ("UNIMPLEMENTED", (K::Unsupported, S::Model, V::SwitchModel)),
        ("UNAVAILABLE", (K::Overloaded, S::Model, V::RetryAfter(2_000))),
        ("DEADLINE_EXCEEDED", (K::Timeout, S::Model, V::RetryAfter(500))),
        ("INTERNAL", (K::Internal, S::Model, V::RetryAfter(500))),
        ("UNKNOWN", (K::Internal, S::Model, V::RetryAfter(500))),
        ("SAFETY", (K::ContentFilter, S::Request, V::Surface)),
        ("BLOCKLIST", (K::ContentFilter, S::Request, V::Surface)),
        ("PROHIBITED_CONTENT", (K::ContentFilter, S::Request, V::Surface)),
        ("IMAGE_SAFETY", (K::ContentFilter, S::Request, V::Surface)),
    ];
    for (code, want) in table {
        assert_eq!(row(Fault::Provider, None, Some(400), Some(code)), want, "{code}");
        assert!(is_known_code(code), "{code}");
    }
}

#[test]
fn a_hint_decides_the_pause_of_a_code_too() {
    for code in ["rate_limit_error", "overloaded_error", "api_error", "timeout_error", "UNAVAILABLE"] {
        let facts = Facts { code: Some(code), retry_after: Some(7_000), ..Facts::of(Fault::Provider) };
        assert_eq!(classify(&facts).verdict, V::RetryAfter(7_000), "{code}");
    }
}
