//! What the model's endpoint refuses, and what the caller is told.

use llm_provider_host::ProviderError;
use llm_provider_host::wit::errors::{ErrorKind as Kind, ErrorScope as Scope, Verdict};
use llmp_model_server::{Gate, ModelError, Reply, Script};
use llmp_tests::rig::{Rig, Seen, once, read};
use std::time::{Duration, Instant};

/// A failing turn, then one that is answered in the same session. Gives what was seen and how long it took.
async fn fails(rig: &Rig, reply: Reply) -> (Seen, u64, Duration) {
    let session = rig.instance.session();
    let before = rig.model.seen();
    rig.model.set_default(reply);
    let begin = Instant::now();
    let seen = rig.send(&session, "will it fail?").await;
    let (asked, took) = (rig.model.seen() - before, begin.elapsed());
    println!("{asked} requests, {took:.1?}: {:?}", seen.failure());
    rig.model.set_default(Reply::text("fine"));
    let next = rig.send(&session, "is it over?").await;
    assert_eq!(next.text, "fine", "the session goes on: {:?}", next.error);
    let dialogue = format!("{:?}", rig.last_request().dialogue());
    assert!(dialogue.contains("is it over?") && !dialogue.contains("will it fail?"), "only what counts: {dialogue}");
    (seen, asked, took)
}

fn facts(error: &ProviderError) -> (Kind, Scope, Option<u16>) {
    (error.kind, error.scope, error.http_status)
}

fn one_line(error: &ProviderError) {
    assert!(!error.message.is_empty() && !error.message.contains('\n'), "{:?}", error.message);
    assert!(error.request_sent && !error.tools_ran && !error.output_seen, "{error:?}");
}

/// B12, S35: what no repetition can help is not repeated.
#[tokio::test(flavor = "multi_thread")]
async fn final_refusals_are_told_at_once() {
    let Some(rig) = Rig::real("final_refusals_are_told_at_once", Script::echo()).await else { return };
    let cases = [
        (ModelError::new(401, "wrong key"), (Kind::Authentication, Scope::User, Some(401)), Verdict::Surface),
        (ModelError::new(403, "not for you"), (Kind::Permission, Scope::User, Some(403)), Verdict::Surface),
        (ModelError::new(404, "no such model"), (Kind::NotFound, Scope::Model, Some(404)), Verdict::SwitchModel),
        (ModelError::new(400, "bad field"), (Kind::InvalidRequest, Scope::Request, Some(400)), Verdict::Surface),
        (
            ModelError::new(400, "too long").code("context_length_exceeded"),
            (Kind::ContextLength, Scope::Request, Some(400)),
            Verdict::Compact,
        ),
        (
            ModelError::new(429, "pay first").kind("insufficient_quota").code("insufficient_quota"),
            (Kind::Quota, Scope::User, Some(429)),
            Verdict::Surface,
        ),
    ];
    for (error, expected, verdict) in cases {
        let what = format!("{error:?}");
        let (seen, asked, took) = fails(&rig, Reply::failure(error)).await;
        let told = seen.failure();
        assert_eq!((facts(told), told.verdict), (expected, verdict), "{what}");
        one_line(told);
        assert_eq!(asked, 1, "{what}: it is not asked again");
        assert!(took < Duration::from_secs(20), "{what}: {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_the_endpoint_finds_too_large() {
    let Some(rig) = Rig::real("a_prompt_the_endpoint_finds_too_large", Script::echo()).await else { return };
    let (seen, _, _) = fails(&rig, Reply::error(413, "request too large")).await;
    assert_eq!((seen.failure().kind, seen.failure().verdict), (Kind::ContextLength, Verdict::Compact));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_that_ends_in_time_is_only_noticed() {
    let limited = || Reply::error(429, "slow down").retry_after(1);
    let script = Script::new(Reply::text("at last")).then(limited()).then(limited());
    let Some(rig) = Rig::real("a_rate_limit_that_ends_in_time_is_only_noticed", script).await else { return };
    let begin = Instant::now();
    let seen = rig.ask("hurry").await;
    assert_eq!((seen.text.as_str(), rig.model.seen()), ("at last", 3), "{:?}", seen.error);
    assert!(begin.elapsed() >= Duration::from_secs(2), "the endpoint's time is honoured");
    assert_eq!(seen.notices().len(), 2, "each retry is told: {:?}", seen.notices());
    assert_eq!(seen.answered().usage.model_calls, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lasting_rate_limit_is_told_as_one() {
    let Some(rig) = Rig::real("a_lasting_rate_limit_is_told_as_one", Script::echo()).await else { return };
    let (seen, asked, _) = fails(&rig, Reply::error(429, "slow down").retry_after(1)).await;
    let told = seen.failure();
    assert_eq!(facts(told), (Kind::RateLimit, Scope::User, Some(429)));
    assert!(matches!(told.verdict, Verdict::RetryAfter(_)), "{told:?}");
    one_line(told);
    assert_eq!(asked, 6, "the CLI's own retries");
}

#[tokio::test(flavor = "multi_thread")]
async fn lasting_server_errors_are_told_as_such() {
    let Some(rig) = Rig::real("lasting_server_errors_are_told_as_such", Script::echo()).await else { return };
    for (status, kind) in [(500, Kind::Internal), (503, Kind::Overloaded)] {
        let (seen, asked, _) = fails(&rig, Reply::error(status, "out of order")).await;
        assert_eq!(facts(seen.failure()), (kind, Scope::Model, Some(status)));
        assert!(matches!(seen.failure().verdict, Verdict::RetryAfter(_)), "{:?}", seen.failure());
        assert_eq!(asked, 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_world_is_a_failure() {
    let page = "<html><body>Bad gateway</body></html>";
    let Some(rig) = Rig::real("an_answer_of_another_world_is_a_failure", Script::echo()).await else { return };
    for reply in [Reply::html(502, page), Reply::html(200, page), Reply::raw_events(["data: [DONE]\n\n"])] {
        let (seen, _, _) = fails(&rig, reply).await;
        assert!(matches!(seen.failure().kind, Kind::Internal | Kind::Transport | Kind::Protocol), "{:?}", seen.error);
        one_line(seen.failure());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_not_there() {
    let name = "an_endpoint_that_is_not_there";
    let Some(rig) = Rig::real(name, Script::echo()).await else { return };
    let Rig { model, instance, home, .. } = rig;
    model.stop().await;
    let session = instance.session();
    let turn = session.send("anybody?", once(Vec::new())).await;
    let seen = read(turn.expect("started")).await;
    assert_eq!((seen.failure().kind, seen.failure().http_status), (Kind::Transport, None), "{:?}", seen.error);
    assert!(matches!(seen.failure().verdict, Verdict::RetryAfter(_)));
    drop(home);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_in_mid_stream_after_text_was_seen() {
    let failing = Reply::deltas(["half "]).fail_after(1, ModelError::new(500, "lost it"));
    let Some(rig) = Rig::real("an_error_in_mid_stream_after_text_was_seen", Script::new(failing)).await else { return };
    let seen = rig.ask("try").await;
    let told = seen.failure();
    assert!(told.output_seen && told.request_sent, "{told:?}");
    assert_eq!(seen.count("attempt-abandoned") + 1, seen.count("attempt-started"), "{:?}", seen.kinds());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_model_is_given_up_after_the_activity_deadline() {
    let name = "a_silent_model_is_given_up_after_the_activity_deadline";
    let gate = Gate::new();
    let script = Script::new(Reply::text("fine"))
        .then(Reply::deltas(["half", "rest"]).gate_after(1, &gate))
        .then(Reply::new().hang());
    let Some(rig) = Rig::real(name, script).await else { return };
    for output_seen in [true, false] {
        let session = rig.instance.session();
        let mut request = once(Vec::new());
        request.activity_timeout = Some(Duration::from_millis(1_500));
        let begin = Instant::now();
        let turn = session.send("well?", request).await.expect("started");
        let seen = read(turn).await;
        assert_eq!((seen.failure().kind, seen.failure().output_seen), (Kind::Timeout, output_seen), "{:?}", seen.error);
        assert!(begin.elapsed() >= Duration::from_millis(1_500));
        rig.client_left().await;
    }
    assert_eq!(rig.ask("again").await.text, "fine");
}
