//! `llmp plugin inspect`: what a plugin is and wants, without running or compiling it.

use crate::config::{deceives, printable};
use crate::failure::{Failure, FailureKind};
use crate::output;
use llm_provider_host::{Inspection, Limits, inspect};
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;

/// Prints what is known of a plugin.
pub(crate) fn run(file: &Path, as_json: bool) -> Result<(), Failure> {
    let limits = Limits::default();
    let origin = printable(&file.display().to_string());
    let inspection = inspect(&read(file, &origin, limits.component_bytes)?, &origin, &limits).map_err(escaped)?;
    let text = if as_json { as_json_text(&inspection, &limits) } else { as_text(&inspection, &limits) };
    output::data(&text).map_err(|error| Failure {
        kind: FailureKind::Usage,
        message: format!("cannot write to stdout: {error}"),
        hint: None,
    })
}

/// The file, or one byte more than may be inspected: enough for the refusal.
pub(crate) fn read(file: &Path, origin: &str, limit: usize) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage(format!("cannot read the plugin {origin}: {error}"), "give the path of a .wasm file")
    };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The reason may quote the plugin.
fn escaped(error: llm_provider_host::HostError) -> Failure {
    let failure = Failure::from(error);
    Failure { message: printable(&failure.message), ..failure }
}

/// A page of lines. Everything the plugin says goes through [`printable`].
pub(crate) fn as_text(inspection: &Inspection, limits: &Limits) -> String {
    let said = &inspection.description;
    let mut page =
        Page(format!("{} {}: {}\n", printable(&said.name), printable(&said.version), printable(&said.summary)));
    page.line("digest", &inspection.digest.to_string());
    page.line("size", &format!("{} bytes (at most {})", inspection.size, limits.component_bytes));
    page.line("memory", &memory(inspection, limits));
    page.list("dialects", said.dialects.iter().map(|text| printable(text)));
    page.list("models", said.models.iter().map(|text| printable(text)));
    page.list(
        "may ask the host to",
        inspection.capabilities.iter().map(|capability| format!("{capability}: {}", capability.meaning())),
    );
    page.list(
        "wants the secrets",
        said.secrets.iter().map(|secret| format!("{}: {}", printable(&secret.name), printable(&secret.purpose))),
    );
    page.list("wants the sidecars", said.sidecars.iter().map(|text| printable(text)));
    page.list("wants the origins", said.origins.iter().map(|text| printable(text)));
    page.list("imports", inspection.imports.iter().map(|text| printable(text)));
    page.0
}

fn memory(inspection: &Inspection, limits: &Limits) -> String {
    let most = match inspection.maximum_memory {
        Some(bytes) => format!("declares at most {}", kib(bytes)),
        None => "declares no maximum".to_owned(),
    };
    format!(
        "starts with {}, {most} (the host allows {})",
        kib(inspection.initial_memory),
        kib(limits.memory_bytes as u64)
    )
}

fn kib(bytes: u64) -> String {
    match bytes >> 10 {
        kib if kib >= 1024 && kib % 1024 == 0 => format!("{} MiB", kib >> 10),
        kib => format!("{kib} KiB"),
    }
}

/// JSON, in which the characters it leaves as they are and a terminal obeys are escaped too.
fn as_json_text(inspection: &Inspection, limits: &Limits) -> String {
    let escape = |mut text: String, c: char| {
        if c != '\n' && deceives(c) {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
        text
    };
    format!("{:#}\n", as_value(inspection, limits)).chars().fold(String::new(), escape)
}

fn as_value(inspection: &Inspection, limits: &Limits) -> Value {
    let capabilities: Vec<_> = inspection
        .capabilities
        .iter()
        .map(|capability| json!({ "name": capability.name(), "meaning": capability.meaning() }))
        .collect();
    json!({
        "description": inspection.description,
        "digest": inspection.digest.to_string(),
        "capabilities": capabilities,
        "imports": inspection.imports,
        "size": inspection.size,
        "memory": { "initial": inspection.initial_memory, "maximum": inspection.maximum_memory },
        "limits": { "component-bytes": limits.component_bytes, "memory-bytes": limits.memory_bytes },
    })
}

/// Lines, and lists under a heading.
struct Page(String);

impl Page {
    fn line(&mut self, name: &str, text: &str) {
        self.0.push_str(&format!("{name}: {text}\n"));
    }

    fn list(&mut self, name: &str, items: impl Iterator<Item = String>) {
        let items: Vec<_> = items.map(|item| format!("  {item}\n")).collect();
        match items.as_slice() {
            [] => self.0.push_str(&format!("{name}: none\n")),
            items => self.0.push_str(&format!("{name}:\n{}", items.concat())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llm_provider_host::{Digest, SecretWanted};

    fn copilot() -> Inspection {
        inspect(llm_provider_bundle::COPILOT, "x", &Limits::default()).unwrap()
    }

    #[test]
    fn the_page_says_everything_beside_the_hosts_limits() {
        let mut inspection = copilot();
        inspection.description.version = "1.2.3".into();
        inspection.size = 12_345;
        (inspection.initial_memory, inspection.maximum_memory) = (1_114_112, None);
        inspection.description.origins = vec!["https://api.example".into()];
        let page = as_text(&inspection, &Limits::default());
        // A policy knows the plugin by these bytes' sum, and so writes it.
        let sum = Digest::of(llm_provider_bundle::COPILOT);
        let digest = format!("\ndigest: {sum}\n");
        assert!(sum.to_string().starts_with("sha256:") && page.contains(&digest), "{page}");
        let page = page.replace(&digest, "\n");
        let beginning = "copilot 1.2.3: GitHub Copilot, or an endpoint of one's own, through the official Copilot CLI\n\
            size: 12345 bytes (at most 16777216)\n\
            memory: starts with 1088 KiB, declares no maximum (the host allows 256 MiB)\n\
            dialects:\n  copilot-cli/3\n\
            models: none\n\
            may ask the host to:\n  http: sends HTTP requests to the origins the policy grants\n  sidecar: starts the helper processes the policy grants\n";
        assert!(page.starts_with(beginning), "{page}");
        for part in [
            "wants the secrets:\n  github-token: The GitHub token, in the sidecar's environment only\n",
            "wants the sidecars:\n  copilot-cli\n",
            "wants the origins:\n  https://api.example\n",
            "imports:\n",
            "  llm:provider/sidecar@0.1.",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }

    #[test]
    fn what_a_plugin_says_cannot_command_the_terminal() {
        let evil = "\u{1b}]0;x\u{7}\n\u{202e}\u{9b}2J";
        let mut inspection = copilot();
        let said = &mut inspection.description;
        said.summary = evil.into();
        for list in [&mut said.dialects, &mut said.models, &mut said.sidecars, &mut said.origins] {
            *list = vec![evil.into()];
        }
        said.secrets = vec![SecretWanted { name: evil.into(), purpose: evil.into() }];
        inspection.imports.push(evil.into());
        for text in [as_text(&inspection, &Limits::default()), as_json_text(&inspection, &Limits::default())] {
            assert!(!text.contains(|c| c != '\n' && deceives(c)), "{text:?}");
            assert!(!text.contains("\n\u{202e}") && !text.contains("\n\\u{202e}"), "no line of its own: {text:?}");
        }
        let value: Value = serde_json::from_str(&as_json_text(&inspection, &Limits::default())).unwrap();
        assert_eq!(value["description"]["summary"], evil, "JSON keeps the value");
    }

    #[test]
    fn json_has_the_fields() {
        let value = as_value(&copilot(), &Limits::default());
        assert_eq!(value["description"]["name"], "copilot");
        assert_eq!(value["digest"], Digest::of(llm_provider_bundle::COPILOT).to_string());
        assert_eq!(value["capabilities"][0]["name"], "http");
        assert_eq!(value["limits"]["memory-bytes"], 268_435_456);
        assert_eq!(value["size"], llm_provider_bundle::COPILOT.len());
    }
}
