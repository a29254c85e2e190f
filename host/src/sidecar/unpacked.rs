//! The program of the Copilot CLI, unpacked once (235 MiB) for all tenants, who may read it and not write it.
//!
//! Seen with 1.0.102: `COPILOT_PKG_CACHE_HOME` is where it unpacks itself at its first start, whatever it is asked, and where
//! it is content to only read afterwards; account data stays in `COPILOT_CACHE_HOME`. A version that does not know the
//! variable unpacks itself for each tenant.

use super::cli_environment::{Network, Places, environment};
use super::containment::contained;
use super::copilot_cli::version;
use super::program::SidecarUnavailable;
use crate::private_dir::create_private_dir;
use llm_provider_artefact::Located;
use llm_provider_process::{Child, Running};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;

/// How long unpacking may take: 2 s where it was seen, a slow disk included.
const UNPACKING: Duration = Duration::from_secs(120);

/// Has the program unpack itself into `directory`, unless it has done so before.
pub(super) async fn unpack(found: &Located, directory: &Path, network: &Network) -> Result<(), SidecarUnavailable> {
    let done = done(found, directory);
    if done.exists() {
        return Ok(());
    }
    let failed = |what: String| SidecarUnavailable {
        message: format!("the Copilot CLI cannot be unpacked into {}: {what}", directory.display()),
        hint: Some("make room there, or choose another cache directory".into()),
    };
    create_private_dir(directory).map_err(|error| failed(error.to_string()))?;
    tracing::debug!(directory = %directory.display(), "the Copilot CLI unpacks itself");
    // It writes as no tenant does, in places of its own.
    let places = Places::below(&directory.join("unpacking"), "copilot-cli", None).of_the_unpacker(directory);
    places.create()?;
    let spec = contained(&found.path, &places, network, &[]).arg("--version");
    let spec = environment(spec, &places, network, &[], &[])?;
    let Running { child, stdin, stdout, .. } = Child::spawn(spec).await.map_err(|error| failed(error.to_string()))?;
    drop(stdin);
    let exit =
        timeout(UNPACKING, child.wait()).await.map_err(|_| failed(format!("it took more than {UNPACKING:?}")))?;
    drop(stdout);
    drop(std::fs::remove_dir_all(directory.join("unpacking"))); // what stays there is empty
    if !exit.success() {
        return Err(failed(format!("it ended with {exit}: {}", child.stderr_tail().trim())));
    }
    std::fs::write(&done, "").map_err(|error| failed(error.to_string()))
}

/// Says that a version was unpacked.
fn done(found: &Located, directory: &Path) -> PathBuf {
    directory.join(format!("unpacked-{}", version(found).replace(['/', '\\'], "-")))
}
