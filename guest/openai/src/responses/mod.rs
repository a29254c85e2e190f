//! Responses.

mod blocks;
mod event;
mod input;
mod reader;
mod request;
mod signature;

pub use reader::ResponsesReader;
pub(crate) use request::request;
