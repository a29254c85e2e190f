//! The component around the state machine.

use crate::Messages;
use llm_provider_core::completion::Completions;
use llm_provider_guest::Hooked;

llm_provider_guest::export_plugin!(Hooked<Completions<Messages>>);
