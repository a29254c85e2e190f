//! N09: whose certificate is accepted, and whose is not.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)] // helpers of tests

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use llm_provider_http::{CertificateDer, Egress, EgressLimits, EgressPolicy, FailureKind, Request, Trust};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use support::{FakeDns, OK, answer, failure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server that shows this certificate. Returns its port and the number of connections.
async fn serve(certificate: CertificateDer<'static>, key: &KeyPair) -> (u16, Arc<AtomicUsize>) {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(OK.as_bytes()).await;
        }
    });
    (port, connections)
}

fn egress(port: u16, trust: Trust) -> (Egress, String) {
    let url = format!("https://model.test:{port}/");
    let policy = EgressPolicy::new(trust).allow_private(url.parse().unwrap());
    let dns = Arc::new(FakeDns::default().answer("model.test", &["127.0.0.1"]));
    (Egress::with_resolver(policy, EgressLimits::default(), dns).unwrap(), url)
}

async fn refused(params: CertificateParams, issuer: &CertifiedIssuer<'static, KeyPair>, trust: Trust) {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    let (port, connections) = serve(certificate.der().clone(), &key).await;
    let (egress, url) = egress(port, trust);
    let failure = failure(&egress, Request::post(&url, "body").header("authorization", "hunter2")).await;
    assert_eq!((failure.kind, failure.request_sent), (FailureKind::Tls, false), "{}", failure.message);
    assert!(!failure.message.contains("hunter2"));
    assert_eq!(connections.load(Ordering::SeqCst), 1, "one attempt");
}

fn named(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

#[tokio::test]
async fn a_good_certificate_is_accepted() {
    let issuer = authority();
    let key = KeyPair::generate().unwrap();
    let certificate = named("model.test").signed_by(&key, &issuer).unwrap();
    let (port, _) = serve(certificate.der().clone(), &key).await;
    let (egress, url) = egress(port, Trust::only([issuer.der().clone()]).unwrap());
    assert_eq!(answer(&egress, Request::get(url)).await.1, b"ok");
}

#[tokio::test]
async fn n09_an_expired_certificate_is_refused_once() {
    let issuer = authority();
    let mut params = named("model.test");
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2001, 1, 1);
    refused(params, &issuer, Trust::only([issuer.der().clone()]).unwrap()).await;
}

#[tokio::test]
async fn n09_a_certificate_for_another_host_is_refused_once() {
    let issuer = authority();
    refused(named("other.test"), &issuer, Trust::only([issuer.der().clone()]).unwrap()).await;
}

#[tokio::test]
async fn n09_an_unknown_authority_is_refused_once() {
    let trusted = authority();
    refused(named("model.test"), &authority(), Trust::only([trusted.der().clone()]).unwrap()).await;
}

#[tokio::test]
async fn n09_a_self_signed_certificate_is_refused_once() {
    let key = KeyPair::generate().unwrap();
    let certificate = named("model.test").self_signed(&key).unwrap();
    let (port, connections) = serve(certificate.der().clone(), &key).await;
    let (egress, url) = egress(port, Trust::only([authority().der().clone()]).unwrap());
    assert_eq!(failure(&egress, Request::get(url)).await.kind, FailureKind::Tls);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn plain_text_on_a_tls_port_is_a_tls_failure_or_a_connection_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let (egress, url) = egress(port, Trust::only([authority().der().clone()]).unwrap());
    let failure = failure(&egress, Request::post(url, "body")).await;
    assert!(matches!(failure.kind, FailureKind::Tls | FailureKind::Connect), "{failure:?}");
    assert!(!failure.request_sent);
}
