//! HTTP for packages: bounded, with redirects by rule and credentials by binding.

mod download;
pub(crate) mod egress;
pub(crate) mod registry;
pub(crate) mod release;

use std::error::Error as StdError;
use std::future::Future;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::{Client, Response, StatusCode};
use url::Url;

pub(crate) use download::{Received, download};

use crate::npm::{Credentials, is_loopback, is_plain};
use crate::{Egress, Error, Limits};

/// Named, because a download that was too slow as a whole is not tried again.
pub(crate) const WHOLE_DOWNLOAD: &str = "the whole download";

/// Registry to blob store to a mirror of it is three; five is what other installers allow.
const MAX_REDIRECTS: usize = 5;

/// A way to get addresses.
pub(crate) struct Fetcher<'a> {
    client: Client,
    credentials: Option<&'a Credentials>,
    pub(crate) limits: &'a Limits,
}

/// A successful answer.
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// Where it came from in the end.
    pub(crate) url: Url,
    /// The first address on the way that was asked without TLS, loopback excepted. Who sits there decides where the way
    /// leads from then on, so the last address says nothing about the others.
    pub(crate) plain: Option<Url>,
}

/// A small answer as a whole.
pub(crate) struct Small {
    pub(crate) body: Vec<u8>,
    /// As in [`Answer`].
    pub(crate) url: Url,
    /// As in [`Answer`].
    pub(crate) plain: Option<Url>,
}

impl<'a> Fetcher<'a> {
    pub(crate) fn new(
        egress: &Egress,
        credentials: Option<&'a Credentials>,
        limits: &'a Limits,
    ) -> Result<Self, Error> {
        Ok(Self { client: egress::client(egress, limits)?, credentials, limits })
    }

    /// GET with redirects: at most five, never from TLS to plain (loopback excepted), and no credential once another
    /// origin was met, not even on the way back.
    pub(crate) async fn get(&self, first: &Url, accept: &str) -> Result<Answer, Error> {
        let mut url = first.clone();
        let (mut foreign, mut plain) = (false, None);
        for _ in 0..=MAX_REDIRECTS {
            plain = plain.or_else(|| is_plain(&url).then(|| url.clone()));
            let authorization = self.credentials.filter(|_| !foreign).and_then(|all| all.authorization(&url));
            let mut request = self.client.get(url.clone()).header(ACCEPT, accept);
            if let Some(secret) = authorization {
                request = request.header(AUTHORIZATION, sensitive(secret.expose(), &url)?);
            }
            let sending = async { request.send().await.map_err(|error| transport(&url, error)) };
            let response = within(&url, "an answer", self.limits.between_bytes, sending).await?;
            if let Some(next) = redirect(&url, response.status(), response.headers().get(LOCATION))? {
                foreign |= next.origin() != url.origin();
                url = next;
            } else if response.status().is_success() {
                return Ok(Answer { response, url, plain });
            } else {
                let (status, authenticated) = (response.status().as_u16(), authorization.is_some());
                return Err(Error::Status { url: shown(&url), status, authenticated });
            }
        }
        Err(Error::Redirect { url: shown(first), problem: format!("more than {MAX_REDIRECTS} times") })
    }

    /// A small answer as a whole.
    pub(crate) async fn small(&self, url: &Url, accept: &str) -> Result<Small, Error> {
        let whole = self.limits.whole_metadata;
        within(url, "the whole answer", whole, async {
            let mut answer = self.get(url, accept).await?;
            let mut body = Vec::new();
            let limit = self.limits.metadata_bytes;
            while let Some(chunk) = self.chunk(&mut answer).await? {
                if (body.len() + chunk.len()) as u64 > limit {
                    return Err(Error::TooLarge { url: shown(&answer.url), limit });
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Small { body, url: answer.url, plain: answer.plain })
        })
        .await
    }

    /// The next bytes of a body, within the deadline between bytes.
    pub(crate) async fn chunk(&self, answer: &mut Answer) -> Result<Option<bytes::Bytes>, Error> {
        let Answer { response, url, .. } = answer;
        let reading = async { response.chunk().await.map_err(|error| transport(url, error)) };
        within(url, "the next bytes", self.limits.between_bytes, reading).await
    }
}

fn sensitive(value: &str, url: &Url) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Error::ConnectionSetup {
        problem: format!("the credential for {} cannot stand in a header", shown(url)),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn redirect(from: &Url, status: StatusCode, location: Option<&HeaderValue>) -> Result<Option<Url>, Error> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refused = |problem: &str| Error::Redirect { url: shown(from), problem: problem.to_owned() };
    let location = location.and_then(|value| value.to_str().ok());
    let to = location.and_then(|location| from.join(location).ok()).ok_or_else(|| refused("to no address"))?;
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => Ok(Some(to)),
        ("https", "http") if is_loopback(&to) => Ok(Some(to)),
        ("https", "http") => Err(refused(&format!("from TLS to {}", shown(&to)))),
        _ => Err(refused(&format!("to {}:", to.scheme()))),
    }
}

async fn within<T>(
    url: &Url,
    what: &'static str,
    after: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let late = |_| Error::Deadline { url: shown(url), what, after };
    tokio::time::timeout(after, work).await.map_err(late)?
}

fn transport(url: &Url, error: reqwest::Error) -> Error {
    Error::Transport { url: shown(url), problem: causes(error) }
}

/// The chain of causes in one line, without the address, which may hold a password.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let line = error.to_string();
        if !text.ends_with(&line) {
            text = format!("{text}: {line}");
        }
        cause = error.source();
    }
    text.replace(['\r', '\n'], " ")
}

/// An address for people: no user name, no password, no query (signed addresses carry keys there), no fragment. Where a
/// password cannot be told from the rest (`user:password@host` parses, with the user as the scheme), the scheme alone.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    if cleared.is_err() { format!("{}:", url.scheme()) } else { url.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_addresses_hold_no_secret() {
        let url = Url::parse("https://user:pw@host.example:8/a/b.tgz?sig=abc#frag").unwrap();
        assert_eq!(shown(&url), "https://host.example:8/a/b.tgz");
        for (text, safe) in [
            ("robot:hunter2@registry.example/npm/", "robot:"),
            ("mailto:x", "mailto:"),
            ("file:///home/me/hunter2", "file:"),
            ("unix:/run/hunter2", "unix:"),
        ] {
            assert_eq!(shown(&Url::parse(text).unwrap()), safe);
        }
    }

    #[test]
    fn redirects_never_leave_tls_but_for_loopback() {
        let to = |from: &str, location: &str| {
            let location = HeaderValue::from_str(location).unwrap();
            redirect(&Url::parse(from).unwrap(), StatusCode::FOUND, Some(&location)).map(|url| url.unwrap().to_string())
        };
        assert!(matches!(to("https://a.example/x", "http://a.example/x"), Err(Error::Redirect { .. })));
        assert!(matches!(to("https://a.example/x", "http://127.0.0.1.example/x"), Err(Error::Redirect { .. })));
        assert_eq!(to("https://a.example/x", "http://127.0.0.1:1/y").unwrap(), "http://127.0.0.1:1/y");
        assert_eq!(to("https://a.example/x", "//b.example/y").unwrap(), "https://b.example/y");
        assert_eq!(to("http://a.example/x", "https://b.example/y").unwrap(), "https://b.example/y");
        assert_eq!(to("http://a.example/x/", "y").unwrap(), "http://a.example/x/y");
        assert!(redirect(&Url::parse("http://a.example").unwrap(), StatusCode::FOUND, None).is_err());
        assert!(redirect(&Url::parse("http://a.example").unwrap(), StatusCode::OK, None).unwrap().is_none());
    }
}
