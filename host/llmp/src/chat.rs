//! `llmp chat`: turn by turn, with line editing.

use crate::answer::{self, Form, Person};
use crate::args::Choice;
use crate::failure::{Asked, Failure, FailureKind};
use crate::line::{Line, Lines};
use crate::output::{self, tell};
use crate::permission::{self, Questions};
use crate::setup;
use crate::signals::{Signals, Stop};
use crate::{Surroundings, json};
use llm_provider_host::{Route, TurnRequest, Usage};

const HELP: &str = "/model [NAME]   show or change the model
/system [TEXT]  show or change the system prompt; `/system -` takes it away
/usage          what this conversation cost so far
/quit           end; Ctrl-D does the same
Ctrl-C cancels an answer that is coming. A line that ends with \\ goes on in the next.";

/// A conversation until the person ends it.
pub(crate) async fn run(choice: Choice, surroundings: &Surroundings) -> Result<(), Failure> {
    let resolved = surroundings.resolve(&choice)?;
    let lines = Lines::open(&resolved.data_dir.value)?;
    let mut signals = Signals::listen()?;
    let (ask_person, questions) = permission::asking();
    let preparing = Box::pin(setup::prepare(&resolved, setup::Asker::Person(ask_person), surroundings));
    let ready = signals.unless_stopped(preparing).await??;
    tell(&format!("talking to {}; /help shows the commands", resolved.provider.value.name()));
    let (asked, request) = (ready.asked.clone(), ready.request.clone());
    let mut chat = Chat { asked, route: ready.route(), request, usage: Vec::new(), questions };
    let ended = chat.talk(lines, &mut signals).await;
    ready.close(&mut signals).await;
    ended
}

struct Chat {
    asked: Asked,
    route: Route,
    request: TurnRequest,
    usage: Vec<Usage>,
    questions: Questions,
}

/// Whether the conversation goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    Quit,
}

impl Chat {
    async fn talk(&mut self, mut lines: Lines, signals: &mut Signals) -> Result<(), Failure> {
        loop {
            let line = next_line(&mut lines, signals).await?;
            // A Ctrl-C for what is over must not cancel what comes.
            signals.begin().await?;
            let line = match line {
                Line::Text(line) => line,
                Line::Cancelled => {
                    tell("/quit or Ctrl-D ends the conversation");
                    continue;
                }
                Line::End => return Ok(()),
            };
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            match line.strip_prefix('/') {
                Some(command) if self.command(command) == Next::Quit => return Ok(()),
                Some(_) => {}
                None => self.ask(line, &mut lines, signals).await?,
            }
        }
    }

    /// Asks; a failure of the provider is told and the conversation goes on.
    async fn ask(&mut self, prompt: &str, lines: &mut Lines, signals: &mut Signals) -> Result<(), Failure> {
        let person = Person { questions: &mut self.questions, lines };
        let asking = Box::pin(self.route.send(prompt, self.request.clone()));
        let answered = match signals.unless_stopped(asking).await {
            Ok(Ok(turn)) => answer::show(turn, Form::Text, &self.asked, signals, Some(person)).await,
            Ok(Err(error)) => Err(self.asked.failure(error)),
            Err(stopped) => Err(stopped),
        };
        signals.go_on()?;
        match answered {
            Ok(finished) => self.usage.push(finished.usage),
            Err(failure) if failure.kind == FailureKind::ReaderGone => return Err(failure),
            Err(failure) => failure.tell(),
        }
        Ok(())
    }

    fn command(&mut self, command: &str) -> Next {
        let (name, argument) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let argument = argument.trim();
        match name {
            "model" => change(&mut self.request.model, argument, "model"),
            "system" => change(&mut self.request.system, argument, "system prompt"),
            "usage" => self.tell_usage(),
            "help" => tell(HELP),
            "quit" | "exit" => return Next::Quit,
            other => tell(&format!("there is no command /{}; /help shows those there are", output::plain(other))),
        }
        Next::Go
    }

    fn tell_usage(&self) {
        let Some(mut sum) = self.usage.first().copied() else {
            tell("nothing was answered yet");
            return;
        };
        for usage in self.usage.iter().skip(1) {
            sum.model_calls += usage.model_calls;
            sum.input_tokens += usage.input_tokens;
            sum.output_tokens += usage.output_tokens;
            sum.reasoning_tokens += usage.reasoning_tokens;
            sum.cache_read_tokens += usage.cache_read_tokens;
            sum.cache_write_tokens += usage.cache_write_tokens;
            sum.premium_requests += usage.premium_requests;
        }
        tell(&format!("{} answers: {}", self.usage.len(), json::of_usage(&sum)));
    }
}

/// The next line. Ctrl-C drops what stands there, termination ends the conversation. On a terminal the editor sees the key
/// itself; elsewhere the signal comes here.
async fn next_line(lines: &mut Lines, signals: &mut Signals) -> Result<Line, Failure> {
    let stop = tokio::select! {
        line = lines.next() => return line,
        stop = signals.next() => stop,
    };
    match stop {
        Stop::Interrupt => {
            lines.drop_begun();
            Ok(Line::Cancelled)
        }
        Stop::Terminate => Err(Failure::interrupted()),
    }
}

/// Shows a setting, changes it, or takes it away.
fn change(setting: &mut Option<String>, argument: &str, name: &str) {
    match argument {
        "" => {}
        "-" => *setting = None,
        value => *setting = Some(value.to_owned()),
    }
    match setting {
        Some(value) => tell(&format!("{name}: {}", output::plain(value))),
        None => tell(&format!("no {name} is set")),
    }
}
