//! Whose certificates are accepted.

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::error::EgressError;

/// TLS sessions that one tenant can resume: a few per origin.
const SESSIONS: usize = 64;

/// The certificate authorities that are believed. Loading them takes some milliseconds: load once, clone for each
/// tenant. Nothing process-wide is installed.
#[derive(Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
}

impl Trust {
    /// The operating system's authorities.
    ///
    /// # Errors
    ///
    /// [`EgressError::Trust`] where it has none.
    pub fn system() -> Result<Self, EgressError> {
        Self::verified(Verifier::new(provider())?)
    }

    /// The operating system's authorities and those of a text in PEM, such as a company's own.
    ///
    /// # Errors
    ///
    /// [`EgressError::Trust`] where the system has none or the text holds no certificate.
    pub fn system_and(pem: &str) -> Result<Self, EgressError> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let certificates = certificates.ok().filter(|certificates| !certificates.is_empty());
        let certificates = certificates.ok_or_else(|| rustls::Error::General("no certificate in PEM".to_owned()))?;
        Self::verified(Verifier::new_with_extra_roots(certificates, provider())?)
    }

    fn verified(verifier: Verifier) -> Result<Self, EgressError> {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        // "Dangerous" is the name of the only way in for a verifier of one's own; this one is the system's.
        Ok(Self::new(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()))
    }

    /// These authorities and no others; with none, no https request succeeds.
    ///
    /// # Errors
    ///
    /// [`EgressError::Trust`] where one is malformed.
    pub fn only(authorities: impl IntoIterator<Item = CertificateDer<'static>>) -> Result<Self, EgressError> {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority)?;
        }
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        Ok(Self::new(builder.with_root_certificates(roots).with_no_client_auth()))
    }

    fn new(mut config: ClientConfig) -> Self {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self { config: Arc::new(config) }
    }

    /// A configuration of one's own: a resumed session would tell a server that two tenants share a host.
    pub(crate) fn tenant_config(&self) -> ClientConfig {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        config
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
