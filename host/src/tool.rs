//! Tools that the host runs for the model.

use crate::bindings::llm::provider::types;
use std::future::Future;
use std::pin::Pin;

/// What a tool gives back: text for the model. `Err` is a failure that the model is told about.
pub type ToolOutput = Result<String, String>;

/// The future of a running tool. It is dropped when its turn is cancelled.
pub type ToolFuture = Pin<Box<dyn Future<Output = ToolOutput> + Send>>;

/// A tool. One implementation may serve many turns at once.
pub trait Tool: Send + Sync + 'static {
    /// Name, description and JSON schema, as the model is shown them.
    fn definition(&self) -> types::Tool;

    /// Runs it. `arguments` is the JSON text the model wrote, which may not fit the schema.
    ///
    /// # Cancel safety
    /// The future is dropped at any await point when the turn ends.
    fn call(&self, arguments: String) -> ToolFuture;
}
