//! Providers that fail: whose fault it is, and what to do in the words of the configuration.

use crate::bad_input::serve_status;
use crate::run::Place;

#[test]
fn providers_that_refuse_their_keys_are_named_with_them() {
    let refusing = || serve_status("401 Unauthorized", b"{\"error\":{\"message\":\"wrong key\"}}".to_vec());
    let table = |name: &str| {
        let (address, key) = (refusing(), name.to_uppercase());
        format!("[providers.{name}]\nbase-url = \"http://{address}/v1\"\ntype = \"openai\"\nkey-env = \"{key}_KEY\"\n")
    };
    let place = Place::new().with("ONE_KEY", "sk-one-of-two-keys").with("TWO_KEY", "sk-two-of-two-keys");
    place.file("llmp.toml", table("one") + &table("two"));
    let ran = place.run(&["models"]);
    assert_eq!(ran.code, Some(1), "the providers failed: {ran:?}");
    for (name, key) in [("one", "ONE_KEY"), ("two", "TWO_KEY")] {
        assert!(ran.stderr.contains(&format!("error: {name}: ")), "{ran:?}");
        assert!(ran.stderr.contains(&format!("hint: check the key in {key}\n")), "{ran:?}");
    }
    assert!(ran.stderr.contains("error: 2 providers did not tell their models\n"), "{ran:?}");
    let ran = place.run(&["ask", "--provider", "two", "-m", "x", "hi"]);
    ran.refused(1, "wrong key");
    assert!(ran.stderr.contains("hint: check the key in TWO_KEY\n"), "{ran:?}");
}

#[test]
fn an_endpoint_that_is_not_there_is_named() {
    let ran = Place::new().asking("http://127.0.0.1:9/v1").run(&["ask", "hi"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let hint = ran.stderr.lines().find(|line| line.starts_with("hint: ")).unwrap_or_default();
    assert!(hint.ends_with(": http://127.0.0.1:9/v1 (OPENAI_BASE_URL)"), "{ran:?}");
}

/// A plugin of a file is compiled outside of this process, in a place that is gone afterwards.
#[test]
fn a_plugin_of_a_file_needs_no_cache() {
    let place = Place::new().asking("http://127.0.0.1:9/v1");
    let (cache, temporary) = (place.file("a-file", "").join("below"), place.path().join("tmp"));
    std::fs::create_dir(&temporary).expect("made");
    place.file("openai.wasm", llm_provider_bundle::OPENAI);
    let place = place.with("LLMP_CACHE_DIR", &cache.display().to_string());
    let place = place.with("TMPDIR", &temporary.display().to_string());
    let ran = place.run(&["ask", "--plugin", "openai.wasm", "hi"]);
    assert_eq!(ran.code, Some(1), "it was asked: {ran:?}");
    assert!(ran.stderr.contains("warning: plugins are compiled each time: "), "{ran:?}");
    assert_eq!(std::fs::read_dir(&temporary).expect("there").count(), 0, "nothing is left");
}
