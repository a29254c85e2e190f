//! G02: a loop that gives control back, by timers of no time.

#[cfg(target_arch = "wasm32")]
llm_provider_guest::export_plugin!(llmp_test_hostile::Hostile<{ llmp_test_hostile::Row::G02 as u8 }>);
