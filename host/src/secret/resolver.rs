//! Secrets that are read when they are needed, and nowhere kept.

use super::{Destination, Secret};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

/// A secret on its way; or why there is none, in words that hold nothing of it.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = Result<Secret, String>> + Send + 'a>>;

/// Reads secrets by their addresses (`file:///run/secrets/key`, `vault://...`). Asked whenever an instance starts, so a key
/// that was replaced is used by the next one; the answer lives as long as that instance.
pub trait SecretResolver: Send + Sync {
    /// Reads one.
    fn resolve<'a>(&'a self, address: &'a str) -> Resolving<'a>;
}

/// Where a secret is, with the only places it may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretReference {
    /// Its address, for the policy's resolver.
    pub address: String,
    /// Where it may go.
    pub destinations: Vec<Destination>,
}

/// Resolvers by scheme; `file` is there from the beginning. The library reads no environment variable: an embedder that
/// wants `env` hands them over ([`Variables`]).
#[derive(Clone)]
pub struct Resolvers(BTreeMap<String, Arc<dyn SecretResolver>>);

impl Default for Resolvers {
    fn default() -> Self {
        Self(BTreeMap::from([("file".to_owned(), Arc::new(Files) as Arc<dyn SecretResolver>)]))
    }
}

impl Resolvers {
    /// Adds a scheme, or replaces it.
    #[must_use]
    pub fn with(mut self, scheme: impl Into<String>, resolver: impl SecretResolver + 'static) -> Self {
        self.0.insert(scheme.into(), Arc::new(resolver));
        self
    }
}

impl fmt::Debug for Resolvers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl SecretResolver for Resolvers {
    fn resolve<'a>(&'a self, address: &'a str) -> Resolving<'a> {
        let Some(resolver) = address.split_once("://").and_then(|(scheme, _)| self.0.get(scheme)) else {
            let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
            let refused = format!("nothing reads `{}`; there is {}", address.escape_debug(), known.join(", "));
            return Box::pin(std::future::ready(Err(refused)));
        };
        resolver.resolve(address)
    }
}

/// Variables that an embedder hands over, for addresses like `env://ACME_KEY`. Only these: an environment is the whole
/// process's, and whoever writes a policy could name any variable of it.
///
/// ```
/// use llm_provider_host::{Resolvers, Variables};
///
/// let named = ["ACME_KEY", "BRASS_KEY"].into_iter();
/// let variables: Variables = named.filter_map(|name| Some((name, std::env::var(name).ok()?))).collect();
/// let resolvers = Resolvers::default().with("env", variables);
/// ```
#[derive(Default)]
pub struct Variables(BTreeMap<String, Secret>);

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), Secret::new(value))).collect())
    }
}

impl SecretResolver for Variables {
    fn resolve<'a>(&'a self, address: &'a str) -> Resolving<'a> {
        let name = address.split_once("://").map_or(address, |(_, name)| name);
        let secret = self.0.get(name).map(|secret| Secret::new(secret.expose()));
        let absent = || format!("the variable `{}` is not among those the host hands over", name.escape_debug());
        Box::pin(std::future::ready(secret.ok_or_else(absent)))
    }
}

/// The content of a file.
struct Files;

/// Bytes of a file with a secret. Keys have hundreds, service accounts two thousand.
const FILE_BYTES: u64 = 64 << 10;

impl SecretResolver for Files {
    fn resolve<'a>(&'a self, address: &'a str) -> Resolving<'a> {
        let path = address.trim_start_matches("file://").to_owned();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || read(Path::new(&path)));
            read.await.map_err(|_| "the runtime is ending".to_owned())?
        })
    }
}

fn read(path: &Path) -> Result<Secret, String> {
    if !path.is_absolute() {
        return Err(format!("`{}` is no absolute path", path.display()));
    }
    let size = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?.len();
    if size > FILE_BYTES {
        return Err(format!("{}: it has {size} bytes; the limit is {FILE_BYTES}", path.display()));
    }
    let value = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Secret::new(zeroize::Zeroizing::new(value).as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why an address is not read.
    async fn refusal(resolvers: &Resolvers, address: &str) -> String {
        resolvers.resolve(address).await.err().expect("refused")
    }

    #[tokio::test]
    async fn variables_are_those_that_were_handed_over() {
        let resolvers = Resolvers::default().with("env", Variables::from_iter([("ACME_KEY", " value\n")]));
        assert_eq!(resolvers.resolve("env://ACME_KEY").await.expect("handed over").expose(), "value");
        let says = refusal(&resolvers, "env://PATH").await;
        assert_eq!(says, "the variable `PATH` is not among those the host hands over");
    }

    #[tokio::test]
    async fn files_are_read_when_asked_and_others_refused() {
        let directory = std::env::temp_dir().join(format!("llmp-secret-{}", std::process::id()));
        std::fs::write(&directory, "one\n").expect("written");
        let address = format!("file://{}", directory.display());
        let resolvers = Resolvers::default();
        assert_eq!(resolvers.resolve(&address).await.expect("read").expose(), "one");
        std::fs::write(&directory, "two").expect("written");
        assert_eq!(resolvers.resolve(&address).await.expect("read again").expose(), "two");
        std::fs::remove_file(&directory).expect("removed");
        assert!(refusal(&resolvers, &address).await.contains("No such file"));
        assert_eq!(refusal(&resolvers, "env://KEY").await, "nothing reads `env://KEY`; there is file");
        assert!(refusal(&resolvers, "file://etc/key").await.contains("no absolute path"));
    }
}
