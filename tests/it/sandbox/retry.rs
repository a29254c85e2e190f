//! The host's retry loop, through a plugin that fails as it is told.

use super::tape::Tape;
use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::wit::events::{Event, NoticeKind};
use llm_provider_host::wit::provider::Input;
use llm_provider_host::wit::types;
use llm_provider_host::{
    BudgetPolicy, Instance, PluginFault, RetryPolicy, Session, Tool, ToolFuture, Turn, TurnError, TurnRequest, Usage,
    user_message,
};
use llmp_tests::plugins::{instance, naughty};
use llmp_tests::rig::{Seen, read};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The standard, with waits a test has time for.
pub(super) fn quick() -> RetryPolicy {
    let mut policy = RetryPolicy::standard();
    policy.base = Duration::from_millis(10);
    policy
}

pub(super) fn request(prompt: &str) -> TurnRequest {
    TurnRequest { retry: quick(), ..TurnRequest::new(vec![user_message(prompt)]) }
}

pub(super) async fn ask(session: &Session, prompt: &str) -> Turn {
    session.turn(request(prompt)).await.expect("a turn")
}

pub(super) async fn observed() -> (Instance, Session, Tape) {
    let tape = Tape::default();
    let instance = instance(&naughty().await).observed(tape.clone());
    let session = instance.session();
    (instance, session, tape)
}

/// Asks with a policy; gives what was seen and how often the plugin was asked.
async fn asked(prompt: &str) -> (Seen, usize) {
    let (_instance, session, tape) = observed().await;
    let seen = read(ask(&session, prompt).await).await;
    (seen, tape.turns().len())
}

fn attempts(seen: &Seen) -> Vec<u32> {
    let number = |event: &Event| if let Event::AttemptStarted(attempt) = event { Some(attempt.number) } else { None };
    seen.events.iter().filter_map(number).collect()
}

fn usages(seen: &Seen) -> Vec<u64> {
    let sum = |event: &Event| if let Event::Usage(usage) = event { Some(usage.output_tokens) } else { None };
    seen.events.iter().filter_map(sum).collect()
}

/// S29, N02: every attempt begins from nothing, and what they cost is one sum.
#[tokio::test(flavor = "multi_thread")]
async fn s29_a_failing_turn_is_asked_again_until_it_is_answered() {
    let (_instance, session, tape) = observed().await;
    let seen = read(ask(&session, "fail 2 overloaded retry-now attempt usage=5 sent").await).await;
    let finished = seen.answered();
    assert_eq!((seen.text.as_str(), seen.block_text().as_str()), ("answered after 2", "answered after 2"));
    assert_eq!(finished.usage, Usage { model_calls: 3, output_tokens: 15, ..finished.usage });
    assert_eq!(attempts(&seen), [1, 2, 3]);
    assert_eq!((seen.count("attempt-abandoned"), seen.notices().len()), (2, 2), "{:#?}", seen.events);
    assert!(seen.noticed(&NoticeKind::Retry));
    assert_eq!(usages(&seen), [5, 10], "the sums so far");
    let turns = tape.turns();
    let ids: BTreeSet<u64> = turns.iter().map(|turn| turn.id).collect();
    assert_eq!((turns.len(), ids.len()), (3, 3), "each attempt is a turn of its own to the plugin");
    assert!(turns.iter().all(|turn| turn.session == turns[0].session && turn.history == turns[0].history));
    assert_eq!(tape.count(|input| matches!(input, Input::OpenSession(_))), 1);
}

/// N02: three attempts in all; then the failure and all it cost.
#[tokio::test(flavor = "multi_thread")]
async fn n02_the_third_failure_is_the_turns_end() {
    let (seen, asked) = asked("fail 9 overloaded retry-now usage=5").await;
    assert_eq!((asked, seen.failure().kind), (3, ErrorKind::Overloaded));
    assert_eq!((usages(&seen), attempts(&seen)), (vec![5, 10, 15], vec![]));
    assert_eq!(seen.count("attempt-abandoned"), 0, "none had begun");
    assert!(matches!(seen.events.last(), Some(Event::Usage(_))), "the sum stands before the error");
}

/// S35, B12: what the plugin advises decides, not what kind of failure it is or how it is worded.
#[tokio::test(flavor = "multi_thread")]
async fn s35_only_what_is_advised_is_repeated() {
    for advised in ["surface", "compact", "switch-model"] {
        let (seen, asked) = asked(&format!("fail 1 overloaded {advised}")).await;
        assert_eq!((asked, seen.failure().kind), (1, ErrorKind::Overloaded), "{advised}");
    }
    for advised in ["retry-now", "retry-after=5", "fresh-session"] {
        let (seen, asked) = asked(&format!("fail 1 timeout {advised} sent")).await;
        assert_eq!((asked, seen.text.as_str()), (2, "answered after 1"), "{advised}: {:?}", seen.error);
    }
}

/// B15, N03: what was shown is not shown again, even if the plugin says that nothing was.
#[tokio::test(flavor = "multi_thread")]
async fn b15_nothing_is_repeated_after_visible_output() {
    for facts in ["attempt text", "attempt text abandoned"] {
        let (seen, asked) = asked(&format!("fail 1 transport retry-now {facts}")).await;
        assert_eq!((asked, seen.count("text-delta")), (1, 1), "{facts}");
        assert!(seen.failure().output_seen && seen.failure().request_sent, "{:?}", seen.failure());
        assert!(!seen.noticed(&NoticeKind::Retry));
    }
}

struct Ping;

impl Tool for Ping {
    fn definition(&self) -> types::Tool {
        types::Tool { name: "ping".into(), description: "Answers.".into(), parameters: r#"{"type":"object"}"#.into() }
    }

    fn call(&self, _arguments: serde_json::Value) -> ToolFuture {
        Box::pin(async { Ok("pong".into()) })
    }
}

/// The eighth of the accepted practice: a tool that ran is not run again, whether the plugin says that it ran or not.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_repeated_after_a_tool_ran() {
    for fact in ["ran", "tool"] {
        let (_instance, session, tape) = observed().await;
        let prompt = format!("fail 1 transport retry-now attempt {fact}");
        let asked = TurnRequest { tools: vec![Arc::new(Ping)], ..request(&prompt) };
        let seen = read(session.turn(asked).await.expect("a turn")).await;
        assert!(seen.failure().tools_ran, "{fact}: {:?}", seen.failure());
        assert_eq!(tape.turns().len(), 1, "{fact}");
    }
}

/// S34: the plugin says that the turn was cancelled; whatever it advises, that is the end.
#[tokio::test(flavor = "multi_thread")]
async fn s34_a_cancelled_turn_is_not_repeated() {
    let (seen, asked) = asked("fail 1 cancelled retry-now").await;
    assert!(seen.error.as_ref().is_some_and(TurnError::is_cancelled), "{:?}", seen.error);
    assert_eq!(asked, 1);
}

/// N01: the provider's time is waited for, or told when it is too long to wait.
#[tokio::test(flavor = "multi_thread")]
async fn n01_the_providers_time_is_waited_for_or_told() {
    let begin = Instant::now();
    let (seen, _) = asked("fail 1 rate-limit retry-after=1 hint=400").await;
    seen.answered();
    assert!(begin.elapsed() >= Duration::from_millis(400), "{:?}", begin.elapsed());
    let begin = Instant::now();
    let (seen, asked) = asked("fail 1 rate-limit retry-after=60001 hint=60001").await;
    assert_eq!((asked, seen.failure().retry_after), (1, Some(60_001)));
    assert!(begin.elapsed() < Duration::from_secs(20), "nothing was waited for");
}

/// Who owns the loop turns this one off.
#[tokio::test(flavor = "multi_thread")]
async fn off_asks_once_and_neither_budget_nor_breaker_interfere() {
    let (_instance, session, tape) = observed().await;
    for number in 1..=12 {
        let seen = read(llmp_tests::plugins::ask(&session, "fail 99 overloaded retry-now").await).await;
        assert_eq!((seen.failure().kind, tape.turns().len()), (ErrorKind::Overloaded, number));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_repeats_by_itself_counts() {
    let (seen, asked) = asked("fail 9 overloaded retry-now own-retry own-retry").await;
    assert_eq!((asked, seen.failure().kind), (1, ErrorKind::Overloaded), "three attempts were made, by the provider");
    let (_, asked) = self::asked("fail 9 overloaded retry-now own-retry").await;
    assert_eq!(asked, 1 + 1, "two and one, and the second tries by itself again");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_not_repeated() {
    let (seen, asked) = asked("panic").await;
    assert!(matches!(seen.error, Some(TurnError::Fault(PluginFault::Trapped(_)))), "{:?}", seen.error);
    assert_eq!((asked, seen.events.len()), (0, 0), "the call never came back, and no other was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_have_a_share_of_the_requests() {
    let (_instance, session, tape) = observed().await;
    let mut retries = Vec::new();
    for _ in 0..4 {
        let before = tape.turns().len();
        let seen = read(ask(&session, "fail 99 sidecar retry-now").await).await;
        assert_eq!(seen.failure().kind, ErrorKind::Sidecar);
        retries.push(tape.turns().len() - before - 1);
    }
    assert_eq!(retries, [2, 1, 0, 0], "the floor of three; a fifth of four requests adds none");
    let mut wide = request("fail 99 sidecar retry-now");
    wide.retry.budget = None::<BudgetPolicy>;
    let before = tape.turns().len();
    read(session.turn(wide).await.expect("a turn")).await;
    assert_eq!(tape.turns().len() - before, 3, "without a budget the attempts decide");
}

/// The conversation a session keeps has the question and its answer once, however often it was asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_keeps_what_was_answered_once() {
    let (_instance, session, _tape) = observed().await;
    let options = TurnRequest { history: Vec::new(), ..request("") };
    let turn = session.send("fail 1 transport retry-now attempt", options).await.expect("a turn");
    let (message, finished) = turn.finish().await.expect("answered");
    assert_eq!((message.blocks.len(), finished.usage.model_calls), (1, 0));
    let history = session.history();
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!((&history[0], &history[1]), (&user_message("fail 1 transport retry-now attempt"), &message));
}

/// What an attempt left behind is not part of the answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_attempt_leaves_no_blocks() {
    let (_instance, session, _tape) = observed().await;
    let mut turn = ask(&session, "fail 1 overloaded retry-now attempt").await;
    while let Some(item) = turn.next().await {
        if matches!(item.expect("no error"), Event::AttemptAbandoned(_)) {
            assert!(turn.message().blocks.is_empty());
        }
    }
    assert_eq!(turn.message().blocks.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_goes_on_while_nobody_reads() {
    let (_instance, session, tape) = observed().await;
    let mut turn = ask(&session, "fail 1 overloaded retry-now").await;
    let first = turn.next().await.expect("an item").expect("an event");
    assert!(
        matches!(&first, Event::Notice(notice) if notice.message.starts_with("attempt 2 of 3 in 0.0 s")),
        "{first:?}"
    );
    tape.until(2, |input| matches!(input, Input::StartTurn(_))).await;
    assert_eq!(read(turn).await.text, "answered after 1");
}
