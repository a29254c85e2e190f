//! The CLI's requests that are under way: its names for them and ours, and bounds on what is held for it.

use super::answer::Answer;
use llm_provider_guest::http::{Header, Request, RequestId};
use llm_provider_guest::secrets::Chunk;
use std::collections::BTreeMap;

/// Requests at once: as many as the host lets a tenant send, which refuses further ones. The CLI makes one for each turn
/// that runs, so this is also far more turns than one CLI serves well.
const MOST_OPEN: usize = 32;
/// Bytes of one body: the host sends no more.
const LARGEST_BODY: usize = 8 << 20;
/// Bytes of all bodies that are not complete. The CLI sends a body in one piece, so there is hardly ever one; two of the
/// largest leave room in an instance's memory of 64 MiB for the frame that brings the next.
const MOST_HELD: usize = 2 * LARGEST_BODY;
/// Bytes of all responses that the CLI has not taken. It takes a part in a millisecond; one that does not for so long is
/// stuck, and what a model says in a minute is a hundredth of it.
const MOST_UNTAKEN: usize = 8 << 20;
/// The longest name: the CLI's have 36 bytes.
const LONGEST_NAME: usize = 256;

/// Why a request of the CLI is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// In the manner of the system's error codes, as the CLI's own HTTP client has them.
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// A request of the CLI.
#[derive(Debug)]
pub(super) struct Open {
    /// The CLI's name for it.
    pub(super) name: String,
    /// The server session that it is for.
    pub(super) session: Option<String>,
    /// What is gathered of it; `None` once it was sent.
    gathering: Option<(Request, Vec<u8>)>,
    /// What the CLI is still to be given of its response.
    pub(super) answer: Answer,
}

impl Open {
    /// Whether the host is at work for it.
    pub(super) fn is_under_way(&self) -> bool {
        self.gathering.is_none() && !self.answer.has_ended()
    }
}

/// All that are under way.
#[derive(Debug, Default)]
pub(super) struct Requests {
    last: RequestId,
    open: BTreeMap<RequestId, Open>,
    held: usize,
}

impl Requests {
    /// Takes the head of a request.
    ///
    /// # Errors
    /// When there are too many, or its name is taken or too long.
    pub(super) fn begin(
        &mut self,
        name: &str,
        session: Option<&str>,
        method: &str,
        url: &str,
        headers: Vec<Header>,
    ) -> Result<(), Refusal> {
        if self.open.len() >= MOST_OPEN {
            return Err(Refusal::new("EMFILE", format!("more than {MOST_OPEN} requests at once")));
        }
        if name.len() > LONGEST_NAME || self.find(name).is_some() {
            return Err(Refusal::new("EINVAL", "the request's name is in use or too long"));
        }
        let (method, url) = (method.to_owned(), url.to_owned());
        let request = Request { method, url, headers, body: Vec::new(), first_byte_timeout: None };
        self.last += 1;
        let gathering = Some((request, Vec::new()));
        let open =
            Open { name: name.to_owned(), session: session.map(str::to_owned), gathering, answer: Answer::default() };
        self.open.insert(self.last, open);
        Ok(())
    }

    /// Takes more of a request's body. What is not gathered any more is let be.
    ///
    /// # Errors
    /// When it is more than may be held.
    pub(super) fn more(&mut self, id: RequestId, data: &[u8]) -> Result<(), Refusal> {
        let gathering = self.open.get_mut(&id).and_then(|open| open.gathering.as_mut());
        let Some((_, body)) = gathering else { return Ok(()) };
        if body.len().saturating_add(data.len()) > LARGEST_BODY {
            return Err(Refusal::new("EMSGSIZE", format!("the request is larger than {LARGEST_BODY} bytes")));
        }
        if self.held.saturating_add(data.len()) > MOST_HELD {
            return Err(Refusal::new("ENOBUFS", "too many large requests at once"));
        }
        self.held += data.len();
        body.extend_from_slice(data);
        Ok(())
    }

    /// The request, once its body is complete. `None` when it was sent already.
    pub(super) fn complete(&mut self, id: RequestId) -> Option<Request> {
        let (mut request, body) = self.open.get_mut(&id)?.gathering.take()?;
        self.held = self.held.saturating_sub(body.len());
        if !body.is_empty() {
            request.body.push(Chunk::Bytes(body));
        }
        Some(request)
    }

    /// Ours for the CLI's name.
    pub(super) fn find(&self, name: &str) -> Option<RequestId> {
        self.open.iter().find(|(_, open)| open.name == name).map(|(id, _)| *id)
    }

    /// One that is under way.
    pub(super) fn get(&self, id: RequestId) -> Option<&Open> {
        self.open.get(&id)
    }

    /// One whose response goes on; with whether that fits into what may be held of all.
    pub(super) fn answering(&mut self, id: RequestId, more: usize) -> Option<(&mut Open, bool)> {
        let held: usize = self.open.values().map(|open| open.answer.held()).sum();
        let fits = held.saturating_add(more) <= MOST_UNTAKEN;
        self.open.get_mut(&id).filter(|open| open.is_under_way()).map(|open| (open, fits))
    }

    /// One of which the CLI has taken a part.
    pub(super) fn get_mut(&mut self, id: RequestId) -> Option<&mut Open> {
        self.open.get_mut(&id)
    }

    /// Lets go of one.
    pub(super) fn close(&mut self, id: RequestId) -> Option<Open> {
        let open = self.open.remove(&id)?;
        let held = open.gathering.as_ref().map_or(0, |(_, body)| body.len());
        self.held = self.held.saturating_sub(held);
        Some(open)
    }

    /// Those for a server session; all of them for `None`.
    pub(super) fn of(&self, session: Option<&str>) -> Vec<RequestId> {
        let wanted = |open: &Open| session.is_none() || open.session.as_deref() == session;
        self.open.iter().filter(|(_, open)| wanted(open)).map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(requests: &mut Requests, name: &str) -> Result<RequestId, Refusal> {
        requests.begin(name, Some("s"), "POST", "https://x/", Vec::new())?;
        Ok(requests.find(name).unwrap())
    }

    #[test]
    fn ids_are_never_used_again_and_names_may_be() {
        let mut requests = Requests::default();
        let first = begin(&mut requests, "a").unwrap();
        assert_eq!(begin(&mut requests, "a").unwrap_err().code, "EINVAL");
        requests.close(first);
        assert_ne!(begin(&mut requests, "a").unwrap(), first);
    }

    #[test]
    fn there_are_no_more_than_the_host_takes() {
        let mut requests = Requests::default();
        for at in 0..MOST_OPEN {
            begin(&mut requests, &at.to_string()).unwrap();
        }
        assert_eq!(begin(&mut requests, "more").unwrap_err().code, "EMFILE");
        assert_eq!(requests.of(None).len(), MOST_OPEN);
        assert_eq!(begin(&mut Requests::default(), &"x".repeat(LONGEST_NAME + 1)).unwrap_err().code, "EINVAL");
    }

    #[test]
    fn bodies_are_bounded_each_and_together_and_what_was_sent_counts_no_more() {
        let mut requests = Requests::default();
        let whole = vec![b'x'; LARGEST_BODY];
        let ids = ["a", "b", "c"].map(|name| begin(&mut requests, name).unwrap());
        requests.more(ids[0], &whole).unwrap();
        assert_eq!(requests.more(ids[0], b"x").unwrap_err().code, "EMSGSIZE");
        requests.more(ids[1], &whole).unwrap();
        assert_eq!(requests.more(ids[2], b"x").unwrap_err().code, "ENOBUFS");
        assert_eq!(requests.complete(ids[0]).unwrap().body, [Chunk::Bytes(whole)]);
        assert!(requests.complete(ids[0]).is_none(), "it is sent once");
        requests.more(ids[2], b"x").unwrap();
        requests.close(ids[1]);
        requests.close(ids[2]);
        assert_eq!(requests.held, 0);
        assert!(requests.get(ids[0]).is_some_and(Open::is_under_way));
    }
}
