//! Secrets: unprintable by type, bound to their destinations, scrubbed from whatever flows back.

mod resolver;

use crate::bindings::llm::provider::secrets::{Chunk, SecretEncoding, SecretInfo, SecretRef};
pub use resolver::{Resolvers, Resolving, SecretReference, SecretResolver, Variables};
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// A secret's value. Its memory is wiped when it is dropped. It cannot be printed or serialised (B21):
///
/// ```compile_fail,E0277
/// let secret = llm_provider_host::Secret::new("value");
/// println!("{secret:?}");
/// ```
///
/// ```compile_fail,E0277
/// let secret = llm_provider_host::Secret::new("value");
/// serde_json::to_string(&secret).expect("not reached");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the value. White space around it is removed: it comes from files and variables.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        let value = Zeroizing::new(value.into());
        Self(Zeroizing::new(value.trim().to_owned()))
    }

    /// The value, for the place it is put into: for code that starts a program or sends a request with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The value as the inside of a JSON string.
    fn json(&self) -> Zeroizing<String> {
        let quoted = Zeroizing::new(serde_json::Value::from(self.expose()).to_string());
        Zeroizing::new(quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned())
    }

    fn encoded(&self, encoding: SecretEncoding) -> Zeroizing<String> {
        match encoding {
            SecretEncoding::Raw => self.0.clone(),
            SecretEncoding::JsonString => self.json(),
        }
    }
}

/// A place where a secret may go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Destination {
    /// A variable of a sidecar's environment.
    SidecarVariable {
        /// The sidecar's name in the catalogue.
        sidecar: String,
        /// The variable.
        variable: String,
    },
    /// What is written to a sidecar's standard input.
    SidecarInput {
        /// The sidecar's name in the catalogue.
        sidecar: String,
    },
    /// A header of requests to one origin.
    HttpHeader {
        /// Scheme, host and port, such as `https://api.example.com`.
        origin: String,
        /// The header, in lower case.
        header: String,
    },
}

/// A secret with the only places it may go to.
#[derive(Clone)]
pub struct SecretGrant {
    /// The value.
    pub value: Secret,
    /// Where it may go.
    pub destinations: Vec<Destination>,
}

/// The secrets of a tenant by name.
#[derive(Clone, Default)]
pub(crate) struct Secrets(BTreeMap<String, SecretGrant>);

impl Secrets {
    pub(crate) fn new(grants: BTreeMap<String, SecretGrant>) -> Self {
        Self(grants)
    }

    /// What a plugin may know of them.
    pub(crate) fn infos(&self) -> Vec<SecretInfo> {
        let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let info = |(name, grant): (&String, &SecretGrant)| SecretInfo {
            name: name.clone(),
            raw_length: length(grant.value.expose()),
            json_length: length(&grant.value.json()),
        };
        self.0.iter().map(info).collect()
    }

    /// The value to put at a place, if it is granted there; otherwise what to tell.
    pub(crate) fn resolve(&self, secret: &SecretRef, to: &Destination) -> Result<Zeroizing<String>, String> {
        let grant = self.0.get(&secret.name).ok_or_else(|| format!("no secret is named `{}`", secret.name))?;
        if !grant.destinations.contains(to) {
            return Err(format!("the secret `{}` is not granted to {to}", secret.name));
        }
        Ok(grant.value.encoded(secret.encoding))
    }

    /// Joins chunks, with secrets in their places.
    pub(crate) fn join(&self, chunks: Vec<Chunk>, to: &Destination) -> Result<Zeroizing<Vec<u8>>, String> {
        let mut chunks = chunks;
        if let [Chunk::Bytes(only)] = chunks.as_mut_slice() {
            return Ok(Zeroizing::new(std::mem::take(only)));
        }
        let mut joined = Zeroizing::new(Vec::new());
        for chunk in &chunks {
            match chunk {
                Chunk::Bytes(bytes) => joined.extend_from_slice(bytes),
                Chunk::Secret(secret) => joined.extend_from_slice(self.resolve(secret, to)?.as_bytes()),
            }
        }
        Ok(joined)
    }

    /// Every form in which a value may come back.
    pub(crate) fn forms(&self) -> Vec<Zeroizing<String>> {
        let mut forms = Vec::new();
        for grant in self.0.values() {
            for encoding in [SecretEncoding::Raw, SecretEncoding::JsonString] {
                let form = grant.value.encoded(encoding);
                if !form.is_empty() && !forms.contains(&form) {
                    forms.push(form);
                }
            }
        }
        forms
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SidecarVariable { sidecar, variable } => {
                write!(f, "the variable {variable} of the sidecar {sidecar}")
            }
            Self::SidecarInput { sidecar } => write!(f, "the input of the sidecar {sidecar}"),
            Self::HttpHeader { origin, header } => write!(f, "the header {header} of requests to {origin}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let destination = Destination::SidecarInput { sidecar: "s".into() };
        let grant = SecretGrant { value: Secret::new(" a\"b\n"), destinations: vec![destination] };
        Secrets::new(BTreeMap::from([("key".to_owned(), grant)]))
    }

    #[test]
    fn the_told_lengths_are_the_written_lengths() {
        let secrets = secrets();
        let info = secrets.infos().remove(0);
        let to = Destination::SidecarInput { sidecar: "s".into() };
        for (encoding, length) in
            [(SecretEncoding::Raw, info.raw_length), (SecretEncoding::JsonString, info.json_length)]
        {
            let secret = SecretRef { name: "key".into(), encoding };
            assert_eq!(secrets.resolve(&secret, &to).expect("granted").len(), length as usize);
        }
        let secret = SecretRef { name: "key".into(), encoding: SecretEncoding::JsonString };
        assert_eq!(*secrets.resolve(&secret, &to).expect("granted"), "a\\\"b");
    }

    /// B21: no part of a secret is shown or used as a name.
    #[test]
    fn b21_a_secret_goes_nowhere_else_and_a_refusal_shows_its_name_only() {
        let secret = SecretRef { name: "key".into(), encoding: SecretEncoding::Raw };
        let refused = secrets().resolve(&secret, &Destination::SidecarInput { sidecar: "other".into() });
        assert_eq!(
            refused.expect_err("not granted"),
            "the secret `key` is not granted to the input of the sidecar other"
        );
    }
}
