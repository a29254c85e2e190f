//! The CLI's model traffic when a client is its way out (PROTOCOL section 10).

use super::event::Text;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Headers by name, each with its values in order.
pub(crate) type Headers = BTreeMap<String, Vec<String>>;

/// To `llmInference.setProvider`.
#[derive(Debug, Deserialize)]
pub(crate) struct Provided {
    pub(crate) success: bool,
}

/// `llmInference.httpRequestStart`: the head of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestStart<'a> {
    #[serde(borrow)]
    pub(crate) request_id: Cow<'a, str>,
    /// The session that it is for; absent when it is for none.
    #[serde(borrow)]
    pub(crate) session_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) method: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) url: Cow<'a, str>,
    pub(crate) headers: Headers,
    /// `http` when absent.
    #[serde(borrow)]
    pub(crate) transport: Option<Text<'a>>,
}

/// `llmInference.httpRequestChunk`: more of its body, or its end.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestChunk<'a> {
    #[serde(borrow)]
    pub(crate) request_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) data: Cow<'a, str>,
    /// Whether `data` is base64.
    #[serde(default)]
    pub(crate) binary: bool,
    #[serde(default)]
    pub(crate) end: bool,
    #[serde(default)]
    pub(crate) cancel: bool,
}

/// Of `llmInference.httpResponseStart`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResponseStart<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) status: u16,
    pub(crate) headers: Headers,
}

/// Of `llmInference.httpResponseChunk`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResponseChunk<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) data: Cow<'a, str>,
    /// Whether `data` is base64: bytes that are no text by themselves, such as a character that was cut.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) binary: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) end: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ResponseError<'a>>,
}

/// Why there is no more of a response.
#[derive(Debug, Serialize)]
pub(crate) struct ResponseError<'a> {
    pub(crate) message: &'a str,
    pub(crate) code: &'a str,
}

/// To either of them.
#[derive(Debug, Deserialize)]
pub(crate) struct Accepted {
    /// False when the CLI does not want more of this response.
    pub(crate) accepted: bool,
}
