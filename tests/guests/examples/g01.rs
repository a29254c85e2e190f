//! G01: an infinite loop.

#[cfg(target_arch = "wasm32")]
llm_provider_guest::export_plugin!(llmp_test_hostile::Hostile<{ llmp_test_hostile::Row::G01 as u8 }>);
