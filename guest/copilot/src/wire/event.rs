//! Events of sessions.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Text that is borrowed where the JSON has no escapes.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// A `session.event` notification.
#[derive(Debug, Deserialize)]
pub(crate) struct Notification<'a> {
    #[serde(borrow)]
    pub(crate) params: Params<'a>,
}

/// Its parameters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Params<'a> {
    #[serde(borrow)]
    pub(crate) session_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) event: Event<'a>,
}

/// The event itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) data: &'a RawValue,
    /// Present on events of sub-agents, which are not the turn's.
    #[serde(borrow)]
    pub(crate) agent_id: Option<Text<'a>>,
}

/// `assistant.message_delta`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageDelta<'a> {
    #[serde(borrow)]
    pub(crate) message_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) delta_content: Cow<'a, str>,
}

/// `assistant.reasoning_delta`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReasoningDelta<'a> {
    #[serde(borrow)]
    pub(crate) reasoning_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) delta_content: Cow<'a, str>,
}

/// `assistant.tool_call_delta`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolCallDelta<'a> {
    #[serde(borrow)]
    pub(crate) tool_call_id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) tool_name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) input_delta: Cow<'a, str>,
}

/// `assistant.message`: a message of the model, whole.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message<'a> {
    #[serde(borrow)]
    pub(crate) message_id: Cow<'a, str>,
    /// The `messageId` of the send it answers; absent in versions before 1.0.45 or so.
    #[serde(borrow)]
    pub(crate) originating_message_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) model: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) content: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) reasoning_text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) tool_requests: Option<Vec<ToolRequest<'a>>>,
    /// Where it stands among the parts of one answer of the model, which the CLI splits where thinking begins anew.
    pub(crate) chunk_index: Option<u32>,
    /// How many parts that answer has.
    pub(crate) chunk_count: Option<u32>,
}

impl Message<'_> {
    /// Whether it goes on with the answer that the message before it is a part of.
    pub(crate) fn continues(&self) -> bool {
        self.chunk_index.is_some_and(|index| index > 0)
    }

    /// Whether the answer of the model ends with it.
    pub(crate) fn is_last(&self) -> bool {
        match (self.chunk_index, self.chunk_count) {
            (Some(index), Some(count)) => index.saturating_add(1) >= count,
            _ => true,
        }
    }
}

/// A tool call in a message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolRequest<'a> {
    #[serde(borrow)]
    pub(crate) tool_call_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) arguments: Option<&'a RawValue>,
}

/// `assistant.usage`: the cost of a model call. Any field may be absent or null.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage<'a> {
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    pub(crate) reasoning_tokens: Option<u64>,
    pub(crate) cache_read_tokens: Option<u64>,
    pub(crate) cache_write_tokens: Option<u64>,
    pub(crate) cost: Option<f64>,
    #[serde(borrow)]
    pub(crate) finish_reason: Option<Text<'a>>,
    pub(crate) content_filter_triggered: Option<bool>,
    #[serde(borrow)]
    pub(crate) api_call_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) provider_call_id: Option<Text<'a>>,
}

/// `user.message`: the server has taken a prompt.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserMessage<'a> {
    #[serde(borrow)]
    pub(crate) message_id: Option<Text<'a>>,
}

/// `assistant.turn_retry`: the CLI asks the model again by itself.
#[derive(Debug, Deserialize)]
pub(crate) struct TurnRetry<'a> {
    #[serde(borrow)]
    pub(crate) reason: Option<Text<'a>>,
}

/// `model.call_failure`: one failed try.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallFailure<'a> {
    pub(crate) status_code: Option<u16>,
    #[serde(borrow)]
    pub(crate) failure_kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) error_code: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) error_message: Option<Text<'a>>,
}

/// `session.error`: the turn failed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure<'a> {
    #[serde(borrow, default)]
    pub(crate) error_type: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) message: Cow<'a, str>,
    pub(crate) status_code: Option<u16>,
    #[serde(borrow)]
    pub(crate) error_code: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) provider_call_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) originating_message_id: Option<Text<'a>>,
}

/// `session.idle`: nothing runs in the session.
#[derive(Debug, Deserialize)]
pub(crate) struct Idle {
    #[serde(default)]
    pub(crate) aborted: bool,
}

/// `session.model_change`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModelChange<'a> {
    #[serde(borrow)]
    pub(crate) new_model: Option<Text<'a>>,
}

/// `external_tool.requested`: a tool of ours is to run.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExternalTool<'a> {
    #[serde(borrow)]
    pub(crate) request_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) tool_call_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) tool_name: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) arguments: Option<&'a RawValue>,
}

/// `tool.execution_start`: a call is about to run, here or in the CLI itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolStart<'a> {
    #[serde(borrow)]
    pub(crate) tool_call_id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) tool_name: Cow<'a, str>,
}

/// `tool.execution_complete`: a call is answered, by us or by the CLI itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolDone<'a> {
    #[serde(borrow)]
    pub(crate) tool_call_id: Cow<'a, str>,
}

/// `permission.requested`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Permission<'a> {
    #[serde(borrow)]
    pub(crate) request_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) permission_request: PermissionRequest<'a>,
    #[serde(default)]
    pub(crate) resolved_by_hook: bool,
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PermissionRequest<'a> {
    #[serde(borrow)]
    pub(crate) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) tool_name: Option<Text<'a>>,
    /// Of a command.
    #[serde(borrow)]
    pub(crate) full_command_text: Option<Text<'a>>,
    /// Of a file that is written.
    #[serde(borrow)]
    pub(crate) file_name: Option<Text<'a>>,
    /// Of a file that is read.
    #[serde(borrow)]
    pub(crate) path: Option<Text<'a>>,
    /// Of an address that is fetched.
    #[serde(borrow)]
    pub(crate) url: Option<Text<'a>>,
    /// What for, in the model's words.
    #[serde(borrow)]
    pub(crate) intention: Option<Text<'a>>,
}
