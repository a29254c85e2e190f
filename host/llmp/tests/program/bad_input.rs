//! Bad input: each is one line that says what, where and what to do.

use crate::run::Place;
use llmp_tests::real_cli::skipped;

#[test]
fn no_prompt() {
    let place = Place::new();
    place.run(&["ask"]).refused(2, "the prompt on stdin is empty");
    place.run(&["ask", ""]).refused(2, "the prompt is empty");
    place.run_with(&["ask", "-"], b" \n ").refused(2, "the prompt on stdin is empty");
}

#[test]
fn a_prompt_above_the_limit() {
    let huge = vec![b'x'; (4 << 20) + 1];
    Place::new().run_with(&["ask"], &huge).refused(2, "larger than 4096 KiB");
}

#[test]
fn a_prompt_that_is_no_text() {
    let place = Place::new();
    place.run_with(&["ask"], b"ab\xffcd").refused(2, "is not UTF-8: byte 2");
    place.run_with(&["ask"], b"ab\0cd").refused(2, "holds a NUL byte at 2");
}

#[test]
fn an_unknown_provider() {
    Place::new().run(&["ask", "--provider", "githbu", "hi"]).refused(2, "githbu");
}

#[test]
fn a_plugin_that_is_none() {
    let place = Place::new();
    let ask = |file: &str| place.run(&["ask", "--plugin", file, "hi"]);
    ask("missing.wasm").refused(2, "missing.wasm");
    place.file("text.wasm", "#!/bin/sh\n");
    ask("text.wasm").refused(2, "text.wasm: it is not WebAssembly");
    place.file("module.wasm", b"\0asm\x01\0\0\0");
    ask("module.wasm").refused(2, "module.wasm: it is a core module, not a component");
    place.file("alien.wasm", b"\0asm\x0d\0\x01\0");
    ask("alien.wasm").refused(2, "alien.wasm: it is a component of another world");
    let copilot = llm_provider_bundle::COPILOT;
    place.file("cut.wasm", &copilot[..copilot.len() / 2]);
    ask("cut.wasm").refused(2, "cut.wasm: it is broken");
    place.run(&["plugin", "inspect", "cut.wasm"]).refused(2, "cut.wasm: it is broken");
}

#[test]
fn a_plugin_without_an_end() {
    Place::new().run(&["ask", "--plugin", "/dev/zero", "hi"]).refused(2, "the limit is 16777216");
}

#[test]
fn a_cli_that_is_none() {
    let place = Place::new().with("COPILOT_CLI_PATH", "/nonexistent/copilot");
    place.run(&["ask", "hi"]).refused(2, "/nonexistent/copilot (named by COPILOT_CLI_PATH)");
}

#[test]
fn a_wrong_digest() {
    let place = Place::new();
    let cache = place.path().join("cache");
    let place = place.with("LLMP_CACHE_DIR", &cache.display().to_string());
    let package = place.file("package.tgz", b"not the package");
    let served = serve(std::fs::read(package).expect("read"));
    let place = place.with("GITHUB_COPILOT_CLI_URL", &format!("http://{served}/package.tgz"));
    place.run(&["ask", "hi"]).refused(2, "wrong digest");
}

#[test]
fn no_network() {
    let place = Place::new();
    let cache = place.path().join("cache");
    let place = place
        .with("LLMP_CACHE_DIR", &cache.display().to_string())
        .with("GITHUB_COPILOT_CLI_URL", "http://127.0.0.1:9/package.tgz");
    place.run(&["ask", "hi"]).refused(2, "127.0.0.1:9");
}

#[test]
fn an_unwritable_cache() {
    let place = Place::new();
    let file = place.file("a-file", "");
    let place = place.with("LLMP_CACHE_DIR", &file.join("below").display().to_string());
    place.run(&["ask", "hi"]).refused(2, "a-file/below");
}

#[test]
fn a_classic_token() {
    Place::new().with("GH_TOKEN", "ghp_classic").run(&["ask", "hi"]).refused(2, "GH_TOKEN");
}

#[test]
fn an_unknown_key_of_the_configuration() {
    let place = Place::new();
    place.file("llmp.toml", "modle = \"x\"\n");
    let ran = place.run(&["ask", "hi"]);
    ran.refused(2, "modle");
    assert!(ran.stderr.contains("`model`"), "{ran:?}");
}

#[test]
fn an_unknown_model_is_the_providers_to_refuse() {
    if skipped("an_unknown_model_is_the_providers_to_refuse") {
        return;
    }
    let reply = "{\"error\":{\"message\":\"The model `nope` does not exist\",\"code\":\"model_not_found\"}}";
    let served = serve_status("404 Not Found", reply.into());
    let place = Place::new()
        .with("COPILOT_PROVIDER_BASE_URL", &format!("http://{served}/v1"))
        .with("COPILOT_PROVIDER_API_KEY", "sk-a-long-enough-key");
    let ran = place.run(&["ask", "-m", "nope", "hi"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("404"), "{ran:?}");
}

/// Serves one body on loopback, for as long as the test runs.
fn serve(body: Vec<u8>) -> std::net::SocketAddr {
    serve_status("200 OK", body)
}

pub(crate) fn serve_status(status: &'static str, body: Vec<u8>) -> std::net::SocketAddr {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 64 << 10];
            let Ok(_) = stream.read(&mut request) else { continue };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)));
        }
    });
    address
}
