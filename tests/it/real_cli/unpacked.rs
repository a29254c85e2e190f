//! The program is unpacked once, and everybody's to read; account data is the tenant's own.

use llmp_model_server::Script;
use llmp_tests::real_cli;
use llmp_tests::rig::{Rig, Wire, room};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tempfile::TempDir;

/// Every file below a directory, with its size and when it was written.
fn files(directory: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let data = entry.metadata().expect("its data");
            if data.is_dir() {
                left.push(entry.path());
            } else {
                found.insert(entry.path(), (data.len(), data.modified().expect("a time")));
            }
        }
    }
    found
}

fn size(files: &BTreeMap<PathBuf, (u64, SystemTime)>) -> u64 {
    files.values().map(|(size, _)| size).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tenants_read_one_program_and_write_their_own_data() {
    let Some(room) = room("two_tenants_read_one_program_and_write_their_own_data").await else { return };
    let shared = TempDir::new().expect("a directory");
    let rig = async || {
        let mut sidecar = real_cli::sidecar();
        // Not the directory itself: a lock is made beside it.
        sidecar.unpack_dir = Some(shared.path().join("unpacked"));
        Rig::with(Script::text("hello"), sidecar, Wire::Completions, json!({})).await
    };
    let one = rig().await;
    assert_eq!(one.ask("hi").await.text, "hello");
    let unpacked = files(shared.path());
    assert!(size(&unpacked) > 100 << 20, "the program is there: {} bytes", size(&unpacked));
    let other = rig().await.in_room(room);
    assert_eq!(other.ask("hi").await.text, "hello");
    assert_eq!(files(shared.path()), unpacked, "no tenant changed it");
    for tenant in [&one, &other] {
        let own = size(&files(tenant.home.path()));
        println!("figure: a tenant's own data of the CLI took {} KiB", own >> 10);
        assert!(own < 20 << 20, "nothing is unpacked for a tenant: {own} bytes");
    }
}
