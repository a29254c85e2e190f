//! `llmp doctor`: what is configured, what was found, and what to do about problems. It uses no network, and runs nothing
//! that only the working directory's file names.

mod configuration;
mod containment;
mod directories;
mod page;
mod plugin;
mod sidecar;
mod tools;

use crate::Surroundings;
use crate::config::{self, Flags};
use crate::failure::{Failure, FailureKind};
use crate::{output, setup};
use page::Page;

/// Prints the report to stdout.
///
/// # Errors
/// When asking would fail: the report says why.
///
/// # Cancel safety
/// Yes; nothing is kept.
pub(crate) async fn run(flags: &Flags, surroundings: &Surroundings) -> Result<(), Failure> {
    let page = examine(flags, surroundings).await;
    output::data(page.text()).map_err(|error| Failure {
        kind: FailureKind::Usage,
        message: format!("cannot write to stdout: {error}"),
        hint: None,
    })?;
    match page.errors() {
        0 => Ok(()),
        1 => Err(Failure::usage("one thing is not ready", "see `error:` in the report")),
        count => Err(Failure::usage(format!("{count} things are not ready"), "see `error:` in the report")),
    }
}

/// Looks at everything, and goes on after a failure as far as it can.
async fn examine(flags: &Flags, surroundings: &Surroundings) -> Page {
    let mut page = Page::default();
    page.title(&format!("llmp {}", env!("CARGO_PKG_VERSION")));
    let (file, embedded) = match config::resolve(flags, &surroundings.environment, &surroundings.working_dir) {
        Ok((resolved, report)) => {
            configuration::write(&resolved, &report, &mut page);
            match surroundings.artefact(&resolved) {
                Ok(request) if resolved.through_copilot() => {
                    sidecar::write(request, configuration::is_of_working_directory(&report), &mut page).await;
                    sidecar::write_network(&resolved, &mut page);
                }
                Ok(_) => {}
                Err(failure) => page.failure(&failure),
            }
            tools::write(&resolved, surroundings, &mut page);
            directories::write(&resolved, &mut page);
            let embedded = setup::embedded(&resolved).0;
            (resolved.plugin, embedded)
        }
        Err(failure) => {
            page.failure(&failure);
            (flags.plugin.clone(), llm_provider_bundle::COPILOT)
        }
    };
    plugin::write(file.as_deref(), embedded, &mut page);
    plugin::write_sandbox(&mut page);
    page.end();
    page
}

#[cfg(test)]
mod tests;
