//! What the service refuses, and what the caller is told.

use super::{GEMINI, Subject};
use llm_provider_host::ProviderError;
use llm_provider_host::wit::errors::{ErrorKind as Kind, ErrorScope as Scope, Verdict};
use llmp_model_server::{ModelError, Reply, Role, Script};
use llmp_tests::rig::{Flavor, Rig};
use serde_json::json;

contract! {
    everywhere: [
        final_refusals_are_told_at_once,
    ],
    http: [
        passing_refusals_are_told_with_their_time,
        refusals_that_have_words_of_their_own,
        a_page_of_a_proxy,
    ]
}

/// A failing turn, then one that is answered in the same session.
async fn fails(rig: &Rig, reply: Reply) -> ProviderError {
    let session = rig.instance.session();
    let before = rig.model.seen();
    rig.model.push(reply).expect("room");
    let seen = rig.send(&session, "will it fail?").await;
    let told = seen.failure().clone();
    assert_eq!(rig.model.seen(), before + 1, "it is not asked again: {told:?}");
    assert!(!told.message.is_empty() && !told.message.contains('\n'), "one line: {:?}", told.message);
    assert!(told.request_sent && !told.tools_ran && !told.output_seen, "{told:?}");
    let next = rig.send(&session, "is it over?").await;
    assert_eq!(next.text, "fine", "the session goes on: {:?}", next.error);
    assert_eq!(rig.last_request().dialogue(), [(Role::User, "is it over?".to_owned())], "only what counts");
    told
}

fn facts(error: &ProviderError) -> (Kind, Scope, Verdict, Option<u16>) {
    (error.kind, error.scope, error.verdict, error.http_status)
}

/// B12, S35.
async fn final_refusals_are_told_at_once(subject: Subject) {
    let name = "final_refusals_are_told_at_once";
    let Some(rig) = subject.rig(name, Script::new(Reply::text("fine"))).await else { return };
    let cases = [
        (401, Kind::Authentication, Scope::User, Verdict::Surface),
        (403, Kind::Permission, Scope::User, Verdict::Surface),
        (404, Kind::NotFound, Scope::Model, Verdict::SwitchModel),
        (400, Kind::InvalidRequest, Scope::Request, Verdict::Surface),
        (413, Kind::ContextLength, Scope::Request, Verdict::Compact),
    ];
    for (status, kind, scope, verdict) in cases {
        let told = fails(&rig, Reply::error(status, "for a reason")).await;
        assert_eq!(facts(&told), (kind, scope, verdict, Some(status)));
        assert_eq!(told.retry_after, None);
        if let Subject::Http(_) = subject {
            assert!(told.message.contains("for a reason"), "the service's own words: {}", told.message);
            // Gemini gives a name to what it answers only.
            let name = (subject != GEMINI).then(|| format!("req_{}", rig.model.seen() - 1));
            assert_eq!(told.provider_request_id, name);
        }
    }
}

/// N01: the provider's time is told; where it gives none, ours is.
async fn passing_refusals_are_told_with_their_time(subject: Subject) {
    let rig = subject.http(Script::new(Reply::text("fine"))).await;
    let cases = [
        (429, Kind::RateLimit, Scope::User, 30_000),
        (500, Kind::Internal, Scope::Model, 500),
        (503, Kind::Overloaded, Scope::Model, 2_000),
        (529, Kind::Overloaded, Scope::Model, 2_000),
    ];
    for (status, kind, scope, pause) in cases {
        let told = fails(&rig, Reply::error(status, "not now")).await;
        assert_eq!(facts(&told), (kind, scope, Verdict::RetryAfter(pause), Some(status)));
        assert_eq!(told.retry_after, None);
        let told = fails(&rig, Reply::error(status, "not now").retry_after(7)).await;
        assert_eq!(facts(&told), (kind, scope, Verdict::RetryAfter(7_000), Some(status)));
        assert_eq!(told.retry_after, Some(7_000));
    }
    let told = fails(&rig, Reply::error(500, "not ever").header("x-should-retry", "false")).await;
    assert_eq!(told.verdict, Verdict::Surface, "the provider's own judgement");
}

async fn refusals_that_have_words_of_their_own(subject: Subject) {
    let rig = subject.http(Script::new(Reply::text("fine"))).await;
    let too_long = "prompt is too long: 200001 tokens > 200000 maximum";
    let (too_long, quota, filter) = match subject.flavor() {
        Flavor::Chat | Flavor::Responses => (
            ModelError::new(400, too_long).code("context_length_exceeded"),
            ModelError::new(429, "pay first").kind("insufficient_quota").code("insufficient_quota"),
            Some(ModelError::new(400, "not that").code("content_filter")),
        ),
        // This API refuses what its filter finds by the way the answer ends.
        Flavor::Anthropic => (
            ModelError::new(400, too_long),
            ModelError::new(400, "Your credit balance is too low to access the Anthropic API."),
            None,
        ),
        // This one by an answer without a candidate, or by the way the answer ends.
        Flavor::Gemini => (
            ModelError::new(
                400,
                "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
            ),
            ModelError::new(429, "You exceeded your current quota.").detail(json!({
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
            })),
            None,
        ),
    };
    let told = fails(&rig, Reply::failure(too_long)).await;
    assert_eq!(facts(&told), (Kind::ContextLength, Scope::Request, Verdict::Compact, Some(400)));
    let told = fails(&rig, Reply::failure(quota)).await;
    assert_eq!((told.kind, told.scope, told.verdict), (Kind::Quota, Scope::User, Verdict::Surface));
    if let Some(filter) = filter {
        let told = fails(&rig, Reply::failure(filter)).await;
        assert_eq!(facts(&told), (Kind::ContentFilter, Scope::Request, Verdict::Surface, Some(400)));
        assert_eq!(told.provider_code.as_deref(), Some("content_filter"));
    }
}

async fn a_page_of_a_proxy(subject: Subject) {
    let rig = subject.http(Script::new(Reply::text("fine"))).await;
    let page = "<html><body>Bad gateway</body></html>";
    let told = fails(&rig, Reply::html(502, page)).await;
    assert_eq!(facts(&told), (Kind::Internal, Scope::Model, Verdict::RetryAfter(500), Some(502)));
    let told = fails(&rig, Reply::html(200, page)).await;
    assert_eq!(told.kind, Kind::Protocol);
    assert!(told.hint.is_some_and(|hint| hint.contains("base-url")));
}
