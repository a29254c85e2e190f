//! What was killed and does not end, as if the kernel had it wait for a device, holds nobody up. Alone in its binary,
//! since adoption changes the whole process.
#![cfg(target_os = "linux")]
// Helpers of tests, where clippy does not see that they are.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;
use std::{env, fs, ptr};

use llm_provider_process::{CgroupLimits, Child, adopt_orphans, cgroup_containment};
use support::{eventually, shell, token};

/// Set in the process that plays the kernel: the mark of its sleeper.
const ROLE: &str = "LLM_PROVIDER_TEST_TRACER";
/// Longer than anything here takes, and than a group is waited for where that is waited for.
const SOON: Duration = Duration::from_secs(5);

/// A process that does not end when it is killed, until this is dropped. It is a child of this one, by adoption.
struct Stuck {
    pid: String,
    tracer: std::process::Child,
    tell: Option<ChildStdin>,
}

impl Stuck {
    /// None where processes may not trace.
    fn start(mark: &str) -> Option<Self> {
        adopt_orphans().unwrap();
        let mut tracer = Command::new(env::current_exe().unwrap())
            .args(["tracer", "--exact", "--nocapture"])
            .env(ROLE, mark)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(tracer.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
        let answer = lines.find_map(|line| Some(line.split_once("traced: ")?.1.to_owned())).unwrap();
        let tell = tracer.stdin.take();
        let stuck = Self { pid: answer.trim_start_matches('-').to_owned(), tracer, tell };
        if answer.starts_with('-') {
            println!("NOTHING CAN BE TRACED HERE");
            return None;
        }
        Some(stuck)
    }

    fn exists(&self) -> bool {
        Path::new("/proc").join(&self.pid).exists()
    }

    /// Lets it end.
    fn release(&mut self) {
        self.tell = None;
        self.tracer.wait().unwrap();
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        self.release();
    }
}

/// Not a test of its own: a process that stops another one at its end, when this binary is run again by the tests
/// below.
#[test]
fn tracer() {
    let Ok(mark) = env::var(ROLE) else { return };
    // A shell in between, whose end leaves the sleeper to the process that adopts.
    let mut between = Command::new("/bin/sh")
        .args(["-c", "HOME=$0 sleep 1000 >/dev/null & echo $!; read line", &mark])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(between.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pid: i32 = line.trim().parse().unwrap();
    let comm = || fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    assert!(eventually(SOON, || comm() == "sleep\n"));
    let (nowhere, options) = (ptr::null_mut::<libc::c_void>(), libc::PTRACE_O_TRACEEXIT as usize);
    let traced = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, nowhere, options) } == 0;
    between.kill().unwrap();
    between.wait().unwrap();
    println!("traced: {}{pid}", if traced { "" } else { "-" });
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

#[tokio::test]
async fn p10_a_stray_that_does_not_end_holds_no_other_child_up() {
    let mark = token("stuck stray");
    let Some(mut stuck) = Stuck::start(&mark) else { return };
    let marked = Child::spawn(shell("exit 3").env("HOME", &mark).mark("HOME")).await.unwrap();
    let exit = tokio::time::timeout(SOON, marked.child.wait()).await;
    let other = tokio::time::timeout(SOON, async {
        let running = Child::spawn(shell("echo heard >&2")).await.unwrap();
        running.child.wait().await;
        running.child.stderr_tail()
    });
    let (other, existed) = (other.await, stuck.exists());
    stuck.release();
    assert_eq!(exit.map(|exit| exit.code), Ok(Some(3)));
    assert_eq!(other.as_deref(), Ok("heard\n"));
    assert!(existed, "it ended at once, which shows nothing");
    assert!(eventually(SOON, || !stuck.exists()), "it is not reaped");
}

#[tokio::test]
async fn a_control_group_that_does_not_empty_is_removed_when_it_has() {
    if let Err(reason) = cgroup_containment() {
        return println!("NO CONTROL GROUPS HERE: {reason}");
    }
    let Some(mut stuck) = Stuck::start(&token("stuck group")) else { return };
    let running = Child::spawn(shell("read line").cgroup(CgroupLimits::default())).await.unwrap();
    let group = group(running.child.pid());
    fs::write(group.join("cgroup.procs"), &stuck.pid).unwrap();
    running.child.kill();
    running.child.wait().await;
    let existed = group.exists();
    stuck.release();
    assert!(existed, "it ended at once, which shows nothing");
    assert!(eventually(SOON, || !group.exists()), "it was given up");
}

/// The directory of a process's control group.
fn group(pid: u32) -> PathBuf {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap();
    let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(|mount| Path::new(mount).join(group));
    mounts.into_iter().find(|group| group.join("cgroup.kill").exists()).unwrap()
}
