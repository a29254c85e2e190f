//! Proxies: the explicit one, and never the environment's.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)] // helpers of tests

mod support;

use std::process::{Command, Stdio};
use std::sync::Arc;

use llm_provider_http::{Egress, EgressError, EgressLimits, EgressPolicy, FailureKind, Proxy, Request};
use support::{FakeDns, OK, Server, answer, failure, no_trust};

#[tokio::test]
async fn an_explicit_proxy_is_asked_for_everything() {
    let proxy = Server::fixed(OK).await;
    let explicit = Proxy::new(&format!("http://user:hunter2@proxy.test:{}", proxy.port())).unwrap();
    assert!(!format!("{explicit:?}").contains("hunter2"));
    let policy = EgressPolicy::new(no_trust()).allow("http://model.test".parse().unwrap()).through(explicit);
    // The operator's proxy may be inside; nobody here looks the model's name up.
    let dns = FakeDns::default().answer("proxy.test", &["127.0.0.1"]);
    let egress = Egress::with_resolver(policy, EgressLimits::default(), Arc::new(dns)).unwrap();
    assert_eq!(answer(&egress, Request::get("http://model.test/v1")).await.1, b"ok");
    let seen = &proxy.requests()[0];
    assert!(seen.starts_with("GET http://model.test/v1 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.to_lowercase().contains("proxy-authorization: basic "), "{seen}");
}

#[tokio::test]
async fn a_proxy_does_not_lift_the_policy() {
    let proxy = Server::fixed(OK).await;
    let explicit = Proxy::new(&proxy.url("")).unwrap();
    let policy = EgressPolicy::new(no_trust())
        .allow("http://model.test".parse().unwrap())
        .allow("http://10.0.0.1".parse().unwrap())
        .through(explicit);
    let egress = Egress::new(policy, EgressLimits::default()).unwrap();
    for url in ["http://other.test/", "http://10.0.0.1/"] {
        assert_eq!(failure(&egress, Request::get(url)).await.kind, FailureKind::Denied, "{url}");
    }
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn what_is_no_proxy() {
    for url in ["", "proxy.test:3128", "socks5://proxy.test", "file:///x"] {
        assert!(matches!(Proxy::new(url), Err(EgressError::Proxy)), "{url}");
    }
}

/// Set in the process that has proxies in its environment: the port of a server that is none of them.
const ROLE: &str = "LLM_PROVIDER_TEST_TARGET";

/// Not a test of its own: runs in the process that the next one starts.
#[tokio::test]
async fn with_proxies_in_the_environment() {
    let Ok(port) = std::env::var(ROLE) else { return };
    let url = format!("http://127.0.0.1:{port}/");
    let policy = EgressPolicy::new(no_trust()).allow_private(url.parse().unwrap());
    let egress = Egress::new(policy, EgressLimits::default()).unwrap();
    assert_eq!(answer(&egress, Request::get(url)).await.1, b"ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_s_proxies_are_not_used() {
    let target = Server::fixed(OK).await;
    let proxy = Server::fixed(OK).await;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["with_proxies_in_the_environment", "--exact"]).env(ROLE, target.port().to_string());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(name, proxy.url(""));
    }
    command.env_remove("no_proxy").env_remove("NO_PROXY").env_remove("REQUEST_METHOD");
    let status = tokio::task::spawn_blocking(move || command.stdout(Stdio::null()).status()).await.unwrap().unwrap();
    assert!(status.success());
    assert_eq!((target.connections(), proxy.connections()), (1, 0));
}
