//! Tool calls of the model, run on behalf of a turn.

use super::toolbox::Offered;
use super::turns::OpenTurn;
use crate::bindings::exports::llm::provider::provider::{Input, ToolAnswer};
use crate::bindings::llm::provider::types::{ToolCall, ToolOwner, ToolResult, TurnId};
use crate::error::PluginFault;
use crate::limits::Limits;
use crate::tasks;
use crate::tool::{ToolOutput, cut};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Runs a call; its answer goes to the plugin as an input, or comes back at once where nothing is run. Whatever goes
/// wrong, the model is told; nothing hangs. A call id runs at most once in a turn: asking again while it runs changes
/// nothing, for its answer is on the way, and asking later is answered without running anything.
///
/// # Errors
/// The tools of this turn are its caller's to run: were they run here too, they would run twice.
pub(crate) fn invoke(
    turn_id: TurnId,
    turn: &mut OpenTurn,
    call: ToolCall,
    limits: &Limits,
    inputs: mpsc::Sender<Input>,
) -> Result<Option<Input>, PluginFault> {
    if turn.tools.owner == ToolOwner::Return {
        let what = format!("it invoked a tool in turn {turn_id}, whose tools the caller runs");
        return Err(PluginFault::Contract(what));
    }
    if turn.running.contains_key(&call.id) {
        return Ok(None);
    }
    let most = limits.tool_result_bytes;
    let answer = move |call_id: String, output: ToolOutput| {
        Input::ToolResult(ToolAnswer { turn: turn_id, result: result(call_id, output, most) })
    };
    let tool = match admit(turn, &call, limits) {
        Ok(tool) => tool,
        Err(reason) => return Ok(Some(answer(call.id, Err(reason)))),
    };
    let (deadline, id) = (turn.tools.deadline, call.id.clone());
    turn.called.insert(id.clone());
    let task = tasks::spawn(async move {
        let output = match tokio::time::timeout(deadline, run(tool, call.arguments)).await {
            Ok(Some(output)) => output,
            Ok(None) => Err(format!("the tool `{}` crashed", call.name)),
            Err(_) => Err(format!("the tool `{}` did not answer within {deadline:?}", call.name)),
        };
        drop(inputs.send(answer(call.id, output)).await);
    });
    turn.running.insert(id, task);
    Ok(None)
}

/// The tool to run, or what the model is told instead.
fn admit(turn: &OpenTurn, call: &ToolCall, limits: &Limits) -> Result<Arc<Offered>, String> {
    if turn.cancelled.is_some() {
        return Err("the turn was cancelled".to_owned());
    }
    if turn.called.contains(&call.id) {
        return Err("this call was run before and is not run again".to_owned());
    }
    if turn.running.len() >= limits.tool_calls {
        return Err(format!("too many tools run at once; the limit is {}", limits.tool_calls));
    }
    turn.tools.get(&call.name).ok_or_else(|| format!("no tool is named `{}`", call.name))
}

/// Runs the handler in a task of its own: a panic there is its own, and leaves no output.
async fn run(tool: Arc<Offered>, arguments: String) -> Option<ToolOutput> {
    let mut handler = tokio::task::JoinSet::new();
    handler.spawn(async move { tool.run(&arguments).await });
    handler.join_next().await?.ok()
}

fn result(call_id: String, output: ToolOutput, most: usize) -> ToolResult {
    let (mut content, is_error) = match output {
        Ok(content) => (content.render(), false),
        Err(text) => (text, true),
    };
    if content.len() > most {
        cut(&mut content, most);
        content.push_str("\n[cut off here: the result was too long]");
    }
    ToolResult { call_id, content, is_error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_result_is_cut_and_says_so() {
        let cut = result("1".into(), Ok("é".repeat(10).into()), 5);
        assert_eq!((cut.content.as_str(), cut.is_error), ("éé\n[cut off here: the result was too long]", false));
        let whole = result("1".into(), Err("éé".into()), 4);
        assert_eq!((whole.content.as_str(), whole.is_error), ("éé", true));
    }
}
