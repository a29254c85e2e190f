//! Follows one turn to its end on the screen, with Ctrl-C cancelling it.

use crate::failure::{Asked, Failure, FailureKind};
use crate::line::Lines;
use crate::permission::{Question, Questions};
use crate::printer::{Printer, Screen, Terminal};
use crate::signals::Signals;
use crate::{json, output};
use llm_provider_host::wit::events::Finished;
use llm_provider_host::{Event, FinishReason, RoutedTurn, TurnError};
use std::io;

/// How a turn is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
}

/// Who is asked for permissions while a turn runs.
pub(crate) struct Person<'a> {
    pub(crate) questions: &'a mut Questions,
    pub(crate) lines: &'a mut Lines,
}

/// What is waited for while a turn runs.
enum Next {
    Item(Option<Result<Event, TurnError>>),
    Stop,
    Asked(Question),
}

/// Shows a turn as it streams. The first signal cancels it, reaching the server; a second one gives up at once.
pub(crate) async fn show(
    mut turn: RoutedTurn,
    form: Form,
    to: &Asked,
    signals: &mut Signals,
    mut person: Option<Person<'_>>,
) -> Result<Finished, Failure> {
    let (mut printer, mut screen, mut stopping) = (Printer::default(), Terminal, false);
    loop {
        let next = tokio::select! {
            item = turn.next() => Next::Item(item),
            _ = signals.next() => Next::Stop,
            question = asked(person.as_mut()) => Next::Asked(question),
        };
        let heard = match next {
            Next::Item(item) => Some(item),
            Next::Stop => None,
            Next::Asked(question) => {
                printer.end(&mut screen).map_err(unwritable)?;
                if put(question, person.as_mut(), signals).await.is_ok() {
                    continue;
                }
                None
            }
        };
        let Some(item) = heard else {
            if stopping {
                return Err(Failure::interrupted());
            }
            stopping = true;
            turn.cancel();
            continue;
        };
        let Some(item) = item else { return Err(Failure::usage("the turn ended without an answer", "try again")) };
        let shown = match form {
            Form::Json => output::data(&(json::line(&item) + "\n")),
            Form::Text => item.as_ref().map_or(Ok(()), |event| printer.event(event, &mut screen)),
        };
        shown.map_err(unwritable)?;
        if let Some(end) = ended(item, to) {
            if form == Form::Text {
                printer.end(&mut screen).map_err(unwritable)?;
            }
            return end;
        }
    }
}

async fn asked(person: Option<&mut Person<'_>>) -> Question {
    match person {
        Some(person) => person.questions.next().await,
        None => std::future::pending().await,
    }
}

/// Puts a question to the person, unless a signal comes first: then it is a no.
async fn put(question: Question, person: Option<&mut Person<'_>>, signals: &mut Signals) -> Result<(), Failure> {
    let Some(person) = person else { return Ok(()) };
    signals.unless_stopped(question.put(person.lines)).await
}

fn ended(item: Result<Event, TurnError>, to: &Asked) -> Option<Result<Finished, Failure>> {
    match item {
        Ok(Event::Finished(finished)) => {
            if let Some(why) = cut_short(&finished.reason) {
                Terminal.tell(&format!("warning: {why}"));
            }
            Some(Ok(finished))
        }
        Ok(_) => None,
        Err(error) => Some(Err(to.failure(error))),
    }
}

/// A truncated or filtered answer must not look complete.
fn cut_short(reason: &FinishReason) -> Option<&'static str> {
    match reason {
        FinishReason::Length => Some("the answer is cut off: the model reached its limit of output tokens"),
        FinishReason::ContentFilter => Some("the provider's content filter took the answer or a part of it"),
        FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Other(_) => None,
    }
}

/// A reader that has gone away (`| head`) is not worth a message.
fn unwritable(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure { kind: FailureKind::ReaderGone, message: String::new(), hint: None },
        _ => Failure::usage(format!("cannot write the answer: {error}"), "check where stdout goes"),
    }
}
