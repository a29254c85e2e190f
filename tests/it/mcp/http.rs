//! The reference server over streamable HTTP.

use super::{PATIENCE, assert_works, call, tool};
use llm_provider_host::Secret;
use llm_provider_host::egress::{Egress, EgressPolicy, Trust};
use llm_provider_host::process::{Child, Running};
use llm_provider_mcp::{Endpoint, McpError, McpLimits, McpServer};
use llmp_tests::real_mcp::{everything, skipped};
use serde_json::json;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// The server at its port.
async fn serve() -> (Running, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let spec = everything("streamableHttp").await.env("PORT", port.to_string());
    let running = Child::spawn(spec).await.expect("a server");
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(begin.elapsed() < PATIENCE, "{:?} {}", running.child.try_wait(), running.child.stderr_tail());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (running, format!("http://127.0.0.1:{port}"))
}

fn egress(grants: &[&str], limits: &McpLimits) -> Egress {
    let policy = EgressPolicy::new(Trust::system().expect("certificate authorities"));
    let grant = |policy: EgressPolicy, origin: &&str| policy.allow_private(origin.parse().expect("an origin"));
    Egress::new(grants.iter().fold(policy, grant), limits.egress()).expect("an egress")
}

async fn connect(origin: &str, limits: McpLimits) -> Result<McpServer, McpError> {
    let endpoint = Endpoint::new(format!("{origin}/mcp"), egress(&[origin], &limits));
    McpServer::http("all", endpoint.header("authorization", Secret::new("Bearer canary-0123")), limits).await
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_s31_the_tools_of_a_service_work() {
    if skipped("s30_s31_the_tools_of_a_service_work") {
        return;
    }
    let (_running, origin) = serve().await;
    let server = connect(&origin, McpLimits::default()).await.expect("a server");
    assert_works(&server).await;
    let begin = Instant::now();
    server.close().await;
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_takes_calls_side_by_side_and_one_too_long_is_given_up() {
    if skipped("a_service_takes_calls_side_by_side_and_one_too_long_is_given_up") {
        return;
    }
    let (_running, origin) = serve().await;
    let mut limits = McpLimits::default();
    limits.call = Duration::from_secs(2);
    let server = connect(&origin, limits).await.expect("a server");
    let slow = tool(&server, "all-trigger-long-running-operation").await;
    let begin = Instant::now();
    let (too_long, echo) = tokio::join!(slow.call(json!({"duration": 600, "steps": 100})), async {
        let echo = call(&server, "all-echo", json!({"message": "meanwhile"})).await;
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
        echo
    });
    assert_eq!(too_long.expect_err("too long"), "the MCP server `all` did not answer within 2s");
    assert_eq!(echo.as_deref(), Ok("Echo: meanwhile"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_dies_fails_its_calls() {
    if skipped("a_service_that_dies_fails_its_calls") {
        return;
    }
    let (running, origin) = serve().await;
    let server = connect(&origin, McpLimits::default()).await.expect("a server");
    let slow = tool(&server, "all-trigger-long-running-operation").await;
    let (failed, killed) = tokio::join!(slow.call(json!({"duration": 600, "steps": 100})), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        running.child.kill();
        Instant::now()
    });
    let reason = failed.expect_err("it was killed");
    println!("figure: a call to a dead service failed after {:?}: {reason}", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(30), "{:?}", killed.elapsed());
    let begin = Instant::now();
    let reason = slow.call(json!({})).await.expect_err("it is gone");
    assert!(reason.contains("the MCP server `all`"), "{reason}");
    assert!(begin.elapsed() < Duration::from_secs(30), "{reason}: {:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_the_policy_does_not_grant_is_not_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let limits = McpLimits::default();
    let endpoint = Endpoint::new(format!("{origin}/mcp"), egress(&["http://127.0.0.1:1"], &limits));
    let error = McpServer::http("all", endpoint, limits).await.expect_err("not granted");
    let McpError::Start { reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.contains("does not grant"), "{reason}");
    assert!(listener.accept().is_err(), "nobody called");
}
