//! A deterministic, scriptable model server on loopback.
//!
//! It speaks four dialects (OpenAI chat completions, OpenAI Responses, Anthropic Messages, Gemini generateContent;
//! streamed and whole) the way the official clients and the GitHub Copilot CLI expect them. It has two uses: the demo
//! model that `llmp` talks to when nothing is configured ([`Script::demo`]), and the tests' fake model, which can be slow,
//! silent, broken or wrong in every way that a real one can ([`Reply`]), and which remembers what it was asked
//! ([`RecordedRequest`]).
//!
//! The same script gives the same bytes: ids are counted, times are fixed, no randomness is used.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use llmp_model_server::{ModelServer, Reply, Script};
//! let server = ModelServer::start(Script::demo()).await.unwrap();
//! server.push(Reply::deltas(["Hel", "lo"]).reset_after(1)).unwrap();
//! println!("point a client at {}", server.openai_base_url());
//! server.stop().await;
//! # });
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod answer;
mod body;
mod conversation;
mod demo;
mod dialect;
mod gate;
mod model_error;
mod models;
mod prompt;
mod recorder;
mod reply;
mod script;
mod serve;
mod server;
mod socket;
mod sse;
mod stop;
mod target;

pub use answer::{Finish, ToolCall, Usage};
pub use conversation::{Message, RequestedCall, Role};
pub use dialect::Dialect;
pub use gate::Gate;
pub use model_error::ModelError;
pub use prompt::unwrap_prompt;
pub use recorder::{RecordedRequest, ReplyState};
pub use reply::Reply;
pub use script::{MAX_QUEUED, Responder, Script};
pub use server::{ModelServer, QueueFull, StartError, WaitTimeout};
