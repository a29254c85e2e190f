//! Answers to our requests.

use super::event::Text;
use serde::Deserialize;

/// To `connect` and `ping`: which protocol the CLI speaks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Handshake<'a> {
    pub(crate) protocol_version: Option<i64>,
    #[serde(borrow)]
    pub(crate) version: Option<Text<'a>>,
}

/// To `session.send`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent<'a> {
    #[serde(borrow)]
    pub(crate) message_id: Option<Text<'a>>,
}
