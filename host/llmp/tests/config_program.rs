//! The program from outside: exit codes, and what goes to which stream.
#![allow(clippy::unwrap_used)] // helpers of tests, where clippy does not see that they are

use std::path::PathBuf;
use std::process::{Command, Output};

/// A directory that is gone after the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("llmp-config-program-{}-{name}", std::process::id()));
        std::fs::create_dir_all(root.join("home")).unwrap();
        std::fs::create_dir_all(root.join("work")).unwrap();
        Self(root)
    }

    fn write(&self, below: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.0.join(below), text).unwrap();
    }

    /// Runs the program with nothing but a home in its environment, so that no npm is found and no network is used.
    fn llmp(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmp"));
        command.args(arguments).current_dir(self.0.join("work")).env_clear().env("HOME", self.0.join("home"));
        command.envs(variables.iter().copied()).output().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const REGISTRY: (&str, &str) = ("npm_config_registry", "http://registry.example/");

#[test]
fn doctor_ends_with_0_when_all_is_ready() {
    let output = Scratch::new("ready").llmp(&["doctor"], &[REGISTRY]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(out.contains("ready to answer") && err.is_empty(), "{out}{err}");
}

#[test]
fn doctor_ends_with_2_and_says_why() {
    let scratch = Scratch::new("broken");
    scratch.write("work/llmp.toml", "[providers.x]\nmodle = \"m\"\n");
    let output = scratch.llmp(&["doctor"], &[]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{out}{err}");
    let lines = "error: llmp.toml: unknown key `modle` in [providers.x] (line 2)\nhint: did you mean `model`?\n";
    assert!(out.contains(lines) && err.contains("one thing is not ready"), "{out}{err}");
}

#[test]
fn a_wrong_configuration_stops_ask_with_one_line_and_a_hint() {
    let scratch = Scratch::new("ask");
    let variables = [("GITHUB_TOKEN", "ghp_hunter2")];
    let output = scratch.llmp(&["ask", "hello"], &variables);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(
        output.stdout.is_empty() && err.contains("classic personal access token") && err.contains("hint: "),
        "{err}"
    );
    assert!(!err.contains("hunter2") && !err.contains("panicked"), "{err}");
}

#[test]
fn what_will_not_work_as_meant_is_told_before_the_answer() {
    let scratch = Scratch::new("warnings");
    let variables = [("NODE_EXTRA_CA_CERTS", "/none.pem"), ("COPILOT_PROVIDER_TYPE", "azure"), REGISTRY];
    for arguments in [&["ask", "--plugin", "none.wasm", "hello"][..], &["chat", "--plugin", "none.wasm"]] {
        let output = scratch.llmp(arguments, &variables);
        let err = text(&output.stderr);
        let lines: Vec<&str> = err.lines().filter(|line| line.starts_with("warning: ")).collect();
        let expected = [
            "warning: COPILOT_PROVIDER_TYPE is set without an address of the endpoint, and is not used; hint: set \
             GITHUB_COPILOT_PROVIDER_URL or COPILOT_PROVIDER_BASE_URL too, or unset COPILOT_PROVIDER_TYPE",
            "warning: NODE_EXTRA_CA_CERTS names /none.pem, which is no file; hint: correct or unset NODE_EXTRA_CA_CERTS",
        ];
        assert_eq!(lines, expected, "{err}");
        assert!(err.find("warning: ") < err.find("error: ") && err.contains("none.wasm"), "{err}");
    }
}

#[test]
fn a_token_that_is_not_there_is_no_reason_for_the_demo() {
    let scratch = Scratch::new("no-token");
    scratch.write("work/llmp.toml", "[github]\ntoken-env = \"MY_TOKEN\"\n");
    let output = scratch.llmp(&["ask", "hello"], &[]);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(output.stdout.is_empty() && err.contains("error: llmp.toml: github.token-env names MY_TOKEN"), "{err}");
    assert!(err.contains("hint: ") && !err.contains("warning: "), "{err}");
}

#[test]
fn inspect_refuses_what_is_no_plugin() {
    let scratch = Scratch::new("inspect");
    scratch.write("work/x.wasm", "\0asm\x01\0\0\0");
    for (file, message) in [
        ("x.wasm", "x.wasm: it is a core module, not a component"),
        ("none.wasm", "cannot read the plugin none.wasm"),
        (".", "cannot read the plugin ."),
        ("/dev/zero", "the limit is 16777216"),
    ] {
        let output = scratch.llmp(&["plugin", "inspect", file], &[]);
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(output.stdout.is_empty() && err.contains(message) && err.contains("hint: "), "{err}");
    }
}
