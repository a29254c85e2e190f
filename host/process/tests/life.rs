//! Starting, talking, ending.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // helpers of tests, where clippy does not see that they are

mod support;

use std::time::{Duration, Instant};

use llm_provider_process::{Child, Exit, SpawnError, Spec};
use support::{alive, eventually, shell, token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SOON: Duration = Duration::from_secs(2);

async fn output(spec: Spec) -> (String, Exit) {
    let mut running = Child::spawn(spec).await.unwrap();
    let mut text = String::new();
    running.stdout.read_to_string(&mut text).await.unwrap();
    (text, running.child.wait().await)
}

#[tokio::test]
async fn echoes_through_its_pipes_until_stdin_closes() {
    let mut running = Child::spawn(Spec::new("/bin/cat", "/tmp")).await.unwrap();
    running.stdin.write_all(b"hello").await.unwrap();
    running.stdin.shutdown().await.unwrap();
    let mut text = String::new();
    running.stdout.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello");
    assert!(running.child.wait().await.success());
}

#[tokio::test]
async fn tells_the_exit_code_and_the_last_words() {
    let running = Child::spawn(shell("echo out of cheese >&2; exit 3")).await.unwrap();
    let exit = running.child.wait().await;
    assert_eq!(exit, Exit { code: Some(3), signal: None });
    assert_eq!(running.child.stderr_tail(), "out of cheese\n");
    assert_eq!(running.child.wait().await, exit, "asked again");
    assert_eq!(running.child.try_wait(), Some(exit));
}

#[tokio::test]
async fn tells_the_signal() {
    let running = Child::spawn(shell("kill -SEGV $$")).await.unwrap();
    assert_eq!(running.child.wait().await, Exit { code: None, signal: Some(11) });
}

#[tokio::test]
async fn g13_the_environment_is_exact() {
    let spec = Spec::new("/usr/bin/env", "/tmp").env("B", "2 '$x'").env("A", "1").env("EMPTY", "");
    let (text, _) = output(spec).await;
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["A=1", "B=2 '$x'", "EMPTY="]);
}

#[tokio::test]
async fn g13_arguments_arrive_as_they_are() {
    let spec = Spec::new("/usr/bin/printf", "/tmp").arg("%s|").arg("; rm -rf /").arg("--").arg("$(id)").arg("a\nb");
    assert_eq!(output(spec).await.0, "; rm -rf /|--|$(id)|a\nb|");
}

#[tokio::test]
async fn inherits_nothing_but_three_descriptors() {
    // Opened without close-on-exec, as a C library would.
    use std::os::fd::AsRawFd;
    let leaky = std::fs::File::open("/dev/zero").unwrap();
    let plain = unsafe { libc::dup(leaky.as_raw_fd()) };
    assert!(plain > 2);
    let (text, _) = output(shell("for fd in /proc/$$/fd/*; do readlink $fd; done")).await;
    unsafe { libc::close(plain) };
    assert!(!text.contains("/dev/zero"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("pipe:")).count(), 3, "{text}");
}

#[tokio::test]
async fn runs_in_its_own_session_with_umask_and_no_core() {
    let (text, _) = output(shell("umask; ulimit -Hc; cut -d' ' -f1,5,6 /proc/$$/stat; pwd")).await;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines[0], lines[1], lines[3]), ("0077", "0", "/tmp"), "{text}");
    let ids: Vec<_> = lines[2].split(' ').collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "pid, group, session: {text}");
}

#[tokio::test]
async fn ignored_signals_are_not_handed_down() {
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    let (text, _) = output(shell("grep SigIgn /proc/self/status")).await;
    let ignored = u64::from_str_radix(text.split_whitespace().last().unwrap(), 16).unwrap();
    let of_the_c_library = 0b11 << 31; // 32 and 33: nobody can set them, and the test's own parent may have
    assert_eq!(ignored & !of_the_c_library, 0, "{text}");
}

#[tokio::test]
async fn a_kill_reaches_grandchildren() {
    let token = token("kill");
    let spec = shell(&format!("sleep {token} & sleep {token} & wait"));
    let running = Child::spawn(spec).await.unwrap();
    assert!(eventually(SOON, || alive(&token) == 3), "the shell and its sleepers");
    running.child.kill();
    assert_eq!(running.child.wait().await.signal, Some(9));
    assert!(eventually(SOON, || alive(&token) == 0));
}

#[tokio::test]
async fn a_drop_kills_the_group() {
    let token = token("drop");
    let running = Child::spawn(shell(&format!("sleep {token} & wait"))).await.unwrap();
    assert!(eventually(SOON, || alive(&token) == 2));
    drop(running);
    assert!(eventually(SOON, || alive(&token) == 0));
}

#[test]
fn h08_a_drop_outside_the_runtime_kills_and_reaps() {
    let token = token("outside");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let running = runtime.block_on(Child::spawn(shell(&format!("sleep {token} & wait")))).unwrap();
    assert!(eventually(SOON, || alive(&token) == 2));
    drop(runtime);
    let pid = running.child.pid();
    drop(running);
    assert!(eventually(SOON, || alive(&token) == 0));
    assert!(eventually(SOON, || !std::path::Path::new(&format!("/proc/{pid}")).exists()), "a zombie is left");
}

#[tokio::test]
async fn a_spawn_that_is_given_up_leaves_nothing() {
    for turn in 0..20 {
        let token = token(&format!("given up {turn}"));
        let spawn = Child::spawn(shell(&format!("sleep {token}; true")));
        // Polled once, so that it is on its way, then dropped at some point of it.
        drop(tokio::time::timeout(Duration::from_micros(turn * 100), spawn).await);
        assert!(eventually(SOON, || alive(&token) == 0));
    }
}

#[tokio::test]
async fn what_is_left_of_a_group_dies_with_its_leader() {
    let token = token("left");
    let running = Child::spawn(shell(&format!("sleep {token} & exit 0"))).await.unwrap();
    assert!(running.child.wait().await.success());
    assert!(eventually(SOON, || alive(&token) == 0));
}

#[tokio::test]
async fn stop_is_polite_first() {
    let running = Child::spawn(shell("read line; echo bye >&2; exit 7")).await.unwrap();
    let start = Instant::now();
    assert_eq!(running.child.stop(Duration::from_secs(20)).await.code, Some(7));
    assert!(start.elapsed() < Duration::from_secs(10), "closing stdin was enough");
    assert_eq!(running.child.stderr_tail(), "bye\n");
}

#[tokio::test]
async fn p03_stop_terminates_then_kills() {
    let deaf = Child::spawn(shell("trap 'exit 8' TERM; while :; do sleep 0.05; done")).await.unwrap();
    assert_eq!(deaf.child.stop(Duration::from_millis(200)).await.code, Some(8));
    let stubborn = Child::spawn(shell("trap '' TERM; while :; do sleep 0.05; done")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(stubborn.child.stop(Duration::from_millis(200)).await.signal, Some(9));
}

#[tokio::test]
async fn p08_a_deaf_child_leaves_writes_pending_and_stop_ends_them() {
    let mut running = Child::spawn(shell("sleep 1000")).await.unwrap();
    let prompt = vec![b'x'; 4 << 20];
    let write = tokio::time::timeout(Duration::from_millis(300), running.stdin.write_all(&prompt)).await;
    assert!(write.is_err(), "still pending");
    let child = running.child;
    let writer = tokio::spawn(async move { running.stdin.write_all(&prompt).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    child.close_stdin();
    let outcome = tokio::time::timeout(SOON, writer).await.unwrap().unwrap();
    assert_eq!(outcome.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_dead_stdin_is_an_error_and_no_signal() {
    let mut running = Child::spawn(shell("exec <&-; sleep 1000")).await.unwrap();
    let prompt = vec![b'x'; 1 << 20];
    let error = tokio::time::timeout(SOON, running.stdin.write_all(&prompt)).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn what_cannot_be_started_is_told_apart() {
    let failure = async |spec: Spec| Child::spawn(spec).await.map(drop).unwrap_err();
    let missing = failure(Spec::new("/nonexistent/program", "/tmp")).await;
    assert!(matches!(missing, SpawnError::NotFound { .. }), "{missing}");
    let data = failure(Spec::new("/etc/passwd", "/tmp")).await;
    assert!(matches!(data, SpawnError::NotExecutable { .. }), "{data}");
    let nowhere = failure(Spec::new("/bin/true", "/nonexistent")).await;
    assert!(matches!(nowhere, SpawnError::WorkingDirectory { .. }), "{nowhere}");
    let relative = failure(Spec::new("true", "/tmp")).await;
    assert!(matches!(relative, SpawnError::RelativeProgram { .. }), "{relative}");
    for spec in [
        Spec::new("/bin/true", "/tmp").arg("a\0b"),
        Spec::new("/bin/true", "/tmp").env("A=B", "c"),
        Spec::new("/bin/true", "/tmp").env("", "c"),
        Spec::new("/bin/true", "/tmp").env("A", "b\0c"),
        Spec::new("/bin/tr\0ue", "/tmp"),
    ] {
        let malformed = failure(spec).await;
        assert!(matches!(malformed, SpawnError::Malformed { .. }), "{malformed}");
        assert!(!malformed.is_transient());
    }
}

#[tokio::test]
async fn p10_a_marked_daemon_dies_with_the_child() {
    let token = token("daemon");
    let mark = format!("/tmp/home-{token}");
    // setsid and a double fork: neither in the group nor a descendant by the time the shell ends.
    let script = format!("(setsid sleep {token} >/dev/null 2>&1 </dev/null &) ; read line; exit 0");
    let running = Child::spawn(shell(&script).env("HOME", &mark).mark("HOME")).await.unwrap();
    assert!(eventually(SOON, || support::running(&format!("sleep {token}")) == 1), "the daemon runs");
    drop(running.stdin); // ends the shell
    assert!(running.child.wait().await.success());
    assert!(eventually(SOON, || alive(&token) == 0));
}
