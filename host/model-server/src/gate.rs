//! A gate: a reply waits at it until the test opens it.

use std::sync::Arc;

use tokio::sync::watch;

/// Holds a reply at a chosen place until it is opened. Clones are the same gate; once open it stays open.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use llmp_model_server::{Gate, ModelServer, Reply, Script};
/// let gate = Gate::new();
/// let script = Script::new(Reply::deltas(["one ", "two"]).gate_after(1, &gate));
/// let server = ModelServer::start(script).await.unwrap();
/// // ... a client sends its request and reads "one "; then:
/// // gate.reached(1).await;
/// gate.open();
/// # drop(server);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Gate {
    state: Arc<watch::Sender<GateState>>,
}

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    reached: u64,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Arc::new(watch::Sender::new(GateState::default())) }
    }

    /// Lets every reply through, those that wait and those that come later.
    pub fn open(&self) {
        self.state.send_modify(|state| state.open = true);
    }

    /// Waits until `count` replies have come to this gate since it was made. All that a reply sends before its gate has
    /// been written to the socket by then.
    ///
    /// # Cancel safety
    /// Nothing is lost when this future is dropped.
    pub async fn reached(&self, count: u64) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        self.state.subscribe().wait_for(|state| state.reached >= count).await.ok();
    }

    pub(crate) async fn pass(&self) {
        self.state.send_modify(|state| state.reached = state.reached.saturating_add(1));
        self.state.subscribe().wait_for(|state| state.open).await.ok();
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
