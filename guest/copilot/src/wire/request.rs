//! Parameters of our requests.

use crate::prompt::Image;
use base64::Engine as _;
use llm_provider_core::rpc::Secret;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// No parameters.
#[derive(Debug, Serialize)]
pub(crate) struct Nothing {}

/// Of `connect`.
#[derive(Debug, Serialize)]
pub(crate) struct Connect {
    /// What a server wants of those who connect to it over TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Secret>,
}

/// Of everything that only names a session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Named<'a> {
    pub(crate) session_id: &'a str,
}

/// Of `session.send`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Send<'a> {
    pub(crate) session_id: &'a str,
    pub(crate) prompt: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) attachments: Vec<Attachment<'a>>,
    /// `immediate` puts the message into the turn that runs; absent, it waits for its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_format: Option<ResponseFormat<'a>>,
}

/// An image beside a prompt.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attachment<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    display_name: &'a str,
    mime_type: &'a str,
    data: String,
}

impl<'a> Attachment<'a> {
    /// An image.
    pub(crate) fn of(image: &'a Image) -> Self {
        let data = base64::engine::general_purpose::STANDARD.encode(&image.data);
        Self { kind: "blob", display_name: &image.name, mime_type: &image.media_type, data }
    }
}

/// What the answer must look like.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResponseFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    json_schema: JsonSchema<'a>,
}

#[derive(Debug, Serialize)]
struct JsonSchema<'a> {
    name: &'static str,
    schema: &'a RawValue,
}

impl<'a> ResponseFormat<'a> {
    /// JSON of a schema.
    pub(crate) fn json(schema: &'a RawValue) -> Self {
        Self { kind: "json_schema", json_schema: JsonSchema { name: "answer", schema } }
    }
}

/// Of `session.create` and `session.resume`: everything, every time, since nothing of it is kept on disk. The fixed part
/// is the Go SDK's mode "empty": no skills, hooks, instructions, memory, telemetry or store.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session<'a> {
    pub(crate) session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning_effort: Option<&'a str>,
    pub(crate) system_message: SystemMessage<'a>,
    pub(crate) available_tools: Vec<&'a str>,
    pub(crate) tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<Provider<'a>>,
    pub(crate) working_directory: &'a str,
    /// Only when taken up again: a turn that waits for the results of tools goes on waiting.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) continue_pending_work: bool,
    #[serde(flatten)]
    pub(crate) fixed: Fixed,
}

/// What is the same for every session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fixed {
    client_name: &'static str,
    request_permission: bool,
    streaming: bool,
    include_sub_agent_streaming_events: bool,
    env_value_mode: &'static str,
    tool_filter_precedence: &'static str,
    is_experimental_mode: bool,
    enable_session_telemetry: bool,
    enable_session_store: bool,
    enable_skills: bool,
    enable_file_hooks: bool,
    enable_host_git_operations: bool,
    enable_on_demand_instruction_discovery: bool,
    skip_embedding_retrieval: bool,
    memory: Enabled,
    infinite_sessions: Enabled,
}

#[derive(Debug, Serialize)]
struct Enabled {
    enabled: bool,
}

/// The fixed part.
pub(crate) const FIXED: Fixed = Fixed {
    client_name: "llm-provider",
    request_permission: true,
    streaming: true,
    include_sub_agent_streaming_events: false,
    env_value_mode: "direct",
    tool_filter_precedence: "excluded",
    is_experimental_mode: false,
    enable_session_telemetry: false,
    enable_session_store: false,
    enable_skills: false,
    enable_file_hooks: false,
    enable_host_git_operations: false,
    enable_on_demand_instruction_discovery: false,
    skip_embedding_retrieval: true,
    memory: Enabled { enabled: false },
    infinite_sessions: Enabled { enabled: false },
};

/// The system prompt. `replace` with an empty text means none at all; the CLI's own never appears.
#[derive(Debug, Serialize)]
pub(crate) struct SystemMessage<'a> {
    mode: &'static str,
    content: &'a str,
}

impl<'a> SystemMessage<'a> {
    /// Exactly this text.
    pub(crate) fn replace(content: &'a str) -> Self {
        Self { mode: "replace", content }
    }
}

/// A tool of ours.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tool<'a> {
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    pub(crate) parameters: &'a RawValue,
    pub(crate) skip_permission: bool,
    /// A caller's tool may have the name of one of the CLI's own, which then is not there.
    pub(crate) overrides_built_in_tool: bool,
}

/// An endpoint of one's own.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Provider<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) base_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wire_api: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<Value<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<&'a str, Value<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) azure: Option<Azure<'a>>,
    pub(crate) max_prompt_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_output_tokens: Option<u32>,
}

/// Azure's own part.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Azure<'a> {
    pub(crate) api_version: &'a str,
}

/// A text that may be a secret.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Value<'a> {
    Text(Cow<'a, str>),
    Secret(Secret),
}

/// Of `session.options.update`: what `session.create` has no place for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options<'a> {
    pub(crate) session_id: &'a str,
    skip_custom_instructions: bool,
    custom_agents_local_only: bool,
    coauthor_enabled: bool,
    manage_schedule_enabled: bool,
    installed_plugins: [(); 0],
}

impl<'a> Options<'a> {
    /// Everything ambient off.
    pub(crate) fn bare(session_id: &'a str) -> Self {
        Self {
            session_id,
            skip_custom_instructions: true,
            custom_agents_local_only: true,
            coauthor_enabled: false,
            manage_schedule_enabled: false,
            installed_plugins: [],
        }
    }
}

/// Of `session.tools.handlePendingToolCall`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolAnswer<'a> {
    pub(crate) session_id: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) result: ToolResult<'a>,
}

/// A tool's answer. A failure's text must stand here too: the CLI hides what stands in `error` from the model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolResult<'a> {
    pub(crate) text_result_for_llm: &'a str,
    pub(crate) result_type: &'static str,
}

/// Of `session.permissions.handlePendingPermissionRequest`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PermissionAnswer<'a> {
    pub(crate) session_id: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) result: PermissionResult,
}

/// A decision. `reject` without feedback would end the turn.
#[derive(Debug, Serialize)]
pub(crate) struct PermissionResult {
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) feedback: Option<String>,
}
