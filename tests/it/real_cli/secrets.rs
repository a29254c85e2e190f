//! The endpoint's key goes to the endpoint and nowhere else.

use llmp_model_server::{Reply, Script};
use llmp_tests::rig::{CANARY_KEY, Rig, processes};
use llmp_tests::watch::files_with_the_key;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[tokio::test(flavor = "multi_thread")]
async fn the_key_reaches_the_model_and_nothing_else() {
    let script = Script::new(Reply::error(401, format!("Incorrect API key provided: {CANARY_KEY}.")))
        .then(Reply::deltas(["your key is ", CANARY_KEY, "!"]));
    let Some(rig) = Rig::real("the_key_reaches_the_model_and_nothing_else", script).await else { return };
    let session = rig.instance.session();
    let answered = rig.send(&session, "tell me").await;
    answered.answered();
    let mask = "*".repeat(CANARY_KEY.len());
    assert_eq!(answered.text, format!("your key is {mask}!"), "an endpoint that repeats it is masked");
    let refused = rig.send(&session, "tell me").await;
    let told = format!("{:?} {:?} {:?} {:?}", answered.events, refused.events, refused.error, session.history());
    assert!(refused.error.is_some() && !told.contains(CANARY_KEY), "{told}");
    let expected = format!("Bearer {CANARY_KEY}");
    let requests = rig.model.requests();
    assert!(requests.iter().all(|request| request.header("authorization") == Some(&expected)));
    assert!(!requests[0].body.to_string().contains(CANARY_KEY), "in the body only what the model itself said of it");
    let sidecar = processes::sidecar(rig.home.path());
    assert!(!format!("{sidecar:?}").contains(CANARY_KEY), "neither arguments nor environment");
    rig.instance.close().await;
    let files = files_with_the_key(rig.home.path());
    // What the model itself said is in the CLI's log of the session, and nothing else.
    let said = |path: &PathBuf| path.file_name().is_some_and(|name| name == "events.jsonl");
    assert!(files.iter().all(said), "{files:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_in_no_file() {
    let Some(rig) = Rig::real("the_key_is_in_no_file", Script::echo()).await else { return };
    let session = rig.instance.session();
    for prompt in ["one", "two"] {
        rig.send(&session, prompt).await.answered();
    }
    rig.model.push(Reply::error(401, "no")).expect("room");
    rig.send(&session, "three").await.failure();
    assert_eq!(files_with_the_key(rig.home.path()), Vec::<PathBuf>::new());
    rig.instance.close().await;
    assert_eq!(files_with_the_key(rig.home.path()), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sidecars_environment_is_exactly_what_it_should_be() {
    let Some(rig) = Rig::real("the_sidecars_environment_is_exactly_what_it_should_be", Script::echo()).await else {
        return;
    };
    rig.ask("hi").await.answered();
    let sidecar = processes::sidecar(rig.home.path());
    let names: BTreeSet<&str> = sidecar.environment.keys().map(String::as_str).collect();
    let expected = BTreeSet::from([
        "COPILOT_CACHE_HOME",
        "COPILOT_DISABLE_KEYTAR",
        "COPILOT_HOME",
        "COPILOT_PKG_CACHE_HOME",
        "HOME",
        "LANG",
        "LLMP_SIDECAR_RUN",
        "PATH",
        "TMPDIR",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
    ]);
    assert_eq!(names, expected);
    for name in ["COPILOT_HOME", "HOME", "TMPDIR", "XDG_CONFIG_HOME"] {
        assert!(Path::new(&sidecar.environment[name]).starts_with(rig.home.path()), "{name} is the tenant's own");
    }
    assert_eq!(
        sidecar.arguments[1..],
        ["--server", "--stdio", "--no-auto-update", "--no-auto-login", "--log-level", "error"]
    );
}
