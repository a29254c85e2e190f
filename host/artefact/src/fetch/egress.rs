//! How a connection leaves the machine: TLS roots and proxies, all explicit.

use std::sync::Arc;

use reqwest::{Client, NoProxy, Proxy, redirect};
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::{Error, Limits, Secret};

/// Proxy and roots of a connection. The default is no proxy and the system's roots.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    /// Proxies.
    pub proxies: Proxies,
    /// Certificates that are trusted.
    pub roots: Roots,
}

/// Proxies. An address may hold a name and a password, hence a [`Secret`].
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// For `https:` addresses.
    pub https: Option<Secret>,
    /// For `http:` addresses.
    pub http: Option<Secret>,
    /// Hosts that are reached directly, in the notation of `NO_PROXY`.
    pub no_proxy: Option<String>,
}

/// Certificates that are trusted.
#[derive(Debug, Clone, Default)]
pub struct Roots {
    system: Option<NoSystemRoots>,
    certificates: Vec<CertificateDer<'static>>,
}

/// Marks that only the listed certificates are trusted.
#[derive(Debug, Clone)]
struct NoSystemRoots;

impl Roots {
    /// Only these certificates (PEM).
    ///
    /// # Errors
    /// One line if there is no readable certificate.
    pub fn only(pem: &str) -> Result<Self, String> {
        Ok(Self { system: Some(NoSystemRoots), certificates: certificates(pem)? })
    }

    /// The system's and these certificates (PEM).
    ///
    /// # Errors
    /// One line if there is no readable certificate.
    pub fn with_extra(pem: &str) -> Result<Self, String> {
        Ok(Self { system: None, certificates: certificates(pem)? })
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates = certificates.map_err(|error| format!("not a PEM certificate: {error}"))?;
    if certificates.is_empty() { Err("holds no PEM certificate".to_owned()) } else { Ok(certificates) }
}

/// A client with exactly this egress: no redirects (they are followed by hand, see the parent module), no retries, no
/// proxy from the environment, no referer, HTTP/1.1 (one large body; nothing to multiplex).
pub(super) fn client(egress: &Egress, limits: &Limits) -> Result<Client, Error> {
    let setup = |problem: String| Error::ConnectionSetup { problem };
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls(&egress.roots).map_err(|error| setup(error.to_string()))?)
        .http1_only()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(limits.connect)
        .user_agent(concat!("llm-provider-artefact/", env!("CARGO_PKG_VERSION")));
    let Proxies { https, http, no_proxy } = &egress.proxies;
    let direct = no_proxy.as_deref().and_then(NoProxy::from_string);
    let https = https.as_ref().map(|address| Proxy::https(address.expose()));
    let http = http.as_ref().map(|address| Proxy::http(address.expose()));
    for proxy in [https, http].into_iter().flatten() {
        // The cause may quote the address with its password.
        let proxy = proxy.map_err(|_| setup("the proxy is not an address".to_owned()))?;
        builder = builder.proxy(proxy.no_proxy(direct.clone()));
    }
    builder.build().map_err(|error| setup(super::causes(error)))
}

/// The provider is named here, so that nothing depends on which one some other part of the process installed.
fn tls(roots: &Roots) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let mut config = if roots.system.is_some() {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.certificates.iter().cloned());
        builder.with_root_certificates(store).with_no_client_auth()
    } else {
        let verifier = system_verifier(roots, provider)?;
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn system_verifier(roots: &Roots, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    let extra = roots.certificates.iter().cloned();
    Ok(Arc::new(rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider)?))
}
