//! Finds, fetches, verifies and publishes the program of a sidecar.
//!
//! Order of finding: explicit path, path from the environment, cache, override address, npm registry (as the user's npm
//! is configured), release. [`locate`] looks at the first three and uses no network; [`obtain`] goes on.
//!
//! # Invariants
//! - Nothing is published unless its digest was right (or the caller waived that for an override address) and it went
//!   through [`unpack`]'s rules. Publishing is one rename: a reader sees the old tree, no tree, or the new tree.
//! - One download at a time per version and platform, over all processes of the machine: a [`Lock`] on a file.
//! - A credential goes only to the origin and path it is bound to in npm's configuration.
//! - A project's `.npmrc`, which may have come with a clone, names registries and logins and nothing else, no variables.
//! - Who can change what comes without TLS does not say what a program must hash to, whatever a redirect leads to.
//! - No environment variable is read here and no process is started: values and a [`Runner`] come from the caller.
//!
//! ```no_run
//! use llm_provider_artefact::{COPILOT_CLI, Platform, Request, npm, obtain};
//! # async fn example() -> Result<(), llm_provider_artefact::Error> {
//! let mut request = Request::new(COPILOT_CLI, Platform::current()?, "/var/cache/llmp");
//! request.npm = Some(npm::Inputs::new(|name| std::env::var(name).ok(), "/home/me", "."));
//! let program = obtain(&request, &|progress| tracing::debug!(?progress)).await?;
//! println!("{} {:?} from {}", program.path.display(), program.version, program.origin);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod error;
mod fetch;
mod integrity;
mod locate;
pub mod npm;
mod obtain;
pub mod pins;
mod platform;
mod product;
mod program_version;
mod request;
mod runner;
mod secret;
mod store;
pub mod unpack;

pub use error::Error;
pub use fetch::egress::{Egress, Proxies, Roots};
pub use integrity::{Integrity, InvalidIntegrity};
pub use locate::locate;
pub use obtain::obtain;
pub use platform::{Arch, Os, Platform};
pub use product::{COPILOT_CLI, Product};
pub use request::{Given, Limits, Located, Lookup, Origin, Progress, Request, Verified};
pub use runner::{Runner, Running, ShortCommand};
pub use secret::Secret;
/// Versions, as the public types carry them.
pub use semver::Version;
pub use store::Lock;
