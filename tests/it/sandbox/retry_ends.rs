//! How a turn ends whose failure would be repeated: given up, out of time, its instance gone, its provider shut.

use super::bystander::assert_answers;
use super::retry::{ask, observed, request};
use super::tape::Tape;
use llm_provider_host::wit::errors::{ErrorKind, Verdict};
use llm_provider_host::wit::events::{Event, NoticeKind};
use llm_provider_host::wit::provider::Input;
use llm_provider_host::{HostError, ProviderError, Session, Turn, TurnError, TurnRequest};
use llmp_tests::plugins::{naughty, policy};
use llmp_tests::rig::{Seen, read};
use std::time::{Duration, Instant};

/// Far less than any wait that is begun here.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Fails once, and asks for a pause that no test waits for.
const WAITS: &str = "fail 1 rate-limit retry-after=1 hint=55000 attempt usage=5 sent";

/// Asks, and reads until the host waits for the next attempt.
async fn waiting(session: &Session, prompt: &str) -> Turn {
    let mut turn = ask(session, prompt).await;
    loop {
        let event = turn.next().await.expect("an item").expect("an event");
        if matches!(event, Event::Notice(notice) if matches!(notice.kind, NoticeKind::Retry)) {
            return turn;
        }
    }
}

/// Reads the rest, which must come at once.
async fn rest(turn: Turn) -> Seen {
    tokio::time::timeout(AT_ONCE, read(turn)).await.expect("it ends at once")
}

fn is_cancelled(seen: &Seen) -> bool {
    seen.error.as_ref().is_some_and(TurnError::is_cancelled)
}

async fn no_further_turn(tape: &Tape, turns: usize) {
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(tape.turns().len(), turns, "nothing was asked again");
}

/// S34: between two attempts a cancel is heard as anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn s34_a_turn_cancelled_in_its_wait_ends_at_once() {
    let (_instance, session, tape) = observed().await;
    let turn = waiting(&session, WAITS).await;
    turn.canceller().cancel();
    let seen = rest(turn).await;
    assert!(is_cancelled(&seen), "{:?}", seen.error);
    let told = seen.failure();
    assert!(told.request_sent && !told.output_seen && told.verdict == Verdict::Surface, "{told:?}");
    assert_eq!(seen.events.len(), 0, "the cost was told before: {:?}", seen.events);
    assert_eq!(tape.turns().len(), 1);
    assert_answers(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_waits_hears_a_cancel_from_elsewhere() {
    let (_instance, session, _tape) = observed().await;
    let turn = waiting(&session, WAITS).await;
    let canceller = turn.canceller();
    let reader = tokio::spawn(rest(turn));
    tokio::time::sleep(Duration::from_millis(100)).await;
    canceller.cancel();
    assert!(is_cancelled(&reader.await.expect("no panic")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_dropped_in_its_wait_asks_nothing_more() {
    let (_instance, session, tape) = observed().await;
    drop(waiting(&session, "fail 1 rate-limit retry-after=1 hint=200").await);
    no_further_turn(&tape, 1).await;
    assert_answers(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_dropped_in_the_wait_cancels_its_turn() {
    let (instance, session, tape) = observed().await;
    let turn = waiting(&session, WAITS).await;
    drop(session);
    assert!(is_cancelled(&rest(turn).await));
    tape.until(1, |input| matches!(input, Input::CloseSession(_))).await;
    assert_answers(&instance.session()).await;
}

/// Whoever closes an instance does not want it started again by a turn that waits.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_closed_in_the_wait_stays_closed() {
    for verdict in ["retry-after=1", "fresh-session"] {
        let (instance, session, tape) = observed().await;
        let turn = waiting(&session, &format!("fail 1 sidecar {verdict} hint=55000")).await;
        instance.close().await;
        let seen = rest(turn).await;
        assert!(matches!(seen.error, Some(TurnError::Host(HostError::Closed))), "{:?}", seen.error);
        no_further_turn(&tape, 1).await;
    }
}

/// The second attempt is cancelled as the first would be: the plugin is told.
#[tokio::test(flavor = "multi_thread")]
async fn s34_a_later_attempt_is_cancelled_in_the_plugin() {
    let (_instance, session, tape) = observed().await;
    let mut turn = ask(&session, "fail 1 overloaded retry-now then-hold").await;
    while !matches!(turn.next().await.expect("an item").expect("an event"), Event::AttemptStarted(_)) {}
    turn.canceller().cancel();
    let seen = rest(turn).await;
    assert!(is_cancelled(&seen), "{:?}", seen.error);
    tape.until(1, |input| matches!(input, Input::CancelTurn(_))).await;
    assert_eq!(tape.turns().len(), 2);
    assert_answers(&session).await;
}

/// S34: the deadline is of the turn, not of an attempt, and is told as its owner gave it.
#[tokio::test(flavor = "multi_thread")]
async fn s34_the_deadline_wraps_attempts_and_waits() {
    let (_instance, session, tape) = observed().await;
    let deadline = Duration::from_secs(3);
    let prompt = "fail 1 overloaded retry-after=1 hint=2000 then-hold usage=5";
    let request = TurnRequest { deadline: Some(deadline), ..request(prompt) };
    let begin = Instant::now();
    let seen = rest(session.turn(request).await.expect("a turn")).await;
    let took = begin.elapsed();
    assert!(matches!(seen.error, Some(TurnError::Host(HostError::TurnDeadline(told))) if told == deadline), "{seen:?}");
    assert!(
        took >= deadline && took < deadline + Duration::from_millis(1_500),
        "{took:?}: not a deadline for each attempt"
    );
    assert_eq!(tape.turns().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_would_pass_the_deadline_is_not_begun() {
    let (_instance, session, tape) = observed().await;
    let request = TurnRequest { deadline: Some(Duration::from_secs(30)), ..request(WAITS) };
    let seen = rest(session.turn(request).await.expect("a turn")).await;
    assert_eq!((seen.failure().kind, seen.failure().retry_after), (ErrorKind::RateLimit, Some(55_000)));
    assert_eq!(tape.turns().len(), 1);
}

/// An instance that died under another turn is started again for a retry that wants a fresh session, and for no other.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_died_in_the_wait() {
    for (verdict, answered) in [("fresh-session", true), ("retry-now", false)] {
        let (instance, session, _tape) = observed().await;
        let turn = waiting(&session, &format!("fail 1 sidecar {verdict} hint=300")).await;
        let other = instance.session();
        let killed = read(llmp_tests::plugins::ask(&other, "panic").await).await;
        assert!(matches!(killed.error, Some(TurnError::Fault(_))), "{:?}", killed.error);
        let seen = rest(turn).await;
        if answered {
            // The fresh plugin has never failed, so it fails once; the third attempt is answered.
            assert_eq!(seen.text, "answered after 1", "{:?}", seen.error);
        } else {
            assert_eq!(seen.failure().kind, ErrorKind::Sidecar);
        }
        assert_answers(&session).await;
    }
}

/// A refusal; the fastest of some, since the machine is busy with other tests.
async fn refused(session: &Session) -> ProviderError {
    let mut tries = Vec::new();
    for _ in 0..5 {
        let begin = Instant::now();
        let refused = session.turn(request("anything")).await.err().expect("refused");
        tries.push((begin.elapsed(), refused.provider().expect("the provider's").clone()));
    }
    let (took, refused) = tries.into_iter().min_by_key(|(took, _)| *took).expect("five");
    println!("figure: a shut provider refuses in {took:?}");
    assert!(took < Duration::from_millis(5), "{took:?}");
    refused
}

/// The seventh of the accepted practice: five failures in a row, and nobody waits for the sixth.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_is_left_alone() {
    let (instance, session, tape) = observed().await;
    for _ in 0..2 {
        let seen = rest(ask(&session, "fail 99 overloaded retry-now sent").await).await;
        assert_eq!(seen.failure().kind, ErrorKind::Overloaded);
    }
    assert_eq!(tape.turns().len(), 5, "the second turn's third attempt was not made");
    let told = refused(&session).await;
    assert_eq!((told.kind, told.request_sent), (ErrorKind::Overloaded, false));
    assert!(told.retry_after.is_some_and(|ms| (5_000..=10_000).contains(&ms)), "{told:?}");
    assert!(matches!(told.verdict, Verdict::RetryAfter(ms) if Some(ms) == told.retry_after));
    assert!(told.message.contains("it failed as asked") && told.hint.is_some(), "{told:?}");
    refused(&instance.session()).await;
    assert_eq!(tape.turns().len(), 5, "nothing was asked");
    // Who has a loop of its own, and who is somebody else, is not refused.
    assert_answers(&session).await;
    let other = llmp_tests::plugins::instance(&naughty().await).session();
    assert_eq!(rest(ask(&other, "hello").await).await.text, "hello");
}

/// The state belongs to the tenant, the plugin and its configuration: a new instance does not forget, another
/// configuration does not pay.
#[tokio::test(flavor = "multi_thread")]
async fn instances_of_one_configuration_share_what_they_know() {
    let plugin = naughty().await;
    let tenant = plugin.host().tenant(policy());
    let of = |config: &str| tenant.instance(&plugin, config).expect("an instance").session();
    for _ in 0..5 {
        assert!(rest(ask(&of("{}"), "fail 99 transport surface").await).await.error.is_some());
    }
    assert_eq!(refused(&of("{}")).await.kind, ErrorKind::Transport);
    assert_eq!(rest(ask(&of(r#"{"a":1}"#), "hello").await).await.text, "hello");
}

/// The provider's own time goes before the breaker's, and then one request finds out.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_up_again_is_found_out() {
    let (_instance, session, _tape) = observed().await;
    for _ in 0..5 {
        let seen = rest(ask(&session, "fail 99 rate-limit surface hint=2000").await).await;
        assert_eq!(seen.failure().kind, ErrorKind::RateLimit);
    }
    assert!(refused(&session).await.retry_after.is_some_and(|ms| ms <= 2_000));
    tokio::time::sleep(Duration::from_millis(2_050)).await;
    assert_eq!(rest(ask(&session, "hello").await).await.text, "hello");
    assert_eq!(rest(ask(&session, "again").await).await.text, "again");
}
