//! What was seen on the way of a model's answer: more than the CLI tells of it.

use crate::failure::Failure;
use llm_provider_core::classify::Fault;
use llm_provider_core::response::{Hints, header, hints};
use llm_provider_guest::http_types::{self, FailureKind, Response};

/// The refusal of a request by the model's endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: Option<u16>,
    pub(crate) hints: Hints,
    pub(crate) request_id: Option<String>,
}

impl Seen {
    /// What a response tells, when it is a refusal.
    pub(crate) fn of(response: &Response) -> Option<Self> {
        if response.status < 400 {
            return None;
        }
        let named = |name| header(&response.headers, name).map(str::trim);
        // OpenAI and most others; Anthropic; Azure.
        let request_id = ["x-request-id", "request-id", "apim-request-id"].into_iter().find_map(named);
        Some(Self {
            status: Some(response.status),
            hints: hints(response.status, &response.headers),
            request_id: request_id.filter(|id| !id.is_empty()).map(str::to_owned),
        })
    }
}

/// The error code for the CLI, as its own HTTP client would have it.
pub(super) fn code(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Denied => "EACCES",
        FailureKind::Exhausted => "EDQUOT",
        FailureKind::Invalid => "EINVAL",
        FailureKind::Dns => "ENOTFOUND",
        FailureKind::Connect => "ECONNREFUSED",
        FailureKind::Tls => "ERR_TLS_CERT",
        FailureKind::Timeout => "ETIMEDOUT",
        FailureKind::Broken => "ECONNRESET",
        FailureKind::TooLarge => "EMSGSIZE",
    }
}

/// A failure that no repetition can help, or none so soon. The CLI takes every one for a broken connection and would try five times more.
pub(super) fn last(failure: &http_types::Failure) -> Option<Failure> {
    let (fault, what, hint) = match failure.kind {
        FailureKind::Denied => (
            Fault::Denied,
            "the host's policy refused the request to the model's endpoint",
            Some("grant the endpoint's origin, and its key to the header that carries it; or set `egress` to `direct`"),
        ),
        FailureKind::Exhausted => (
            Fault::Exhausted,
            "the host sends no further request to the model's endpoint for now",
            Some("wait, or grant more in the tenant's policy"),
        ),
        FailureKind::Invalid => (Fault::Invalid, "the request to the model's endpoint is malformed", None),
        FailureKind::Tls => (Fault::Certificate, "the certificate of the model's endpoint is not accepted", None),
        FailureKind::TooLarge => (Fault::TooLarge, "the answer of the model's endpoint is too large", None),
        FailureKind::Dns | FailureKind::Connect | FailureKind::Timeout | FailureKind::Broken => return None,
    };
    let message = format!("{what}: {}", failure.message);
    let retry_after = failure.retry_after;
    Some(Failure { retry_after, ..Failure::of(fault, message).with_hint(hint.map(str::to_owned)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use llm_provider_guest::http_types::ResponseHeader;

    /// Headers by name and value.
    type List<'a> = &'a [(&'a str, &'a str)];

    fn seen(status: u16, headers: List<'_>) -> Option<Seen> {
        let header = |(name, value): &(&str, &str)| ResponseHeader { name: (*name).into(), value: (*value).into() };
        Seen::of(&Response { status, headers: headers.iter().map(header).collect() })
    }

    #[test]
    fn a_refusal_tells_when_to_come_back_and_its_name() {
        let all = [("retry-after", "3"), ("retry-after-ms", "1500"), ("x-request-id", " r "), ("request-id", "q")];
        let hints = Hints { retry_after: Some(1_500), should_retry: None };
        assert_eq!(seen(429, &all), Some(Seen { status: Some(429), hints, request_id: Some("r".into()) }));
        assert_eq!(seen(200, &all), None);
    }

    #[test]
    fn n01_every_form_of_a_pause_is_read_as_by_the_engine_of_http_providers() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let table: &[(List<'_>, Option<u64>)] = &[
            (&[("retry-after", "3")], Some(3_000)),
            (&[("retry-after", "0.25")], Some(250)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date], Some(30_000)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")], None),
            (&[("x-ratelimit-reset-tokens", "6m0s"), ("x-ratelimit-remaining-tokens", "0")], Some(360_000)),
            (&[("anthropic-ratelimit-requests-reset", "1994-11-06T08:50:37Z"), date], Some(60_000)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "soon")], None),
        ];
        for (headers, want) in table {
            assert_eq!(seen(429, headers).unwrap().hints.retry_after, *want, "{headers:?}");
        }
        assert_eq!(seen(503, &[("x-should-retry", "false")]).unwrap().hints.should_retry, Some(false));
    }
}
