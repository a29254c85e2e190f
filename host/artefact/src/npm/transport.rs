//! Proxy and certificates of npm's configuration.

use super::Inputs;
use super::layers::{Layers, Setting, Source};
use super::{files, resolve_path};
use crate::{Egress, Error, Proxies, Roots, Secret};

pub(super) fn egress(layers: &Layers, inputs: &Inputs) -> Result<Egress, Error> {
    Ok(Egress { proxies: proxies(layers, inputs), roots: roots(layers, inputs)? })
}

/// `https-proxy`, then `proxy`, then the usual variables; `proxy=false` means none. `noproxy`, then `NO_PROXY`.
fn proxies(layers: &Layers, inputs: &Inputs) -> Proxies {
    let variable = |names: &[&str]| names.iter().find_map(|name| (inputs.env)(name).filter(|value| !value.is_empty()));
    let plain = layers.chosen("proxy", inputs).map(|setting| setting.value);
    let off = plain.as_deref() == Some("false");
    let plain = plain.filter(|_| !off);
    let secure = layers.chosen("https-proxy", inputs).map(|setting| setting.value).filter(|value| value != "false");
    let no_proxy = layers
        .list("noproxy", inputs)
        .map(|(values, _)| values.join(","))
        .or_else(|| variable(&["NO_PROXY", "no_proxy"]));
    let https = secure.or_else(|| plain.clone());
    let https = if off { https } else { https.or_else(|| variable(&HTTPS_PROXY)) };
    let http = if off { None } else { plain.or_else(|| variable(&HTTP_PROXY)) };
    Proxies { https: https.map(Secret::new), http: http.map(Secret::new), no_proxy }
}

const HTTPS_PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
const HTTP_PROXY: [&str; 2] = ["HTTP_PROXY", "http_proxy"];

/// `cafile`, then `ca`: only these, as in npm. Else the system's, and those of Node's `NODE_EXTRA_CA_CERTS`.
fn roots(layers: &Layers, inputs: &Inputs) -> Result<Roots, Error> {
    if let Some(setting) = layers.chosen("cafile", inputs) {
        let path = resolve_path(&setting.value, inputs);
        // npm goes on without a word when the file is missing, with the system's roots; so does this.
        if let Some(pem) = files::read(&path) {
            return Roots::only(&pem).map_err(|problem| setting.wrong("cafile", problem));
        }
        tracing::warn!(path = %path.display(), from = %setting.source, "cafile cannot be read");
    }
    if let Some((values, source)) = layers.list("ca", inputs) {
        let setting = Setting { value: String::new(), source, missing: Vec::new() };
        let pem = values.join("\n").replace("\\n", "\n");
        return Roots::only(&pem).map_err(|problem| setting.wrong("ca", problem));
    }
    const EXTRA: &str = "NODE_EXTRA_CA_CERTS";
    let Some(path) = (inputs.env)(EXTRA).filter(|path| !path.is_empty()) else { return Ok(Roots::default()) };
    let setting = Setting { value: path, source: Source::Environment(EXTRA.to_owned()), missing: Vec::new() };
    match files::read(&resolve_path(&setting.value, inputs)) {
        Some(pem) => Roots::with_extra(&pem).map_err(|problem| setting.wrong(EXTRA, problem)),
        // Node warns and goes on.
        None => Ok(Roots::default()),
    }
}
