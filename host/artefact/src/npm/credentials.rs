//! Credentials and what they are bound to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use super::Inputs;
use super::layers::{Layers, Setting};
use crate::Secret;

/// Credentials of npm's configuration, each bound to a host, a port and a path.
///
/// A credential is sent to an address only if host and port are equal and the path lies below the bound path, at a `/`.
/// npm itself also sends a registry's credential to other paths of the same host; this does not. Without TLS nothing is
/// sent, except to loopback and to a host whose registry is itself configured without TLS, and not by a project's file.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    bindings: Vec<Binding>,
    /// Host and port of a registry that is configured without TLS.
    plain_host: Option<String>,
}

#[derive(Debug, Clone)]
struct Binding {
    /// `host` or `host:port`.
    host: String,
    /// Starts and ends with `/`.
    path: String,
    /// Value of the `Authorization` header.
    authorization: Secret,
}

impl Credentials {
    /// The value of the `Authorization` header for an address, from the binding with the longest path.
    pub fn authorization(&self, url: &Url) -> Option<&Secret> {
        let host = host_and_port(url)?;
        if is_plain(url) && self.plain_host.as_ref() != Some(&host) {
            return None;
        }
        let path = format!("{}/", url.path());
        self.bindings
            .iter()
            .filter(|binding| binding.host == host && path.starts_with(&binding.path))
            .max_by_key(|binding| binding.path.len())
            .map(|binding| &binding.authorization)
    }

    /// Reads every credential that could be used with a registry; the second value says what was left out and why.
    /// `plain` says that those of its host are sent without TLS.
    pub(super) fn read(layers: &Layers, inputs: &Inputs, registry: &Url, plain: bool) -> (Self, Vec<String>) {
        let mut notes = Vec::new();
        let mut prefixes: Vec<String> = layers
            .bound_keys(inputs)
            .into_iter()
            .filter_map(|key| Some(key.rsplit_once(':')?.0.to_owned()))
            .chain(ancestors(registry))
            .collect();
        prefixes.sort();
        prefixes.dedup();
        let bindings = prefixes.iter().filter_map(|prefix| binding(prefix, layers, inputs, &mut notes));
        let bindings: Vec<Binding> = bindings.collect();
        let host = host_and_port(registry);
        if !plain && is_plain(registry) && bindings.iter().any(|binding| Some(&binding.host) == host.as_ref()) {
            notes.push("the login for the registry is left out: a project's file chose it without TLS".to_owned());
        }
        (Self { bindings, plain_host: host.filter(|_| plain) }, notes)
    }
}

/// `//host/a/b/`, `//host/a/`, `//host/`: variables can only be asked by name.
fn ancestors(registry: &Url) -> Vec<String> {
    let Some(host) = host_and_port(registry) else { return Vec::new() };
    let path = format!("{}/", registry.path().trim_end_matches('/'));
    let ends = path.char_indices().filter(|(_, c)| *c == '/').map(|(index, _)| index);
    ends.filter_map(|end| Some(format!("//{host}{}", path.get(..=end)?))).collect()
}

fn binding(prefix: &str, layers: &Layers, inputs: &Inputs, notes: &mut Vec<String>) -> Option<Binding> {
    let authorization = authorization(prefix, layers, inputs, notes)?;
    let (host, path) = prefix.strip_prefix("//")?.split_once('/').map_or_else(
        || (prefix.trim_start_matches('/'), String::new()),
        |(host, path)| (host, path.trim_end_matches('/').to_owned()),
    );
    let path = if path.is_empty() { "/".to_owned() } else { format!("/{path}/") };
    // The same host, as the address parser writes it: lower case, no default port.
    let host = host_and_port(&Url::parse(&format!("https://{host}/")).ok()?)?;
    Some(Binding { host, path, authorization })
}

/// npm's order: token, then ready-made basic value, then name and password.
fn authorization(prefix: &str, layers: &Layers, inputs: &Inputs, notes: &mut Vec<String>) -> Option<Secret> {
    let mut part = |name: &str| {
        // Both `//host/path/:_auth` and `//host/path:_auth` are written.
        let keys = [format!("{prefix}:{name}"), format!("{}:{name}", prefix.trim_end_matches('/'))];
        let setting = keys.iter().find_map(|key| layers.chosen(key, inputs))?;
        usable(&setting, prefix, name, notes)
    };
    if let Some(token) = part("_authToken") {
        return Some(Secret::new(format!("Bearer {token}")));
    }
    if let Some(basic) = part("_auth") {
        return Some(Secret::new(format!("Basic {basic}")));
    }
    let (user, password) = (part("username")?, part("_password")?);
    let password = String::from_utf8(STANDARD.decode(password).ok()?).ok()?;
    Some(Secret::new(format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))))
}

fn usable(setting: &Setting, prefix: &str, name: &str, notes: &mut Vec<String>) -> Option<String> {
    if let Some(variable) = setting.missing.first() {
        notes.push(format!("{name} for {prefix} in {} is left out: {variable} is not set", setting.source));
        return None;
    }
    // A line break would end the header.
    (!setting.value.contains(|c: char| c.is_control())).then(|| setting.value.clone())
}

fn host_and_port(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// Whether anybody on the way can read and change what goes to and comes from an address.
pub(crate) fn is_plain(url: &Url) -> bool {
    url.scheme() != "https" && !is_loopback(url)
}

/// Whether an address cannot leave the machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn credentials(npmrc: &str, registry: &str, env: &[(&str, &str)]) -> (Credentials, Vec<String>) {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(".npmrc"), npmrc).unwrap();
        let env: Vec<(String, String)> = env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let lookup = move |name: &str| env.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let inputs = Inputs::new(lookup, home.path(), home.path().join("work"));
        let registry = url(registry);
        Credentials::read(&Layers::read(&inputs), &inputs, &registry, registry.scheme() == "http")
    }

    fn sent(credentials: &Credentials, to: &str) -> Option<String> {
        credentials.authorization(&url(to)).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn a_token_goes_only_below_its_path() {
        let (all, _) = credentials("//h.example/npm/:_authToken=t\n", "https://h.example/npm/", &[]);
        assert_eq!(sent(&all, "https://h.example/npm/@github%2fx").as_deref(), Some("Bearer t"));
        assert_eq!(sent(&all, "https://h.example/npm").as_deref(), Some("Bearer t"));
        for elsewhere in [
            "https://h.example/",
            "https://h.example/npm2/x",
            "https://h.example/npm/../x",
            "https://h.example:8443/npm/x",
            "https://h.example.evil/npm/x",
            "https://evil/npm/x?//h.example/npm/",
            "https://h.example@evil/npm/",
            "http://h.example/npm/x",
        ] {
            assert_eq!(sent(&all, elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn the_longest_path_wins_and_both_spellings_work() {
        let file = "//H.example:443/:_authToken=root\n//h.example/a/b:_auth=YTpi\n//h.example/a/:username=u\n\
                    //h.example/a/:_password=cA==\n";
        let (all, _) = credentials(file, "https://h.example/a/b/", &[]);
        assert_eq!(sent(&all, "https://h.example/z").as_deref(), Some("Bearer root"));
        assert_eq!(sent(&all, "https://h.example/a/b/x").as_deref(), Some("Basic YTpi"));
        assert_eq!(sent(&all, "https://h.example/a/x").as_deref(), Some("Basic dTpw"), "u:p");
    }

    #[test]
    fn variables_bind_too_and_unset_ones_are_named() {
        let env = [("npm_config_//127.0.0.1:4873/npm/:_authToken", "v"), ("TOKEN", "t")];
        let file = "//x.example/:_authToken=${TOKEN}\n//y.example/:_authToken=${NOT_SET}\n";
        let (all, notes) = credentials(file, "http://127.0.0.1:4873/npm/", &env);
        assert_eq!(sent(&all, "http://127.0.0.1:4873/npm/p").as_deref(), Some("Bearer v"));
        assert_eq!(sent(&all, "https://x.example/p").as_deref(), Some("Bearer t"));
        assert_eq!(sent(&all, "https://y.example/p"), None);
        assert!(notes.len() == 1 && notes[0].contains("NOT_SET is not set"), "{notes:?}");
    }

    #[test]
    fn without_tls_only_to_the_plain_registry() {
        let file = "//plain.example/:_authToken=t\n//other.example/:_authToken=t\n";
        let (all, _) = credentials(file, "http://plain.example/", &[]);
        assert!(sent(&all, "http://plain.example/p").is_some());
        assert_eq!(sent(&all, "http://other.example/p"), None);
    }

    #[test]
    fn nothing_is_printed() {
        let (all, _) = credentials("//h.example/:_authToken=hunter2\n", "https://h.example/", &[]);
        assert!(!format!("{all:?}").contains("hunter2"));
    }
}
