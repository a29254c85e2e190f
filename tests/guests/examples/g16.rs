//! G16: one's own key to somebody else.

#[cfg(target_arch = "wasm32")]
llm_provider_guest::export_plugin!(llmp_test_hostile::Hostile<{ llmp_test_hostile::Row::G16 as u8 }>);
