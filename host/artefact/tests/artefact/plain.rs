//! Digests that come without TLS. A proxy on loopback stands for everybody who sits on the way.

use crate::registry::*;
use llm_provider_artefact::{Error, Request, Secret, Verified, obtain};

const SUMS: &str = "/rel/v1.0.50/SHA256SUMS.txt";

/// A request to a registry without TLS, over a way where somebody sits.
fn registry_over(way: &Registry, cache: &std::path::Path) -> Request {
    let (registry, proxy) = ("http://registry.example/npm/", way.url("/"));
    request_with(cache, &[("npm_config_registry", registry), ("npm_config_proxy", &proxy), ("NO_PROXY", "127.0.0.1")])
}

/// The same for releases.
fn release_over(way: &Registry, cache: &std::path::Path) -> Request {
    let mut request = request_with(cache, &[]);
    request.npm = None;
    request.allow_release = true;
    request.release_base = Some(url::Url::parse("http://release.example/rel/v").unwrap());
    request.egress.proxies.http = Some(Secret::new(way.url("/")));
    request.egress.proxies.no_proxy = Some("127.0.0.1".to_owned());
    request
}

#[tokio::test]
async fn a_listing_without_tls_is_refused() {
    let way = Registry::with(&package()).await;
    let cache = tempfile::tempdir().unwrap();
    let error = obtain(&registry_over(&way, cache.path()), &|_| ()).await.unwrap_err();
    assert!(matches!(&error, Error::PlainDigest { url, .. } if url.contains("registry.example")), "{error}");
    assert!(way.hits(METADATA) == 1 && way.hits(ARCHIVE) == 0);
}

#[tokio::test]
async fn a_redirect_does_not_make_a_listing_better() {
    let (way, trusted) = (Registry::empty().await, Registry::with(&package()).await);
    let cache = tempfile::tempdir().unwrap();
    let mut request = registry_over(&way, cache.path());
    // At once, and after a second hop.
    for hop in [trusted.url(METADATA), "http://second.example/hop".to_owned()] {
        way.set(METADATA, Reply::Redirect(hop));
        way.set("/hop", Reply::Redirect(trusted.url(METADATA)));
        let error = obtain(&request, &|_| ()).await.unwrap_err();
        assert!(matches!(&error, Error::PlainDigest { url, .. } if url.contains("registry.example")), "{error}");
        assert!(error.hint().is_some());
    }
    assert!(trusted.hits(METADATA) == 2 && trusted.hits(ARCHIVE) == 0);

    request.integrity = Some(integrity(&package()).parse().unwrap());
    assert_eq!(obtain(&request, &|_| ()).await.unwrap().verified, Verified::Given, "a known digest needs no TLS");
}

#[tokio::test]
async fn a_hop_without_tls_in_the_middle_counts() {
    let (way, trusted) = (Registry::empty().await, Registry::with(&package()).await);
    let (base, proxy) = (trusted.url("/npm/"), way.url("/"));
    trusted.set(METADATA, Reply::Redirect("http://middle.example/hop".to_owned()));
    trusted.list_at("/listing", &trusted.url(ARCHIVE), &integrity(&package()));
    way.set("/hop", Reply::Redirect(trusted.url("/listing")));
    let cache = tempfile::tempdir().unwrap();
    let env = [("npm_config_registry", base.as_str()), ("npm_config_proxy", &proxy), ("NO_PROXY", "127.0.0.1")];
    let error = obtain(&request_with(cache.path(), &env), &|_| ()).await.unwrap_err();
    assert!(matches!(&error, Error::PlainDigest { url, .. } if url == "http://middle.example/hop"), "{error}");
    assert_eq!(trusted.hits("/listing"), 1);
}

#[tokio::test]
async fn sums_of_a_release_without_tls_are_refused() {
    let bare = package_of(&[("copilot", 0o755, &program())]);
    let (way, trusted) = (Registry::empty().await, Registry::empty().await);
    let sums = format!("{}  copilot-linux-x64.tar.gz\n", sha256_hex(&bare));
    trusted.set(SUMS, Reply::Bytes(sums.clone().into_bytes()));
    way.set("/rel/v1.0.50/copilot-linux-x64.tar.gz", Reply::Bytes(bare.clone()));
    let cache = tempfile::tempdir().unwrap();
    let mut request = release_over(&way, cache.path());
    for answer in [Reply::Bytes(sums.into_bytes()), Reply::Redirect(trusted.url(SUMS))] {
        way.set(SUMS, answer);
        let error = obtain(&request, &|_| ()).await.unwrap_err();
        assert!(matches!(&error, Error::PlainDigest { url, .. } if url.contains("release.example")), "{error}");
    }
    request.integrity = Some(integrity(&bare).parse().unwrap());
    assert_eq!(obtain(&request, &|_| ()).await.unwrap().verified, Verified::Given);
}
