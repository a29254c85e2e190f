//! Builds the reference plugins.

use llm_provider_build::{Guest, Target, build_from_script, manifest_dir, rerun_if_changed};

const PLUGINS: [&str; 4] = ["anthropic", "copilot", "gemini", "openai"];

fn main() {
    let workspace = manifest_dir().join("../..");
    rerun_if_changed(&workspace, &["wit", "Cargo.toml", "Cargo.lock"]);
    let sources = |name: &str| ["src", "Cargo.toml"].map(|part| format!("guest/{name}/{part}"));
    for path in ["bindings", "core"].into_iter().chain(PLUGINS).flat_map(sources) {
        rerun_if_changed(&workspace, &[&path]);
    }
    for name in PLUGINS {
        let directory = format!("guest/{name}");
        rerun_if_changed(&workspace, &[&format!("{directory}/plugin.json")]);
        let guest = Guest {
            package: &format!("llm-provider-{name}"),
            example: None,
            target: Target::Unknown,
            description: &workspace.join(directory).join("plugin.json"),
        };
        build_from_script(&workspace, &guest, &format!("{name}.wasm"));
    }
}
