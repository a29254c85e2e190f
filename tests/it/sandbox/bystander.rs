//! Somebody else's turn, which must not notice what happens to a misbehaving plugin.

use llm_provider_host::{Instance, Plugin, PluginFault, Session, TurnError};
use llmp_tests::plugins::{ask, instance};
use llmp_tests::rig::read;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Longer than any test takes on a loaded machine; passing it is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Numbers the bystander counts to.
const COUNT: u64 = 5_000;

/// A long turn on another instance of the same plugin.
pub(crate) struct Bystander {
    task: JoinHandle<String>,
}

impl Bystander {
    pub(crate) async fn start(plugin: &Plugin) -> Self {
        let instance = instance(plugin);
        let session = instance.session();
        let turn = ask(&session, &format!("stream {COUNT}")).await;
        let task = tokio::spawn(async move {
            let seen = read(turn).await;
            drop(session);
            assert!(seen.finished().is_some(), "the bystander was hurt: {:?}", seen.error);
            seen.text
        });
        Self { task }
    }

    /// Waits for the end of the turn; nothing of it may be missing.
    pub(crate) async fn unhurt(self) {
        let said = tokio::time::timeout(PATIENCE, self.task).await.expect("in time").expect("no panic");
        assert_eq!(said, numbers(COUNT));
    }
}

/// What the mode `stream` says in all.
pub(crate) fn numbers(count: u64) -> String {
    (0..count).map(|number| format!("{number} ")).collect()
}

/// The fault that ends a turn with this prompt. The same session then answers on a fresh sandbox, and a turn on another
/// instance goes on all the while.
pub(crate) async fn fault_of(plugin: &Plugin, prompt: &str) -> PluginFault {
    let bystander = Bystander::start(plugin).await;
    let instance = instance(plugin);
    let session = instance.session();
    let fault = fault_in(&session, prompt).await;
    println!("{prompt}: {fault}");
    assert_eq!(fault.to_string().lines().count(), 1, "one line");
    assert_answers(&session).await;
    bystander.unhurt().await;
    fault
}

/// The fault that ends a turn of this session.
pub(crate) async fn fault_in(session: &Session, prompt: &str) -> PluginFault {
    let seen = tokio::time::timeout(PATIENCE, async { read(ask(session, prompt).await).await });
    match seen.await.expect("in time").error {
        Some(TurnError::Fault(fault)) => fault,
        other => panic!("{prompt}: not a fault: {other:?}"),
    }
}

/// A turn of this session is answered.
pub(crate) async fn assert_answers(session: &Session) {
    let seen = tokio::time::timeout(PATIENCE, async { read(ask(session, "echo again").await).await });
    let seen = seen.await.expect("in time");
    assert!(seen.error.is_none(), "{:?}", seen.error);
    assert_eq!(seen.text, "echo again");
}

/// Instance, session and one turn that stays open until it is cancelled.
pub(crate) async fn held(plugin: &Plugin) -> (Instance, Session, llm_provider_host::Turn) {
    let instance = instance(plugin);
    let session = instance.session();
    let mut turn = ask(&session, "hold").await;
    assert!(turn.next().await.expect("an event").is_ok());
    (instance, session, turn)
}
