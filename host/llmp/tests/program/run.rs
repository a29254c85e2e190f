//! Runs the program in an environment of its own.

use llmp_tests::real_cli::cache_dir;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

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
