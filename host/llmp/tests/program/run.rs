//! Runs the program in an environment of its own.

use llmp_tests::real_cli::cache_dir;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What nothing takes that is not broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A place to run the program in: its own home, its own working directory, the shared cache of downloads.
pub(crate) struct Place {
    pub(crate) home: TempDir,
    cache: PathBuf,
    variables: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let home = TempDir::new().expect("a directory");
        Self { home, cache: cache_dir(), variables: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    /// The program with arguments, without anything of the developer's own configuration but what npm needs.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmp"));
        command.args(arguments).current_dir(self.home.path()).env_clear();
        let npm = |name: &str| name.to_ascii_lowercase().starts_with("npm_config_") || name == "NODE_EXTRA_CA_CERTS";
        command.envs(std::env::vars().filter(|(name, _)| npm(name) || name == "PATH" || name == "HOME"));
        command.env("LLMP_CACHE_DIR", &self.cache).env("LLMP_DATA_DIR", self.home.path().join("data"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// With a service that speaks OpenAI's dialect, and no other.
    pub(crate) fn asking(self, base_url: &str) -> Self {
        self.with("OPENAI_API_KEY", "sk-a-long-enough-key").with("OPENAI_MODEL", "m").with("OPENAI_BASE_URL", base_url)
    }

    /// Waits until there is such a file.
    pub(crate) fn until_there(&self, name: &str) {
        let (path, began) = (self.home.path().join(name), Instant::now());
        while !path.exists() {
            assert!(began.elapsed() < PATIENCE, "there is no {name}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it, to talk with it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        let mut stdout = child.stdout.take().expect("piped");
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).expect("UTF-8");
            text
        });
        let (teller, told) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| teller.send(line)));
        Running { stdin: child.stdin.take().expect("piped"), child, stdout, told, stderr: String::new() }
    }

    /// Runs it with nothing on stdin.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, b"")
    }

    /// Runs it with something on stdin.
    pub(crate) fn run_with(&self, arguments: &[&str], stdin: &[u8]) -> Ran {
        let mut command = self.command(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        let mut input = child.stdin.take().expect("piped");
        let stdin = stdin.to_vec();
        // A program that refuses does not read on.
        let writer = std::thread::spawn(move || drop(input.write_all(&stdin)));
        let output = child.wait_with_output().expect("waited");
        writer.join().expect("written");
        Ran::new(output)
    }
}

/// The program while it runs. Its stdin stays open.
pub(crate) struct Running {
    child: Child,
    stdin: ChildStdin,
    stdout: JoinHandle<String>,
    told: mpsc::Receiver<String>,
    stderr: String,
}

impl Running {
    /// Waits for a line of stderr that has this in it.
    pub(crate) fn until_told(&mut self, part: &str) {
        loop {
            let line = self.told.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("it never said `{part}`: {}", self.stderr));
            self.stderr.push_str(&format!("{line}\n"));
            if line.contains(part) {
                return;
            }
        }
    }

    pub(crate) fn type_in(&mut self, text: &str) {
        self.stdin.write_all(text.as_bytes()).expect("it reads");
    }

    /// Sends it a signal, such as `-INT`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().expect("kill").success());
    }

    /// What came out, once it has ended by itself; and how long that took.
    pub(crate) fn end(mut self) -> (Ran, Duration) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("waited") {
                break status;
            }
            if began.elapsed() > PATIENCE {
                self.child.kill().expect("killed");
                panic!("it does not end: {}{:?}", self.stderr, self.told.try_iter().collect::<Vec<_>>());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let took = began.elapsed();
        let rest: Vec<String> = self.told.iter().collect();
        let stderr = self.stderr + &rest.iter().map(|line| format!("{line}\n")).collect::<String>();
        (Ran { code: status.code(), stdout: self.stdout.join().expect("read"), stderr }, took)
    }
}

/// What came out.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn new(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Checks a refusal: its code, one line that says what, and a hint; never a panic or a stack trace.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, what: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let errors: Vec<&str> = self.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(errors.len() == 1 && errors[0].contains(what), "{self:?}");
        assert_eq!(self.stderr.lines().filter(|line| line.starts_with("hint: ")).count(), 1, "{self:?}");
        for trace in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
            assert!(!self.stderr.contains(trace), "{self:?}");
        }
    }
}
