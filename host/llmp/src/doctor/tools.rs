//! The servers whose tools the model is offered: whether they can be started or asked. None is.

use super::page::Page;
use crate::config::{McpPlace, Resolved};
use crate::failure::Failure;
use crate::{Surroundings, mcp};
use llm_provider_host::egress::Origin;

pub(super) fn write(resolved: &Resolved, surroundings: &Surroundings, page: &mut Page) {
    if resolved.tools.servers.is_empty() {
        return;
    }
    page.heading("tools");
    for server in &resolved.tools.servers {
        let found = match &server.place {
            McpPlace::Command { program, .. } => mcp::program(&server.name, program, surroundings)
                .map(|path| format!("{}, not started here", path.display())),
            McpPlace::Url { url, .. } => place(&server.name, url, resolved),
        };
        match found {
            Ok(place) => page.line(&server.name, &place),
            Err(failure) => {
                page.line(&server.name, "cannot be used");
                page.failure(&failure);
            }
        }
    }
}

/// The origin alone: the rest of an address may hold a key.
fn place(name: &str, url: &str, resolved: &Resolved) -> Result<String, Failure> {
    mcp::way(name, url, &resolved.sidecar.network)?;
    Ok(Origin::of(url).map(|origin| format!("{origin}, not asked here")).unwrap_or_default())
}
