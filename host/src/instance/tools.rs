//! Tool calls of the model, run on behalf of a turn.

use super::turns::OpenTurn;
use crate::bindings::exports::llm::provider::provider::{Input, ToolAnswer};
use crate::bindings::llm::provider::types::{ToolCall, ToolResult, TurnId};
use crate::limits::Limits;
use crate::tasks;
use crate::tool::{Tool, ToolOutput};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Runs a call and sends its answer to the plugin. Whatever goes wrong, the model is told; nothing hangs. A call id that
/// was used before is answered without running anything.
pub(crate) fn invoke(
    turn_id: TurnId,
    turn: &mut OpenTurn,
    call: ToolCall,
    limits: &Limits,
    inputs: mpsc::Sender<Input>,
) {
    let tool = turn.tools.iter().find(|tool| tool.definition().name == call.name).cloned();
    let refused = if !turn.called.insert(call.id.clone()) {
        Some("this call was run before and is not run again".to_owned())
    } else if turn.running.len() >= limits.tool_calls {
        Some(format!("too many tools run at once; the limit is {}", limits.tool_calls))
    } else {
        None
    };
    let (deadline, most, id) = (limits.tool_deadline, limits.tool_result_bytes, call.id.clone());
    let repeated = turn.running.contains_key(&id);
    let task = tasks::spawn(async move {
        let output = match (refused, tool) {
            (Some(reason), _) => Err(reason),
            (None, None) => Err(format!("no tool is named `{}`", call.name)),
            (None, Some(tool)) => match tokio::time::timeout(deadline, run(tool, call.arguments)).await {
                Ok(output) => output,
                Err(_) => Err(format!("the tool `{}` did not answer within {deadline:?}", call.name)),
            },
        };
        let result = result(call.id, output, most);
        drop(inputs.send(Input::ToolResult(ToolAnswer { turn: turn_id, result })).await);
    });
    // The first run of a repeated call goes on under its own name.
    turn.running.insert(if repeated { format!("{id} (repeated)") } else { id }, task);
}

/// Runs the handler in a task of its own: a panic there is its own.
async fn run(tool: Arc<dyn Tool>, arguments: String) -> ToolOutput {
    let mut handler = tokio::task::JoinSet::new();
    handler.spawn(async move { tool.call(arguments).await });
    match handler.join_next().await {
        Some(Ok(output)) => output,
        Some(Err(error)) if error.is_panic() => Err("the tool crashed".to_owned()),
        Some(Err(_)) | None => Err("the tool was stopped".to_owned()),
    }
}

fn result(call_id: String, output: ToolOutput, most: usize) -> ToolResult {
    let (mut content, is_error) = match output {
        Ok(text) => (text, false),
        Err(text) => (text, true),
    };
    if content.len() > most {
        let cut = (0..=most).rev().find(|at| content.is_char_boundary(*at)).unwrap_or(0);
        content.truncate(cut);
        content.push_str("\n[cut off here: the result was too long]");
    }
    ToolResult { call_id, content, is_error }
}
