//! Builds the test plugins.

use llm_provider_build::{Guest, Target, build_from_script, manifest_dir, rerun_if_changed};
use std::path::Path;

fn main() {
    let workspace = manifest_dir().join("..");
    rerun_if_changed(
        &workspace,
        &["wit", "guest/bindings", "guest/core", "tests/guests", "tests/plugins", "Cargo.lock"],
    );
    for name in examples(&workspace.join("tests/guests/examples")) {
        let hostile = Guest {
            package: "llmp-test-hostile",
            example: Some(&name),
            target: Target::Unknown,
            description: &workspace.join("tests/guests/plugin.json"),
        };
        build_from_script(&workspace, &hostile, &format!("{name}.wasm"));
    }
    let echo = Guest {
        package: "llmp-test-echo-wasip2",
        example: None,
        target: Target::Wasip2,
        description: &workspace.join("tests/plugins/echo-wasip2/plugin.json"),
    };
    build_from_script(&workspace, &echo, "echo-wasip2.wasm");
}

/// The names of the examples in a directory.
fn examples(directory: &Path) -> Vec<String> {
    let files = directory.read_dir().into_iter().flatten().flatten();
    files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".rs")?.to_owned())).collect()
}
