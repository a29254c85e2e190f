//! Builds the reference plugins.

use llm_provider_build::{Guest, Target, build_from_script, rerun_if_changed};
use std::path::Path;

fn main() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    rerun_if_changed(&workspace, &["wit", "guest/bindings", "guest/core", "guest/copilot", "Cargo.toml", "Cargo.lock"]);
    let guest = Guest {
        package: "llm-provider-copilot",
        target: Target::Unknown,
        description: &workspace.join("guest/copilot/plugin.json"),
    };
    build_from_script(&workspace, &guest, "copilot.wasm");
}
