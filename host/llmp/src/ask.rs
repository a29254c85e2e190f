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
    let mut signals = Signals::listen()?;
    let preparing = Box::pin(setup::prepare(&resolved, setup::Asker::Nobody, surroundings));
    let ready = signals.unless_stopped(preparing).await??;
    let route = ready.route();
    let mut request = ready.request.clone();
    request.history.push(user_message(prompt));
    let form = if ask.json { Form::Json } else { Form::Text };
    let answered = match signals.unless_stopped(route.turn(request)).await {
        Ok(Ok(turn)) => answer::show(turn, form, &ready.asked, &mut signals, None).await,
        Ok(Err(error)) => Err(ready.asked.failure(error)),
        Err(stopped) => Err(stopped),
    };
    ready.close(&mut signals).await;
    answered.map(drop)
}
