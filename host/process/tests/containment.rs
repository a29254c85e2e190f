//! What bounds a child: its files, its limits, its children. Where the kernel lacks landlock, the report must say so.
#![cfg(target_os = "linux")]
// Helpers of tests, where clippy does not see that they are.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod support;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use llm_provider_process::{
    CgroupLimits, Child, Exit, FileAccess, FileContainment, Grants, Spec, cgroup_containment, file_containment,
};
use support::{alive, eventually, shell, token};
use tokio::io::AsyncReadExt;

/// The figure of row G18: all gone so long after the stop.
const GONE: Duration = Duration::from_secs(2);
/// Set in the process that plays an owner: the token of its sleepers.
const OWNER: &str = "LLM_PROVIDER_TEST_OWNER";

/// A directory with those of two tenants, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("containment-{test}-{}", std::process::id()));
        for directory in ["own/work", "other", "outside"] {
            fs::create_dir_all(path.join(directory)).unwrap();
        }
        fs::write(path.join("other/secret"), "hunter2").unwrap();
        Self(path)
    }

    /// A shell in the first tenant's directory, which is all that it may write.
    fn shell(&self, script: &str) -> Spec {
        let mut spec = shell(script).env("BASE", &self.0).files(self.own());
        spec.cwd = self.0.join("own/work");
        spec
    }

    fn own(&self) -> FileAccess {
        FileAccess::Only(Grants { readable: Vec::new(), writable: vec![self.0.join("own")] })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

async fn output(spec: Spec) -> (String, Exit) {
    let mut running = Child::spawn(spec).await.unwrap();
    let mut text = String::new();
    running.stdout.read_to_string(&mut text).await.unwrap();
    (text, running.child.wait().await)
}

/// How well it holds here. Where it does not at all, that is said, with what to do.
fn contained() -> Option<FileContainment> {
    file_containment()
        .inspect_err(|reason| {
            assert!(!reason.hint().is_empty());
            println!("FILES ARE NOT CONTAINED HERE: {reason}");
        })
        .ok()
}

/// Tries each way and says which succeeded.
const ESCAPES: &str = r#"
try() { name=$1; shift; if "$@" 2>/dev/null; then echo "$name"; fi; }
put() { echo escaped > "$1"; }
try own put in
try absolute put "$BASE/outside/a"
try dots put ../../outside/b
ln -s "$BASE/outside" link; try link put link/c
ln -s ../../outside/d dangling; try dangling put dangling
try grandchild sh -c 'echo escaped > "$BASE/outside/e"'
try rename mv in "$BASE/outside/f"
try hardlink ln "$BASE/other/secret" stolen
try directory mkdir "$BASE/outside/g"
try remove rm "$BASE/other/secret.copy"
try read cat "$BASE/other/secret"
ln -s "$BASE/other" peek; try readlink cat peek/secret
try list ls "$BASE/other"
try run "$BASE/outside/program"
try tmp put "/tmp/$TOKEN"
try shadow cat /etc/shadow
"#;

async fn escapes(scratch: &Scratch, access: FileAccess) -> Vec<String> {
    fs::write(scratch.0.join("other/secret.copy"), "hunter2").unwrap();
    support::copy_program(Path::new("/bin/true"), &scratch.0.join("outside/program"));
    let token = token("g14");
    let (text, _) = output(scratch.shell(ESCAPES).env("TOKEN", &token).files(access)).await;
    drop(fs::remove_file(format!("/tmp/{token}")));
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn g14_a_child_reaches_only_its_own_directories() {
    let scratch = Scratch::new("g14");
    let ways = escapes(&scratch, scratch.own()).await;
    if contained().is_none() {
        assert!(ways.iter().any(|way| way == "absolute"), "then it starts with its owner's reach: {ways:?}");
        return;
    }
    assert_eq!(ways, ["own"]);
    let outside: Vec<_> = fs::read_dir(scratch.0.join("outside")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(outside, ["program"]);
    assert_eq!(fs::read_to_string(scratch.0.join("other/secret")).unwrap(), "hunter2");
    assert!(scratch.0.join("other/secret.copy").exists());
}

#[tokio::test]
async fn g14_without_grants_each_of_those_ways_is_open() {
    let scratch = Scratch::new("g14-open");
    let ways = escapes(&scratch, FileAccess::Owners).await;
    for way in ["own", "absolute", "dots", "link", "dangling", "grandchild", "rename", "hardlink", "directory"] {
        assert!(ways.iter().any(|other| other == way), "{way} shows nothing: {ways:?}");
    }
    assert!(ways.iter().any(|way| way.contains("hunter2")) && ways.iter().any(|way| way == "run"), "{ways:?}");
}

#[tokio::test]
async fn g14_a_granted_file_is_read_and_not_written() {
    let scratch = Scratch::new("g14-read");
    let (granted, missing) = (scratch.0.join("other/secret"), scratch.0.join("never"));
    let grants = Grants { readable: vec![granted, missing], writable: vec![scratch.0.join("own")] };
    let script = "cat $BASE/other/secret; echo x >> $BASE/other/secret || echo; cat $BASE/other/secret.copy || echo no";
    let (text, _) = output(scratch.shell(script).files(FileAccess::Only(grants))).await;
    if contained().is_some() {
        assert_eq!(text, "hunter2\nno\n");
    }
}

#[tokio::test]
async fn g14_what_is_below_proc_tells_nothing_of_the_owner() {
    let scratch = Scratch::new("g14-proc");
    let script = "grep -q . /proc/$OWNER/environ && echo environ; readlink /proc/$OWNER/fd/0 >/dev/null && echo fd; \
                  cat /proc/$OWNER/maps >/dev/null && echo maps; ls /proc/$OWNER/cwd/ >/dev/null && echo cwd; \
                  kill -0 $OWNER && echo signal; kill -0 $$ && grep -q . /proc/self/environ && echo self";
    let spec = |access| scratch.shell(script).env("OWNER", std::process::id().to_string()).files(access);
    let (text, _) = output(spec(FileAccess::Owners)).await;
    assert_eq!(text.lines().count(), 6, "an owner's reach has them all: {text}");
    let (text, _) = output(spec(scratch.own())).await;
    match contained() {
        Some(FileContainment { scopes: true, .. }) => assert_eq!(text, "self\n"),
        Some(_) => assert_eq!(text, "signal\nself\n"),
        None => {}
    }
}

/// Rules on files alone do not hold root, who can make a device of the disk.
#[tokio::test]
async fn g14_a_child_of_root_has_none_of_its_powers() {
    let scratch = Scratch::new("g14-root");
    let script = "sed -n 's/^Cap[BIPA][a-z]*:[[:space:]]*//p' /proc/self/status | sort -u | tr '\\n' ' '; \
                  mknod disk b 1 0 && echo disk";
    let (text, _) = output(scratch.shell(script)).await;
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID.
    let root = unsafe { libc::geteuid() } == 0;
    if root {
        assert_eq!(text, "0000000000000000 000000000000001b ");
    } else {
        assert!(!text.contains("disk"), "{text}");
    }
}

/// What every program needs: devices, names, certificates, processes, its own terminal.
#[tokio::test]
async fn a_contained_child_can_work() {
    let scratch = Scratch::new("work");
    let script = "set -e; head -c 4 /dev/urandom | wc -c; echo x > /dev/null; cat /etc/passwd > copy; id -un; mkdir d; \
                  mv copy d/; rm -r d; ls /usr/bin >/dev/null; grep -q Name /proc/self/status; ls /dev/pts >/dev/null; \
                  sh -c 'echo nested'";
    let (text, exit) = output(scratch.shell(script)).await;
    assert!(exit.success() && text.starts_with("4\n") && text.ends_with("nested\n"), "{exit}: {text}");
}

#[tokio::test]
async fn limits_and_umask_are_seen_from_inside() {
    let scratch = Scratch::new("limits");
    let script = "umask; ulimit -Hc; ulimit -Sn; ulimit -Hn; ulimit -Hf; grep NoNewPrivs /proc/self/status; echo > made; \
                  mkdir sub";
    let mut spec = scratch.shell(script);
    // Lower than what this test itself may have, whatever that is.
    spec.limits.descriptors = 100;
    spec.limits.file_bytes = 1 << 20;
    let (text, _) = output(spec).await;
    assert_eq!(text, "0077\n0\n100\n100\n2048\nNoNewPrivs:\t1\n");
    let mode = |name: &str| fs::metadata(scratch.0.join("own/work").join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("made"), mode("sub")), (0o600, 0o700));
}

#[tokio::test]
async fn a_file_does_not_grow_over_its_limit() {
    let scratch = Scratch::new("size");
    let mut spec = scratch.shell("head -c 2097152 /dev/zero > large; echo $?");
    spec.limits.file_bytes = 1 << 20;
    let (text, _) = output(spec).await;
    assert_ne!(text, "0\n");
    assert_eq!(fs::metadata(scratch.0.join("own/work/large")).unwrap().len(), 1 << 20);
}

/// Hundreds of helpers: in the group, out of it, and ever new ones.
fn bomb(token: &str) -> String {
    format!(
        "i=0; while [ $i -lt 200 ]; do sleep {token} & (setsid sleep {token} &) ; i=$((i+1)); done; \
         i=0; while [ $i -lt 20 ]; do (while :; do sleep 0.0{token}; done) & i=$((i+1)); done; echo up; wait"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_a_fork_bomb_is_gone_soon_after_the_stop() {
    let token = token("g18");
    let mut running = Child::spawn(shell(&bomb(&token)).env("HOME", &token).mark("HOME")).await.unwrap();
    assert_eq!(running.stdout.read_u8().await.unwrap(), b'u');
    assert!(eventually(Duration::from_secs(20), || alive(&token) >= 400), "{} of 400", alive(&token));
    let start = Instant::now();
    running.child.stop(Duration::ZERO).await;
    let gone = eventually(GONE.saturating_sub(start.elapsed()), || alive(&token) == 0);
    let left = alive(&token);
    kill_all(&token);
    assert!(gone, "{left} alive");
}

/// Descendants that left the group and have nothing of its environment: only a control group holds those.
#[tokio::test]
async fn g18_and_p10_a_control_group_ends_what_hides() {
    let token = token("g18 hidden");
    let script = format!(
        "i=0; while [ $i -lt 200 ]; do (setsid env -i /bin/sleep {token} </dev/null >/dev/null 2>&1 &) ; i=$((i+1)); \
         done; echo up; sleep 1000"
    );
    let spec = shell(&script).cgroup(CgroupLimits::default());
    let mut running = Child::spawn(spec.env("HOME", &token).mark("HOME")).await.unwrap();
    assert_eq!(running.stdout.read_u8().await.unwrap(), b'u');
    let hidden = |count| support::running(&format!("/bin/sleep {token}")) >= count;
    assert!(eventually(Duration::from_secs(20), || hidden(200)), "{} of 200", alive(&token));
    let start = Instant::now();
    running.child.stop(Duration::ZERO).await;
    match cgroup_containment() {
        Ok(_) => {
            let gone = eventually(GONE.saturating_sub(start.elapsed()), || !hidden(1));
            kill_all(&token);
            assert!(gone, "some outlived it");
        }
        Err(reason) => {
            println!("NO CONTROL GROUPS HERE: {reason}");
            assert!(!reason.hint().is_empty());
            let left = alive(&token);
            kill_all(&token);
            assert!(left >= 200, "then they survive: {left}");
        }
    }
}

/// Kills this test's own sleepers, which carry its token.
fn kill_all(token: &str) {
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(token) && pid != std::process::id() as i32 {
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    }
}

/// Not a test of its own: the owner, when this binary is run again by the test below.
#[tokio::test]
async fn owner() {
    let Ok(token) = env::var(OWNER) else { return };
    let script = format!("(setsid env -i /bin/sleep {token} </dev/null >/dev/null 2>&1 &) ; sleep 1000");
    let _running = Child::spawn(shell(&script).cgroup(CgroupLimits::default())).await.unwrap();
    assert!(eventually(Duration::from_secs(10), || support::running(&format!("/bin/sleep {token}")) == 1));
    println!("ready: {}", cgroup_containment().is_ok());
    std::future::pending::<()>().await;
}

#[test]
fn p09_what_hides_ends_with_a_killed_owner_too() {
    let token = token("p09 hidden");
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["owner", "--exact", "--nocapture"])
        .env(OWNER, &token)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map_while(Result::ok);
    let possible = lines.find_map(|line| Some(line.split_once("ready: ")?.1.starts_with("true")));
    owner.kill().unwrap();
    owner.wait().unwrap();
    let gone = eventually(GONE, || alive(&token) == 0);
    kill_all(&token);
    assert_eq!(Some(gone), possible, "gone where there are control groups");
}

/// All of the above as a user without privileges, to whom the kernel may say otherwise.
#[test]
fn an_ordinary_user_has_the_same() {
    if unsafe { libc::geteuid() } != 0 {
        return; // the tests above were those
    }
    let directory = env::temp_dir().join(format!("containment-user-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    let copy = copied(&directory);
    let run = Command::new(&copy).arg("--nocapture").current_dir("/").uid(65_534).gid(65_534).output();
    fs::remove_dir_all(&directory).unwrap();
    let run = run.unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{text}\n{}", String::from_utf8_lossy(&run.stderr));
    assert!(text.contains("test result: ok.") && !text.contains(" 0 passed"), "{text}");
}

fn copied(directory: &Path) -> PathBuf {
    let copy = directory.join("containment");
    support::copy_program(&env::current_exe().unwrap(), &copy);
    copy
}
