//! `llmp ask`.

use crate::answer::{self, Form};
use crate::args::Ask;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::{Surroundings, prompt, setup};
use llm_provider_host::{Limits, user_message};

/// Asks one question. Succeeds when it was answered.
pub(crate) async fn run(ask: Ask, surroundings: &Surroundings) -> Result<(), Failure> {
    let prompt = prompt::read(ask.prompt, Limits::default().prompt_bytes)?;
    let resolved = surroundings.resolve(&ask.choice)?;
    let mut signals =
        Signals::listen().map_err(|error| Failure::usage(format!("cannot listen for Ctrl-C: {error}"), "try again"))?;
    let ready = setup::prepare(&resolved, setup::Asker::Nobody, surroundings).await?;
    let route = ready.route();
    let mut request = ready.request.clone();
    request.history.push(user_message(prompt));
    let turn = route.turn(request).await?;
    let form = if ask.json { Form::Json } else { Form::Text };
    let answered = answer::show(turn, form, &mut signals, None).await;
    ready.close().await;
    answered.map(drop)
}
