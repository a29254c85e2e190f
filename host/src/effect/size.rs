//! How much an effect holds.

use super::Effect;
use crate::bindings::llm::provider::errors::Error;
use crate::bindings::llm::provider::events::{BlockKind, Event, NoticeKind};
use crate::bindings::llm::provider::secrets::Chunk;
use crate::bindings::llm::provider::types::{Block, FinishReason, ImageSource};

impl Effect {
    /// Bytes of what it holds on the heap. What a reference to a secret stands for is not counted: the plugin did not hand
    /// it over.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Event(_, event) => event_bytes(event),
            Self::HttpSend(_, request) => {
                let headers = request
                    .headers
                    .iter()
                    .map(|header| size_of_val(header) + header.name.len() + chunks(&header.value));
                request.method.len() + request.url.len() + headers.sum::<usize>() + chunks(&request.body)
            }
            Self::SidecarStart(_, spec) => {
                let settings = spec.settings.iter().map(|one| size_of_val(one) + one.name.len() + one.value.len());
                let secrets = spec.secrets.iter().map(|one| size_of_val(one) + one.name.len() + one.secret.name.len());
                spec.name.len() + settings.chain(secrets).sum::<usize>()
            }
            Self::SidecarSend(_, data) => chunks(data),
            Self::ToolInvoke(_, call) => call.id.len() + call.name.len() + call.arguments.len(),
            Self::PermissionAsk(_, request) => {
                request.id.len() + length(request.tool.as_ref()) + request.summary.len() + request.detail.len()
            }
            Self::CatalogModels(_, Ok(models)) => {
                let efforts = |efforts: &Vec<String>| {
                    efforts.iter().map(|effort| size_of_val(effort) + effort.len()).sum::<usize>()
                };
                let models = models.iter().map(|model| {
                    size_of_val(model)
                        + model.id.len()
                        + length(model.name.as_ref())
                        + efforts(&model.reasoning_efforts)
                });
                models.sum()
            }
            Self::CatalogQuota(_, Ok(allowances)) => {
                let each =
                    allowances.iter().map(|one| size_of_val(one) + one.name.len() + length(one.resets_at.as_ref()));
                each.sum()
            }
            Self::CatalogModels(_, Err(error)) | Self::CatalogQuota(_, Err(error)) => error_bytes(error),
            Self::Log(_, text) => text.len(),
            Self::HttpCancel(_)
            | Self::SidecarCloseInput(_)
            | Self::SidecarStop(..)
            | Self::TimerSet(..)
            | Self::TimerClear(_) => 0,
        }
    }
}

/// Bytes of what an event holds on the heap.
#[inline]
pub(crate) fn event_bytes(event: &Event) -> usize {
    match event {
        Event::TextDelta(delta) | Event::ThinkingDelta(delta) | Event::ToolArgumentsDelta(delta) => delta.text.len(),
        Event::BlockStarted(start) => match &start.kind {
            BlockKind::ToolCall(head) => head.id.len() + head.name.len(),
            BlockKind::Text | BlockKind::Thinking => 0,
        },
        Event::BlockFinished(end) => block_bytes(&end.block),
        Event::ToolAnswered(result) => result.call_id.len() + result.content.len(),
        Event::AttemptStarted(attempt) => length(attempt.model.as_ref()),
        Event::AttemptAbandoned(why) => why.len(),
        Event::Notice(notice) => {
            let kind = if let NoticeKind::Other(kind) = &notice.kind { kind.len() } else { 0 };
            kind + notice.message.len()
        }
        Event::Usage(_) => 0,
        Event::Finished(finished) => {
            let reason = if let FinishReason::Other(reason) = &finished.reason { reason.len() } else { 0 };
            reason + length(finished.model.as_ref()) + length(finished.provider_request_id.as_ref())
        }
        Event::Failed(failed) => error_bytes(&failed.error),
    }
}

fn block_bytes(block: &Block) -> usize {
    match block {
        Block::Text(text) => text.text.len(),
        Block::Thinking(thinking) => thinking.text.len() + length(thinking.signature.as_ref()),
        Block::Image(image) => {
            let source = match &image.source {
                ImageSource::Data(data) => data.len(),
                ImageSource::Url(url) => url.len(),
            };
            image.media_type.len() + source
        }
        Block::ToolCall(call) => call.id.len() + call.name.len() + call.arguments.len(),
        Block::ToolResult(result) => result.call_id.len() + result.content.len(),
    }
}

fn error_bytes(error: &Error) -> usize {
    let further = [&error.hint, &error.provider_code, &error.provider_request_id];
    error.message.len() + further.into_iter().map(|text| length(text.as_ref())).sum::<usize>()
}

fn chunks(chunks: &[Chunk]) -> usize {
    let held = |chunk: &Chunk| match chunk {
        Chunk::Bytes(bytes) => bytes.len(),
        Chunk::Secret(secret) => secret.name.len(),
    };
    chunks.iter().map(|chunk| size_of_val(chunk) + held(chunk)).sum()
}

fn length(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}
