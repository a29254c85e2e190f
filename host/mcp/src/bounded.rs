//! A transport that ends when its server asks more than it listens.
//!
//! rmcp answers each request of a server in a task of its own, and keeps the answers until they are written. A server that
//! asks without end and never reads would fill the memory with them.

use rmcp::RoleClient;
use rmcp::model::{JsonRpcMessage, RequestId, ServerNotification};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// A transport whose server may have so many requests that are not answered, or whose answers are not written.
pub(crate) struct Bounded<T> {
    inner: T,
    server: String,
    most: usize,
    /// Requests that wait for their answer to be made.
    asked: HashSet<RequestId>,
    /// Each answer that is being written holds another one of it.
    answering: Arc<()>,
    /// Never has a permit, and is closed at the end: what is being written then is given up, or the end would wait for it.
    end: Arc<Semaphore>,
}

impl<T> Bounded<T> {
    pub(crate) fn new(inner: T, server: &str, most: usize) -> Self {
        let (answering, end) = (Arc::default(), Arc::new(Semaphore::new(0)));
        Self { inner, server: server.to_owned(), most, asked: HashSet::new(), answering, end }
    }

    /// Notes another request, where it is not one too many.
    fn asks(&mut self, id: RequestId) -> bool {
        let open = self.asked.len().saturating_add(Arc::strong_count(&self.answering) - 1);
        self.asked.insert(id);
        open < self.most
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Bounded<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let answered = match &message {
            JsonRpcMessage::Response(answer) => Some(&answer.id),
            JsonRpcMessage::Error(refusal) => refusal.id.as_ref(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
        };
        let answering = answered.map(|id| {
            self.asked.remove(id);
            Arc::clone(&self.answering)
        });
        let (sending, end) = (self.inner.send(message), Arc::clone(&self.end));
        async move {
            let sent = tokio::select! {
                sent = sending => sent,
                // Whoever waits for an answer hears of the end otherwise.
                _ = end.acquire() => Ok(()),
            };
            drop(answering);
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let message = self.inner.receive().await?;
        match &message {
            JsonRpcMessage::Request(request) if !self.asks(request.id.clone()) => {
                tracing::warn!(server = self.server, most = self.most, "an MCP server asks more than it listens");
                self.end.close();
                return None;
            }
            // What it does not want to know any more may never be answered.
            JsonRpcMessage::Notification(told) => {
                if let ServerNotification::CancelledNotification(cancelled) = &told.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.asked.remove(id);
                }
            }
            _ => {}
        }
        Some(message)
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}
