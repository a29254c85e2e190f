//! The host's retries, of failures as services report them.

use super::Subject;
use super::shape::well_formed;
use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::wit::events::NoticeKind;
use llm_provider_host::{Event, RetryPolicy, TurnRequest, user_message};
use llmp_model_server::{Reply, Script};
use llmp_tests::rig::{Rig, Seen, read};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

contract! {
    http: [
        a_busy_service_is_asked_again_when_it_says,
        a_broken_connection_is_made_again,
        nothing_is_asked_again_after_visible_output,
        what_waiting_does_not_mend_is_asked_once,
    ]
}

/// A question with the standard policy, but for waits that a test has time for.
async fn ask(rig: &Rig) -> Seen {
    let mut retry = RetryPolicy::standard();
    retry.base = Duration::from_millis(10);
    let session = rig.instance.session();
    let request = TurnRequest { retry, ..TurnRequest::new(vec![user_message("once more?")]) };
    let seen = read(session.turn(request).await.expect("started")).await;
    well_formed(&seen);
    seen
}

fn attempts(seen: &Seen) -> Vec<u32> {
    let number = |event: &Event| if let Event::AttemptStarted(attempt) = event { Some(attempt.number) } else { None };
    seen.events.iter().filter_map(number).collect()
}

async fn a_busy_service_is_asked_again_when_it_says(subject: Subject) {
    let busy = || Reply::error(503, "busy").header("retry-after-ms", "300");
    let rig = subject.http(Script::new(Reply::text("at last")).then(busy()).then(busy())).await;
    let begin = Instant::now();
    let seen = ask(&rig).await;
    assert_eq!((seen.block_text().as_str(), attempts(&seen)), ("at last", vec![1, 2, 3]), "{:?}", seen.error);
    assert!(begin.elapsed() >= Duration::from_millis(600), "the service's time is waited for");
    assert!(seen.noticed(&NoticeKind::Retry));
    assert_eq!(seen.answered().usage.model_calls, 1);
    let requests = rig.model.requests();
    assert!(requests.len() == 3 && requests.iter().all(|request| request.body == requests[0].body));
    // Services that take each key once must not give the failure of the first again.
    let keys: BTreeSet<_> = requests.iter().filter_map(|request| request.header("idempotency-key")).collect();
    assert!(keys.is_empty() || keys.len() == 3, "{keys:?}");
}

async fn a_broken_connection_is_made_again(subject: Subject) {
    let rig = subject.http(Script::new(Reply::text("at last")).then(Reply::text("never").reset())).await;
    let seen = ask(&rig).await;
    assert_eq!((seen.block_text().as_str(), rig.model.seen()), ("at last", 2), "{:?}", seen.error);
}

/// B15, N03.
async fn nothing_is_asked_again_after_visible_output(subject: Subject) {
    let rig = subject.http(Script::new(Reply::deltas(["half ", "LATE"]).close_after(1))).await;
    let seen = ask(&rig).await;
    assert_eq!((seen.failure().kind, seen.text.as_str(), rig.model.seen()), (ErrorKind::Transport, "half ", 1));
    assert!(seen.failure().output_seen && !seen.noticed(&NoticeKind::Retry));
}

/// B12.
async fn what_waiting_does_not_mend_is_asked_once(subject: Subject) {
    for status in [400, 401, 403, 404, 413] {
        let rig = subject.http(Script::new(Reply::error(status, "no"))).await;
        let seen = ask(&rig).await;
        assert_eq!((seen.failure().http_status, rig.model.seen()), (Some(status), 1));
    }
}
