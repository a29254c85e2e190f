//! Files, directories and the network.

use super::*;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[test]
fn the_file_is_looked_for_in_three_places() {
    let scratch = Scratch::new();
    let model = |flags: &Flags, variables: &[(&str, &str)]| {
        let (resolved, report) = in_scratch(&scratch, flags, variables).expect("resolves");
        (resolved.model.map(|model| model.value), report.file.map(|file| file.named_by))
    };
    let expect = |model: &str, by: &str| (Some(model.to_owned()), Some(by.to_owned()));
    let none = Flags::default();
    assert_eq!(model(&none, &[]), (None, None));
    scratch.write("home/.config/llmp/llmp.toml", "model = \"users\"");
    assert_eq!(model(&none, &[]), expect("users", "the user's"));
    let xdg = scratch.path("xdg").display().to_string();
    scratch.write("xdg/llmp/llmp.toml", "model = \"xdg\"");
    assert_eq!(model(&none, &[("XDG_CONFIG_HOME", &xdg)]), expect("xdg", "the user's"));
    scratch.write("work/llmp.toml", "model = \"here\"");
    assert_eq!(model(&none, &[("XDG_CONFIG_HOME", &xdg)]), expect("here", "in the working directory"));
    scratch.write("work/other.toml", "model = \"variable\"");
    assert_eq!(model(&none, &[("LLMP_CONFIG", "other.toml")]), expect("variable", "LLMP_CONFIG"));
    let flag = scratch.write("elsewhere/flag.toml", "model = \"flag\"");
    let flags = Flags { config: Some(flag), ..Flags::default() };
    assert_eq!(model(&flags, &[("LLMP_CONFIG", "other.toml")]), expect("flag", "--config"));
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let scratch = Scratch::new();
    let fails = |path: &str| {
        let flags = Flags { config: Some(PathBuf::from(path)), ..Flags::default() };
        in_scratch(&scratch, &flags, &[]).err().unwrap().message
    };
    assert!(fails("none.toml").ends_with("work/none.toml (named by --config) does not exist"));
    assert!(fails(".").contains("cannot be read"), "a directory");
    scratch.write("work/binary", [0xff, 0xfe]);
    assert!(fails("binary").contains("cannot be read"));
    scratch.write("work/large", vec![b'#'; (1 << 20) + 1]);
    assert!(fails("large").contains("more than 1048576 bytes"));
    scratch.write("work/typo.toml", "modle = 1");
    assert!(fails("typo.toml").contains("work/typo.toml: unknown key `modle`"), "the whole path is named");
}

#[test]
fn paths_start_at_the_files_directory_and_at_home() {
    let scratch = Scratch::new();
    let file = scratch
        .write("etc/llmp.toml", "plugin = \"p.wasm\"\ncache-dir = \"~/c\"\ndata-dir = \"/d\"\ndeadline = \"10m\"");
    let flags = Flags { config: Some(file), ..Flags::default() };
    let (resolved, _) = in_scratch(&scratch, &flags, &[]).expect("resolves");
    assert_eq!(resolved.plugin, Some(scratch.path("etc/p.wasm")));
    assert_eq!(resolved.cache_dir.value, scratch.path("home/c"));
    assert_eq!(resolved.data_dir.value, Path::new("/d"));
    assert_eq!(resolved.deadline, Some(Duration::from_secs(600)));
    let flags = Flags { plugin: Some("q.wasm".into()), ..flags };
    let (resolved, _) = in_scratch(&scratch, &flags, &[]).expect("resolves");
    assert_eq!(resolved.plugin, Some(scratch.path("work/q.wasm")), "a flag's path starts at the working directory");
}

#[test]
fn directories_by_precedence() {
    let scratch = Scratch::new();
    let cache = |variables: &[(&str, &str)]| {
        let (resolved, _) = in_scratch(&scratch, &Flags::default(), variables).expect("resolves");
        (resolved.cache_dir.value, resolved.cache_dir.from)
    };
    assert_eq!(cache(&[]), (scratch.path("home/.cache/llmp"), "default".to_owned()));
    assert_eq!(cache(&[("XDG_CACHE_HOME", "relative")]).1, "default", "the specification says to ignore it");
    assert_eq!(cache(&[("XDG_CACHE_HOME", "/x")]), ("/x/llmp".into(), "XDG_CACHE_HOME".to_owned()));
    scratch.write("work/llmp.toml", "cache-dir = \"of-file\"");
    assert_eq!(cache(&[]).1, "llmp.toml: cache-dir");
    assert_eq!(cache(&[("LLMP_CACHE_DIR", "here")]), (scratch.path("work/here"), "LLMP_CACHE_DIR".to_owned()));
    let (resolved, _) = in_scratch(&scratch, &Flags::default(), &[]).expect("resolves");
    assert_eq!(resolved.data_dir.value, scratch.path("home/.local/share/llmp"));
    let homeless = resolve(&Flags::default(), &Environment::default(), &scratch.path("home")).err().unwrap();
    assert!(homeless.message.contains("neither XDG_CACHE_HOME nor HOME"), "{}", homeless.message);
    assert!(homeless.hint.unwrap().contains("LLMP_CACHE_DIR"));
}

#[test]
fn the_network_of_a_company() {
    let scratch = Scratch::new();
    scratch.write("work/ca.pem", "");
    scratch.write(
        "work/llmp.toml",
        "[network]\nproxy = \"http://p.example:8080\"\nno-proxy = \"a.example\"\nca-bundle = \"ca.pem\"\n\
         github-host = \"x.ghe.com\"\napi-url = \"https://api.example\"",
    );
    let (resolved, _) = in_scratch(&scratch, &Flags::default(), &[]).expect("resolves");
    let network = resolved.sidecar.network;
    assert_eq!(network.proxy.as_deref(), Some("http://p.example:8080"));
    assert_eq!(network.no_proxy.as_deref(), Some("a.example,localhost,127.0.0.1,::1"), "the demo is on loopback");
    assert_eq!(network.ca_bundle, Some(scratch.path("work/ca.pem")));
    assert_eq!(
        (network.github_host.as_deref(), network.api_url.as_deref()),
        (Some("x.ghe.com"), Some("https://api.example"))
    );
    let variables = [("https_proxy", "http://me:hunter2@q.example"), ("NO_PROXY", "b.example")];
    let (resolved, report) =
        in_scratch(&scratch, &Flags::default(), &variables).expect("a password may stand in a variable");
    assert_eq!(resolved.sidecar.network.no_proxy.as_deref(), Some("b.example,localhost,127.0.0.1,::1"));
    assert!(!format!("{report:?}").contains("hunter2"));
    assert!(fine(&[], "").0.sidecar.network.no_proxy.is_none());
    assert!(failing(&[], "[network]\nca-bundle = \"none.pem\"").0.contains("which is no file"));
    assert!(failing(&[("HTTPS_PROXY", "p.example")], "").0.contains("no address of a proxy"));
    assert!(failing(&[], "[network]\napi-url = \"x\"").0.contains("no address of the Copilot API"));
    assert_eq!(fine(&[("NODE_EXTRA_CA_CERTS", "/none")], "").1.problems.len(), 1, "as Node does");
}

#[test]
fn what_is_not_understood_of_no_proxy_is_told() {
    let proxy = ("HTTPS_PROXY", "http://p.example:8080");
    let (_, report) = fine(&[proxy, ("NO_PROXY", "10.0.0.0/8,<local>,.example.com:8443")], "");
    let [problem] = &report.problems[..] else { panic!("{:?}", report.problems) };
    assert!(problem.message.contains("NO_PROXY lists `<local>`"), "{}", problem.message);
    assert!(fine(&[("NO_PROXY", "<local>")], "").1.problems.is_empty(), "without a proxy nothing passes it by");
}
