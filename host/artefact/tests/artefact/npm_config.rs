//! Which registry wins, and from where.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::registry::*;
use llm_provider_artefact::npm::{Inputs, Settings, Source, resolve};
use llm_provider_artefact::{Error, Runner, Running, ShortCommand, obtain};

/// A machine with a home, a project and an npm of its own.
struct Machine {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for sub in ["home", "work/src", "usr/bin", "usr/etc", "usr/lib/npm/bin", "etc"] {
            std::fs::create_dir_all(dir.path().join(sub)).unwrap();
        }
        let machine = Self { dir, env: Vec::new() };
        machine.write("work/package.json", "{}");
        machine.write("usr/bin/node", "");
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path(path), text).unwrap();
    }

    fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    fn inputs(&self) -> Inputs {
        let mut env = self.env.clone();
        env.push(("PATH".to_owned(), self.path("usr/bin").to_string_lossy().into_owned()));
        // Real paths, as a caller has them: the temporary directory may be behind a link.
        let lookup = move |name: &str| env.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        Inputs::new(lookup, self.path("home"), self.path("work/src"))
    }

    async fn resolve(&self) -> Result<Settings, Error> {
        resolve(&self.inputs(), "@github").await
    }

    async fn registry(&self) -> (String, Source) {
        let settings = self.resolve().await.unwrap();
        (settings.registry.to_string(), settings.source)
    }
}

fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap()
}

/// From the lowest layer up: each new one wins over all before it.
#[tokio::test]
async fn every_layer_wins_over_the_one_below() {
    let mut machine = Machine::new();
    assert!(matches!(machine.resolve().await, Err(Error::NoRegistry { .. })));

    #[cfg(unix)]
    {
        machine.write("usr/lib/npm/package.json", "{}");
        machine.write("usr/lib/npm/bin/npm-cli.js", "");
        machine.write("usr/lib/npm/npmrc", "registry=http://builtin.example");
        std::os::unix::fs::symlink("../lib/npm/bin/npm-cli.js", machine.path("usr/bin/npm")).unwrap();
        let source = Source::Builtin(real(&machine.path("usr/lib/npm")).join("npmrc"));
        assert_eq!(machine.registry().await, ("http://builtin.example/".to_owned(), source));
        machine.write("usr/etc/npmrc", "registry = http://global.example/a");
        let source = Source::Global(real(&machine.path("usr")).join("etc/npmrc"));
        assert_eq!(machine.registry().await, ("http://global.example/a/".to_owned(), source));
    }
    machine.write("home/.npmrc", "registry=\"http://user.example/\" \n");
    let user = Source::User(machine.path("home/.npmrc"));
    assert_eq!(machine.registry().await, ("http://user.example/".to_owned(), user.clone()));

    machine.write("work/.npmrc", "registry=http://project.example/");
    let project = Source::Project(machine.path("work/.npmrc"));
    assert_eq!(machine.registry().await, ("http://project.example/".to_owned(), project));

    machine.set("NPM_CONFIG_REGISTRY", "http://upper.example/");
    let source = |name: &str| Source::Environment(name.to_owned());
    assert_eq!(machine.registry().await, ("http://upper.example/".to_owned(), source("NPM_CONFIG_REGISTRY")));
    machine.set("npm_config_registry", "http://lower.example/");
    assert_eq!(machine.registry().await, ("http://lower.example/".to_owned(), source("npm_config_registry")));

    machine.write("home/.npmrc", "registry=http://user.example/\n@github:registry=http://scoped.example/npm\n");
    assert_eq!(machine.registry().await, ("http://scoped.example/npm/".to_owned(), user), "a scope goes first");
}

#[tokio::test]
async fn files_can_be_elsewhere() {
    let mut machine = Machine::new();
    machine.write("etc/user", "globalconfig=~/../etc/global\n");
    machine.write("etc/global", "registry=http://${HOST}/${HOST?}${NONE?}\n");
    let user = machine.path("etc/user").to_string_lossy().into_owned();
    machine.set("npm_config_userconfig", user).set("HOST", "h.example");
    assert_eq!(machine.registry().await.0, "http://h.example/h.example/");

    let mut machine = Machine::new();
    machine.write("usr/etc/npmrc", "registry=http://by-node.example/");
    machine.write("etc/npmrc", "registry=http://by-prefix.example/");
    let root = machine.path("").to_string_lossy().into_owned();
    machine.set("npm_config_prefix", root);
    assert_eq!(machine.registry().await.0, "http://by-prefix.example/");
}

#[tokio::test]
async fn empty_and_null_are_no_values_and_the_last_line_wins() {
    let mut machine = Machine::new();
    machine.set("npm_config_registry", "");
    machine.write("home/.npmrc", "registry=http://a.example/\nregistry=http://b.example/\n@github:registry=null\n");
    assert_eq!(machine.registry().await.0, "http://b.example/");
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_its_place() {
    for (line, key) in [
        ("registry=http://r.example/\nstrict-ssl=false", "strict-ssl"),
        ("registry=not an address", "registry"),
        ("registry=file:///tmp/", "registry"),
        ("registry=robot:hunter2@registry.example/npm/", "registry"),
        ("registry=http://${UNSET}/", "registry"),
        ("registry=http://r.example/\nca=garbage", "ca"),
        ("registry=http://r.example/\ncafile=~/.npmrc", "cafile"),
    ] {
        let machine = Machine::new();
        machine.write("home/.npmrc", line);
        let error = machine.resolve().await.unwrap_err();
        assert!(matches!(&error, Error::NpmSetting { key: at, .. } if at == key), "{line}: {error}");
        assert!(error.to_string().contains("home/.npmrc") && error.hint().is_some(), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn an_address_with_a_password_is_not_printed() {
    let machine = Machine::new();
    machine.write(
        "home/.npmrc",
        "registry=https://me:hunter2@r.example/\nhttps-proxy=http://me:hunter2@p.example/\n_auth=hunter2\n",
    );
    let settings = machine.resolve().await.unwrap();
    assert!(!format!("{:?} {:?} {:?}", settings.egress, settings.credentials, settings.notes).contains("hunter2"));
    assert!(settings.notes.iter().any(|note| note.contains("not bound to a registry")));
}

/// An npm that answers.
struct Npm(Result<&'static str, &'static str>, Mutex<Vec<ShortCommand>>);

impl Runner for Npm {
    fn run(&self, command: ShortCommand) -> Running<'_> {
        self.1.lock().unwrap().push(command);
        let answer = self.0.map(str::to_owned).map_err(str::to_owned);
        Box::pin(async { answer })
    }
}

#[tokio::test]
async fn npm_is_asked_last() {
    let mut machine = Machine::new();
    machine.write("usr/bin/npm", "");
    machine.set("GITHUB_TOKEN", "secret").set("HOME", "/h");
    let mut inputs = machine.inputs();
    let npm = Arc::new(Npm(Ok("https://default.example/\n"), Mutex::default()));
    inputs.runner = Some(npm.clone());
    let settings = resolve(&inputs, "@github").await.unwrap();
    assert_eq!(settings.registry.as_str(), "https://default.example/");
    assert_eq!(settings.source, Source::Npm(machine.path("usr/bin/npm")));
    let asked = npm.1.lock().unwrap().clone();
    assert_eq!(asked[0].args, ["config", "get", "registry"]);
    assert!(!format!("{:?}", asked[0].env).contains("secret") && format!("{:?}", asked[0].env).contains("/h"));
    assert!(asked[0].env.contains(&("npm_config_global".into(), "true".into())), "it reads no project's file");

    inputs.runner = Some(Arc::new(Npm(Err("exit status 1"), Mutex::default())));
    let error = resolve(&inputs, "@github").await.unwrap_err();
    assert!(matches!(&error, Error::NoRegistry { .. }) && error.to_string().contains("exit status 1"), "{error}");
    inputs.runner = Some(Arc::new(Npm(Ok("undefined"), Mutex::default())));
    assert!(matches!(resolve(&inputs, "@github").await, Err(Error::NoRegistry { .. })));

    machine.write("home/.npmrc", "registry=https://own.example/");
    resolve(&inputs, "@github").await.unwrap();
}

/// A file that came with a clone may name a registry, but not also say what the program must hash to.
#[tokio::test]
async fn a_projects_registry_is_not_believed_about_digests() {
    let package = package();
    let registry = Registry::with(&package).await;
    let machine = Machine::new();
    machine.write("work/.npmrc", &format!("registry={}", registry.url("/npm/")));
    let cache = tempfile::tempdir().unwrap();
    let mut request = request_with(cache.path(), &[]);
    request.npm = Some(machine.inputs());
    let error = obtain(&request, &|_| ()).await.unwrap_err();
    assert!(matches!(error, Error::UntrustedRegistry { .. }), "{error}");
    assert_eq!(registry.hits(ARCHIVE), 0);
    request.integrity = Some(integrity(&package).parse().unwrap());
    obtain(&request, &|_| ()).await.unwrap();
}
