//! Finding without the network.

use std::path::PathBuf;

use semver::Version;

use crate::store::{Slot, State};
use crate::{Error, Given, Located, Lookup, Origin, Request, Verified, program_version};

/// Looks at the explicit path, the environment's path and the cache, in this order, and uses no network.
///
/// # Errors
/// [`Error::GivenPath`] when a path was named and leads to no program: it is not skipped, because the user meant it.
/// [`Error::VersionTooOld`] for a version below the product's minimum, [`Error::Cache`] when the cache cannot be read.
///
/// # Cancel safety
/// Yes; nothing is written.
pub async fn locate(request: &Request) -> Result<Lookup, Error> {
    if let Some(given) = request.explicit_path.as_ref().or(request.environment_path.as_ref()) {
        return at(given, request).await.map(Lookup::Found);
    }
    check_minimum(request.product.name, &request.version, request)?;
    let slot = Slot::of(request);
    let expected = slot.program(request);
    Ok(match check(slot, request).await? {
        State::Good(located) => Lookup::Found(*located),
        State::Absent => Lookup::NotFound { expected, damaged: None },
        State::Damaged(reason) => Lookup::NotFound { expected, damaged: Some(reason) },
    })
}

/// Checks the cache on a thread where a file of 200 MB may be hashed.
pub(crate) async fn check(slot: Slot, request: &Request) -> Result<State, Error> {
    let request = request.clone();
    let checking = tokio::task::spawn_blocking(move || slot.check(&request));
    checking.await.map_err(|_| Error::Interrupted { action: "check the cache" })?
}

async fn at(given: &Given<PathBuf>, request: &Request) -> Result<Located, Error> {
    let wrong = |problem: String| Error::GivenPath { path: given.value.clone(), named_by: given.from.clone(), problem };
    let metadata = std::fs::metadata(&given.value).map_err(|error| wrong(format!("cannot be used: {error}")))?;
    if !metadata.is_file() {
        return Err(wrong("is not a file".to_owned()));
    }
    if !program_version::is_executable(&metadata) {
        return Err(wrong("is not executable".to_owned()));
    }
    let path = std::path::absolute(&given.value).map_err(|error| wrong(format!("cannot be used: {error}")))?;
    let version = program_version::version_of(&path, request).await;
    if let Some(version) = &version {
        check_minimum(&path.display().to_string(), version, request)?;
    }
    let license = program_version::license_beside(&path);
    let origin = Origin::Path { named_by: given.from.clone() };
    Ok(Located { path, version, origin, verified: Verified::Nothing, digest: None, license })
}

fn check_minimum(what: &str, version: &Version, request: &Request) -> Result<(), Error> {
    let minimum = &request.product.minimum_version;
    if version >= minimum {
        return Ok(());
    }
    Err(Error::VersionTooOld { what: what.to_owned(), version: version.clone(), minimum: minimum.clone() })
}
