//! Components that are bombs: refused from their outer shape, before anything is compiled.

use llm_provider_host::{Host, HostError, Limits, inspect};
use llmp_tests::plugins::{NAUGHTY, naughty};
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

/// A sound plugin with one more module in it, which nothing uses, from the text of what is in that.
fn with_module(inside: &str) -> Vec<u8> {
    let module = wat::parse_str(format!("(module {inside})")).expect("the text of a module");
    let mut bytes = NAUGHTY.to_vec();
    bytes.push(1); // a section that is a module; then its length, seven bits a byte
    let mut length = module.len();
    while length > 0x7f {
        bytes.push(0x80 | u8::try_from(length & 0x7f).expect("seven bits"));
        length >>= 7;
    }
    bytes.push(u8::try_from(length).expect("seven bits"));
    bytes.extend(module);
    bytes
}

/// Each of these is refused in one line that names what is off.
async fn all_refused(host: &Host, modules: &[(&str, &str)]) {
    for (inside, off) in modules {
        let loaded = host.load(with_module(inside), "proposal.wasm").await;
        let refused = loaded.err().unwrap_or_else(|| panic!("a plugin with {inside} was accepted"));
        let HostError::NotAPlugin { reason, hint, .. } = &refused else { panic!("{inside}: {refused:?}") };
        assert!(reason.contains(off) && !hint.is_empty(), "{inside}: {reason}");
        let line = refused.to_string();
        assert!(line.lines().count() == 1 && line.len() < 300, "{inside}: {line}");
    }
}

/// Proposals that have had holes, or that nothing here needs: a plugin that uses one is refused, whatever else it does.
#[tokio::test(flavor = "multi_thread")]
async fn g08_proposals_that_are_off_are_refused() {
    let host = naughty().await.host().clone();
    let sound = host.load(with_module("(func)"), "sound.wasm").await;
    assert!(sound.is_ok(), "it is not the further module that is refused: {:?}", sound.err());
    let threads = [
        ("(memory 1 2 shared)", "threads"),
        ("(memory 1) (func (drop (i32.atomic.load (i32.const 0))))", "threads"),
        ("(func atomic.fence)", "threads"),
    ];
    let gc = [
        ("(type (struct (field i32)))", "gc"),
        ("(type (array i8))", "gc"),
        ("(func (param anyref))", "gc"),
        ("(func (param externref))", "gc"),
        ("(func (drop (ref.null any)))", "gc"),
        ("(global i31ref (ref.i31 (i32.const 1)))", "gc"),
    ];
    let exceptions = [
        ("(tag)", "exceptions"),
        ("(func (block $b (try_table (catch_all $b))))", "exceptions"),
        ("(func unreachable throw_ref)", "exceptions"),
        ("(func try catch_all end)", "exceptions"),
    ];
    let large = [("(memory i64 1)", "memory64"), ("(table i64 1 funcref)", "memory64")];
    let others = [
        ("(memory 1 (pagesize 1))", "custom page sizes"),
        ("(memory 1) (memory 1)", "multiple memories"),
        ("(type $f (func)) (type (cont $f))", "stack switching"),
    ];
    for modules in [&threads[..], &gc, &exceptions, &large, &others] {
        all_refused(&host, modules).await;
    }
}

/// The part of the gc proposal that needs no heap: small numbers as references, and types below others.
#[tokio::test(flavor = "multi_thread")]
async fn g08_gc_without_a_heap_is_refused() {
    let host = naughty().await.host().clone();
    let modules = [
        ("(func (drop (ref.i31 (i32.const 1))))", "gc"),
        ("(func (drop (i31.get_u (ref.i31 (i32.const 1)))))", "gc"),
        ("(func (drop (ref.eq (ref.i31 (i32.const 1)) (ref.i31 (i32.const 1)))))", "gc"),
        ("(func (drop (any.convert_extern (extern.convert_any (ref.i31 (i32.const 1))))))", "gc"),
        ("(type (sub (func)))", "gc"),
        ("(rec (type (func)) (type (func)))", "gc"),
    ];
    all_refused(&host, &modules).await;
}
