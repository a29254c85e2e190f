//! Every number that bounds a server, each with its reason.

use llm_provider_http::EgressLimits;
use std::time::Duration;

/// What one server may take and send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct McpLimits {
    /// From the start of a program, or the first request, to the end of the handshake. Node and Python servers take a
    /// second, one in a container ten.
    pub start: Duration,
    /// A whole listing of the tools, all pages.
    pub list: Duration,
    /// One call of a tool. As long as the host's own `tool_deadline`: whichever is shorter counts.
    pub call: Duration,
    /// How long a server may take to end when it is closed: to write its files.
    pub close: Duration,
    /// Bytes of one message of a server: four of the host's largest tool results. A longer one is discarded, and the call
    /// that waits for it is given up at its deadline.
    pub message_bytes: usize,
    /// Requests of a server whose answers it has not taken. It is offered nothing, so what is left to ask is a `ping` now and
    /// then; one that asks more and does not read is ended, with at most so many messages in memory.
    pub asks: usize,
    /// Tools of a server. Models choose badly among more than some dozen; the services refuse more than 128.
    pub tools: usize,
    /// Pages of a listing. Servers page by 50 and more, if at all; a server whose cursor never ends is given up here.
    pub pages: usize,
    /// Bytes of a tool's full name: what the services of models take.
    pub name_bytes: usize,
    /// Bytes of a tool's description; what is longer is cut. Every model call pays for it: 4 KiB is a thousand tokens.
    pub description_bytes: usize,
    /// Bytes of a tool's input schema; a tool with a longer one is refused. Large generated ones have 20 KiB.
    pub schema_bytes: usize,
    /// Bytes of what is told about a failed start or listing: the end of a stack trace.
    pub reason_bytes: usize,
}

impl Default for McpLimits {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(30),
            list: Duration::from_secs(30),
            call: Duration::from_secs(120),
            close: Duration::from_secs(5),
            message_bytes: 4 << 20,
            asks: 16,
            tools: 128,
            pages: 32,
            name_bytes: 64,
            description_bytes: 4 << 10,
            schema_bytes: 64 << 10,
            reason_bytes: 2 << 10,
        }
    }
}

impl McpLimits {
    /// Limits for the [`Egress`](llm_provider_http::Egress) of an [`Endpoint`](crate::Endpoint). A provider's are too
    /// strict for it: a tool may be silent for as long as it may run, and one response stays open for the server's
    /// notifications. That one is renewed each hour.
    #[must_use]
    pub fn egress(&self) -> EgressLimits {
        let mut limits = EgressLimits::default();
        let longest = Duration::from_secs(3_600).max(self.call);
        limits.first_byte = self.call.max(self.start);
        limits.between_bytes = longest;
        limits.total = longest;
        limits
    }
}
