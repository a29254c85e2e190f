//! Builds the test plugins.

use llm_provider_build::{Guest, Target, build_from_script, manifest_dir, rerun_if_changed};

fn main() {
    let workspace = manifest_dir().join("..");
    rerun_if_changed(
        &workspace,
        &["wit", "guest/bindings", "guest/core", "tests/guests", "tests/plugins", "Cargo.lock"],
    );
    let naughty = Guest {
        package: "llmp-test-naughty",
        target: Target::Unknown,
        description: &workspace.join("tests/guests/plugin.json"),
    };
    build_from_script(&workspace, &naughty, "naughty.wasm");
    let echo = Guest {
        package: "llmp-test-echo-wasip2",
        target: Target::Wasip2,
        description: &workspace.join("tests/plugins/echo-wasip2/plugin.json"),
    };
    build_from_script(&workspace, &echo, "echo-wasip2.wasm");
}
