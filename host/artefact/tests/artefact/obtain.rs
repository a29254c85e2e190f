//! The way of a package from a registry on loopback into the cache, and what may go wrong on it.

use std::time::Duration;

use crate::registry::*;
use llm_provider_artefact::{Error, Given, Integrity, Lookup, Origin, Progress, Verified, locate, obtain};

fn silent(_: Progress) {}

fn url(text: &str) -> Given<url::Url> {
    Given::new(url::Url::parse(text).unwrap(), "GITHUB_COPILOT_CLI_URL")
}

#[tokio::test]
async fn a_package_is_fetched_once_and_then_found() {
    let registry = Registry::with(&package()).await;
    let cache = tempfile::tempdir().unwrap();
    let request = request(&registry, cache.path());
    let expected = cache.path().join("sidecars/copilot-cli/1.0.50-linux-x64/package/copilot");
    assert_eq!(
        locate(&request).await.unwrap(),
        Lookup::NotFound { expected: expected.clone(), damaged: None },
        "nothing there yet"
    );

    let seen = std::sync::Mutex::new(Vec::new());
    let first = obtain(&request, &|progress| seen.lock().unwrap().push(progress)).await.unwrap();
    assert_eq!((&first.path, first.verified), (&expected, Verified::Metadata));
    assert_eq!(first.origin, Origin::Registry { url: registry.url("/npm/") });
    assert_eq!(std::fs::read_to_string(first.license.unwrap()).unwrap(), "licence");
    assert_eq!(std::fs::read(&first.path).unwrap(), program());
    let seen = seen.into_inner().unwrap();
    let bytes = package().len() as u64;
    assert!(seen.contains(&Progress::Downloading { bytes, total: Some(bytes) }), "{seen:?}");
    assert_eq!(seen.last(), Some(&Progress::Published));

    assert_eq!(first.digest, Some(Integrity::from_sha256_hex(&sha256_hex(&program())).unwrap()));

    let second = obtain(&request, &silent).await.unwrap();
    assert_eq!((second.origin, second.path), (Origin::Cache, expected));
    assert_eq!(registry.hits(ARCHIVE), 1);
    assert_eq!(leftovers(cache.path()), [""; 0]);
}

/// S13: the program of the package can be run as it is, whatever mode the archive gives it; no Node, no image.
#[cfg(unix)]
#[tokio::test]
async fn modes_are_0755_and_0644_whatever_the_archive_says() {
    use std::os::unix::fs::PermissionsExt;
    let odd = package_of(&[
        ("package/copilot", 0o000, &program()),
        ("package/package.json", 0o4666, PACKAGE_JSON.as_bytes()),
        ("package/tool", 0o7777, b"x"),
    ]);
    let registry = Registry::with(&odd).await;
    let cache = tempfile::tempdir().unwrap();
    let located = obtain(&request(&registry, cache.path()), &silent).await.unwrap();
    let mode = |name: &str| std::fs::metadata(located.path.with_file_name(name)).unwrap().permissions().mode() & 0o7777;
    let umask_free = |want: u32, got: u32| got & !want == 0 && got & 0o400 != 0;
    for (name, want) in [("copilot", 0o755), ("package.json", 0o644), ("tool", 0o755)] {
        assert!(umask_free(want, mode(name)), "{name}: {:o}", mode(name));
    }
    assert_ne!(mode("copilot") & 0o100, 0);
}

#[tokio::test]
async fn a_registry_without_version_documents_is_asked_for_all_versions() {
    let package = package();
    let registry = Registry::with(&package).await;
    registry.set(METADATA, Reply::Status(405));
    let document = format!(
        r#"{{"versions":{{"1.0.49":{{}},"1.0.50":{{"version":"1.0.50","dist":{{"integrity":"{}"}}}}}}}}"#,
        integrity(&package)
    );
    registry.set(PACKUMENT, Reply::Bytes(document.into_bytes()));
    let cache = tempfile::tempdir().unwrap();
    obtain(&request(&registry, cache.path()), &silent).await.unwrap();
}

/// Every fault: the kind of error, how often the archive was asked for, and that nothing is left in the cache. N08: an older
/// version is one of them, though its digest is what the registry says.
#[tokio::test]
async fn faults_publish_nothing() {
    let good = package();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let half = good[..middle].to_vec();
    let other = package_of(&[("package/copilot", 0o755, b"x"), ("package/package.json", 0o644, b"{}")]);
    let wrong_version = PACKAGE_JSON.replace("1.0.50", "1.0.3");
    let older =
        package_of(&[("package/copilot", 0o755, b"x"), ("package/package.json", 0o644, wrong_version.as_bytes())]);
    let empty = package_of(&[("package/package.json", 0o644, PACKAGE_JSON.as_bytes())]);
    let matching = |bytes: &[u8]| (Reply::Bytes(bytes.to_vec()), integrity(bytes));
    type Is = fn(&Error) -> bool;
    let cases: [(&str, (Reply, String), usize, Is); 11] = [
        ("flipped bit", (Reply::Bytes(flipped), integrity(&good)), 2, |e| matches!(e, Error::IntegrityMismatch { .. })),
        ("half", (Reply::Bytes(half.clone()), integrity(&good)), 2, |e| matches!(e, Error::IntegrityMismatch { .. })),
        ("cut", (Reply::CutOff(half.clone(), good.len()), integrity(&good)), 2, |e| {
            matches!(e, Error::Transport { .. })
        }),
        ("stall", (Reply::Stall(half), integrity(&good)), 2, |e| matches!(e, Error::Deadline { .. })),
        ("500", (Reply::Status(500), integrity(&good)), 2, |e| matches!(e, Error::Status { status: 500, .. })),
        ("404", (Reply::Status(404), integrity(&good)), 1, |e| matches!(e, Error::Status { status: 404, .. })),
        ("no gzip", matching(b"hello"), 1, |e| matches!(e, Error::Archive { .. })),
        ("other package", matching(&other), 1, |e| matches!(e, Error::WrongPackage { .. })),
        ("older version", matching(&older), 1, |e| matches!(e, Error::WrongPackage { .. })),
        ("no program", matching(&empty), 1, |e| matches!(e, Error::WrongPackage { .. })),
        ("large", (Reply::Bytes(vec![0; 300_000]), integrity(&good)), 1, |e| matches!(e, Error::TooLarge { .. })),
    ];
    for (name, (reply, digest), asked, is) in cases {
        let registry = Registry::empty().await;
        registry.list(&registry.url(ARCHIVE), &digest);
        registry.set(ARCHIVE, reply);
        let cache = tempfile::tempdir().unwrap();
        let mut request = request(&registry, cache.path());
        request.limits.between_bytes = Duration::from_millis(300);
        request.limits.archive_bytes = 200_000;
        let error = obtain(&request, &silent).await.unwrap_err();
        assert!(is(&error), "{name}: {error}");
        assert!(!error.to_string().contains('\n'), "{name}: {error}");
        assert_eq!(registry.hits(ARCHIVE), asked, "{name}");
        assert_eq!(listing(&cache.path().join("sidecars/copilot-cli")), [""; 0], "{name}");
    }
}

/// One flipped bit anywhere, 1,000 times. B19, N06: an archive that is not what was pinned is not used.
#[tokio::test]
async fn n06_a_thousand_flipped_bits_are_refused() {
    let good =
        package_of(&[("package/copilot", 0o755, b"program"), ("package/package.json", 0o644, PACKAGE_JSON.as_bytes())]);
    let registry = Registry::with(&good).await;
    let cache = tempfile::tempdir().unwrap();
    let request = request(&registry, cache.path());
    let mut state = 7u64;
    for round in 0..1000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bit = (state >> 16) as usize % (good.len() * 8);
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        registry.set(ARCHIVE, Reply::Bytes(bad));
        let error = obtain(&request, &silent).await.unwrap_err();
        assert!(matches!(error, Error::IntegrityMismatch { .. }), "round {round}, bit {bit}: {error}");
    }
    assert_eq!(listing(&cache.path().join("sidecars/copilot-cli")), [""; 0]);
    registry.set(ARCHIVE, Reply::Bytes(good));
    obtain(&request, &silent).await.unwrap();
}

#[tokio::test]
async fn a_second_attempt_heals_a_broken_download() {
    let good = package();
    let registry = Registry::with(&good).await;
    let mut flipped = good.clone();
    flipped[100] ^= 1;
    for broken in [Reply::Bytes(flipped), Reply::CutOff(good[..100].to_vec(), good.len()), Reply::Status(503)] {
        registry.set(ARCHIVE, Reply::Then(Box::new(broken), Box::new(Reply::Bytes(good.clone()))));
        let cache = tempfile::tempdir().unwrap();
        obtain(&request(&registry, cache.path()), &silent).await.unwrap();
    }
}

#[tokio::test]
async fn after_a_wrong_digest_no_release_is_tried_but_after_404_it_is() {
    let good = package();
    let registry = Registry::with(&good).await;
    let bare = package_of(&[("copilot", 0o755, &program()), ("LICENSE.md", 0o644, b"licence")]);
    let sums = format!("{}  copilot-linux-x64.tar.gz\n", sha256_hex(&bare));
    registry.set("/rel/v1.0.50/SHA256SUMS.txt", Reply::Bytes(sums.into_bytes()));
    registry.set("/rel/v1.0.50/copilot-linux-x64.tar.gz", Reply::Bytes(bare));
    let cache = tempfile::tempdir().unwrap();
    let mut request = request(&registry, cache.path());
    request.allow_release = true;
    request.release_base = Some(url::Url::parse(&registry.url("/rel/v")).unwrap());

    registry.set(ARCHIVE, Reply::Bytes(b"evil".to_vec()));
    assert!(matches!(obtain(&request, &silent).await, Err(Error::IntegrityMismatch { .. })));
    assert_eq!(registry.hits("/rel/v1.0.50/SHA256SUMS.txt"), 0);

    registry.set(METADATA, Reply::Status(404));
    let located = obtain(&request, &silent).await.unwrap();
    assert_eq!((located.verified, located.version.unwrap().to_string().as_str()), (Verified::ReleaseSums, "1.0.50"));
    assert!(located.path.ends_with("1.0.50-linux-x64/package/copilot") && located.license.is_some());

    request.allow_release = false;
    assert!(matches!(locate(&request).await.unwrap(), Lookup::Found(_)), "no pin contradicts it");
}

#[tokio::test]
async fn a_release_with_a_wrong_sum_is_refused_and_all_reasons_are_told() {
    let registry = Registry::empty().await;
    let cache = tempfile::tempdir().unwrap();
    let mut request = request(&registry, cache.path());
    request.allow_release = true;
    request.release_base = Some(url::Url::parse(&registry.url("/rel/v")).unwrap());
    let error = obtain(&request, &silent).await.unwrap_err();
    assert!(matches!(&error, Error::NoSource { tried, .. } if tried.len() == 2), "{error}");
    assert!(error.hint().unwrap().contains("another version"), "{:?}", error.hint());

    let sums = format!("{}  copilot-linux-x64.tar.gz\n", sha256_hex(b"something else"));
    registry.set("/rel/v1.0.50/SHA256SUMS.txt", Reply::Bytes(sums.into_bytes()));
    registry.set("/rel/v1.0.50/copilot-linux-x64.tar.gz", Reply::Bytes(package()));
    assert!(matches!(obtain(&request, &silent).await, Err(Error::IntegrityMismatch { .. })));
}

#[tokio::test]
async fn a_pinned_version_takes_no_other_digest() {
    let evil = package();
    let registry = Registry::with(&evil).await;
    let cache = tempfile::tempdir().unwrap();
    let mut request = request(&registry, cache.path());
    request.version = request.product.default_version.clone();
    let document = format!(r#"{{"version":"1.0.102","dist":{{"tarball":"{}"}}}}"#, registry.url(ARCHIVE));
    let metadata = METADATA.replace("1.0.50", "1.0.102");
    registry.set(&metadata, Reply::Bytes(document.into_bytes()));
    assert!(matches!(obtain(&request, &silent).await, Err(Error::IntegrityMismatch { .. })));
    assert_eq!(registry.hits(ARCHIVE), 2);

    let lie = format!(r#"{{"version":"1.0.102","dist":{{"integrity":"{}"}}}}"#, integrity(&evil));
    registry.set(&metadata, Reply::Bytes(lie.into_bytes()));
    assert!(matches!(obtain(&request, &silent).await, Err(Error::IntegrityMismatch { .. })));
    assert_eq!(registry.hits(ARCHIVE), 2, "a contradicting listing ends it before the download");
}

#[tokio::test]
async fn an_override_address_needs_a_digest_from_somewhere() {
    let package = package();
    let registry = Registry::with(&package).await;
    registry.set("/mirror/x.tgz?key=secret", Reply::Bytes(package.clone()));
    let mirror = registry.url("/mirror/x.tgz?key=secret");
    let fresh = |cache: &tempfile::TempDir| {
        let mut request = request(&registry, cache.path());
        request.override_url = Some(url(&mirror));
        request
    };

    let cache = tempfile::tempdir().unwrap();
    let located = obtain(&fresh(&cache), &silent).await.unwrap();
    assert_eq!(located.verified, Verified::Metadata);
    assert_eq!(located.origin, Origin::Override { named_by: "GITHUB_COPILOT_CLI_URL".into() });
    assert_eq!((registry.hits(ARCHIVE), registry.hits("/mirror/x.tgz?key=secret")), (0, 1));

    let cache = tempfile::tempdir().unwrap();
    let mut request = fresh(&cache);
    request.npm = None;
    let error = obtain(&request, &silent).await.unwrap_err();
    assert!(matches!(error, Error::NoDigest { .. }) && !error.to_string().contains("secret"), "{error}");
    request.integrity = Some(integrity(b"another").parse().unwrap());
    assert!(matches!(obtain(&request, &silent).await, Err(Error::IntegrityMismatch { .. })));
    request.integrity = Some(integrity(&package).parse().unwrap());
    assert_eq!(obtain(&request, &silent).await.unwrap().verified, Verified::Given);

    let cache = tempfile::tempdir().unwrap();
    let mut request = fresh(&cache);
    request.npm = None;
    request.allow_unverified = true;
    assert_eq!(obtain(&request, &silent).await.unwrap().verified, Verified::Nothing);
    assert!(matches!(locate(&request).await.unwrap(), Lookup::Found(_)));
    request.allow_unverified = false;
    let waived = locate(&request).await.unwrap();
    assert!(matches!(waived, Lookup::NotFound { damaged: Some(_), .. }), "what was let in once is not let in for ever");
}

#[tokio::test]
async fn damage_in_the_cache_is_found_and_healed() {
    let registry = Registry::with(&package()).await;
    let cache = tempfile::tempdir().unwrap();
    let request = request(&registry, cache.path());
    let located = obtain(&request, &silent).await.unwrap();
    let tree = located.path.parent().unwrap().parent().unwrap().to_owned();
    let same_size_other_bytes = vec![0; program().len()];
    let damages: [(&str, &dyn Fn()); 7] = [
        ("cut off", &|| std::fs::write(&located.path, "x").unwrap()),
        ("other bytes", &|| std::fs::write(&located.path, &same_size_other_bytes).unwrap()),
        ("file gone", &|| std::fs::remove_file(tree.join("package/prebuilds/deep/runtime.node")).unwrap()),
        ("another file cut off", &|| std::fs::write(tree.join("package/LICENSE.md"), "l").unwrap()),
        ("manifest gone", &|| std::fs::remove_file(tree.join("manifest.json")).unwrap()),
        ("manifest broken", &|| std::fs::write(tree.join("manifest.json"), "{\"format\":").unwrap()),
        ("tree empty", &|| {
            std::fs::remove_dir_all(&tree).unwrap();
            std::fs::create_dir(&tree).unwrap();
        }),
    ];
    for (round, (name, damage)) in damages.into_iter().enumerate() {
        damage();
        let lookup = locate(&request).await.unwrap();
        assert!(matches!(lookup, Lookup::NotFound { damaged: Some(_), .. }), "{name}: {lookup:?}");
        obtain(&request, &silent).await.unwrap();
        assert_eq!(std::fs::read(&located.path).unwrap(), program(), "{name}");
        assert_eq!(registry.hits(ARCHIVE), round + 2, "{name}");
    }
    assert_eq!(leftovers(cache.path()), [""; 0]);
}

#[tokio::test]
async fn a_copied_cache_with_new_times_is_hashed_and_accepted() {
    let registry = Registry::with(&package()).await;
    let cache = tempfile::tempdir().unwrap();
    let request = request(&registry, cache.path());
    let located = obtain(&request, &silent).await.unwrap();
    let file = std::fs::File::options().write(true).open(&located.path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert!(matches!(locate(&request).await.unwrap(), Lookup::Found(_)));
}

#[tokio::test]
async fn offline_and_too_old_are_refused_without_the_network() {
    let registry = Registry::with(&package()).await;
    let cache = tempfile::tempdir().unwrap();
    let mut request = request(&registry, cache.path());
    request.offline = true;
    let error = obtain(&request, &silent).await.unwrap_err();
    assert!(matches!(error, Error::Offline { .. }) && error.hint().is_some());
    request.offline = false;
    request.version = "1.0.2-3".parse().unwrap();
    assert!(matches!(obtain(&request, &silent).await, Err(Error::VersionTooOld { .. })));
    assert!(registry.seen().is_empty());
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_an_error_with_its_path() {
    let registry = Registry::with(&package()).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = obtain(&request(&registry, &file.join("cache")), &silent).await.unwrap_err();
    assert!(matches!(&error, Error::Cache { path, .. } if path.starts_with(&file)), "{error}");
    assert!(error.to_string().starts_with("cannot create"), "{error}");
    assert!(error.hint().unwrap().contains("writable"));
    assert!(registry.seen().is_empty());
}

#[tokio::test]
async fn a_dropped_call_leaves_nothing() {
    let good = package();
    let registry = Registry::with(&good).await;
    registry.set(ARCHIVE, Reply::Stall(good[..1000].to_vec()));
    let cache = tempfile::tempdir().unwrap();
    let request = request(&registry, cache.path());
    let (started, mut begun) = tokio::sync::mpsc::channel(64);
    let running = tokio::spawn({
        let request = request.clone();
        async move {
            let tell = move |progress| {
                if matches!(progress, Progress::Downloading { bytes: 1.., .. }) {
                    let _ = started.try_send(());
                }
            };
            obtain(&request, &tell).await
        }
    });
    begun.recv().await.unwrap();
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    registry.set(ARCHIVE, Reply::Bytes(good));
    obtain(&request, &silent).await.unwrap();
    assert_eq!(leftovers(cache.path()), [""; 0]);
}
