//! Where requests may be sent, and with which credentials.

use crate::registry::*;
use llm_provider_artefact::{Error, obtain};

const TOKEN: &str = "Bearer t0k3n";

/// A request whose configuration binds a token to `<registry>/npm/`.
fn with_token(registry: &Registry, cache: &std::path::Path) -> llm_provider_artefact::Request {
    let key = format!("npm_config_//{}/npm/:_authToken", registry.address);
    request_with(cache, &[("npm_config_registry", &registry.url("/npm/")), (&key, "t0k3n")])
}

fn authorizations(registry: &Registry, path: &str) -> Vec<Option<String>> {
    registry.seen().into_iter().filter(|seen| seen.path == path).map(|seen| seen.authorization).collect()
}

#[tokio::test]
async fn a_token_goes_to_metadata_and_archive_below_its_path() {
    let registry = Registry::with(&package()).await;
    let cache = tempfile::tempdir().unwrap();
    obtain(&with_token(&registry, cache.path()), &|_| ()).await.unwrap();
    assert_eq!(authorizations(&registry, METADATA), [Some(TOKEN.to_owned())]);
    assert_eq!(authorizations(&registry, ARCHIVE), [Some(TOKEN.to_owned())]);
}

#[tokio::test]
async fn a_token_goes_to_no_other_origin_and_no_other_path() {
    let package = package();
    let (registry, other) = (Registry::with(&package).await, Registry::empty().await);
    let cache = tempfile::tempdir().unwrap();
    other.set("/x.tgz", Reply::Bytes(package.clone()));
    registry.list(&other.url("/x.tgz"), &integrity(&package));
    obtain(&with_token(&registry, cache.path()), &|_| ()).await.unwrap();
    assert_eq!(authorizations(&other, "/x.tgz"), [None]);

    let cache = tempfile::tempdir().unwrap();
    registry.set("/elsewhere/x.tgz", Reply::Bytes(package.clone()));
    registry.list(&registry.url("/elsewhere/x.tgz"), &integrity(&package));
    obtain(&with_token(&registry, cache.path()), &|_| ()).await.unwrap();
    assert_eq!(authorizations(&registry, "/elsewhere/x.tgz"), [None]);
}

#[tokio::test]
async fn a_redirect_to_another_origin_and_back_loses_the_token_for_good() {
    let package = package();
    let (registry, other) = (Registry::with(&package).await, Registry::empty().await);
    registry.set(ARCHIVE, Reply::Redirect(other.url("/hop")));
    other.set("/hop", Reply::Redirect(registry.url("/npm/blob")));
    registry.set("/npm/blob", Reply::Bytes(package));
    let cache = tempfile::tempdir().unwrap();
    obtain(&with_token(&registry, cache.path()), &|_| ()).await.unwrap();
    assert_eq!(authorizations(&registry, ARCHIVE), [Some(TOKEN.to_owned())]);
    assert_eq!(authorizations(&other, "/hop"), [None]);
    assert_eq!(authorizations(&registry, "/npm/blob"), [None]);
}

#[tokio::test]
async fn relative_redirects_work_five_are_followed_six_are_not() {
    let package = package();
    let registry = Registry::with(&package).await;
    let hop = |from: usize| {
        (if from == 0 { ARCHIVE.to_owned() } else { format!("/npm/{from}") }, format!("/npm/{}", from + 1))
    };
    for from in 0..5 {
        let (at, to) = hop(from);
        registry.set(&at, Reply::Redirect(to));
    }
    registry.set("/npm/5", Reply::Bytes(package.clone()));
    let cache = tempfile::tempdir().unwrap();
    obtain(&request(&registry, cache.path()), &|_| ()).await.unwrap();

    registry.set("/npm/5", Reply::Redirect("/npm/6".to_owned()));
    registry.set("/npm/6", Reply::Bytes(package));
    let cache = tempfile::tempdir().unwrap();
    let error = obtain(&request(&registry, cache.path()), &|_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Redirect { .. }), "{error}");
}

#[tokio::test]
async fn redirects_out_of_http_are_refused() {
    let registry = Registry::with(&package()).await;
    for to in ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "http://[bad"] {
        registry.set(ARCHIVE, Reply::Redirect(to.to_owned()));
        let cache = tempfile::tempdir().unwrap();
        let error = obtain(&request(&registry, cache.path()), &|_| ()).await.unwrap_err();
        assert!(matches!(error, Error::Redirect { .. }), "{to}: {error}");
    }
}

#[tokio::test]
async fn a_second_attempt_goes_to_the_registrys_own_place() {
    let package = package();
    let registry = Registry::with(&package).await;
    let unreachable = format!("http://127.0.0.1:{}/x.tgz", free_port());
    registry.list(&unreachable, &integrity(&package));
    let cache = tempfile::tempdir().unwrap();
    obtain(&request(&registry, cache.path()), &|_| ()).await.unwrap();
    assert_eq!(registry.hits(ARCHIVE), 1);
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_refused_token_is_told_without_being_told() {
    let registry = Registry::with(&package()).await;
    registry.set(METADATA, Reply::Status(401));
    let cache = tempfile::tempdir().unwrap();
    let error = obtain(&with_token(&registry, cache.path()), &|_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Status { status: 401, authenticated: true, .. }), "{error}");
    assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("t0k3n"));
    assert!(error.hint().unwrap().contains("npm login"));
}

#[tokio::test]
async fn a_proxy_is_used_only_when_it_is_configured() {
    let package = package();
    let (registry, proxy) = (Registry::with(&package).await, Registry::empty().await);
    let cache = tempfile::tempdir().unwrap();
    let base = registry.url("/npm/");
    let through = proxy.url("/");
    let asked = |proxy: &Registry| !proxy.seen().is_empty();

    let direct = [("npm_config_registry", base.as_str()), ("npm_config_proxy", &through), ("NO_PROXY", "127.0.0.1")];
    obtain(&request_with(cache.path(), &direct), &|_| ()).await.unwrap();
    assert!(!asked(&proxy), "NO_PROXY");

    let cache = tempfile::tempdir().unwrap();
    let error = obtain(&request_with(cache.path(), &direct[..2]), &|_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Status { status: 404, .. }) && asked(&proxy), "{error}");
}
