//! What a project's `.npmrc` that came with a clone cannot do.

use crate::registry::*;
use llm_provider_artefact::npm::{Settings, Source, resolve};
use llm_provider_artefact::{Egress, Error, Request, obtain};

const SECRET: &str = "hunter2";

/// A user with a file of their own, in a directory that came with a clone.
struct Checkout {
    dir: tempfile::TempDir,
}

impl Checkout {
    fn new(project: &str, user: &str) -> Self {
        let checkout = Self { dir: tempfile::tempdir().unwrap() };
        checkout.write("no-work/package.json", "{}");
        checkout.write("no-work/.npmrc", project);
        checkout.write("no-home/.npmrc", user);
        checkout
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn request(&self) -> Request {
        request_with(self.dir.path(), &[("TOKEN", SECRET)])
    }

    async fn resolve(&self) -> Result<Settings, Error> {
        resolve(&self.request().npm.unwrap(), "@github").await
    }
}

#[tokio::test]
async fn it_passes_no_file_off_as_the_users() {
    for line in ["userconfig=./x", "globalconfig=./x", "prefix=./y"] {
        let checkout = Checkout::new(line, "");
        checkout.write("no-work/x", "registry=https://evil.example/");
        checkout.write("no-work/y/etc/npmrc", "registry=https://evil.example/");
        let error = checkout.resolve().await.map(|settings| settings.registry).unwrap_err();
        assert!(matches!(error, Error::NoRegistry { .. }), "{line}: {error}");

        checkout.write("no-home/.npmrc", "registry=https://own.example/");
        let settings = checkout.resolve().await.unwrap();
        assert_eq!(settings.registry.as_str(), "https://own.example/", "{line}");
        assert_eq!(settings.source, Source::User(checkout.dir.path().join("no-home/.npmrc")), "{line}");
        let key = line.split('=').next().unwrap();
        assert!(settings.notes.len() == 1 && settings.notes[0].starts_with(key), "{:?}", settings.notes);
    }
}

#[tokio::test]
async fn it_has_no_say_over_the_connection() {
    for line in [
        "proxy=http://evil.example/",
        "https-proxy=http://evil.example/",
        "noproxy=own.example",
        "noproxy[]=own.example",
        "cafile=./evil.pem",
        "ca=evil",
        "ca[]=evil",
        "strict-ssl=false",
    ] {
        let checkout = Checkout::new(line, "registry=https://own.example/");
        checkout.write("no-work/evil.pem", "evil");
        let settings = checkout.resolve().await.unwrap();
        assert_eq!(format!("{:?}", settings.egress), format!("{:?}", Egress::default()), "{line}");
        assert_eq!(settings.notes.len(), 1, "{line}: {:?}", settings.notes);
    }
    let checkout = Checkout::new("proxy=false", "registry=https://own.example/\nproxy=http://own.example/\nca=evil\n");
    let error = checkout.resolve().await.unwrap_err();
    assert!(error.to_string().contains("no-home/.npmrc"), "the user's own word counts: {error}");
}

#[tokio::test]
async fn it_does_not_stand_between_the_user_and_their_registry() {
    let (registry, evil) = (Registry::with(&package()).await, Registry::empty().await);
    let own = format!("registry={}\n//{}/npm/:_authToken={SECRET}\n", registry.url("/npm/"), registry.address);
    let checkout = Checkout::new(&format!("proxy={}\n", evil.url("/")), &own);
    obtain(&checkout.request(), &|_| ()).await.unwrap();
    assert_eq!(evil.seen().len(), 0);
    assert!(registry.seen()[0].authorization.as_deref().unwrap().contains(SECRET));
}

#[tokio::test]
async fn it_sends_no_variable() {
    let evil = Registry::with(&package()).await;
    let (url, address) = (evil.url("/npm/"), evil.address);
    for lines in [
        format!("registry={url}${{TOKEN}}/\n"),
        format!("registry={url}${{TOKEN?}}/\n"),
        format!("@github:registry={url}${{TOKEN}}/\n"),
        format!("registry={url}\n//{address}/npm/:_authToken=${{TOKEN}}\n"),
        format!("registry={url}\n//{address}/npm/:_auth=${{TOKEN?}}\n"),
        format!("registry={url}\n//{address}/:username=${{TOKEN}}\n//{address}/:_password=cA==\n"),
    ] {
        let checkout = Checkout::new(&lines, "");
        let error = obtain(&checkout.request(), &|_| ()).await.unwrap_err();
        assert!(matches!(error, Error::NoRegistry { .. } | Error::UntrustedRegistry { .. }), "{lines}: {error}");
        let told = format!("{:?}", evil.seen());
        assert!(!told.contains(SECRET) && !told.contains("Basic") && !told.contains("Bearer"), "{lines}: {told}");
        checkout.write("no-home/.npmrc", "registry=https://own.example/");
        let notes = checkout.resolve().await.unwrap().notes;
        assert!(notes.iter().any(|note| note.contains("${TOKEN")), "{lines}: {notes:?}");
    }
    // The user's own file may.
    let checkout = Checkout::new("", &format!("registry={url}\n//{address}/npm/:_authToken=${{TOKEN}}\n"));
    obtain(&checkout.request(), &|_| ()).await.unwrap();
    assert!(format!("{:?}", evil.seen()).contains(SECRET));
}

/// The user bound a login to a host. That it goes there without TLS is not for a project to say.
#[tokio::test]
async fn it_sends_no_login_without_tls() {
    let login = format!("//own.example/:_authToken={SECRET}\n");
    let asked = url::Url::parse("http://own.example/p").unwrap();
    let checkout = Checkout::new("registry=http://own.example/\n", &login);
    let settings = checkout.resolve().await.unwrap();
    assert!(settings.credentials.authorization(&asked).is_none());
    assert!(settings.notes.len() == 1 && settings.notes[0].contains("without TLS"), "{:?}", settings.notes);
    let checkout = Checkout::new("", &format!("registry=http://own.example/\n{login}"));
    let settings = checkout.resolve().await.unwrap();
    assert!(settings.credentials.authorization(&asked).is_some() && settings.notes.is_empty());
}
