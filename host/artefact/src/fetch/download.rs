//! An archive from the network to a file, hashed on the way.

use std::any::Any;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256, Sha512};
use tokio::sync::mpsc;
use url::Url;

use super::{Answer, Fetcher, WHOLE_DOWNLOAD, shown, within};
use crate::{Error, Integrity, Progress};

/// Chunks between socket and file: 16 of at most some 100 KB keep both busy and bound the memory to 2 MB.
const QUEUE: usize = 16;

/// What came.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) sha512: Integrity,
    pub(crate) sha256: Integrity,
    /// Where it came from in the end, fit to be shown.
    pub(crate) url: String,
}

impl Received {
    pub(crate) fn check(&self, expected: Integrity) -> Result<(), Error> {
        let actual = match expected {
            Integrity::Sha512(_) => self.sha512,
            Integrity::Sha256(_) => self.sha256,
        };
        if actual == expected { Ok(()) } else { Err(self.mismatch(expected, actual)) }
    }

    fn mismatch(&self, expected: Integrity, actual: Integrity) -> Error {
        Error::IntegrityMismatch { url: self.url.clone(), expected: expected.into(), actual: actual.into() }
    }
}

/// Kept by a thread that works on files, so that what they lie in is not removed under its hands.
type Hold = Arc<dyn Any + Send + Sync>;

/// Streams an address into a file. The file is synced by nobody: it is read once and deleted.
///
/// Cancel safe: the writing thread ends when the sending side is dropped.
pub(crate) async fn download(
    fetcher: &Fetcher<'_>,
    url: &Url,
    (into, hold): (&Path, Hold),
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Received, Error> {
    within(url, WHOLE_DOWNLOAD, fetcher.limits.whole_download, stream(fetcher, url, (into, hold), progress)).await
}

async fn stream(
    fetcher: &Fetcher<'_>,
    url: &Url,
    (into, hold): (&Path, Hold),
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Received, Error> {
    let mut answer = fetcher.get(url, "application/octet-stream, */*").await?;
    let shown = shown(&answer.url);
    let (announced, limit) = (answer.response.content_length(), fetcher.limits.archive_bytes);
    let too_large = || Error::TooLarge { url: shown.clone(), limit };
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(too_large());
    }
    let (chunks, queue) = mpsc::channel(QUEUE);
    let path = into.to_owned();
    let writing = tokio::task::spawn_blocking(move || {
        let written = write(&path, queue);
        drop(hold);
        written
    });
    progress(Progress::Downloading { bytes: 0, total: announced });
    let pumped = pump(fetcher, &mut answer, chunks, |bytes| {
        progress(Progress::Downloading { bytes, total: announced });
        if bytes > limit { Err(too_large()) } else { Ok(()) }
    });
    let pumped = pumped.await;
    // The thread is waited for in every case, so that an error returns after the file is closed.
    let written = writing.await.map_err(|_| Error::Interrupted { action: "write the archive" })?;
    let received = pumped?;
    let (sha512, sha256) = written.map_err(|source| Error::Cache { action: "write", path: into.to_owned(), source })?;
    match announced {
        Some(announced) if announced != received => Err(Error::Truncated { url: shown, announced, received }),
        _ => Ok(Received { sha512, sha256, url: shown }),
    }
}

/// Passes chunks on until the body ends, or until the writer gives up: it says why itself. Returns the sum of bytes.
async fn pump(
    fetcher: &Fetcher<'_>,
    answer: &mut Answer,
    chunks: mpsc::Sender<Bytes>,
    count: impl Fn(u64) -> Result<(), Error>,
) -> Result<u64, Error> {
    let mut bytes = 0;
    while let Some(chunk) = fetcher.chunk(answer).await? {
        bytes += chunk.len() as u64;
        count(bytes)?;
        if chunks.send(chunk).await.is_err() {
            break;
        }
    }
    Ok(bytes)
}

/// On a thread of its own: hashing 130 MB would otherwise hold up the runtime for a third of a second.
fn write(path: &Path, mut queue: mpsc::Receiver<Bytes>) -> std::io::Result<(Integrity, Integrity)> {
    let mut file = File::create(path)?;
    let (mut sha512, mut sha256) = (Sha512::new(), Sha256::new());
    while let Some(chunk) = queue.blocking_recv() {
        sha512.update(&chunk);
        sha256.update(&chunk);
        file.write_all(&chunk)?;
    }
    file.flush()?;
    Ok((Integrity::Sha512(sha512.finalize().into()), Integrity::Sha256(sha256.finalize().into())))
}
