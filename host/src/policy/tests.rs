//! Policy files: what they grant, and how what is wrong with them reads.

use super::{Policy, PolicyError, PolicySources};
use crate::inspect::Capability;
use crate::quota::Allowance;
use crate::secret::Destination;
use crate::sidecar::{CopilotCli, CopilotOneShot, Isolation};
use llm_provider_artefact::{COPILOT_CLI, Platform, Request};
use llm_provider_http::Trust;
use std::sync::Arc;
use std::time::Duration;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn read(text: &str) -> Result<Policy, PolicyError> {
    let trust = Trust::only([]).expect("nobody is trusted");
    Policy::from_toml(text, "acme.toml", &PolicySources::new(trust))
}

fn error(text: &str) -> String {
    match read(text) {
        Ok(_) => panic!("not refused: {text}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_empty_policy_grants_nothing() {
    let policy = read("directory = '/srv/acme'").expect("a policy");
    assert_eq!(policy.plugins, Some(Default::default()));
    assert!(policy.capabilities.is_empty() && policy.egress.is_none() && policy.sidecars.is_empty());
    assert!(policy.secrets.is_empty() && policy.references.is_empty() && policy.provider_tools.is_empty());
    assert_eq!(
        (policy.tools.as_ref().map(|tools| tools.len()), policy.models.as_ref().map(Vec::len)),
        (Some(0), Some(0))
    );
    assert!(policy.permits_model(Some("any")).is_err() && policy.permits_tool("any").is_err());
}

#[test]
fn everything_that_is_said_is_granted_and_nothing_else() {
    let text = format!(
        "directory = '/srv/acme'\ntools = ['search']\nmodels = ['gpt-*']\n\
         [[plugins]]\nname = 'openai'\ndigest = '{DIGEST}'\ncapabilities = ['http']\n\
         [[origins]]\norigin = 'https://api.example.com'\n\
         [secrets.key]\nfrom = 'file:///run/key'\n\
         to = [{{ origin = 'https://api.example.com:443', header = 'Authorization' }}, {{ input-of = 'copilot-cli' }}]\n\
         [quotas]\ninstances = 3\ntokens = {{ most = 10, per-seconds = 60 }}\n\
         [limits]\nprompt-bytes = 1000\nturn-deadline-seconds = 5\n"
    );
    let policy = read(&text).expect("a policy");
    let granted = &policy.plugins.as_ref().expect("a list")[&DIGEST.parse().expect("a digest")];
    assert!(granted.contains(&Capability::Http) && granted.contains(&Capability::Events));
    assert!(!granted.contains(&Capability::Sidecar));
    let header = Destination::HttpHeader { origin: "https://api.example.com".into(), header: "authorization".into() };
    let input = Destination::SidecarInput { sidecar: "copilot-cli".into() };
    assert_eq!(policy.references["key"].destinations, [header, input]);
    assert_eq!(policy.references["key"].address, "file:///run/key");
    assert_eq!(policy.quotas.instances, 3);
    assert_eq!(policy.quotas.tokens, Some(Allowance::new(10, Duration::from_secs(60))));
    let limits = policy.tighten(&crate::Limits::default());
    assert_eq!((limits.prompt_bytes, limits.turn_deadline), (1_000, Duration::from_secs(5)));
    assert_eq!(limits.turns, crate::Limits::default().turns);
}

/// H11: what is mistyped is named with its place, and what there is.
#[test]
fn what_is_wrong_is_named_with_its_place() {
    let begin = "directory = '/srv/acme'\n";
    for (rest, says) in [
        ("orgins = []", "acme.toml:2: unknown field `orgins`, expected one of"),
        ("[quotas]\ntoken = { most = 1, per-seconds = 1 }", "acme.toml:3: unknown field `token`"),
        ("[quotas]\ntokens = { most = 1 }", "missing field `per-seconds`"),
        ("[quotas]\ntokens = { most = 1, per-seconds = 0 }", "acme.toml:3: invalid value: integer `0`"),
        ("[quotas]\nturns = -1", "acme.toml:3: invalid value"),
        ("[[plugins]]\ndigest = 'sha256:1'", "acme.toml: `sha256:1` is no digest"),
        ("[[origins]]\norigin = 'api.example.com'", "acme.toml: `api.example.com` is no origin"),
        ("[sidecars.copilot-cli]", "acme.toml: there is no sidecar `copilot-cli`; the host has []"),
        ("[secrets.key]\nfrom = 'file:///k'\nto = [{ header = 'x' }]", "acme.toml:4: "),
        ("= 1", "acme.toml:2: "),
    ] {
        let error = error(&format!("{begin}{rest}"));
        assert!(error.contains(says), "{rest}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let text = format!("{begin}[[plugins]]\ndigest = '{DIGEST}'\ncapabilities = ['htpp']");
    assert!(error(&text).contains("there is no capability `htpp`; there are http, sidecar"));
    assert!(error("").contains("missing field `directory`"));
}

#[test]
fn sidecars_have_typed_options() {
    let mut cli = CopilotCli::new(Request::new(COPILOT_CLI, Platform::current().expect("a platform"), "/nonexistent"));
    (cli.isolation, cli.network.github_host) = (Isolation::WherePossible, Some("example.ghe.com".into()));
    let mut sources = PolicySources::new(Trust::only([]).expect("nobody is trusted"));
    sources.catalogue = vec![Arc::new(CopilotOneShot { cli: cli.clone() }), Arc::new(cli)];
    let read = |rest: &str| Policy::from_toml(&format!("directory = '/srv/acme'\n{rest}"), "acme.toml", &sources);
    let text =
        "[sidecars.copilot-cli]\nisolation = 'required'\nproxy = 'http://proxy:3128'\n[sidecars.copilot-cli-oneshot]\n";
    let policy = read(text).expect("a policy");
    let names: Vec<&str> = policy.sidecars.iter().map(|program| program.name()).collect();
    assert_eq!(names, ["copilot-cli", "copilot-cli-oneshot"]);
    for (options, says) in [
        ("isolation = 'none'", "acme.toml: the sidecar `copilot-cli`: unknown variant `none`"),
        ("program = '/bin/sh'", "acme.toml: the sidecar `copilot-cli`: unknown field `program`, expected one of"),
        ("readable = ['/']", "acme.toml: the sidecar `copilot-cli`: unknown field `readable`"),
        ("proxy = 1", "acme.toml: the sidecar `copilot-cli`: invalid type"),
    ] {
        let error = read(&format!("[sidecars.copilot-cli]\n{options}")).err().expect("refused").to_string();
        assert!(error.starts_with(says), "{error}");
    }
}
