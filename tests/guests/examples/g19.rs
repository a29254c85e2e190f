//! G19: crashes between calls of the host.

#[cfg(target_arch = "wasm32")]
llm_provider_guest::export_plugin!(llmp_test_hostile::Hostile<{ llmp_test_hostile::Row::G19 as u8 }>);
