//! The only `bindgen!` of the host.
#![allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::restriction)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "llm-provider",
    imports: { default: trappable },
    additional_derives: [PartialEq],
});
