//! What a peer sends.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An error as a peer reports it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct RpcError {
    /// The code.
    pub code: i64,
    /// For a person.
    #[serde(default)]
    pub message: String,
}

/// A message by what it is.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// The answer to one of our requests.
    Answer {
        /// The id of the request.
        id: u64,
        /// What came back. `null` counts as a result.
        outcome: Result<&'a RawValue, RpcError>,
    },
    /// Something to know.
    Notification {
        /// Which.
        method: Cow<'a, str>,
        /// With what.
        params: Option<&'a RawValue>,
    },
    /// Something to answer.
    Request {
        /// The peer's id, to be given back as it is.
        id: &'a RawValue,
        /// Which.
        method: Cow<'a, str>,
        /// With what.
        params: Option<&'a RawValue>,
    },
    /// An error that answers nothing of ours: the peer could not read what we sent.
    Complaint(RpcError),
    /// An answer whose id is none of ours.
    Stray,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Text<'a>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    error: Option<RpcError>,
}

/// Borrowed where the JSON has no escapes; an `Option<Cow<str>>` would always copy.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Parses a message.
///
/// # Errors
/// When it is not JSON or not a JSON-RPC message.
pub fn parse(body: &[u8]) -> Result<Incoming<'_>, serde_json::Error> {
    let envelope: Envelope<'_> = serde_json::from_slice(body)?;
    let id = envelope.id.filter(|id| id.get() != "null");
    Ok(match (envelope.method, id, envelope.error) {
        (Some(method), Some(id), _) => Incoming::Request { id, method: method.0, params: envelope.params },
        (Some(method), None, _) => Incoming::Notification { method: method.0, params: envelope.params },
        (None, None, Some(error)) => Incoming::Complaint(error),
        (None, None, None) => Incoming::Stray,
        (None, Some(id), error) => match (id.get().parse(), error) {
            (Err(_), _) => Incoming::Stray,
            (Ok(id), Some(error)) => Incoming::Answer { id, outcome: Err(error) },
            (Ok(id), None) => Incoming::Answer { id, outcome: Ok(envelope.result.unwrap_or(RawValue::NULL)) },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_told_apart() {
        let parse = |text: &'static str| parse(text.as_bytes()).unwrap();
        assert!(matches!(parse(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#), Incoming::Answer { id: 7, outcome: Ok(_) }));
        assert!(matches!(
            parse(r#"{"jsonrpc":"2.0","id":7,"result":null}"#),
            Incoming::Answer { id: 7, outcome: Ok(_) }
        ));
        let failed = parse(r#"{"id":7,"error":{"code":-32601,"message":"no"}}"#);
        assert!(matches!(failed, Incoming::Answer { id: 7, outcome: Err(RpcError { code: -32601, .. }) }));
        assert!(matches!(parse(r#"{"id":null,"error":{"code":-32700}}"#), Incoming::Complaint(_)));
        assert!(matches!(parse(r#"{"id":"x","result":1}"#), Incoming::Stray));
        assert!(matches!(parse(r#"{"method":"a","params":{}}"#), Incoming::Notification { .. }));
        let Incoming::Request { id, method, .. } = parse(r#"{"id":"q-1","method":"a.b"}"#) else { panic!() };
        assert_eq!((id.get(), &*method), ("\"q-1\"", "a.b"));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in ["", "[]", "7", "{\"id\":", "{\"method\":7}"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
