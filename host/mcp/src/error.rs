//! What goes wrong with a server, outside of a call. Failures of calls are told to the model.

use llm_provider_process::SpawnError;

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum McpError {
    /// The name of a server goes before the names of its tools, so it has letters, digits, `_` and `-`, and is short.
    #[error("`{name}` is no name of a server: at most {most} letters, digits, `_` and `-`")]
    Name {
        /// The name.
        name: String,
        /// The most bytes.
        most: usize,
    },
    /// A header or URL that cannot be sent.
    #[error("the MCP server `{server}` cannot be asked: {reason}")]
    Endpoint {
        /// The server.
        server: String,
        /// What is wrong.
        reason: String,
    },
    /// The program could not be started.
    #[error("the MCP server `{server}` could not be started: {source}")]
    Spawn {
        /// The server.
        server: String,
        /// Why.
        source: SpawnError,
    },
    /// It did not complete the handshake.
    #[error("the MCP server `{server}` did not answer as one: {reason}")]
    Start {
        /// The server.
        server: String,
        /// Why, with the end of what the program wrote to its standard error; secrets masked.
        reason: String,
    },
    /// Its tools could not be listed.
    #[error("the tools of the MCP server `{server}` could not be listed: {reason}")]
    List {
        /// The server.
        server: String,
        /// Why; secrets masked.
        reason: String,
    },
    /// It passed a limit.
    #[error("the MCP server `{server}` passed the limit of {limit} ({configured})")]
    Limit {
        /// The server.
        server: String,
        /// Which one, as the field of [`McpLimits`](crate::McpLimits) is named.
        limit: &'static str,
        /// The limit.
        configured: usize,
    },
    /// A tool whose schema is larger than the limit.
    #[error(
        "the tool `{tool}` of the MCP server `{server}` has a schema of {observed} bytes; the limit is {configured}"
    )]
    Schema {
        /// The server.
        server: String,
        /// The tool, as the server names it.
        tool: String,
        /// The limit.
        configured: usize,
        /// What was seen.
        observed: usize,
    },
    /// Two tools have one name once it is made fit for the services of models.
    #[error("the tools `{first}` and `{second}` of the MCP server `{server}` would both be named `{name}`")]
    Collision {
        /// The server.
        server: String,
        /// One tool, as the server names it.
        first: String,
        /// The other.
        second: String,
        /// The name of both.
        name: String,
    },
}
