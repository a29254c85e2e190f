//! Short commands.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // helpers of tests, where clippy does not see that they are

mod support;

use std::ffi::OsString;
use std::time::{Duration, Instant};

use llm_provider_process::{ProbeError, ProbeOutput, SpawnError, probe};
use support::{alive, eventually, token};

const LONG: Duration = Duration::from_secs(20);

async fn sh(script: &str, limit: Duration, max_output: usize) -> Result<ProbeOutput, ProbeError> {
    let path = (OsString::from("PATH"), OsString::from("/usr/bin:/bin"));
    probe("/bin/sh", vec!["-c".into(), script.into()], vec![path], limit, max_output).await
}

#[tokio::test]
async fn returns_what_was_said() {
    let output = sh("echo 1.2.3; echo careful >&2; exit 4", LONG, 100).await.unwrap();
    assert_eq!(output.stdout, b"1.2.3\n");
    assert_eq!(output.stderr, "careful\n");
    assert_eq!(output.status.code, Some(4));
}

#[tokio::test]
async fn has_an_empty_stdin_and_an_exact_environment() {
    assert_eq!(sh("cat", LONG, 100).await.unwrap().stdout, b"");
    let env = vec![("ONLY".into(), "this".into())];
    let output = probe("/usr/bin/env", Vec::new(), env, LONG, 100).await.unwrap();
    assert_eq!(output.stdout, b"ONLY=this\n");
}

#[tokio::test]
async fn a_slow_command_is_killed_with_its_group() {
    let token = token("slow");
    let error = sh(&format!("sleep {token} & sleep {token}"), Duration::from_millis(200), 100).await.unwrap_err();
    assert!(matches!(error, ProbeError::Timeout { .. }), "{error}");
    assert!(eventually(Duration::from_secs(2), || alive(&token) == 0));
}

#[tokio::test]
async fn a_loud_command_is_killed() {
    let start = Instant::now();
    let error = sh("yes", LONG, 10_000).await.unwrap_err();
    assert!(matches!(error, ProbeError::TooMuchOutput { limit: 10_000 }), "{error}");
    assert!(start.elapsed() < LONG);
}

#[tokio::test]
async fn output_of_exactly_the_limit_is_fine() {
    let output = sh("printf 12345678", LONG, 8).await.unwrap();
    assert_eq!(output.stdout, b"12345678");
}

#[tokio::test]
async fn a_daemon_that_holds_stdout_does_not_hold_the_probe() {
    let start = Instant::now();
    let output = sh("echo 1.0; (setsid sleep 15 </dev/null &); sleep 0.2; exit 0", LONG, 100).await.unwrap();
    assert_eq!(output.stdout, b"1.0\n");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_missing_program_is_told() {
    let error = probe("/nonexistent", Vec::new(), Vec::new(), LONG, 1).await.unwrap_err();
    assert!(matches!(error, ProbeError::Spawn(SpawnError::NotFound { .. })), "{error}");
}
