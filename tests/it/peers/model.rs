//! What the fake model says, by the prompt: the peers ask in their own order and as often as they like.

use llmp_model_server::{ModelError, RecordedRequest, Reply, Role, Script, ToolCall, Usage};
use serde_json::json;

/// A model that answers a tool call, fails, or talks, as the last prompt says.
pub(super) fn script() -> Script {
    Script::with(reply).models(["stub-model", "other-model"])
}

/// The usage that it reports.
pub(super) const USAGE: Usage = Usage { input: 106, output: 7, cached: 40, cache_write: 0, reasoning: 0 };

fn reply(request: &RecordedRequest) -> Reply {
    let messages = request.messages();
    if let Some(result) = messages.last().filter(|last| last.role == Role::Tool) {
        return Reply::deltas(["It is ", result.text.as_str(), "."]).usage(USAGE);
    }
    match request.last_prompt().as_str() {
        "401" => Reply::error(401, "Incorrect API key provided"),
        "404" => Reply::error(404, "The model does not exist"),
        "429" => Reply::error(429, "Rate limit reached").retry_after(7),
        "529" => Reply::error(529, "Overloaded"),
        "context" => Reply::failure(ModelError::new(400, "Too long").code("context_length_exceeded")),
        "break" => Reply::deltas(["lost ", "lost"]).fail_after(1, ModelError::new(500, "The model broke")),
        "length" => Reply::text("Cut").finish(llmp_model_server::Finish::Length),
        "think" => Reply::new().reasoning(["Let me ", "see."]).and_deltas(["Seen."]),
        "tool" => Reply::new().and_deltas(["Let me look."]).tool_call(ToolCall::fragments(
            "call_7",
            "get_weather",
            ["{\"ci", "ty\":", " \"Zürich\"}"],
        )),
        "tools" => ["Oslo", "Bern"].iter().enumerate().fold(Reply::new(), |reply, (at, city)| {
            reply.tool_call(ToolCall::new(format!("call_{at}"), "get_weather", &json!({ "city": city })))
        }),
        _ => Reply::deltas(["Grüezi ", "→ ", "🦀"]).usage(USAGE),
    }
}
