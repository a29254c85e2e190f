//! A route over two instances of a plugin that fails as it is told.

use super::retry::{observed, request};
use super::tape::Tape;
use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::wit::events::{Event, NoticeKind};
use llm_provider_host::{Candidate, Instance, Route, RoutedTurn, Session, TurnError, TurnRequest};
use llmp_tests::rig::Seen;

struct Two {
    route: Route,
    tapes: [Tape; 2],
    _instances: [Instance; 2],
}

fn candidate(session: Session, name: &str) -> Candidate {
    Candidate { session, model: None, max_output_tokens: None, name: name.to_owned() }
}

/// Two sandboxes: each fails as often as the prompt says.
async fn two() -> Two {
    let (one, session_one, tape_one) = observed().await;
    let (two, session_two, tape_two) = observed().await;
    let route = Route::new(candidate(session_one, "one"), vec![candidate(session_two, "two")]);
    Two { route, tapes: [tape_one, tape_two], _instances: [one, two] }
}

/// Two sessions of one sandbox, which counts its failures for both.
async fn shared() -> (Instance, Route, Tape) {
    let (instance, session, tape) = observed().await;
    let second = instance.session();
    (instance, Route::new(candidate(session, "one"), vec![candidate(second, "two")]), tape)
}

async fn read(mut turn: RoutedTurn) -> Seen {
    let mut seen = Seen::default();
    while let Some(item) = turn.next().await {
        assert!(seen.error.is_none() && seen.finished().is_none(), "{item:?} came after the last item");
        match item {
            Ok(event) => seen.note(event),
            Err(error) => seen.error = Some(error),
        }
    }
    seen
}

fn attempts(seen: &Seen) -> Vec<u32> {
    let number = |event: &Event| if let Event::AttemptStarted(attempt) = event { Some(attempt.number) } else { None };
    seen.events.iter().filter_map(number).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_one_stream_with_one_sum() {
    let (_instance, route, tape) = shared().await;
    let prompt = "fail 1 overloaded switch-model attempt usage=5";
    let seen = read(route.turn(request(prompt)).await.expect("a turn")).await;
    let finished = seen.answered();
    assert_eq!((seen.block_text().as_str(), attempts(&seen)), ("answered after 1", vec![1, 2]));
    assert_eq!((finished.usage.model_calls, finished.usage.output_tokens), (2, 10));
    assert_eq!((seen.count("attempt-abandoned"), seen.notices().len()), (1, 1));
    let turns = tape.turns();
    assert_eq!(turns.len(), 2);
    assert!(turns[0].session != turns[1].session && turns[0].history == turns[1].history);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_not_told_is_not_abandoned() {
    let (_instance, route, _tape) = shared().await;
    let seen = read(route.turn(request("fail 1 overloaded switch-model")).await.expect("a turn")).await;
    assert_eq!((attempts(&seen), seen.count("attempt-abandoned")), (vec![1], 0));
    assert!(seen.noticed(&NoticeKind::ModelSwitched));
}

/// Given up after the first candidate failed and before the second was asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_cancelled_between_candidates_asks_no_other() {
    let Two { route, tapes, .. } = two().await;
    let mut turn = route.turn(request("fail 1 overloaded switch-model")).await.expect("a turn");
    let switched =
        |item: &Result<Event, _>| matches!(item, Ok(Event::Notice(notice)) if notice.kind == NoticeKind::ModelSwitched);
    while !switched(&turn.next().await.expect("more")) {}
    turn.cancel();
    let seen = read(turn).await;
    assert!(seen.error.as_ref().is_some_and(TurnError::is_cancelled), "{:?}", seen.error);
    assert_eq!((tapes[0].turns().len(), tapes[1].turns().len()), (1, 0));
}

/// A provider that is left alone for now is no reason not to ask another.
#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_whose_breaker_is_open_is_passed_over() {
    let Two { route, tapes, .. } = two().await;
    for _ in 0..5 {
        let seen = read(route.turn(request("fail 5 overloaded surface")).await.expect("a turn")).await;
        assert!(seen.error.is_some());
    }
    let seen = read(route.turn(request("hello")).await.expect("a turn")).await;
    assert_eq!(seen.block_text(), "hello", "{:?}", seen.error);
    assert!(seen.noticed(&NoticeKind::ModelSwitched));
    assert_eq!((tapes[0].turns().len(), tapes[1].turns().len()), (5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_switched_after_text_or_a_tool() {
    for fact in ["attempt text", "attempt text abandoned", "attempt ran"] {
        let Two { route, tapes, .. } = two().await;
        let seen =
            read(route.turn(request(&format!("fail 1 overloaded switch-model {fact}"))).await.expect("a turn")).await;
        assert_eq!(seen.failure().kind, ErrorKind::Overloaded, "{fact}");
        assert_eq!((tapes[0].turns().len(), tapes[1].turns().len()), (1, 0), "{fact}");
    }
}

/// The second is not asked for ever either, and what all of it has cost is told.
#[tokio::test(flavor = "multi_thread")]
async fn when_all_fail_the_last_failure_is_the_end() {
    let Two { route, tapes, _instances } = two().await;
    let seen = read(route.turn(request("fail 9 timeout switch-model usage=5")).await.expect("a turn")).await;
    assert_eq!((seen.failure().kind, seen.notices().len()), (ErrorKind::Timeout, 1));
    assert_eq!((tapes[0].turns().len(), tapes[1].turns().len()), (1, 1));
    let mut sums = seen
        .events
        .iter()
        .filter_map(|event| if let Event::Usage(sum) = event { Some(sum.output_tokens) } else { None });
    assert_eq!(sums.next_back(), Some(10), "{:#?}", seen.events);
}

/// Only the advice to switch is one: another is the retry loop's, which each candidate has for itself.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_advice_to_switch_switches() {
    for (advised, asked) in [("surface", 1), ("compact", 1), ("retry-now", 3)] {
        let Two { route, tapes, .. } = two().await;
        let seen = read(route.turn(request(&format!("fail 9 overloaded {advised}"))).await.expect("a turn")).await;
        assert_eq!(seen.failure().kind, ErrorKind::Overloaded, "{advised}");
        assert_eq!((tapes[0].turns().len(), tapes[1].turns().len()), (asked, 0), "{advised}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_question_is_not_kept() {
    let Two { route, .. } = two().await;
    let options = || TurnRequest { history: Vec::new(), ..request("") };
    let seen = read(route.send("fail 9 timeout switch-model", options()).await.expect("a turn")).await;
    assert!(seen.failure().message.contains("as asked") && route.history().is_empty());
    read(route.send("fail 0 timeout surface", options()).await.expect("a turn")).await.answered();
    assert_eq!(route.history().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn finish_reads_across_the_switch() {
    let (_instance, route, _tape) = shared().await;
    let turn = route.turn(request("fail 1 overloaded switch-model usage=5")).await.expect("a turn");
    assert_eq!(turn.finish().await.expect("answered").usage.output_tokens, 10);
}

/// Each provider's own limit counts with it, and with nobody else; what the request says counts with all.
#[tokio::test(flavor = "multi_thread")]
async fn a_candidates_limit_of_tokens_is_its_own() {
    for (asked, want) in [(None, [Some(10), Some(20)]), (Some(5), [Some(5), Some(5)])] {
        let (instance, session, tape) = observed().await;
        let second = instance.session();
        let of = |session, name, most| Candidate { max_output_tokens: Some(most), ..candidate(session, name) };
        let route = Route::new(of(session, "one", 10), vec![of(second, "two", 20)]);
        let mut request = request("fail 1 overloaded switch-model");
        request.max_output_tokens = asked;
        read(route.turn(request).await.expect("a turn")).await.answered();
        let most: Vec<_> = tape.turns().iter().map(|turn| turn.options.max_output_tokens).collect();
        assert_eq!(most, want);
    }
}
