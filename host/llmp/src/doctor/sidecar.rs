//! The Copilot CLI: here, or where it would come from.

use super::page::Page;
use crate::config::{Resolved, printable};
use crate::egress;
use llm_provider_host::Isolation;
use llm_provider_host::artefact::{Error, Lookup, Origin, Request, locate, npm};
use llm_provider_host::process::network_isolation;

/// Writes where it is. A program that only the working directory's file names is not run to ask for its version: who looks
/// at a directory does not trust it yet.
pub(super) async fn write(mut request: Request, of_working_directory: bool, page: &mut Page) {
    page.heading("sidecar");
    page.line("program", request.product.name);
    let untried = of_working_directory && request.explicit_path.is_some();
    if untried {
        request.runner = None;
    }
    match locate(&request).await {
        Ok(Lookup::Found(located)) => {
            let unknown =
                if untried { "not asked: the working directory's file names this program" } else { "unknown" };
            let version = located.version.as_ref().map_or_else(|| unknown.to_owned(), ToString::to_string);
            page.line("version", &version);
            page.line("found", &format!("{} ({})", located.path.display(), named(&located.origin)));
        }
        Ok(Lookup::NotFound { expected, damaged }) => {
            page.line("version", &request.version.to_string());
            if let Some(reason) = damaged {
                let message = format!("what lies at {} is damaged: {}", expected.display(), printable(&reason));
                page.warning(&message, Some("nothing: it will be replaced"));
            }
            missing(&request, page).await;
        }
        Err(error) => page.error(&error.to_string(), error.hint().as_deref()),
    }
}

/// Whether it is started without a network. Of one that runs already nobody here knows.
pub(super) fn write_network(resolved: &Resolved, page: &mut Page) {
    if resolved.attach.is_none() || resolved.legacy {
        page.line("network", &network(egress::isolation(resolved)));
    }
}

/// What it reaches, for a person.
pub(super) fn network(isolation: Isolation) -> String {
    if isolation == Isolation::Never {
        return "that of this machine; it may send requests itself, or use tools that do".to_owned();
    }
    match network_isolation() {
        Ok(()) => "none; its requests are sent for it".to_owned(),
        Err(reason) => {
            let hint = reason.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
            format!("that of this machine, although it needs none: {reason}{hint}")
        }
    }
}

fn named(origin: &Origin) -> String {
    match origin {
        Origin::Path { named_by } => named_by.clone(),
        other => other.to_string(),
    }
}

/// Where `obtain` would look, in its order.
async fn missing(request: &Request, page: &mut Page) {
    if request.offline {
        let message = format!("{} is not in the cache, and downloads are off", request.product.name);
        page.error(&message, Some("set offline = false in [sidecar], or name an installed program by its path"));
        return;
    }
    page.line("found", "not yet; it is fetched on the first question");
    if let Some(url) = &request.override_url {
        page.line("source", &format!("the address in {}", url.from));
        return;
    }
    let registry = match &request.npm {
        Some(inputs) => npm::resolve(inputs, request.product.scope).await,
        None => Err(Error::NoRegistry { detail: String::new() }),
    };
    match registry {
        Ok(settings) => {
            for note in &settings.notes {
                page.note(&format!("npm: {note}"));
            }
            page.line("source", &format!("the npm registry {} ({})", shown(&settings), settings.source));
            page.line("otherwise", request.product.release_base);
        }
        Err(error @ Error::NoRegistry { .. }) => {
            page.warning(&error.to_string(), error.hint().as_deref());
            page.line("source", request.product.release_base);
        }
        Err(error) => page.error(&error.to_string(), error.hint().as_deref()),
    }
}

/// The registry's address without a user and a password.
fn shown(settings: &npm::Settings) -> String {
    let mut url = settings.registry.clone();
    // Both fail only for addresses that cannot have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}
