//! A tool of a real MCP server, called by the model through the real CLI.

use super::tools::results;
use llm_provider_host::{TurnRequest, user_message};
use llm_provider_mcp::{McpLimits, McpServer, Program};
use llmp_model_server::{Reply, Script, ToolCall};
use llmp_tests::real_mcp::{everything, skipped};
use llmp_tests::rig::Rig;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn s30_s33_b01_the_model_calls_a_tool_of_an_mcp_server() {
    let name = "s30_s33_b01_the_model_calls_a_tool_of_an_mcp_server";
    let call = |id: &str, arguments| ToolCall::new(id, "all-echo", &arguments);
    let first = Reply::new().tool_call(call("call_1", json!({"message": 7})));
    let second = Reply::new().tool_call(call("call_2", json!({"message": "hi"})));
    let script = Script::new(Reply::text("It echoes.")).then(first).then(second);
    let Some(rig) = Rig::real(name, script).await else { return };
    if skipped(name) {
        return;
    }
    let program = Program::new(everything("stdio").await);
    let server = McpServer::stdio("all", program, McpLimits::default()).await.expect("a server");
    let tools = server.tools().await.expect("tools");
    let request = TurnRequest { tools, ..TurnRequest::new(vec![user_message("say hi")]) };
    let seen = rig.turn(&rig.instance.session(), request).await;
    seen.answered();
    assert_eq!(seen.text, "It echoes.");
    let offered = rig.model.requests()[0].tools();
    assert!(offered.iter().any(|tool| tool == "all-echo"), "{offered:?}");
    let results = results(&rig);
    assert_eq!(results.len(), 2, "each call has one result: {results:?}");
    assert!(results[0].1.contains("at /message: 7 is not of type \"string\""), "{results:?}");
    assert_eq!(results[1], ("call_2".to_owned(), "Echo: hi".to_owned()));
    server.close().await;
}
