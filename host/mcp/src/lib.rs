//! Tools of MCP servers, as tools of the host.
//!
//! An MCP server is a program, spoken to over its standard input and output, or a service behind a URL (streamable HTTP).
//! [`McpServer`] connects to one; its tools become [`Tool`](llm_provider_host::Tool)s named `<server>-<tool>`, for
//! [`TurnRequest::tools`](llm_provider_host::TurnRequest). The protocol is `rmcp`'s, by the authors of MCP. What this
//! crate promises:
//!
//! * **A server is somebody else's code.** A program runs through `llm-provider-process`: a group of its own, a cleared
//!   environment, killed with its children when the [`McpServer`] is dropped. A service is reached through an
//!   [`Egress`](llm_provider_http::Egress): only what its policy grants, no redirects, nothing from the environment.
//! * **Nothing hangs.** Starting, listing and calling have deadlines; a call to a server that has ended fails at once, and
//!   the model is told why. A call that is dropped is cancelled at the server.
//! * **Bounded.** Messages, tools, pages, descriptions, schemas and a server's own requests: each number is argued in
//!   [`McpLimits`].
//! * **A server gets nothing from us.** It is offered no sampling, no roots, no questions to the person.
//! * **Secrets go one way.** They are given as [`Secret`](llm_provider_host::Secret)s, appear in no message, and are
//!   masked in what a server says. `rmcp` logs what servers say as it came (target `rmcp`, from `info` on): whoever keeps
//!   logs turns it off, as `llmp` does.
//!
//! ```no_run
//! use llm_provider_host::{Secret, TurnRequest, user_message};
//! use llm_provider_mcp::{McpLimits, McpServer, Program};
//! use llm_provider_process::Spec;
//!
//! # async fn run(session: llm_provider_host::Session) -> Result<(), Box<dyn std::error::Error>> {
//! let spec = Spec::new("/usr/bin/my-mcp-server", "/srv").env("PATH", "/usr/bin:/bin");
//! let program = Program::new(spec).secret("API_KEY", Secret::new("..."));
//! let server = McpServer::stdio("files", program, McpLimits::default()).await?;
//! let tools = server.tools().await?;
//! let turn = session.turn(TurnRequest { tools, ..TurnRequest::new(vec![user_message("what is in a.txt?")]) }).await?;
//! # drop(turn);
//! server.close().await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod bounded;
mod error;
mod http;
mod limits;
mod mask;
mod name;
mod program;
mod render;
mod server;
mod tool;

pub use error::McpError;
pub use http::Endpoint;
pub use limits::McpLimits;
pub use program::Program;
pub use server::McpServer;
