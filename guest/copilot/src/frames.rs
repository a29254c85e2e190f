//! What the CLI writes: frames, and where they go.

use crate::failure::Failure;
use crate::plugin::Copilot;
use crate::session::{Outcome, StillRunning, is_ignored};
use crate::wire::event::{Event, MessageDelta, Notification, Params};
use llm_provider_core::classify::Fault;
use llm_provider_core::frame::Junk;
use llm_provider_core::rpc::{self, Incoming};
use llm_provider_guest::log::Level;
use llm_provider_guest::provider::SidecarBytes;
// The comparisons of the standard library are calls in wasm that go byte by byte.
use memchr::arch::all::{is_equal, is_prefix};

/// How the CLI begins every event. Field order is not promised: whatever does not begin so is parsed in full.
const EVENT: &[u8] = br#"{"jsonrpc":"2.0","method":"session.event","params":{"sessionId":""#;
/// What stands between the session's name and the event's kind.
const KIND: &[u8] = br#"","event":{"type":""#;
/// What stands between the event's kind and its data.
const DATA: &[u8] = br#"","data":"#;
/// What marks the event of a sub-agent.
const AGENT: &[u8] = br#""agentId""#;
/// The kind of nearly all events.
const DELTA: &[u8] = b"assistant.message_delta";
/// Notes about sessions as such, which concern nobody here.
const LIFECYCLE: &[u8] = br#"{"jsonrpc":"2.0","method":"session.lifecycle","#;
/// The longest string that is read without a parser.
const LONGEST_PLAIN: usize = 256;
/// The longest id of a request that is given back.
const LONGEST_ID: usize = 256;

impl Copilot {
    /// Takes bytes of the CLI's standard output.
    pub(crate) fn sidecar_output(&mut self, bytes: &SidecarBytes) {
        if self.link.id() != Some(bytes.id) || self.port.peer.is_none() {
            return;
        }
        let mut decoder = std::mem::take(&mut self.decoder);
        let mut rest = bytes.data.as_slice();
        let broken = loop {
            match decoder.next(&mut rest) {
                Ok(Some(body)) => match self.frame(body) {
                    Ok(()) if self.link.id() == Some(bytes.id) && self.port.peer.is_some() => {}
                    Ok(()) => break None,
                    Err(error) => break Some(format!("a message is not JSON-RPC: {error}")),
                },
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        if let Some(junk) = decoder.take_junk() {
            let Junk { bytes, excerpt } = junk;
            self.port.log(Level::Warn, format!("the CLI wrote {bytes} bytes that are no message: {excerpt}"));
        }
        if self.link.id() == Some(bytes.id) {
            self.decoder = decoder;
        }
        if let Some(broken) = broken {
            let message = format!("the Copilot CLI broke the protocol: {broken}");
            self.abandon_sidecar(&Failure::of(Fault::Protocol, message));
        }
    }

    #[inline]
    fn frame(&mut self, body: &[u8]) -> Result<(), serde_json::Error> {
        if let Some((name, kind, rest)) = head(body) {
            if is_equal(kind, DELTA)
                && let Some(delta) = plain_delta(rest)
            {
                self.delta(name, &delta);
                return Ok(());
            }
            if str::from_utf8(kind).is_ok_and(is_ignored) {
                self.heard_of(name);
                return Ok(());
            }
            if let Ok(event) = serde_json::from_slice::<Notification<'_>>(body) {
                self.event(&event.params.session_id, &event.params.event);
                return Ok(());
            }
        }
        if is_prefix(body, LIFECYCLE) {
            return Ok(());
        }
        match rpc::parse(body)? {
            Incoming::Answer { id, outcome } => {
                if let Some(purpose) = self.port.calls.settle(id) {
                    self.answered(purpose, outcome);
                }
            }
            Incoming::Notification { method, params } if method == "session.event" => {
                if let Some(Ok(params)) = params.map(|raw| serde_json::from_str::<Params<'_>>(raw.get())) {
                    self.event(&params.session_id, &params.event);
                }
            }
            Incoming::Notification { .. } | Incoming::Stray => {}
            Incoming::Request { id, method, params } => {
                if id.get().len() <= LONGEST_ID && !self.handed_over(id, &method, params) {
                    self.port.refuse(id, &method);
                }
            }
            Incoming::Complaint(error) => {
                self.port.log(Level::Warn, format!("the CLI could not read a message: {}", error.message));
            }
        }
        Ok(())
    }

    /// A sign of life that says nothing else.
    fn heard_of(&mut self, name: &[u8]) {
        let now = self.port.now;
        let session = self.names.find(name).and_then(|id| self.sessions.get_mut(&id));
        if let Some(run) = session.and_then(|session| session.run.as_mut()) {
            run.heard = now;
        }
    }

    /// Most of what comes: a piece of text.
    #[inline]
    fn delta(&mut self, name: &[u8], delta: &MessageDelta<'_>) {
        let session = self.names.find(name).and_then(|id| self.sessions.get_mut(&id));
        if let Some(run) = session.and_then(|session| session.run.as_mut()) {
            run.heard = self.port.now;
            run.delta(delta, &mut self.port);
        }
    }

    fn event(&mut self, name: &str, event: &Event<'_>) {
        let Some(id) = self.names.find(name.as_bytes()) else { return };
        let Some(run) = self.sessions.get_mut(&id).and_then(|session| session.run.as_mut()) else { return };
        run.heard = self.port.now;
        match run.event(event, &mut self.port) {
            Outcome::Goes => {}
            Outcome::Answered => self.answer_turn(id),
            Outcome::Suspended => self.suspend_turn(id),
            Outcome::Failed(failure, still) => self.fail_turn(id, &failure, still == StillRunning::Yes),
        }
    }
}

/// The session's name and the event's kind, read off a frame that is written as the CLI writes them, and what follows.
#[inline]
fn head(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, rest) = plain(after(body, EVENT)?)?;
    let (kind, rest) = plain(after(rest, KIND)?)?;
    Some((name, kind, rest))
}

/// What follows `prefix`.
fn after<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    if is_prefix(text, prefix) { text.get(prefix.len()..) } else { None }
}

/// The delta of an event that has its data right behind its kind and belongs to no sub-agent. What stands after the
/// data says nothing to us and is not parsed; that halves the time for a piece of text.
#[inline]
fn plain_delta(rest: &[u8]) -> Option<MessageDelta<'_>> {
    let data = after(rest, DATA)?;
    let mut values = serde_json::Deserializer::from_slice(data).into_iter();
    let delta = values.next()?.ok()?;
    let (_, tail) = data.split_at_checked(values.byte_offset())?;
    (tail.starts_with(b",") && !of_agent(tail)).then_some(delta)
}

/// Whether [`AGENT`] stands somewhere in `tail`. Looks for its one capital, with the two bytes that end it: few bytes of
/// an event are an `I`, and one byte is found many at a time.
#[inline]
fn of_agent(tail: &[u8]) -> bool {
    let ends_agent = |at: usize| tail.get(..at + 3).is_some_and(|head| head.ends_with(AGENT));
    memchr::memchr_iter(b'I', tail).any(ends_agent)
}

/// A JSON string's inside up to its quote, if it has no escapes; the rest begins with the quote.
#[inline]
fn plain(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr2(b'"', b'\\', text.get(..LONGEST_PLAIN).unwrap_or(text))?;
    let (inside, rest) = text.split_at_checked(end)?;
    (rest.first() == Some(&b'"')).then_some((inside, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_found_wherever_it_stands() {
        for tail in [r#","agentId":"a"}"#, r#"},"id":"I","parentId":"II","agentId":1"#, r#""agentId""#] {
            assert!(of_agent(tail.as_bytes()), "{tail}");
        }
        for tail in ["", "I", r#"},"parentId":"I"}"#, r#"},"agentI"#, r#"},"agentId"#, r#"},"agentIds":[]"#] {
            assert!(!of_agent(tail.as_bytes()), "{tail}");
        }
    }

    #[test]
    fn a_plain_string_has_no_escape_and_a_bound() {
        assert_eq!(plain(br#"name","x""#), Some((b"name".as_slice(), br#"","x""#.as_slice())));
        assert_eq!(plain(br#"na\"me""#), None);
        assert_eq!(plain(b"no end"), None);
        let long = |length: usize| [vec![b'a'; length], b"\"".to_vec()].concat();
        assert!(plain(&long(LONGEST_PLAIN - 1)).is_some());
        assert_eq!(plain(&long(LONGEST_PLAIN)), None);
    }
}
