//! Plugins that start programs and look for files.

use super::{said, tenant};
use llm_provider_host::process::Spec;
use llm_provider_host::{Launch, Policy, Preparing, Quota, Quotas, SidecarProgram, Start, Tenant, Wanted};
use llmp_test_hostile::Row;
use llmp_tests::plugins::hostile;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A program that only sleeps.
pub(super) struct Sleeper(PathBuf);

impl Sleeper {
    pub(super) fn in_place(place: &TempDir) -> Self {
        Self(place.path().to_owned())
    }
}

impl SidecarProgram for Sleeper {
    fn name(&self) -> &str {
        "sleeper"
    }

    fn secret_variables(&self) -> &[&str] {
        &[]
    }

    fn prepare<'a>(&'a self, _: Wanted<'a>) -> Preparing<'a> {
        let start = Start::Spawn(Box::new(Spec::new("/bin/sleep", &self.0).arg("600")));
        let launch = Launch { start, version: "1".into(), working_directory: self.0.clone(), report: None };
        Box::pin(std::future::ready(Ok(launch)))
    }
}

/// Grants the program, so many at once.
pub(super) fn sleeping(policy: Policy, sleeper: Sleeper, most: u64) -> Policy {
    let mut quotas = Quotas::default();
    quotas.sidecars = most;
    policy.sidecar(sleeper).quotas(quotas)
}

/// A plugin has a name of the catalogue, and neither arguments nor an environment to say anything with. That arguments and
/// environment are exactly the entry's is tried in host/process.
pub(super) async fn g13_names_and_surroundings_of_programs() {
    let (plugin, place) = (hostile(Row::G13).await, TempDir::new().expect("a directory"));
    let tenant = tenant(&plugin, |policy| sleeping(policy, Sleeper::in_place(&place), 4));
    let session = tenant.instance(&plugin, "{}").expect("an instance").session();
    for name in
        ["sleeper;id", "sleeper --", "../sleeper", "/bin/sleep", "sleeper\0", "SLEEPER", "", "$(id)", "sleeper\nid"]
    {
        let says = said(&session, &format!("spawn 1 {name}")).await;
        assert!(says.starts_with("0 started; the policy grants no sidecar"), "{name:?}: {says}");
    }
    assert_eq!(tenant.usage().held.get(&Quota::Sidecars).copied().unwrap_or(0), 0);
}

pub(super) async fn g14_no_file_is_read() {
    let plugin = hostile(Row::G14).await;
    let wasi = plugin.inspection().imports.iter().any(|import| import.starts_with("wasi:"));
    assert!(!wasi, "a plugin for bare wasm cannot even ask; one with WASI is tried in sandbox::wasip2");
    let session = tenant(&plugin, |policy| policy).instance(&plugin, "{}").expect("an instance").session();
    for path in [
        "/etc/passwd",
        "/proc/self/environ",
        "../../../etc/passwd",
        ".",
        "/",
        "C:\\Windows\\win.ini",
        "CON",
        "/dev/stdin",
    ] {
        assert_eq!(said(&session, &format!("files {path}")).await, "denied", "{path}");
    }
}

/// An instance has so many programs at once, and so has a tenant, whatever its instances.
pub(super) async fn g18_no_more_programs_than_granted() {
    let (plugin, place) = (hostile(Row::G18).await, TempDir::new().expect("a directory"));
    let tenant = tenant(&plugin, |policy| sleeping(policy, Sleeper::in_place(&place), 2));
    let held = |tenant: &Tenant| tenant.usage().held.get(&Quota::Sidecars).copied().unwrap_or(0);
    let (one, two) = (tenant.instance(&plugin, "{}").expect("one"), tenant.instance(&plugin, "{}").expect("two"));
    let says = said(&one.session(), "spawn 1000 sleeper").await;
    assert!(says.starts_with("2 started; ") && says.contains("quota of sidecars"), "{says}");
    let says = said(&two.session(), "spawn 10 sleeper").await;
    assert!(says.starts_with("0 started; "), "{says}");
    assert_eq!(held(&tenant), 2);
    drop((one, two));
    let begin = Instant::now();
    while held(&tenant) > 0 {
        assert!(begin.elapsed() < Duration::from_secs(20), "ten times the promise of 2 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(tenant.usage().refused[&Quota::Sidecars] >= 1_000);
}
