//! A real MCP server of somebody else, as the host uses it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells its figures; clippy knows only functions marked as tests"
)]

mod http;
mod start;
mod stdio;

use llm_provider_host::{Tool, ToolContent};
use llm_provider_mcp::McpServer;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Longer than anything a test waits for on a busy machine; passing it is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

async fn tool(server: &McpServer, name: &str) -> Arc<dyn Tool> {
    let tools = server.tools().await.expect("tools");
    let names: Vec<String> = tools.iter().map(|tool| tool.definition().name).collect();
    let found = tools.into_iter().find(|tool| tool.definition().name == name);
    found.unwrap_or_else(|| panic!("there is no {name}: {names:?}"))
}

async fn call(server: &McpServer, name: &str, arguments: Value) -> Result<String, String> {
    let tool = tool(server, name).await;
    let called = tokio::time::timeout(PATIENCE, tool.call(arguments)).await.expect("in time");
    called.map(ToolContent::render)
}

/// What the reference server does over any transport.
async fn assert_works(server: &McpServer) {
    let definition = tool(server, "all-get-sum").await.definition();
    assert!(!definition.description.is_empty());
    let schema: Value = serde_json::from_str(&definition.parameters).expect("a schema");
    assert_eq!((&schema["type"], &schema["properties"]["a"]["type"]), (&json!("object"), &json!("number")));
    assert_eq!(call(server, "all-echo", json!({"message": "h\u{e9}"})).await.as_deref(), Ok("Echo: h\u{e9}"));
    let sum = call(server, "all-get-sum", json!({"a": 2, "b": 3})).await.expect("a sum");
    assert!(sum.contains('5'), "{sum}");
    let image = call(server, "all-get-tiny-image", json!({})).await.expect("an image");
    assert!(image.contains("[an image (image/png, ") && !image.contains("iVBOR"), "{image}");
    let weather = call(server, "all-get-structured-content", json!({"location": "New York"})).await.expect("JSON");
    assert!(serde_json::from_str::<Value>(&weather).expect("JSON")["temperature"].is_number(), "{weather}");
    let resource = json!({"resourceType": "Blob", "resourceId": 1});
    let resource = call(server, "all-get-resource-reference", resource).await.expect("a resource");
    assert!(resource.contains("demo://") && resource.contains("Resource 1"), "{resource}");
    // The host checks arguments before; a server that is asked anyway refuses, and the model is told.
    let refused = call(server, "all-get-sum", json!({"a": "two"})).await.expect_err("no numbers");
    assert!(refused.contains("Invalid") || refused.contains("invalid"), "{refused}");
}
