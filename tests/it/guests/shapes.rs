//! Components that are bombs: refused from their outer shape, before anything is compiled.

use llm_provider_host::{HostError, Limits, inspect};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// A component, from the text of what is in it.
pub(super) fn component(inside: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {inside})")).expect("the text of a component")
}

fn refusal(bytes: &[u8]) -> (String, Duration) {
    let begin = Instant::now();
    let refused = inspect(bytes, "bomb.wasm", &Limits::default()).expect_err("a bomb");
    let HostError::NotAPlugin { reason, hint, .. } = refused else { panic!("{refused:?}") };
    assert!(!reason.contains('\n') && !hint.is_empty(), "{reason}");
    (reason, begin.elapsed())
}

pub(super) async fn g08_components_that_are_too_much() {
    let functions = "(func) ".repeat(60_000);
    let body = "i32.const 1 drop ".repeat(400_000);
    let nested = (0..10).fold(String::new(), |inner, _| format!("(component {inner})"));
    let parts = "(core module) ".repeat(100);
    let mut types = String::new();
    for at in 0..30_000 {
        write!(types, "(type $t{at} (list u8)) ").expect("to a string");
    }
    let utf16 = "(core module $m (memory (export \"m\") 1) (func (export \"f\") (param i32 i32)) \
        (func (export \"r\") (param i32 i32 i32 i32) (result i32) i32.const 0)) \
        (core instance $i (instantiate $m)) \
        (func (export \"f\") (param \"s\" string) (canon lift (core func $i \"f\") string-encoding=utf16 \
        (memory (core memory $i \"m\")) (realloc (core func $i \"r\"))))";
    let import = "(import \"evil:shell/run@1.0.0\" (instance))";
    let mut large = component("");
    large.resize(200 << 20, 0);
    let mut slowest = Duration::ZERO;
    for (bomb, says) in [
        (component(&format!("(core module {functions})")), "component_functions: 60000 of 50000"),
        (component(&format!("(core module (func {body}))")), "component_function_bytes"),
        (component(&nested), "component_depth"),
        (component(&parts), "component_parts"),
        (component(&types), "component_items"),
        (component(utf16), "strings that are not UTF-8"),
        (component(import), "another world"),
        (large, "209715200 bytes"),
        (b"\0asm\x0d\0\x01\0\x07\xff\xff\xff\xff\x0f".to_vec(), "broken"),
    ] {
        let (reason, took) = refusal(&bomb);
        assert!(reason.contains(says), "{says}: {reason}");
        slowest = slowest.max(took);
    }
    println!("figure: nine bombs were refused, the slowest after {slowest:?}");
    assert!(slowest < Duration::from_millis(500), "ten times the promise of 50 ms: {slowest:?}");
}
