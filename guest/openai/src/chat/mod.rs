//! Chat completions.

mod calls;
mod chunk;
mod message;
mod reader;
mod request;

pub use reader::ChatReader;
pub(crate) use request::request;
