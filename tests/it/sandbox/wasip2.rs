//! A plugin built by an ordinary wasm32-wasip2 toolchain runs, and finds nothing around it.

use super::bystander::fault_in;
use llm_provider_host::wit::log::Level;
use llm_provider_host::wit::provider::{Input, Turn, TurnOptions};
use llm_provider_host::{Capability, Effect, Event, HostError, Limits, Plugin, PluginFault, Session, user_message};
use llmp_tests::plugins::{ECHO, ask, host, policy};
use llmp_tests::rig::read;
use std::time::Instant;
use tokio::sync::OnceCell;

async fn echo() -> Plugin {
    static PLUGIN: OnceCell<Plugin> = OnceCell::const_new();
    let load = || async { host(Limits::default()).load(ECHO, "echo").await.expect("the plugin") };
    PLUGIN.get_or_init(load).await.clone()
}

async fn session() -> Session {
    let plugin = echo().await;
    let tenant = plugin.host().tenant(policy().allow(Capability::Wasi));
    tenant.instance(&plugin, "{}").expect("granted").session()
}

async fn answer(prompt: &str) -> String {
    let seen = read(ask(&session().await, prompt).await).await;
    assert!(seen.error.is_none(), "{prompt}: {:?}", seen.error);
    println!("{prompt}: {}", seen.text);
    seen.text
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_refused_unless_wasi_is_granted() {
    let plugin = echo().await;
    let refused = plugin.host().tenant(policy()).instance(&plugin, "{}").err().expect("refused");
    assert!(matches!(&refused, HostError::Denied(what) if what.contains("`wasi`")), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_in_two_deltas() {
    let seen = read(ask(&session().await, "hello there").await).await;
    let deltas = seen.events.iter().filter(|event| matches!(event, Event::TextDelta(_))).count();
    assert_eq!((seen.text.as_str(), deltas), ("hello there", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_finds_no_files_no_network_no_environment_and_no_input() {
    for prompt in ["open", "create", "connect", "resolve", "thread"] {
        let text = answer(prompt).await;
        assert!(text.starts_with("refused: "), "{prompt}: {text}");
    }
    assert_eq!(answer("env").await, "[] []");
    assert_eq!(answer("stdin").await, "Ok(0) \"\"");
    assert!(!std::path::Path::new("/tmp/llmp-test-echo").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_is_a_fault_and_not_a_stall() {
    let begin = Instant::now();
    let fault = fault_in(&session().await, "sleep").await;
    println!("figure: an hour's sleep was ended after {:?}: {fault}", begin.elapsed());
    assert!(matches!(&fault, PluginFault::Trapped(text) if text.contains("must not wait")), "{fault:?}");
    let fault = fault_in(&session().await, "wait").await;
    assert!(matches!(fault, PluginFault::CallBudget { .. }), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_panic_ends_the_turn_with_a_fault() {
    let fault = fault_in(&session().await, "panic").await;
    println!("{fault}");
    assert!(matches!(&fault, PluginFault::Trapped(text) if text.contains("as asked")), "{fault:?}");
}

/// One call at `now`, on a thread without a runtime, as an engine of its own would do it.
fn call(plugin: &Plugin, seed: u64, now: u64, prompt: &str) -> Vec<Effect> {
    let (history, options) = (vec![user_message(prompt)], TurnOptions::default());
    let turn = Turn { session: 1, id: 2, history, options };
    let mut sandbox = plugin.sandbox("{}", Vec::new(), seed).expect("a sandbox");
    sandbox.handle(now, &[Input::OpenSession(1), Input::StartTurn(turn)]).expect("effects")
}

fn text(effects: &[Effect]) -> String {
    let text = |effect: &Effect| match effect {
        Effect::Event(_, Event::TextDelta(delta)) => Some(delta.text.clone()),
        _ => None,
    };
    effects.iter().filter_map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn its_prints_are_log_effects_and_bounded() {
    let plugin = echo().await;
    let (hello, flood) = tokio::task::spawn_blocking(move || (call(&plugin, 1, 0, "hi"), call(&plugin, 1, 0, "print")))
        .await
        .expect("no panic");
    assert_eq!(hello.last(), Some(&Effect::Log(Level::Info, "asked \"hi\", 1 times".into())));
    let kept: usize =
        flood.iter().map(|effect| if let Effect::Log(_, line) = effect { line.len() + 1 } else { 0 }).sum();
    println!("figure: of 610000 bytes printed in a call, {kept} were kept");
    assert!((1 << 10..=128 << 10).contains(&kept));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_clock_is_the_calls_and_its_randomness_the_seeds() {
    let plugin = echo().await;
    tokio::task::spawn_blocking(move || {
        assert_eq!(text(&call(&plugin, 1, 1_234, "time")), "1.234s");
        let hash = |seed| text(&call(&plugin, seed, 0, "hash"));
        assert_eq!(hash(7), hash(7), "same seed, same order");
        let orders: std::collections::BTreeSet<String> = (1..6).map(hash).collect();
        assert!(orders.len() > 1, "other seeds, other orders");
    })
    .await
    .expect("no panic");
}

/// Driving a sandbox needs no runtime and must work on one: an engine may call it from async code.
#[tokio::test]
async fn a_sandbox_can_be_driven_from_async_code() {
    let plugin = echo().await;
    let effects = call(&plugin, 1, 0, "hi");
    assert_eq!(text(&effects), "hi");
}

#[test]
fn a_sandbox_can_be_driven_without_a_runtime() {
    let plugin = host(Limits::default()).load_blocking(ECHO, "echo").expect("the plugin");
    assert_eq!(text(&call(&plugin, 1, 0, "hi")), "hi");
}
