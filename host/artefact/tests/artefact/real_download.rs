//! The real CLI through this machine's own npm configuration: about 130 MB.
//!
//! `LLMP_TEST_SKIP_REAL_CLI` leaves it out, with a line that says so.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Instant;

use llm_provider_artefact::{
    COPILOT_CLI, Given, Lookup, Origin, Platform, Request, Runner, Running, ShortCommand, Verified, locate, npm, obtain,
};

/// What an embedder writes to join this crate to its process module.
struct Probe;

impl Runner for Probe {
    fn run(&self, command: ShortCommand) -> Running<'_> {
        Box::pin(async move {
            let args = command.args.into_iter().map(OsString::from).collect();
            let probe =
                llm_provider_process::probe(command.program, args, command.env, command.timeout, command.max_output);
            let output = probe.await.map_err(|error| error.to_string())?;
            if !output.status.success() {
                return Err(output.stderr);
            }
            String::from_utf8(output.stdout).map_err(|error| error.to_string())
        })
    }
}

/// S12: the platform's own package, from the registry that the user's npm is configured for.
#[tokio::test(flavor = "multi_thread")]
async fn the_real_program_comes_through_the_users_npm() {
    if std::env::var_os("LLMP_TEST_SKIP_REAL_CLI").is_some() {
        println!("skipped: LLMP_TEST_SKIP_REAL_CLI is set");
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let mut request = Request::new(COPILOT_CLI, Platform::current().unwrap(), cache.path());
    let home = std::env::var("HOME").unwrap();
    let mut inputs = npm::Inputs::new(|name| std::env::var(name).ok(), home, std::env::current_dir().unwrap());
    inputs.runner = Some(Arc::new(Probe));

    let begin = Instant::now();
    let settings = npm::resolve(&inputs, "@github").await.unwrap();
    println!("npm configuration: {:?}, registry set by {}", begin.elapsed(), settings.source);

    request.npm = Some(inputs);
    request.allow_release = false;
    let begin = Instant::now();
    let phases = std::sync::Mutex::new(Vec::new());
    let located = obtain(&request, &|progress| {
        let phase = format!("{progress:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
        let mut phases = phases.lock().unwrap();
        if phases.last().is_none_or(|(last, _)| *last != phase) {
            phases.push((phase, begin.elapsed()));
        }
    })
    .await
    .unwrap();
    println!("obtain: {:?}, phases began at {:?}", begin.elapsed(), phases.into_inner().unwrap());
    assert_eq!(located.verified, Verified::Pin);
    assert!(matches!(located.origin, Origin::Registry { .. }));
    assert!(located.license.is_some());

    let begin = Instant::now();
    let again = obtain(&request, &|_| ()).await.unwrap();
    println!("cache hit: {:?}", begin.elapsed());
    assert_eq!((again.origin, &again.path), (Origin::Cache, &located.path));

    let file = std::fs::File::options().write(true).open(&located.path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    drop(file);
    let begin = Instant::now();
    assert!(matches!(locate(&request).await.unwrap(), Lookup::Found(_)));
    println!("cache hit with another time, hashed: {:?}", begin.elapsed());

    request.explicit_path = Some(Given::new(located.path, "test"));
    let begin = Instant::now();
    let Lookup::Found(named) = locate(&request).await.unwrap() else { panic!("not found") };
    println!("named path: {:?}", begin.elapsed());
    assert_eq!(named.version.unwrap().to_string(), "1.0.102");
}
