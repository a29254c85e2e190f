//! Paths that somebody named go before everything else.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use crate::registry::*;
use llm_provider_artefact::{Error, Given, Located, Lookup, Origin, Runner, Running, ShortCommand, locate, obtain};

/// Answers `--version` with a fixed text.
struct Says(&'static str, Mutex<Vec<ShortCommand>>);

impl Runner for Says {
    fn run(&self, command: ShortCommand) -> Running<'_> {
        self.1.lock().unwrap().push(command);
        Box::pin(async { Ok(self.0.to_owned()) })
    }
}

fn program_in(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("copilot");
    std::fs::write(&path, "#!/bin/sh\n").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

async fn found(request: &llm_provider_artefact::Request) -> Located {
    match locate(request).await.unwrap() {
        Lookup::Found(located) => located,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn explicit_goes_before_environment_goes_before_cache() {
    let registry = Registry::with(&package()).await;
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    std::fs::create_dir_all(&a).unwrap();
    std::fs::create_dir_all(&b).unwrap();
    let mut request = request(&registry, &dir.path().join("cache"));
    obtain(&request, &|_| ()).await.unwrap();
    assert_eq!(found(&request).await.origin, Origin::Cache);

    request.environment_path = Some(Given::new(program_in(&a), "COPILOT_CLI_PATH"));
    let located = found(&request).await;
    assert_eq!(located.origin, Origin::Path { named_by: "COPILOT_CLI_PATH".into() });
    assert_eq!((located.path, located.version), (a.join("copilot"), None));

    request.explicit_path = Some(Given::new(program_in(&b), "--copilot-path"));
    assert_eq!(found(&request).await.path, b.join("copilot"));
    assert_eq!(obtain(&request, &|_| ()).await.unwrap().path, b.join("copilot"));
}

#[tokio::test]
async fn a_named_path_is_never_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let mut request = request_with(dir.path(), &[]);
    let plain = dir.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let mut bad = vec![dir.path().join("missing"), dir.path().to_owned()];
    if cfg!(unix) {
        bad.push(plain);
    }
    for path in bad {
        request.environment_path = Some(Given::new(path.clone(), "COPILOT_CLI_PATH"));
        let error = locate(&request).await.unwrap_err();
        assert!(matches!(&error, Error::GivenPath { path: at, .. } if *at == path), "{error}");
        assert!(error.hint().unwrap().contains("COPILOT_CLI_PATH"));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_version_is_read_beside_the_program_even_through_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let package = dir.path().join("package");
    std::fs::create_dir_all(&package).unwrap();
    let real = program_in(&package);
    std::fs::write(package.join("package.json"), PACKAGE_JSON).unwrap();
    std::fs::write(package.join("LICENSE.md"), "licence").unwrap();
    let link = dir.path().join("copilot");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let mut request = request_with(dir.path(), &[]);
    let runner = Arc::new(Says("9.9.9", Mutex::default()));
    request.runner = Some(runner.clone());
    request.explicit_path = Some(Given::new(link.clone(), "flag"));
    let located = found(&request).await;
    assert_eq!((located.path, located.version.unwrap().to_string()), (link, "1.0.50".to_owned()));
    assert!(located.license.is_some());
    assert!(runner.1.lock().unwrap().is_empty(), "no process was needed");

    std::fs::write(package.join("package.json"), PACKAGE_JSON.replace("1.0.50", "1.0.1")).unwrap();
    assert!(matches!(locate(&request).await, Err(Error::VersionTooOld { .. })));
}

#[tokio::test]
async fn a_bare_program_is_asked_with_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let mut request = request_with(dir.path(), &[]);
    let runner = Arc::new(Says("GitHub Copilot CLI 1.0.102.\n", Mutex::default()));
    request.runner = Some(runner.clone());
    request.explicit_path = Some(Given::new(program_in(dir.path()), "flag"));
    assert_eq!(found(&request).await.version.unwrap().to_string(), "1.0.102");
    let asked = runner.1.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].args.as_slice(), asked[0].env.len()), (&["--version".to_owned()][..], 0));
    assert!(asked[0].timeout.as_secs() <= 60 && asked[0].max_output <= 1 << 16);
}
