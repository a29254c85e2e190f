//! What to look for among effects.

use llm_provider_core::completion::Effect;
use llm_provider_guest::effects::{EventEffect, HttpEffect, ToolEffect};
use llm_provider_guest::events::Event;
use llm_provider_guest::http::{Request, RequestId};
use llm_provider_guest::types::{Message, Role, ToolCall};

/// The request that is sent.
#[must_use]
pub fn sent(effects: &[Effect]) -> Option<(RequestId, &Request)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Http(HttpEffect::Send(id, request)) => Some((*id, request)),
        _ => None,
    })
}

/// The calls of tools.
#[must_use]
pub fn called(effects: &[Effect]) -> Vec<ToolCall> {
    let call = |effect: &Effect| match effect {
        Effect::Tool(ToolEffect::Invoke(_, call)) => Some(call.clone()),
        _ => None,
    };
    effects.iter().filter_map(call).collect()
}

/// The last terminal event.
#[must_use]
pub fn last(effects: &[Effect]) -> Option<&Event> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Event(EventEffect(_, event @ (Event::Finished(_) | Event::Failed(_)))) => Some(event),
        _ => None,
    })
}

/// The blocks of an answer as its owner puts them into the history.
#[must_use]
pub fn told(effects: &[Effect]) -> Message {
    let block = |effect: &Effect| match effect {
        Effect::Event(EventEffect(_, Event::BlockFinished(end))) => Some(end.block.clone()),
        _ => None,
    };
    Message { role: Role::Assistant, blocks: effects.iter().filter_map(block).collect() }
}
