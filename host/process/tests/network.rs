//! A child without a network. Where the system does not allow it, the probe and the start must say the same.
#![cfg(target_os = "linux")]
// Helpers of tests, where clippy does not see that they are.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod support;

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use llm_provider_process::{Child, Exit, NetworkAccess, Running, SpawnError, Spec, network_isolation};
use support::{alive, eventually, shell, token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SOON: Duration = Duration::from_secs(2);
/// What this binary does when it is run again by its own tests, with an argument after a colon.
const ROLE: &str = "LLM_PROVIDER_TEST_NETWORK";
/// Tunnels that some kernels put into every namespace, down like the loopback.
const FALLBACK: [&str; 9] =
    ["tunl0", "sit0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6tnl0", "ip6gre0"];

/// Starts it without a network; nothing where the system does not allow that, which is said and checked.
async fn isolated(spec: Spec) -> Option<Running> {
    match (Child::spawn(spec.network(NetworkAccess::None)).await, network_isolation()) {
        (Ok(running), Ok(())) => Some(running),
        (Err(SpawnError::Isolation { reason: start, .. }), Err(probe)) => {
            assert_eq!(start, probe);
            println!("NOT ISOLATED HERE: {probe}");
            None
        }
        (start, probe) => panic!("the start says {:?}, the probe {probe:?}", start.map(drop)),
    }
}

async fn output(mut running: Running) -> (String, Exit) {
    let mut text = String::new();
    running.stdout.read_to_string(&mut text).await.unwrap();
    (text, running.child.wait().await)
}

/// This binary again, in a role.
fn again(role: &str) -> Spec {
    let spec = Spec::new(env::current_exe().unwrap(), "/tmp").env(ROLE, role);
    spec.arg("role").arg("--exact").arg("--nocapture")
}

/// Not a test of its own: what a child does.
#[tokio::test]
async fn role() {
    let Ok(role) = env::var(ROLE) else { return };
    match role.split_once(':').unwrap() {
        ("connect", address) => println!("connected: {}", TcpStream::connect(address).is_ok()),
        ("go back", owner) => {
            let network = fs::File::open(format!("/proc/{owner}/ns/net"));
            let entered = network.is_ok_and(|file| {
                use std::os::fd::AsRawFd;
                unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) == 0 }
            });
            println!("went back: {entered}");
        }
        ("own", token) => {
            let helpers = format!("trap '' TERM HUP; sleep {token} & (sleep {token} & sleep {token}) & wait");
            let group = isolated(shell(&helpers)).await;
            let single = isolated(shell(&format!("exec sleep {token}"))).await;
            let count = if group.is_some() { 5 } else { 0 };
            assert!(eventually(Duration::from_secs(10), || alive(token) >= count));
            println!("ready: {count}");
            std::future::pending::<()>().await;
            drop((group, single));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn it_sees_no_interface_but_the_loopback() {
    let Some(running) = isolated(Spec::new("/bin/cat", "/").arg("/proc/net/dev").arg("/proc/net/route")).await else {
        return;
    };
    let (text, exit) = output(running).await;
    assert!(exit.success());
    let names: Vec<_> = text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    assert!(names.contains(&"lo"), "{text}");
    assert!(names.iter().all(|name| *name == "lo" || FALLBACK.contains(name)), "{text}");
    let routes = text.lines().skip_while(|line| !line.starts_with("Iface")).skip(1);
    assert_eq!(routes.count(), 0, "{text}");
}

#[tokio::test]
async fn it_reaches_no_port_of_this_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let role = format!("connect:{}", listener.local_addr().unwrap());
    let (text, _) = output(Child::spawn(again(&role)).await.unwrap()).await;
    assert!(text.contains("connected: true"), "with a network it does: {text}");
    let Some(running) = isolated(again(&role)).await else { return };
    let (text, _) = output(running).await;
    assert!(text.contains("connected: false"), "{text}");
}

#[tokio::test]
async fn it_cannot_go_back() {
    let Some(running) = isolated(again(&format!("go back:{}", std::process::id()))).await else { return };
    let (text, _) = output(running).await;
    assert!(text.contains("went back: false"), "{text}");
}

#[tokio::test]
async fn it_speaks_over_its_pipes_as_the_same_user() {
    let Some(mut running) = isolated(shell("echo careful >&2; id -u; id -g; exec cat")).await else { return };
    running.stdin.write_all(b"hello").await.unwrap();
    running.stdin.shutdown().await.unwrap();
    let mut text = String::new();
    running.stdout.read_to_string(&mut text).await.unwrap();
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    assert_eq!(text, format!("{uid}\n{gid}\nhello"));
    assert!(running.child.wait().await.success());
    assert_eq!(running.child.stderr_tail(), "careful\n");
}

#[tokio::test]
async fn it_is_killed_with_its_children() {
    let token = token("isolated kill");
    let script = format!("sleep {token} & sleep {token} & wait");
    let Some(running) = isolated(shell(&script)).await else { return };
    assert!(eventually(SOON, || alive(&token) == 3), "the shell and its sleepers");
    running.child.kill();
    assert_eq!(running.child.wait().await.signal, Some(9));
    assert!(eventually(SOON, || alive(&token) == 0));
    let running = isolated(shell(&script)).await.unwrap();
    assert!(eventually(SOON, || alive(&token) == 3));
    drop(running);
    assert!(eventually(SOON, || alive(&token) == 0), "dropped");
}

#[tokio::test]
async fn a_marked_daemon_of_it_dies_too() {
    let token = token("isolated daemon");
    let script = format!("(setsid sleep {token} >/dev/null 2>&1 </dev/null &) ; read line; exit 0");
    let Some(running) = isolated(shell(&script).env("HOME", &token).mark("HOME")).await else { return };
    assert!(eventually(SOON, || support::running(&format!("sleep {token}")) == 1), "the daemon runs");
    drop(running.stdin); // ends the shell
    assert!(running.child.wait().await.success());
    assert!(eventually(SOON, || alive(&token) == 0));
}

#[tokio::test]
async fn other_failures_are_told_as_ever() {
    let failure = async |spec: Spec| Child::spawn(spec.network(NetworkAccess::None)).await.map(drop).unwrap_err();
    if network_isolation().is_ok() {
        let missing = failure(Spec::new("/nonexistent/program", "/tmp")).await;
        assert!(matches!(missing, SpawnError::NotFound { .. }), "{missing}");
        let data = failure(Spec::new("/etc/passwd", "/tmp")).await;
        assert!(matches!(data, SpawnError::NotExecutable { .. }), "{data}");
    }
}

/// Owns such children in a process of its own, which is killed when this is dropped.
struct Owner {
    process: std::process::Child,
    /// How many processes its children are.
    count: usize,
}

impl Owner {
    fn start(token: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["role", "--exact", "--nocapture"])
            .env(ROLE, format!("own:{token}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let count = lines.find_map(|line| line.split_once("ready: ")?.1.parse().ok());
        let owner = Self { process, count: count.unwrap_or(0) };
        assert!(count.is_some(), "it is ready");
        owner
    }

    /// Its child with a command line like this. A shell that was told to become something else takes a moment.
    fn child(&self, is: impl Fn(&str) -> bool) -> i32 {
        let is_it = |pid: &i32| is(&command(*pid));
        assert!(eventually(SOON, || self.children().iter().any(is_it)));
        self.children().into_iter().find(is_it).unwrap()
    }

    fn children(&self) -> Vec<i32> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap().flatten();
        let of_thread = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("children")).ok();
        let all: String = threads.filter_map(of_thread).collect();
        all.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Empty for a zombie and for nobody.
fn command(pid: i32) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).replace('\0', " ")
}

#[test]
fn a_killed_owner_leaves_nobody_alive() {
    let token = token("isolated owner");
    let owner = Owner::start(&token);
    assert!(alive(&token) >= owner.count);
    drop(owner);
    assert!(eventually(SOON, || alive(&token) == 0), "{} alive", alive(&token));
}

/// The guard is killed first, so that the kernel alone has to see to it.
#[test]
fn the_parent_death_signal_survives_the_namespace() {
    let token = token("isolated, unguarded");
    let owner = Owner::start(&token);
    if owner.count == 0 {
        return; // said and checked by the owner
    }
    let leader = owner.child(|line| line.starts_with("sleep "));
    let kill = |pid: i32| unsafe { libc::kill(pid, libc::SIGKILL) };
    assert_eq!(kill(owner.child(|line| line.ends_with("llm-provider-guard "))), 0);
    drop(owner);
    let died = eventually(SOON, || command(leader).is_empty());
    // The helpers of the other child are what the guard is for.
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for pid in pids.filter(|pid| command(*pid).contains(&token)) {
        kill(pid);
    }
    assert!(died, "it outlived its owner");
}

/// All of the above as a user without privileges, which is another way through the kernel.
#[test]
fn an_ordinary_user_has_the_same() {
    if unsafe { libc::geteuid() } != 0 {
        return; // the tests above were those
    }
    let directory = env::temp_dir().join(format!("netns-test-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    let copy = directory.join("network");
    support::copy_program(&env::current_exe().unwrap(), &copy);
    let run = Command::new(&copy).arg("--nocapture").current_dir("/").uid(65_534).gid(65_534).output();
    fs::remove_dir_all(&directory).unwrap();
    let run = run.unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    println!("{text}");
    assert!(run.status.success(), "{text}\n{}", String::from_utf8_lossy(&run.stderr));
    assert!(text.contains("test result: ok.") && !text.contains(" 0 passed"), "{text}");
}
