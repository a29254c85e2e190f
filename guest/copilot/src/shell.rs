//! The component around the state machine.

use crate::AnyMode;
use llm_provider_guest::Hooked;

llm_provider_guest::export_plugin!(Hooked<AnyMode>);
