//! The CLI's protocol as types. Only what this plugin reads and writes; unknown fields and events are let be.

pub(crate) mod event;
pub(crate) mod inference;
pub(crate) mod reply;
pub(crate) mod request;
