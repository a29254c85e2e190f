//! The engine of providers that are asked over HTTP with the whole conversation each time.

mod dialect;
mod piece;

pub use dialect::{ACTIVITY_TIMEOUT, Ask, Dialect, Page, Reader, Settings, header};
pub use piece::{BlockKey, Piece};
