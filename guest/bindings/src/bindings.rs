//! The only `generate!` of the guest side.
#![allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::restriction)]

wit_bindgen::generate!({
    world: "llm-provider",
    path: "../../wit",
    pub_export_macro: true,
    export_macro_name: "export_world",
    default_bindings_module: "llm_provider_guest::__export",
    additional_derives: [PartialEq],
    generate_all,
});
