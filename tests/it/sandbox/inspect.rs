//! What can be known of a plugin before it runs, and what is refused.

use llm_provider_bundle::COPILOT;
use llm_provider_host::{Capability, Host, HostConfig, HostError, Limits, Policy, inspect};
use llmp_tests::plugins::{ECHO, NAUGHTY};

const DESCRIPTION: &[u8] = b"llm-provider:description";

#[test]
fn the_copilot_plugin_can_do_what_it_needs_and_nothing_else() {
    let inspection = inspect(COPILOT, "copilot", &Limits::default()).expect("a plugin");
    use Capability::{Catalog, Events, Http, Log, Permissions, Sidecar, Timers, Tools};
    assert_eq!(inspection.capabilities, [Http, Sidecar, Tools, Permissions, Catalog, Timers, Events, Log]);
    for import in &inspection.imports {
        assert!(import.starts_with("llm:provider/"), "{import}");
    }
    let names: Vec<_> = inspection.imports.iter().map(String::as_str).collect();
    println!("figure: copilot.wasm has {} bytes and imports {names:?}", inspection.size);
    // 190 KB of it read dates of Retry-After and of rate limits.
    assert!(inspection.size < 1_200 << 10, "{}", inspection.size);
    assert_eq!(inspection.description.sidecars, ["copilot-cli", "copilot-cli-oneshot"]);
    assert_eq!(inspection.description.origins, ["the configured `auth.base-url`"]);
}

#[test]
fn what_a_wasip2_toolchain_adds_is_one_capability() {
    let inspection = inspect(ECHO, "echo", &Limits::default()).expect("a plugin");
    assert_eq!(inspection.capabilities, [Capability::Events, Capability::Wasi]);
    let wasi = inspection.imports.iter().filter(|import| import.starts_with("wasi:")).count();
    println!("figure: echo-wasip2.wasm has {} bytes and {wasi} imports of WASI", inspection.size);
    assert!(wasi > 5);
}

#[test]
fn a_policy_without_the_capability_refuses_the_plugin() {
    let host = Host::new(HostConfig::default()).expect("a host");
    let plugin = host.load_blocking(NAUGHTY, "naughty").expect("a plugin");
    let refused = host.tenant(Policy::new("/nonexistent")).instance(&plugin, "{}").err().expect("refused");
    assert!(matches!(&refused, HostError::Denied(what) if what.contains("`http`")), "{refused}");
    assert!(refused.hint().is_some_and(|hint| hint.contains("grant")));
}

/// The refusal of these bytes: the same from a look and from loading, on one line, with a hint.
fn refusal(host: &Host, bytes: &[u8]) -> String {
    let looked = host.inspect(bytes, "x.wasm").err();
    let loaded = host.load_blocking(bytes, "x.wasm").err().expect("refused");
    assert!(matches!(loaded, HostError::NotAPlugin { .. }), "{loaded:?}");
    if let Some(looked) = looked {
        assert_eq!(looked.to_string(), loaded.to_string());
    }
    let text = loaded.to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(loaded.hint().is_some_and(|hint| !hint.is_empty()), "{text}");
    text
}

fn replace(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = find(&bytes, from.as_bytes()).collect();
    assert!(!places.is_empty(), "{from} is not there");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

fn find<'a>(bytes: &'a [u8], what: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes.windows(what.len()).enumerate().filter(move |(_, window)| *window == what).map(|(at, _)| at)
}

/// Where the description's section begins: two lengths and a zero before its name.
fn description_begins(bytes: &[u8]) -> usize {
    let name = find(bytes, DESCRIPTION).last().expect("a description");
    bytes[..name].iter().rposition(|byte| *byte == 0).expect("a section")
}

#[test]
fn alien_bytes_are_refused_by_what_they_are() {
    let host = Host::new(HostConfig::default()).expect("a host");
    assert!(refusal(&host, b"").contains("it is empty"));
    assert!(refusal(&host, b"\x7fELF\x02\x01\x01").contains("it is not WebAssembly"));
    assert!(refusal(&host, b"not\nwasm\n").contains("it is not WebAssembly"));
    let module = find(NAUGHTY, b"\0asm\x01\0\0\0").next().expect("a module inside");
    assert!(refusal(&host, &NAUGHTY[module..]).contains("core module"));
    assert!(refusal(&host, b"\0asm\x0d\0\x01\0").contains("another world"));
    let other = replace(NAUGHTY, "llm:provider/provider@0.1.0", "wat:provider/provider@0.1.0");
    assert!(refusal(&host, &other).contains("another world"));
    let newer = replace(NAUGHTY, "@0.1.0", "@0.2.0");
    assert!(refusal(&host, &newer).contains("another world"));
    let import = replace(NAUGHTY, "llm:provider/timers@0.1.0", "llm:provider/tamers@0.1.0");
    assert!(refusal(&host, &import).contains("llm:provider/tamers@0.1.0"));
    let function = replace(NAUGHTY, "invoke", "revoke");
    println!("{}", refusal(&host, &function));
}

#[test]
fn a_missing_or_broken_description_is_refused() {
    let host = Host::new(HostConfig::default()).expect("a host");
    let end = description_begins(NAUGHTY);
    assert!(refusal(&host, &NAUGHTY[..end]).contains("description` is missing"));
    assert!(refusal(&host, &replace(NAUGHTY, "\"naughty\"", "\"NAUGHTY\"")).contains("NAUGHTY"));
    assert!(refusal(&host, &replace(NAUGHTY, "\"name\"", "\"mane\"")).contains("missing field"));
    assert!(refusal(&host, &replace(NAUGHTY, "{\"name\"", "[\"name\"")).contains("not valid"));
}

#[test]
fn a_component_cut_anywhere_is_refused() {
    let host = Host::new(HostConfig::default()).expect("a host");
    let places = (0..200).map(|part| NAUGHTY.len() * part / 200).chain(NAUGHTY.len() - 200..NAUGHTY.len());
    for end in places.chain(0..64) {
        let text = refusal(&host, &NAUGHTY[..end]);
        assert!(text.starts_with("x.wasm: it "), "cut at {end}: {text}");
    }
}

/// Looks only: compiling each would take minutes.
#[test]
fn a_changed_byte_never_panics() {
    let limits = Limits::default();
    let mut refused = 0;
    for step in 0..4_000 {
        let mut bytes = NAUGHTY.to_vec();
        let at = step * 7_919 % bytes.len();
        bytes[at] ^= 1 << (step % 8);
        match inspect(&bytes, "x.wasm", &limits) {
            Ok(_) => {}
            Err(error @ HostError::NotAPlugin { .. }) => {
                assert_eq!(error.to_string().lines().count(), 1, "byte {at}: {error}");
                refused += 1;
            }
            Err(error) => panic!("byte {at}: {error:?}"),
        }
    }
    println!("figure: {refused} of 4000 changed bytes were seen by a look");
}

#[test]
fn a_component_beyond_the_limit_is_not_even_read() {
    let mut limits = Limits::default();
    limits.component_bytes = 1_000;
    let error = inspect(NAUGHTY, "x.wasm", &limits).expect_err("refused");
    assert!(error.to_string().contains("the limit is 1000"), "{error}");
}
