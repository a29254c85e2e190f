//! What a registry says about one version of a package.

use serde::Deserialize;
use url::Url;

use super::{Fetcher, Small, shown};
use crate::{Error, Integrity, Request};

/// Address and digest of an archive, as the registry gives them.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) archive: Url,
    pub(crate) integrity: Option<Integrity>,
    /// Where the listing came from.
    pub(crate) from: Url,
    /// Where the way to it was without TLS, see [`Answer`](super::Answer).
    pub(crate) plain: Option<Url>,
}

#[derive(Deserialize)]
struct VersionDocument {
    version: Option<String>,
    dist: Option<Dist>,
}

#[derive(Deserialize)]
struct Dist {
    tarball: Option<String>,
    integrity: Option<String>,
}

/// The conventional place of an archive: `<registry>/@scope/name/-/name-version.tgz`.
pub(crate) fn conventional_archive(registry: &Url, request: &Request) -> Result<Url, Error> {
    let package = request.product.package(request.platform);
    let full = request.product.full_package(request.platform);
    join(registry, &format!("{full}/-/{package}-{}.tgz", request.version))
}

/// Asks for one version, and for the whole package where a registry does not know the former.
pub(crate) async fn listing(fetcher: &Fetcher<'_>, registry: &Url, request: &Request) -> Result<Listing, Error> {
    let package = request.product.full_package(request.platform).replace('/', "%2f");
    let version = join(registry, &format!("{package}/{}", request.version))?;
    match fetcher.small(&version, "application/json").await {
        Ok(answer) => read(answer, registry, request, |bytes| serde_json::from_slice(bytes).ok()),
        Err(Error::Status { status: 404 | 405 | 501, .. }) => {
            let answer = fetcher.small(&join(registry, &package)?, "application/json").await?;
            let wanted = request.version.to_string();
            read(answer, registry, request, move |bytes| of_package(bytes, &wanted))
        }
        Err(error) => Err(error),
    }
}

fn of_package(bytes: &[u8], version: &str) -> Option<VersionDocument> {
    let mut document: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    serde_json::from_value(document.get_mut("versions")?.get_mut(version)?.take()).ok()
}

fn read(
    answer: Small,
    registry: &Url,
    request: &Request,
    parse: impl FnOnce(&[u8]) -> Option<VersionDocument>,
) -> Result<Listing, Error> {
    let Small { body, url: from, plain } = answer;
    let wrong = |problem: String| Error::Metadata { url: shown(&from), problem };
    let document = parse(&body).ok_or_else(|| wrong(format!("no description of version {}", request.version)))?;
    match document.version {
        Some(version) if version != request.version.to_string() => {
            return Err(wrong(format!("describes version {version:.40?} instead of {}", request.version)));
        }
        _ => {}
    }
    let Dist { tarball, integrity } = document.dist.unwrap_or(Dist { tarball: None, integrity: None });
    let integrity = integrity.map(|text| text.parse()).transpose();
    let integrity = integrity.map_err(|error: crate::InvalidIntegrity| wrong(error.to_string()))?;
    let archive = match tarball {
        Some(address) => archive_address(&address, registry).map_err(wrong)?,
        None => conventional_archive(registry, request)?,
    };
    Ok(Listing { archive, integrity, from, plain })
}

/// A registry with TLS may not send us to a place without.
fn archive_address(address: &str, registry: &Url) -> Result<Url, String> {
    let url = registry.join(address).map_err(|_| "dist.tarball is not an address".to_owned())?;
    match (registry.scheme(), url.scheme()) {
        (_, "https") | ("http", "http") => Ok(url),
        _ => Err(format!("dist.tarball leads away from TLS to {}", shown(&url))),
    }
}

fn join(registry: &Url, path: &str) -> Result<Url, Error> {
    // A path that starts with `@` or a letter cannot leave the registry's own path.
    registry
        .join(&format!("./{path}"))
        .map_err(|error| Error::Metadata { url: shown(registry), problem: error.to_string() })
}
