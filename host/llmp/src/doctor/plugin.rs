//! The plugin, the machine and the sandbox.

use super::containment;
use super::page::{Page, size};
use crate::failure::Failure;
use llm_provider_host::artefact::Platform;
use llm_provider_host::{Host, HostConfig, Inspection, Limits, inspect};
use std::path::Path;

/// Reads the plugin without compiling it.
pub(super) fn write(file: Option<&Path>, embedded: &'static [u8], page: &mut Page) {
    page.heading("plugin");
    match read(file, embedded) {
        Ok(inspection) => {
            let said = &inspection.description;
            let place = file.map_or_else(|| "embedded".to_owned(), |path| path.display().to_string());
            page.line("name", &format!("{} {} ({place})", said.name, said.version));
            page.line("size", &size(inspection.size as u64));
            let names: Vec<_> = inspection.capabilities.iter().map(|capability| capability.name()).collect();
            page.line("imports", &names.join(", "));
        }
        Err(failure) => page.failure(&failure),
    }
}

fn read(file: Option<&Path>, embedded: &'static [u8]) -> Result<Inspection, Failure> {
    let limits = Limits::default();
    let Some(path) = file else {
        return Ok(inspect(embedded, "the embedded plugin", &limits)?);
    };
    let origin = path.display().to_string();
    Ok(inspect(&crate::inspect::read(path, &origin, limits.component_bytes)?, &origin, &limits)?)
}

/// Whether the machine gives what the sandbox and sidecars need.
pub(super) fn write_sandbox(page: &mut Page) {
    page.heading("machine");
    match Platform::current() {
        Ok(platform) => page.line("platform", platform.name()),
        Err(error) => page.error(&error.to_string(), error.hint().as_deref()),
    }
    match Host::new(HostConfig::default()) {
        Ok(_) => page.line("sandbox", "ready"),
        Err(error) => page.error(&error.to_string(), error.hint().as_deref().or(Some("raise `ulimit -v`"))),
    }
    if cfg!(target_os = "linux") {
        page.line("sidecars", "process groups, ended with their owner");
        containment::write(page);
    } else {
        page.error("sidecars can be started on Linux only, so far", Some("run llmp on Linux"));
    }
}
