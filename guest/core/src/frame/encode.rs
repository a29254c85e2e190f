//! Bodies to framed chunks.

use llm_provider_guest::secrets::{Chunk, SecretEncoding, SecretInfo, SecretRef};
use std::collections::BTreeMap;

/// A secret that is not among those the plugin was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret `{name}` is not granted to this plugin")]
pub struct UnknownSecret {
    /// Its name.
    pub name: String,
}

/// What is known of the granted secrets: enough to frame a message around them.
#[derive(Clone, Debug, Default)]
pub struct Secrets(BTreeMap<String, (u32, u32)>);

impl Secrets {
    /// From what the plugin was set up with.
    #[must_use]
    pub fn new(secrets: &[SecretInfo]) -> Self {
        Self(secrets.iter().map(|info| (info.name.clone(), (info.raw_length, info.json_length))).collect())
    }

    /// Whether a secret of this name is granted.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The bytes a reference will be replaced by, once the host puts the value in.
    ///
    /// # Errors
    /// When no secret of that name is granted.
    pub fn length(&self, secret: &SecretRef) -> Result<usize, UnknownSecret> {
        let (raw, json) = self.0.get(&secret.name).ok_or_else(|| UnknownSecret { name: secret.name.clone() })?;
        let length = match secret.encoding {
            SecretEncoding::Raw => *raw,
            SecretEncoding::JsonString => *json,
        };
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }
}

/// Puts a body behind its header, which counts the secrets at their true length.
///
/// # Errors
/// When the body names a secret that is not granted.
pub fn encode(body: Vec<Chunk>, secrets: &Secrets) -> Result<Vec<Chunk>, UnknownSecret> {
    let mut length = 0usize;
    for chunk in &body {
        length = length.saturating_add(match chunk {
            Chunk::Bytes(bytes) => bytes.len(),
            Chunk::Secret(secret) => secrets.length(secret)?,
        });
    }
    let mut head = format!("Content-Length: {length}\r\n\r\n").into_bytes();
    let mut framed = Vec::with_capacity(body.len());
    let mut rest = body.into_iter();
    match rest.next() {
        Some(Chunk::Bytes(bytes)) => {
            head.extend_from_slice(&bytes);
            framed.push(Chunk::Bytes(head));
        }
        Some(secret) => framed.extend([Chunk::Bytes(head), secret]),
        None => framed.push(Chunk::Bytes(head)),
    }
    framed.extend(rest);
    Ok(framed)
}
