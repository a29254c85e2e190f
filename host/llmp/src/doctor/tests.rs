//! The whole report, with paths, sizes and versions made equal on every machine.

use super::*;
use crate::config::Environment;
use crate::config::scratch::Scratch;
use llm_provider_host::Isolation;
use std::path::Path;

/// A machine with a home, a working directory, and an npm registry named by a variable.
async fn report(scratch: &Scratch, variables: &[(&str, &str)]) -> (String, usize) {
    let home = scratch.path("home").display().to_string();
    let mut all = vec![("HOME".to_owned(), home)];
    all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let surroundings = Surroundings { environment: Environment::of(all), working_dir: scratch.path("work") };
    let page = examine(&Flags::default(), &surroundings).await;
    (normalised(page.text(), scratch.root()), page.errors())
}

fn normalised(text: &str, root: &Path) -> String {
    let read = |component| llm_provider_host::inspect(component, "x", &Default::default()).unwrap();
    let mut text = text.to_owned();
    for (name, component) in [("copilot", llm_provider_bundle::COPILOT), ("openai", llm_provider_bundle::OPENAI)] {
        let inspection = read(component);
        text = text
            .replace(&page::size(inspection.size as u64), "[SIZE]")
            .replace(&format!("name: {name} {}", inspection.description.version), &format!("name: {name} [VERSION]"));
    }
    let platform = llm_provider_host::artefact::Platform::current().unwrap();
    without_containment(text)
        .replace(&root.display().to_string(), "[TMP]")
        .replace(&format!("llmp {}", env!("CARGO_PKG_VERSION")), "llmp [VERSION]")
        .replace(&llm_provider_host::artefact::COPILOT_CLI.default_version.to_string(), "[DEFAULT]")
        .replace(platform.name(), "[PLATFORM]")
        .replace(&sidecar::network(Isolation::WherePossible), "[NETWORK]")
}

/// What holds sidecars differs between machines; that it is said is checked here.
fn without_containment(mut text: String) -> String {
    let found = llm_provider_host::process::containment();
    for (name, line) in containment::lines(&found) {
        let line = format!("  {name}: {line}\n");
        assert_eq!(text.matches(&line).count(), 1, "{line}{text}");
        text = text.replace(&line, "");
    }
    for (note, hint) in containment::missing(&found) {
        let hint = hint.map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
        let note = format!("note: {note}\n{hint}");
        assert_eq!(text.matches(&note).count(), 1, "{note}{text}");
        text = text.replace(&note, "");
    }
    text.replace("\n\n\n", "\n\n")
}

const REGISTRY: (&str, &str) = ("npm_config_registry", "http://me:hunter2@registry.example/npm/");

const PLUGIN_AND_MACHINE: &str = "
plugin
  name: copilot [VERSION] (embedded)
  size: [SIZE]
  imports: http, sidecar, tools, permissions, catalog, timers, events, log

machine
  platform: [PLATFORM]
  sandbox: ready
  sidecars: process groups, ended with their owner
";

#[tokio::test]
async fn with_nothing_configured() {
    let (text, errors) = report(&Scratch::new(), &[REGISTRY]).await;
    let expected = format!(
        "llmp [VERSION]

provider
  name: demo (nothing else is configured)
  model: the provider's own choice

configuration
  file: none

sidecar
  program: copilot-cli
  version: [DEFAULT]
  found: not yet; it is fetched on the first question
  source: the npm registry http://registry.example/npm/ (the variable npm_config_registry)
  otherwise: https://github.com/github/copilot-cli/releases/download/v
  network: [NETWORK]

directories
  cache: [TMP]/home/.cache/llmp (default), not there yet, can be made
  data: [TMP]/home/.local/share/llmp (default), not there yet, can be made
  compiled plugins: none yet
{PLUGIN_AND_MACHINE}
note: answers come from the demo model inside this program; set COPILOT_GITHUB_TOKEN, or name a provider in llmp.toml, \
         for a real one

ready to answer
"
    );
    assert_eq!(text, expected);
    assert_eq!(errors, 0);
}

#[tokio::test]
async fn with_an_endpoint_and_much_overridden() {
    let scratch = Scratch::new();
    let program = scratch.write("opt/copilot", "#!/bin/sh\necho 'GitHub Copilot CLI 1.0.77.'\n");
    executable(&program);
    scratch.write("cache/compiled/x", vec![0; 5 << 10]);
    std::fs::create_dir_all(scratch.path("data")).unwrap();
    scratch.write(
        "work/llmp.toml",
        "model = \"general\"\ncache-dir = \"../cache\"\ndata-dir = \"../data\"\n[providers.local]\n\
         base-url = \"https://h.example/v1\"\nkey-env = \"KEY\"\n[sidecar]\npath = \"x\"\n",
    );
    let path = program.display().to_string();
    let variables = [
        ("KEY", "hunter2"),
        ("GITHUB_TOKEN", "gho_hunter2"),
        ("LLMP_MODEL", "small"),
        ("COPILOT_CLI_PATH", &path),
        ("COPILOT_PROVIDER_TYPE", "azure"),
    ];
    let (text, errors) = report(&scratch, &variables).await;
    let plugin = PLUGIN_AND_MACHINE.replace("copilot", "openai").replace("sidecar, tools, permissions,", "tools,");
    let expected = format!(
        "llmp [VERSION]

provider
  name: local (the only provider of the configuration file)
  address: https://h.example/v1 (llmp.toml: providers.local.base-url)
  type: openai (inferred from llmp.toml: providers.local.base-url)
  through: HTTP, by a plugin of this program
  key: in KEY
  model: small (LLMP_MODEL)

configuration
  file: [TMP]/work/llmp.toml (in the working directory)
  GitHub token: GITHUB_TOKEN
  model: LLMP_MODEL (goes before llmp.toml: model)
  key of the endpoint: llmp.toml: providers.local.key-env
  cache-dir: llmp.toml: cache-dir
  data-dir: llmp.toml: data-dir
  sidecar.path: COPILOT_CLI_PATH (goes before llmp.toml: sidecar.path)

directories
  cache: [TMP]/work/../cache (llmp.toml: cache-dir), writable, 5 KiB
  data: [TMP]/work/../data (llmp.toml: data-dir), writable, 0 bytes
  compiled plugins: 5 KiB
{plugin}
note: the type openai was inferred from the address in llmp.toml: providers.local.base-url
warning: COPILOT_PROVIDER_TYPE is set without an address of the endpoint, and is not used
hint: set GITHUB_COPILOT_PROVIDER_URL or COPILOT_PROVIDER_BASE_URL too, or unset COPILOT_PROVIDER_TYPE

ready to answer
"
    );
    assert_eq!(text, expected);
    assert_eq!(errors, 0);
}

/// Who checks a directory does not trust it yet: what its file names is told and not run.
#[tokio::test]
async fn a_program_of_the_working_directorys_file_is_not_run() {
    let scratch = Scratch::new();
    let ran = scratch.path("ran");
    let script = format!("#!/bin/sh\necho x > {}\necho 1.0.77\n", ran.display());
    executable(&scratch.write("work/copilot", script));
    let file = scratch.write("work/llmp.toml", "[sidecar]\npath = \"copilot\"\n[mcp.files]\ncommand = \"/bin/sh\"\n");
    let (text, errors) = report(&scratch, &[]).await;
    assert!(!ran.exists(), "it was run: {text}");
    for line in [
        "  sidecar.path: llmp.toml: sidecar.path\n",
        "  mcp.files.command: llmp.toml: mcp.files.command\n",
        "  version: not asked: the working directory's file names this program\n",
        "  found: [TMP]/work/copilot (llmp.toml: sidecar.path)\n",
        "\ntools\n  files: /bin/sh, not started here\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(errors, 0, "{text}");
    // Whoever names the file means it.
    let (text, _) = report(&scratch, &[("LLMP_CONFIG", &file.display().to_string())]).await;
    assert!(ran.exists() && text.contains("  version: 1.0.77\n"), "{text}");
    assert!(text.contains("  mcp.files.command: [TMP]/work/llmp.toml: mcp.files.command\n"), "{text}");
}

#[tokio::test]
async fn a_server_that_cannot_be_started_or_asked_is_an_error() {
    let scratch = Scratch::new();
    let no_program = scratch.write("work/no-program", "").display().to_string();
    let toml = "[mcp.a]\ncommand = \"not-there\"\n[mcp.b]\ncommand = \"NONE\"\n[mcp.c]\nurl = \"ftp://h.example\"\n\
                [mcp.d]\nurl = \"http://127.0.0.1:9/mcp?key=hunter2\"\n";
    scratch.write("work/llmp.toml", toml.replace("NONE", &no_program));
    let (text, errors) = report(&scratch, &[REGISTRY, ("PATH", "/usr/bin:/bin")]).await;
    for line in [
        "error: the MCP server `a` cannot be started: there is no not-there in the search path\n\
         hint: give the program's whole path as `command`\n",
        "error: the MCP server `b` cannot be started: [TMP]/work/no-program is no program\n",
        "error: the MCP server `c` cannot be reached: ",
        "  d: http://127.0.0.1:9, not asked here\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("hunter2") && !text.contains("ready to answer"), "{text}");
    assert_eq!(errors, 3, "{text}");
}

#[tokio::test]
async fn with_a_broken_configuration_the_rest_is_still_looked_at() {
    let scratch = Scratch::new();
    scratch.write("work/llmp.toml", "modle = \"x\"\n");
    let (text, errors) = report(&scratch, &[]).await;
    let expected = format!(
        "llmp [VERSION]
{PLUGIN_AND_MACHINE}
error: llmp.toml: unknown key `modle` (line 1)
hint: did you mean `model`?
"
    );
    assert_eq!((text, errors), (expected, 1));
}

#[tokio::test]
async fn what_keeps_it_from_answering_is_an_error_with_a_hint() {
    let scratch = Scratch::new();
    scratch.write("work/llmp.toml", "[sidecar]\noffline = true\n");
    let file = scratch.write("work/file", "").display().to_string();
    let variables = [("LLMP_CACHE_DIR", file.as_str()), ("LLMP_DATA_DIR", "file/below")];
    let (text, errors) = report(&scratch, &variables).await;
    assert_eq!(errors, 3, "{text}");
    for line in [
        "error: the cache directory [TMP]/work/file cannot be written: ",
        "error: the data directory [TMP]/work/file/below cannot be written: ",
        "hint: make it writable, or set LLMP_CACHE_DIR to another directory",
        "hint: make it writable, or set LLMP_DATA_DIR to another directory",
        "error: copilot-cli is not in the cache, and downloads are off",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("ready to answer"), "{text}");
}

#[tokio::test]
async fn a_plugin_that_is_none_is_an_error() {
    let scratch = Scratch::new();
    scratch.write("work/llmp.toml", "plugin = \"alien.wasm\"\n");
    scratch.write("work/alien.wasm", "\x7fELF");
    let (text, errors) = report(&scratch, &[REGISTRY]).await;
    assert!(text.contains("error: [TMP]/work/alien.wasm: it is not WebAssembly\nhint: give a component"), "{text}");
    assert_eq!(errors, 1, "{text}");
}

#[tokio::test]
async fn a_sidecar_that_sends_requests_itself_has_a_network() {
    let (text, _) = report(&Scratch::new(), &[REGISTRY, ("COPILOT_GITHUB_TOKEN", "gho_hunter2")]).await;
    assert!(text.contains("  network: that of this machine; it may send requests itself"), "{text}");
}

#[tokio::test]
async fn no_secret_is_shown() {
    let variables = [
        REGISTRY,
        ("COPILOT_GITHUB_TOKEN", "gho_hunter2"),
        ("HTTPS_PROXY", "http://me:hunter2@p.example:1"),
        ("GITHUB_COPILOT_CLI_URL", "https://me:hunter2@m.example/x.tgz"),
    ];
    let (text, errors) = report(&Scratch::new(), &variables).await;
    assert!(
        text.contains("token: in COPILOT_GITHUB_TOKEN")
            && text.contains("source: the address in GITHUB_COPILOT_CLI_URL")
    );
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(errors, 0, "{text}");
}

#[cfg(unix)]
fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
