//! A conversation over two plugins: the second is asked when the first cannot answer.

use super::Subject;
use super::shape::well_formed;
use super::{ANTHROPIC, CHAT, GEMINI, RESPONSES};
use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::wit::events::NoticeKind;
use llm_provider_host::{Block, Candidate, Event, Route, RoutedTurn, TurnRequest, user_message};
use llmp_model_server::{ModelError, Reply, Role, Script, Usage};
use llmp_tests::rig::{Rig, Seen, once};

/// Two plugins, the second of which answers.
async fn pair(first: Subject, second: Subject, script: Script) -> (Rig, Rig, Route) {
    let (first, second) = (first.http(script).await, second.http(Script::new(answer())).await);
    let route = route(&first, &second);
    (first, second, route)
}

fn answer() -> Reply {
    Reply::text("from the second").usage(Usage { input: 10, output: 3, ..Usage::default() })
}

fn route(first: &Rig, second: &Rig) -> Route {
    let candidate = |rig: &Rig, model: &str, name: &str| Candidate {
        max_output_tokens: None,
        session: rig.instance.session(),
        model: Some(model.to_owned()),
        name: name.to_owned(),
    };
    Route::new(candidate(first, "big", "the first"), vec![candidate(second, "small", "the second")])
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
    well_formed(&seen);
    seen
}

fn attempts(seen: &Seen) -> Vec<u32> {
    let number = |event: &Event| if let Event::AttemptStarted(attempt) = event { Some(attempt.number) } else { None };
    seen.events.iter().filter_map(number).collect()
}

const PAIRS: [(Subject, Subject); 4] = [(CHAT, ANTHROPIC), (RESPONSES, GEMINI), (ANTHROPIC, RESPONSES), (GEMINI, CHAT)];

#[tokio::test(flavor = "multi_thread")]
async fn the_second_answers_for_a_model_that_the_first_does_not_have() {
    for (first, second) in PAIRS {
        let (one, two, route) = pair(first, second, Script::new(Reply::error(404, "no such model"))).await;
        let seen = read(route.turn(once(vec![user_message("anybody?")])).await.expect("started")).await;
        assert_eq!(seen.block_text(), "from the second", "{first:?}: {:?}", seen.error);
        assert_eq!((attempts(&seen), seen.count("attempt-abandoned")), (vec![1, 2], 1), "{first:?}");
        assert!(seen.noticed(&NoticeKind::ModelSwitched), "{:?}", seen.notices());
        assert_eq!((one.model.seen(), two.model.seen()), (1, 1));
        assert_eq!((one.last_request().model(), two.last_request().model()), ("big", "small"));
        let usage = seen.answered().usage;
        assert_eq!((usage.model_calls, usage.input_tokens, usage.output_tokens), (1, 10, 3));
    }
}

/// What the first has told of its cost is in the sum.
#[tokio::test(flavor = "multi_thread")]
async fn what_both_have_cost_is_one_sum() {
    let told = Usage { input: 100, output: 1, ..Usage::default() };
    let gone = ModelError::new(404, "it is gone").kind("not_found_error");
    let script = Script::new(Reply::deltas(["never"]).usage(told).fail_after(0, gone));
    let (_one, _two, route) = pair(ANTHROPIC, CHAT, script).await;
    let seen = read(route.turn(once(vec![user_message("anybody?")])).await.expect("started")).await;
    assert_eq!(seen.block_text(), "from the second", "{:?}", seen.error);
    let usage = seen.answered().usage;
    assert_eq!((usage.model_calls, usage.input_tokens), (2, 110), "{usage:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conversation_is_kept_for_both() {
    for (first, second) in PAIRS {
        let script = Script::echo().then(Reply::error(404, "not yet"));
        let (one, two, route) = pair(first, second, script).await;
        let options = || once(Vec::new());
        let seen = read(route.send("one", options()).await.expect("started")).await;
        assert_eq!(seen.block_text(), "from the second", "{:?}", seen.error);
        let seen = read(route.send("two", options()).await.expect("started")).await;
        assert_eq!(seen.block_text(), "two", "the first is asked first: {:?}", seen.error);
        let expected = [(Role::User, "one"), (Role::Assistant, "from the second"), (Role::User, "two")];
        assert_eq!(one.last_request().dialogue(), expected.map(|(role, text)| (role, text.to_owned())));
        let texts: Vec<String> = route.history().iter().flat_map(|message| &message.blocks).filter_map(text).collect();
        assert_eq!(texts, ["one", "from the second", "two", "two"]);
        assert_eq!(two.model.seen(), 1);
    }
}

fn text(block: &Block) -> Option<String> {
    if let Block::Text(text) = block { Some(text.text.clone()) } else { None }
}

/// Who saw half an answer is not shown another's.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_switched_after_visible_output() {
    for (first, second) in PAIRS {
        let gone = ModelError::new(404, "it is gone").kind("not_found_error").code("model_not_found");
        let (_one, two, route) = pair(first, second, Script::new(Reply::deltas(["half "]).fail_after(1, gone))).await;
        let seen = read(route.send("anybody?", once(Vec::new())).await.expect("started")).await;
        let told = seen.failure();
        assert_eq!((told.kind, told.output_seen, two.model.seen()), (ErrorKind::NotFound, true, 0), "{told:?}");
        assert_eq!((seen.text.as_str(), route.history().len()), ("half ", 0));
        assert!(!seen.noticed(&NoticeKind::ModelSwitched));
    }
}

/// What is not a matter of the model is not another model's matter.
#[tokio::test(flavor = "multi_thread")]
async fn other_failures_are_the_turns_end() {
    let (_one, two, route) = pair(CHAT, ANTHROPIC, Script::new(Reply::error(401, "wrong key"))).await;
    let seen = read(route.turn(once(vec![user_message("anybody?")])).await.expect("started")).await;
    assert_eq!((seen.failure().kind, two.model.seen()), (ErrorKind::Authentication, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_failure_is_told_when_nobody_answers() {
    let (one, two) =
        (CHAT.http(Script::new(Reply::error(404, "not here"))).await, ANTHROPIC.http(Script::echo()).await);
    two.model.set_default(Reply::error(404, "nor here"));
    let route = route(&one, &two);
    let seen = read(route.turn(once(vec![user_message("anybody?")])).await.expect("started")).await;
    assert!(seen.failure().message.contains("nor here"), "{:?}", seen.error);
    assert_eq!((one.model.seen(), two.model.seen(), seen.notices().len()), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_turn_asks_nobody_else() {
    let script = Script::new(Reply::error(404, "too late").delay(std::time::Duration::from_millis(300)));
    let (_one, two, route) = pair(CHAT, ANTHROPIC, script).await;
    let mut turn = route.turn(TurnRequest::new(vec![user_message("anybody?")])).await.expect("started");
    turn.cancel();
    let seen = read(turn).await;
    assert_eq!((seen.failure().kind, two.model.seen()), (ErrorKind::Cancelled, 0), "{:?}", seen.error);
}
