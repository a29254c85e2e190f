//! Finding, and fetching what is not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use url::Url;

use crate::fetch::registry::{Listing, conventional_archive, listing};
use crate::fetch::{Fetcher, Received, download, release, shown};
use crate::locate::check;
use crate::npm::{self, Settings};
use crate::program_version::PackageJson;
use crate::store::{Lock, Slot, Staging, State, Unpacked};
use crate::unpack::{Layout, UnpackProblem, unpack};
use crate::{Error, Given, Integrity, Located, Lookup, Origin, Progress, Request, Verified, locate};

type Tell<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// [`locate`], and when that finds nothing: downloads, verifies, unpacks and publishes to the cache.
///
/// When several processes start at once, one downloads and the others wait for it and check what it published.
///
/// # Errors
/// See [`Error`]; [`Error::hint`] says what the user can do. After a wrong digest or a refused archive no other source
/// is tried.
///
/// # Cancel safety
/// Dropping the future publishes nothing half: the download stops, and what was staged is removed.
pub async fn obtain(request: &Request, progress: Tell<'_>) -> Result<Located, Error> {
    let expected = match locate(request).await? {
        Lookup::Found(located) => return Ok(located),
        Lookup::NotFound { expected, .. } => expected,
    };
    if request.offline {
        let (product, version) = (request.product.name, request.version.clone());
        return Err(Error::Offline { product, version, path: expected });
    }
    let slot = Slot::of(request);
    let lock = slot.lock(request, progress).await?;
    if let State::Good(located) = check(slot.clone(), request).await? {
        return Ok(*located);
    }
    slot.clean(&lock);
    let target = Target { request, slot: &slot, lock: &lock, progress };
    let located = Box::pin(target.fetch()).await?;
    progress(Progress::Published);
    Ok(located)
}

/// Where a fetched package goes.
struct Target<'a> {
    request: &'a Request,
    slot: &'a Slot,
    lock: &'a Lock,
    progress: Tell<'a>,
}

/// An archive that could be fetched.
struct Candidate {
    address: Url,
    /// For the second attempt, if it is not the same.
    other_address: Option<Url>,
    expected: Option<Integrity>,
    verified: Verified,
    layout: Layout,
    origin: Origin,
}

impl Target<'_> {
    async fn fetch(&self) -> Result<Located, Error> {
        if let Some(given) = &self.request.override_url {
            return self.try_override(given).await;
        }
        let mut tried = Vec::new();
        if let Some(inputs) = &self.request.npm {
            match self.try_registry(inputs).await {
                Err((origin, error)) if error.allows_next_source() => {
                    tracing::warn!(%origin, %error, "no package from here");
                    tried.push((origin, error));
                }
                other => return other.map_err(|(_, error)| error),
            }
        }
        if self.request.allow_release {
            let place = release::place(self.request)?;
            match self.try_release(&place).await {
                Err(error) if error.allows_next_source() || matches!(error, Error::NoReleaseArchive { .. }) => {
                    tried.push((Origin::Release { url: shown(&place) }, error));
                }
                other => return other,
            }
        }
        // A single reason needs no list around it.
        match tried.pop() {
            Some((_, only)) if tried.is_empty() => Err(only),
            last => {
                tried.extend(last);
                Err(Error::NoSource { what: self.request.what(), tried })
            }
        }
    }

    async fn try_override(&self, given: &Given<Url>) -> Result<Located, Error> {
        let url = &given.value;
        let no_digest = || Error::NoDigest { what: self.request.what(), url: shown(url) };
        let known = match self.request.fixed_integrity() {
            Some(known) => Some(known),
            None => self.digest_from_registry().await?,
        };
        let (expected, verified) = match known {
            Some((digest, verified)) => (Some(digest), verified),
            None if self.request.allow_unverified => (None, Verified::Nothing),
            None => return Err(no_digest()),
        };
        let fetcher = Fetcher::new(&self.request.egress, None, &self.request.limits)?;
        let origin = Origin::Override { named_by: given.from.clone() };
        let (address, layout) = (url.clone(), Layout::Package);
        self.take(&fetcher, Candidate { address, other_address: None, expected, verified, layout, origin }).await
    }

    /// Nothing if there is no registry, it cannot be reached or does not say; the caller's choice decides then.
    async fn digest_from_registry(&self) -> Result<Option<(Integrity, Verified)>, Error> {
        let Some(inputs) = &self.request.npm else { return Ok(None) };
        let asking = async {
            let settings = npm::resolve(inputs, self.request.product.scope).await?;
            let fetcher = Fetcher::new(&settings.egress, Some(&settings.credentials), &self.request.limits)?;
            let listing = listing(&fetcher, &settings.registry, self.request).await?;
            self.digest(&listing, &settings)
        };
        match asking.await {
            Ok(known) => Ok(Some(known)),
            Err(error) if error.allows_next_source() => {
                tracing::debug!(%error, "the registry does not tell the digest");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn try_registry(&self, inputs: &npm::Inputs) -> Result<Located, (Origin, Error)> {
        let unknown = Origin::Registry { url: "of npm".to_owned() };
        let settings = npm::resolve(inputs, self.request.product.scope).await.map_err(|error| (unknown, error))?;
        for note in &settings.notes {
            tracing::warn!(note, "npm configuration");
        }
        let origin = Origin::Registry { url: shown(&settings.registry) };
        tracing::debug!(%origin, from = %settings.source, "asking the registry");
        self.listed(&settings, &origin).await.map_err(|error| (origin, error))
    }

    async fn listed(&self, settings: &Settings, origin: &Origin) -> Result<Located, Error> {
        let fetcher = Fetcher::new(&settings.egress, Some(&settings.credentials), &self.request.limits)?;
        let listing = listing(&fetcher, &settings.registry, self.request).await?;
        let (expected, verified) = self.digest(&listing, settings)?;
        let conventional = conventional_archive(&settings.registry, self.request)?;
        let address = listing.archive;
        // A mirror that copies metadata as they are points at an origin that may be out of reach.
        let other_address = (address.origin() != conventional.origin()).then_some(conventional);
        let (expected, layout, origin) = (Some(expected), Layout::Package, origin.clone());
        self.take(&fetcher, Candidate { address, other_address, expected, verified, layout, origin }).await
    }

    /// The digest that counts. A listing that contradicts a fixed digest ends the matter before the download.
    fn digest(&self, listing: &Listing, settings: &Settings) -> Result<(Integrity, Verified), Error> {
        let what = || self.request.what();
        match (self.request.fixed_integrity(), listing.integrity) {
            (Some((expected @ Integrity::Sha512(_), _)), Some(actual @ Integrity::Sha512(_))) if expected != actual => {
                let (expected, actual) = (expected.into(), actual.into());
                Err(Error::IntegrityMismatch { url: shown(&listing.from), expected, actual })
            }
            (Some(fixed), _) => Ok(fixed),
            (None, _) if settings.chosen_by_project() => Err(Error::UntrustedRegistry {
                from: settings.source.to_string(),
                registry: shown(&settings.registry),
                what: what(),
            }),
            (None, Some(listed)) => match &listing.plain {
                Some(plain) => Err(Error::PlainDigest { what: what(), url: shown(plain) }),
                None => Ok((listed, Verified::Metadata)),
            },
            (None, None) => Err(Error::NoDigest { what: what(), url: shown(&listing.from) }),
        }
    }

    async fn try_release(&self, place: &Url) -> Result<Located, Error> {
        let fetcher = Fetcher::new(&self.request.egress, None, &self.request.limits)?;
        let asset = release::asset(&fetcher, place, self.request).await?;
        let (expected, verified) = match (self.request.integrity, asset.plain) {
            (Some(given), _) => (given, Verified::Given),
            (None, Some(plain)) => return Err(Error::PlainDigest { what: self.request.what(), url: shown(&plain) }),
            (None, None) => (asset.integrity, Verified::ReleaseSums),
        };
        let origin = Origin::Release { url: shown(place) };
        let (address, expected, layout) = (asset.archive, Some(expected), Layout::Bare);
        self.take(&fetcher, Candidate { address, other_address: None, expected, verified, layout, origin }).await
    }

    /// Fetches with a second attempt. A wrong digest stays the error, whatever the second attempt ends with.
    async fn take(&self, fetcher: &Fetcher<'_>, candidate: Candidate) -> Result<Located, Error> {
        let first = match self.attempt(fetcher, &candidate, &candidate.address).await {
            Ok(located) => return Ok(located),
            Err(error) => error,
        };
        let elsewhere = candidate.other_address.is_some() && first.allows_next_source();
        if !first.is_transient() && !elsewhere {
            return Err(first);
        }
        tracing::warn!(error = %first, "download failed, trying once more");
        tokio::time::sleep(self.request.limits.retry_pause).await;
        let address = candidate.other_address.as_ref().unwrap_or(&candidate.address);
        match self.attempt(fetcher, &candidate, address).await {
            Err(_) if matches!(first, Error::IntegrityMismatch { .. }) => Err(first),
            other => other,
        }
    }

    async fn attempt(&self, fetcher: &Fetcher<'_>, candidate: &Candidate, address: &Url) -> Result<Located, Error> {
        let staging = Arc::new(self.slot.stage(self.lock)?);
        let into = staging.archive();
        let received = download(fetcher, address, (&into, staging.clone()), self.progress).await?;
        if let Some(expected) = candidate.expected {
            received.check(expected)?;
        }
        (self.progress)(Progress::Unpacking);
        let located = self.finish(staging, received, candidate).await?;
        Ok(Located { origin: candidate.origin.clone(), ..located })
    }

    /// Unpacks and publishes on a thread of its own. If this future is dropped before publishing began, the thread stops
    /// at the next entry; once it began it is finished, with the lock held.
    async fn finish(&self, staging: Arc<Staging>, received: Received, candidate: &Candidate) -> Result<Located, Error> {
        let (request, slot) = (self.request.clone(), self.slot.clone());
        let (layout, verified) = (candidate.layout, candidate.verified);
        let dropped = StopOnDrop::default();
        let stop = dropped.0.clone();
        let working = tokio::task::spawn_blocking(move || {
            let unpacked = open(&staging, received, layout, verified, &request, &stop)?;
            slot.publish(&staging, &unpacked, &request)
        });
        let finished = working.await.map_err(|_| Error::Interrupted { action: "unpack the archive" })?;
        drop(dropped);
        finished.map(|located| *located)
    }
}

/// Tells a thread that nobody waits for it any more.
#[derive(Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn open(
    staging: &Staging,
    received: Received,
    layout: Layout,
    verified: Verified,
    request: &Request,
    stop: &AtomicBool,
) -> Result<Unpacked, Error> {
    let program = format!("package/{}", request.platform.program_file(request.product.program));
    let stop = || stop.load(Ordering::Relaxed);
    let tree = staging.tree();
    let unpacking = unpack(&staging.archive(), &tree, layout, &program, &request.limits, &stop);
    let files = unpacking.map_err(|problem| match problem {
        UnpackProblem::Io(source) => Error::Cache { action: "unpack into", path: tree.clone(), source },
        UnpackProblem::Stopped => Error::Interrupted { action: "unpack the archive" },
        problem => Error::Archive { url: received.url.clone(), problem },
    })?;
    let wrong = |found: String| Error::WrongPackage { url: received.url.clone(), wanted: request.what(), found };
    if !files.iter().any(|file| file.path == program && file.size > 0) {
        return Err(wrong(format!("there is no {program} in it")));
    }
    if layout == Layout::Package {
        let package = PackageJson::read(&tree.join("package/package.json"))
            .ok_or_else(|| wrong("there is no package.json in it".to_owned()))?;
        let (name, version) = (package.name.unwrap_or_default(), package.version.unwrap_or_default());
        if name != request.product.full_package(request.platform) || version != request.version.to_string() {
            return Err(wrong(format!("it is {name:.80?} {version:.40?}")));
        }
    }
    Ok(Unpacked { files, received, verified })
}
