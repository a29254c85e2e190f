//! The reference server over its standard input and output.

use super::{PATIENCE, assert_works, call, tool};
use llm_provider_host::{Secret, Tool};
use llm_provider_mcp::{McpLimits, McpServer, Program};
use llmp_tests::real_mcp::{everything, program, skipped};
use llmp_tests::rig::processes::marked;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const MARK: &str = "LLMP_TEST_MCP";

/// The server, whose processes carry the test's name, with limits.
async fn start(test: &str, change: impl FnOnce(&mut McpLimits)) -> Option<McpServer> {
    if skipped(test) {
        return None;
    }
    let mut limits = McpLimits::default();
    change(&mut limits);
    let spec = everything("stdio").await.env(MARK, test).mark(MARK);
    let program = Program::new(spec).secret("TOKEN", Secret::new("canary-0123456789"));
    Some(McpServer::stdio("all", program, limits).await.expect("a server"))
}

async fn all_gone(test: &str) {
    let begin = Instant::now();
    while !marked(MARK, test).is_empty() {
        assert!(begin.elapsed() < PATIENCE, "left: {:?}", marked(MARK, test));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_s31_the_tools_of_a_program_work() {
    let test = "s30_s31_the_tools_of_a_program_work";
    let Some(server) = start(test, |_| ()).await else { return };
    assert_works(&server).await;
    server.close().await;
    all_gone(test).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_sees_the_environment_it_was_given_and_its_secret_is_masked() {
    let test = "a_program_sees_the_environment_it_was_given_and_its_secret_is_masked";
    let Some(server) = start(test, |_| ()).await else { return };
    let said = call(&server, "all-get-env", json!({})).await.expect("the environment");
    let environment: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(environment, json!({ MARK: test, "TOKEN": "******" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_too_long_is_given_up_and_the_next_one_works() {
    let test = "a_call_that_takes_too_long_is_given_up_and_the_next_one_works";
    let Some(server) = start(test, |limits| limits.call = Duration::from_millis(500)).await else { return };
    let endless = json!({"duration": 600, "steps": 100});
    let reason = call(&server, "all-trigger-long-running-operation", endless).await.expect_err("too long");
    assert_eq!(reason, "the MCP server `all` did not answer within 500ms");
    assert_eq!(call(&server, "all-echo", json!({"message": "on"})).await.as_deref(), Ok("Echo: on"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_killed_fails_its_calls_at_once() {
    let test = "a_program_that_is_killed_fails_its_calls_at_once";
    let Some(server) = start(test, |_| ()).await else { return };
    let slow = tool(&server, "all-trigger-long-running-operation").await;
    let kill = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let pid = marked(MARK, test)[0];
        let status = Command::new(program("sh")).args(["-c", &format!("kill -KILL {pid}")]).status();
        assert!(status.expect("a shell").success());
        Instant::now()
    };
    let (failed, killed) = tokio::join!(slow.call(json!({"duration": 600, "steps": 10})), kill);
    assert_eq!(failed.expect_err("it was killed"), "the MCP server `all` has ended");
    assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
    assert_eq!(slow.call(json!({})).await.expect_err("it is gone"), "the MCP server `all` has ended");
    assert!(server.tools().await.err().expect("it is gone").to_string().contains("has ended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_server_leaves_no_process() {
    let test = "a_dropped_server_leaves_no_process";
    if skipped(test) {
        return;
    }
    // A server started by a shell that leaves a child of its own in the background.
    let everything = everything("stdio").await;
    let mut spec = everything.clone().env(MARK, test).env("PATH", "/usr/bin:/bin").mark(MARK);
    let words = everything.args.iter().map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = [everything.program.to_string_lossy().into_owned()].into_iter().chain(words).collect();
    spec.program = program("sh");
    spec.args = vec!["-c".into(), format!("sleep 1000 & exec {}", words.join(" ")).into()];
    let server = McpServer::stdio("all", Program::new(spec), McpLimits::default()).await.expect("a server");
    let echo: Arc<dyn Tool> = tool(&server, "all-echo").await;
    assert!(marked(MARK, test).len() >= 2, "{:?}", marked(MARK, test));
    drop(server);
    all_gone(test).await;
    let reason = echo.call(json!({"message": "still there?"})).await.expect_err("its server is gone");
    assert_eq!(reason, "the MCP server `all` has ended");
}
