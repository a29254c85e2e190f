//! Who answers, and which name decided what.

use super::page::Page;
use crate::config::{ConfigFile, Endpoint, EndpointKind, McpPlace, Provider, Report, Resolved, Through, WireApi};

pub(super) fn write(resolved: &Resolved, report: &Report, page: &mut Page) {
    page.heading("provider");
    page.line("name", &format!("{} ({})", resolved.provider.value.name(), resolved.provider.from));
    match &resolved.provider.value {
        Provider::Github { token } => page.line("token", &format!("in {}", token.from)),
        Provider::Endpoint(endpoint) => write_endpoint(endpoint, page),
        Provider::Demo => page.note(
            "answers come from the demo model inside this program; set COPILOT_GITHUB_TOKEN, or name a provider in \
             llmp.toml, for a real one",
        ),
    }
    let model = resolved.model.as_ref().map(|model| format!("{} ({})", model.value, model.from));
    page.line("model", model.as_deref().unwrap_or("the provider's own choice"));

    page.heading("configuration");
    page.line("file", &report.file.as_ref().map_or_else(|| "none".to_owned(), described));
    for setting in &report.settings {
        let over = match setting.overridden.as_slice() {
            [] => String::new(),
            names => format!(" (goes before {})", names.join(", ")),
        };
        page.line(&setting.name, &format!("{}{over}", setting.from));
    }
    for (name, from) in servers(resolved, report) {
        page.line(&name, &from);
    }
    for note in &report.notes {
        page.note(note);
    }
    for problem in &report.problems {
        page.warning(&problem.message, Some(&problem.hint));
    }
}

/// Whether the file that was read is there because the program was started there, and not because somebody named it.
pub(super) fn is_of_working_directory(report: &Report) -> bool {
    report.file.as_ref().is_some_and(|file| file.named_by == "in the working directory")
}

/// The programs and addresses of servers, which no other place than the file can name.
fn servers(resolved: &Resolved, report: &Report) -> Vec<(String, String)> {
    let file = report.file.as_ref().map(|file| match file.path.file_name() {
        Some(name) if is_of_working_directory(report) => name.to_string_lossy().into_owned(),
        _ => file.path.display().to_string(),
    });
    let file = file.unwrap_or_default();
    let setting = |name: &str, key: &str| (format!("mcp.{name}.{key}"), format!("{file}: mcp.{name}.{key}"));
    let servers = resolved.tools.servers.iter().map(|server| match &server.place {
        McpPlace::Command { .. } => setting(&server.name, "command"),
        McpPlace::Url { .. } => setting(&server.name, "url"),
    });
    servers.collect()
}

fn described(file: &ConfigFile) -> String {
    format!("{} ({})", file.path.display(), file.named_by)
}

/// The address holds no secret: one with a user or a query was refused.
fn write_endpoint(endpoint: &Endpoint, page: &mut Page) {
    page.line("address", &format!("{} ({})", endpoint.base_url.value, endpoint.base_url.from));
    let kind = match endpoint.kind.value {
        EndpointKind::OpenAi => "openai",
        EndpointKind::Azure => "azure",
        EndpointKind::Anthropic => "anthropic",
        EndpointKind::Gemini => "gemini",
    };
    let wire = match endpoint.wire_api {
        Some(WireApi::Completions) => ", completions",
        Some(WireApi::Responses) => ", responses",
        None => "",
    };
    page.line("type", &format!("{kind}{wire} ({})", endpoint.kind.from));
    let through = match endpoint.through {
        Through::Http => "HTTP, by a plugin of this program",
        Through::Copilot => "the Copilot CLI",
    };
    page.line("through", through);
    page.line(
        "key",
        &endpoint
            .api_key
            .as_ref()
            .or(endpoint.token.as_ref())
            .map_or_else(|| "none".to_owned(), |key| format!("in {}", key.from)),
    );
}
