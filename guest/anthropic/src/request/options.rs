//! What the API cannot be told, or not together.

use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::Ask;
use llm_provider_guest::provider::ToolChoice;

/// While a model thinks, `top_p` must be at least this.
const TOP_P_THINKING: f64 = 0.95;

/// Checks the options of a model call.
///
/// # Errors
/// `unsupported`, naming the option.
pub(super) fn check(ask: &Ask, thinks: bool) -> Result<(), Failure> {
    let sampling = &ask.sampling;
    let unknown = [
        ("frequency-penalty", sampling.frequency_penalty.is_some()),
        ("presence-penalty", sampling.presence_penalty.is_some()),
        ("seed", sampling.seed.is_some()),
    ];
    if let Some((option, _)) = unknown.iter().find(|(_, asked)| *asked) {
        return Err(unsupported(format!("the Messages API has no `{option}`")));
    }
    if !thinks {
        return Ok(());
    }
    let forced = matches!(ask.tool_choice, ToolChoice::Required | ToolChoice::Named(_)) && !ask.tools.is_empty();
    let excluded = [
        ("a forced tool call", forced),
        ("temperature", sampling.temperature.is_some()),
        ("top-k", sampling.top_k.is_some()),
        ("a top-p below 0.95", sampling.top_p.is_some_and(|top_p| top_p < TOP_P_THINKING)),
    ];
    match excluded.iter().find(|(_, asked)| *asked) {
        Some((option, _)) => {
            Err(unsupported(format!("the Messages API does not take {option} while the model thinks"))
                .with_hint(Some("leave one of them out; the effort `minimal` turns thinking off".to_owned())))
        }
        None => Ok(()),
    }
}

fn unsupported(message: String) -> Failure {
    Failure::of(Fault::Unsupported, message)
}
