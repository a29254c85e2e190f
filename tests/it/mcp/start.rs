//! Programs that are no MCP servers.

use llm_provider_host::Secret;
use llm_provider_host::process::Spec;
use llm_provider_mcp::{McpError, McpLimits, McpServer, Program};
use llmp_tests::real_mcp::program;
use std::time::{Duration, Instant};

async fn start(script: &str, limits: McpLimits) -> McpError {
    let spec = Spec::new(program("sh"), "/").arg("-c").arg(script);
    let program = Program::new(spec).secret("TOKEN", Secret::new("canary-0123456789"));
    McpServer::stdio("x", program, limits).await.expect_err("no server")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_ends_says_its_last_words_without_its_secret() {
    let error = start("echo \"no such key: $TOKEN\" >&2; exit 3", McpLimits::default()).await;
    let McpError::Start { server, reason } = &error else { panic!("{error:?}") };
    assert_eq!(server, "x");
    assert!(reason.contains("it ended with exit code 3; it wrote: no such key: ******"), "{reason}");
    assert!(!format!("{error:?}{error}").contains("canary"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_speaks_something_else_is_given_up() {
    let limits = || {
        let mut limits = McpLimits::default();
        limits.start = Duration::from_millis(300);
        limits
    };
    for script in ["cat", "sleep 60", "yes", "while :; do echo '{}'; done", "head -c 100000000 /dev/zero; sleep 60"] {
        let begin = Instant::now();
        let error = start(script, limits()).await;
        assert!(matches!(&error, McpError::Start { .. }), "{script}: {error:?}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{script}: {:?}", begin.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_run_is_refused() {
    let limits = McpLimits::default;
    let refused = McpServer::stdio("a b", Program::new(Spec::new("/bin/true", "/")), limits()).await;
    assert!(matches!(refused, Err(McpError::Name { .. })), "{refused:?}");
    let refused = McpServer::stdio("x", Program::new(Spec::new("/nonexistent/server", "/")), limits()).await;
    assert!(matches!(refused, Err(McpError::Spawn { .. })), "{refused:?}");
}
