//! G06: a flood of events for a reader that is slow or gone.

#[cfg(target_arch = "wasm32")]
llm_provider_guest::export_plugin!(llmp_test_hostile::Hostile<{ llmp_test_hostile::Row::G06 as u8 }>);
