//! From variables and files to the request, and the processes it may run.

use super::*;
use crate::config::scratch::Scratch;
use crate::config::{Flags, resolve};
use llm_provider_host::artefact::ShortCommand;
use std::time::Duration;

fn made(scratch: &Scratch, variables: &[(&str, &str)], toml: &str) -> Result<Request, Failure> {
    scratch.write("work/llmp.toml", toml);
    let home = scratch.path("home").display().to_string();
    let mut all = vec![("HOME".to_owned(), home)];
    all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let env = Environment::of(all);
    let (resolved, _) = resolve(&Flags::default(), &env, &scratch.path("work"))?;
    request(&resolved, &env, &scratch.path("work"))
}

#[test]
fn the_default_is_the_products_version_from_npm_into_the_cache() {
    let scratch = Scratch::new();
    let request = made(&scratch, &[], "").unwrap();
    assert_eq!(request.version, COPILOT_CLI.default_version);
    assert_eq!(request.cache_dir, scratch.path("home/.cache/llmp"));
    assert!(request.explicit_path.is_none() && request.environment_path.is_none() && request.override_url.is_none());
    assert!(request.integrity.is_none() && !request.offline && !request.allow_unverified);
    let npm = request.npm.unwrap();
    assert_eq!((npm.home, npm.working_dir), (scratch.path("home"), scratch.path("work")));
    assert!(npm.runner.is_some() && request.runner.is_some());
}

/// S06 and the file's keys, each with its origin.
#[test]
fn s06_everything_that_can_be_said() {
    let scratch = Scratch::new();
    let digest = Integrity::Sha512([7; 64]).to_string();
    let toml =
        format!("[sidecar]\npath = \"bin/copilot\"\nversion = \"1.0.9\"\nintegrity = \"{digest}\"\noffline = true\n");
    let request = made(&scratch, &[("GITHUB_COPILOT_CLI_URL", "https://m.example/x.tgz")], &toml).unwrap();
    assert_eq!(request.version.to_string(), "1.0.9");
    assert_eq!(request.explicit_path, Some(Given::new(scratch.path("work/bin/copilot"), "llmp.toml: sidecar.path")));
    let url = request.override_url.unwrap();
    assert_eq!((url.value.as_str(), url.from.as_str()), ("https://m.example/x.tgz", "GITHUB_COPILOT_CLI_URL"));
    assert_eq!(request.integrity, Some(Integrity::Sha512([7; 64])));
    assert!(request.offline);
    let request = made(&scratch, &[("COPILOT_CLI_PATH", "/opt/copilot")], &toml).unwrap();
    assert_eq!(request.environment_path, Some(Given::new("/opt/copilot".into(), "COPILOT_CLI_PATH")));
    assert!(request.explicit_path.is_none(), "a variable goes before the file");
}

#[test]
fn an_address_that_cannot_be_used_is_named_and_not_shown() {
    for url in ["nonsense hunter2", "file:///hunter2", "//hunter2"] {
        let failure = made(&Scratch::new(), &[("GITHUB_COPILOT_CLI_URL", url)], "").err().expect("refused");
        assert!(failure.message.starts_with("GITHUB_COPILOT_CLI_URL is no"), "{}", failure.message);
        assert!(!failure.message.contains("hunter2") && failure.hint.is_some());
    }
    let scratch = Scratch::new();
    scratch.write("work/ca.pem", "garbage");
    let failure = made(&scratch, &[], "[network]\nca-bundle = \"ca.pem\"").err().expect("refused");
    assert!(failure.message.contains("work/ca.pem cannot be used"), "{}", failure.message);
}

#[test]
fn npm_learns_the_network_from_the_file_and_its_own_variables_go_first() {
    let toml = "[network]\nproxy = \"http://p.example:1\"";
    let request = made(&Scratch::new(), &[], toml).unwrap();
    let npm = request.npm.unwrap();
    assert_eq!((npm.env)("HTTPS_PROXY").as_deref(), Some("http://p.example:1"));
    assert_eq!((npm.env)("NO_PROXY").as_deref(), Some("localhost,127.0.0.1,::1"));
    assert_eq!((npm.env)("npm_config_registry"), None);
    assert!(request.egress.proxies.https.is_some() && request.egress.proxies.http.is_some());
    let request = made(&Scratch::new(), &[("HTTPS_PROXY", "http://q.example:1")], toml).unwrap();
    assert_eq!((request.npm.unwrap().env)("HTTPS_PROXY").as_deref(), Some("http://q.example:1"));
}

#[cfg(unix)]
fn script(scratch: &Scratch, below: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = scratch.write(below, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn command(program: impl Into<PathBuf>) -> ShortCommand {
    // Ten times what a shell script needs on a machine at its limit.
    let timeout = Duration::from_secs(30);
    ShortCommand { program: program.into(), args: vec!["a".into()], env: Vec::new(), timeout, max_output: 100 }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_bare_name_is_found_in_the_absolute_directories_of_path() {
    let scratch = Scratch::new();
    script(&scratch, "bin/npm", "#!/bin/sh\necho \"said $1\"\n");
    let path = format!("relative:{}:{}", scratch.path("none").display(), scratch.path("bin").display());
    let runner = Commands { search_path: Some(path.into()) };
    assert_eq!(runner.run(command("npm")).await.as_deref(), Ok("said a\n"));
    assert_eq!(runner.run(command("node")).await, Err("there is no node in the search path".to_owned()));
    assert_eq!(Commands::default().run(command("npm")).await, Err("there is no npm in the search path".to_owned()));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_failure_says_how_it_ended_and_the_last_line() {
    let scratch = Scratch::new();
    let failing = script(&scratch, "fails", "#!/bin/sh\necho first >&2\nprintf 'la\\033[31mst\\n\\n' >&2\nexit 3\n");
    let runner = Commands::default();
    assert_eq!(runner.run(command(failing)).await, Err("it ended with exit code 3: la\\u{1b}[31mst".to_owned()));
    let binary = script(&scratch, "binary", "#!/bin/sh\nprintf '\\377'\n");
    assert_eq!(runner.run(command(binary)).await, Err("its output is not UTF-8".to_owned()));
}
