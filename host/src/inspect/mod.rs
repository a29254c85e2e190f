//! Reads what a plugin is and wants from its bytes, without running or compiling it.

mod component;
mod description;

use crate::digest::Digest;
use crate::error::HostError;
use crate::limits::Limits;
use component::Shape;
pub use description::{Description, SecretWanted};
use std::fmt;

/// Something a plugin can ask the host to do: one import of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Send HTTP requests.
    Http,
    /// Start helper processes of the catalogue.
    Sidecar,
    /// Have tools run.
    Tools,
    /// Ask for permissions on behalf of the model.
    Permissions,
    /// Tell models and quota.
    Catalog,
    /// Set timers.
    Timers,
    /// Tell turns what happens.
    Events,
    /// Write to the log.
    Log,
    /// Import the locked-down WASI.
    Wasi,
}

impl Capability {
    /// What every plugin needs to answer at all, and what grants nothing by itself.
    pub(crate) const HARMLESS: [Self; 5] = [Self::Permissions, Self::Catalog, Self::Timers, Self::Events, Self::Log];

    /// All of them, in the order of the enum.
    pub(crate) const ALL: [Self; 9] = [
        Self::Http,
        Self::Sidecar,
        Self::Tools,
        Self::Permissions,
        Self::Catalog,
        Self::Timers,
        Self::Events,
        Self::Log,
        Self::Wasi,
    ];

    /// The name of the interface.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Sidecar => "sidecar",
            Self::Tools => "tools",
            Self::Permissions => "permissions",
            Self::Catalog => "catalog",
            Self::Timers => "timers",
            Self::Events => "events",
            Self::Log => "log",
            Self::Wasi => "wasi",
        }
    }

    /// What a person grants with it.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Http => "sends HTTP requests to the origins the policy grants",
            Self::Sidecar => "starts the helper processes the policy grants",
            Self::Tools => "has tools run, for turns that offer some",
            Self::Permissions => "asks the policy what the model may do with the provider's own tools",
            Self::Catalog => "tells which models there are and what is left of a quota",
            Self::Timers => "sets timers",
            Self::Events => "tells turns what happens",
            Self::Log => "writes to the log",
            Self::Wasi => "imports WASI, locked down: no files, no network, no environment",
        }
    }

    /// The capability an import stands for; `None` for the interfaces that hold only types.
    fn of_import(name: &str) -> Result<Option<Self>, String> {
        if name.starts_with("wasi:") {
            return Ok(Some(Self::Wasi));
        }
        let interface = name.strip_prefix("llm:provider/").and_then(|rest| rest.split_once("@0.1."));
        match interface.map(|(interface, _)| interface) {
            Some("http") => Ok(Some(Self::Http)),
            Some("sidecar") => Ok(Some(Self::Sidecar)),
            Some("tools") => Ok(Some(Self::Tools)),
            Some("permissions") => Ok(Some(Self::Permissions)),
            Some("catalog") => Ok(Some(Self::Catalog)),
            Some("timers") => Ok(Some(Self::Timers)),
            Some("events") => Ok(Some(Self::Events)),
            Some("log") => Ok(Some(Self::Log)),
            Some("types" | "errors" | "secrets" | "http-types" | "sidecar-types") => Ok(None),
            _ => Err(format!("it imports `{name}`, which the world llm:provider/llm-provider@0.1 does not have")),
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What can be known of a plugin without running it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// What a policy knows it by.
    pub digest: Digest,
    /// What it says of itself.
    pub description: Description,
    /// What it can ask of the host, in the order of the enum.
    pub capabilities: Vec<Capability>,
    /// Its imports as they stand in the binary.
    pub imports: Vec<String>,
    /// Bytes of the component.
    pub size: usize,
    /// Bytes of memory it starts with, summed over its memories.
    pub initial_memory: u64,
    /// The most memory it declares, summed, when it declares a maximum for each.
    pub maximum_memory: Option<u64>,
}

/// Reads a component. `origin` says where the bytes came from, for errors.
///
/// # Errors
/// [`HostError::NotAPlugin`] with what is wrong and what to do.
pub fn inspect(bytes: &[u8], origin: &str, limits: &Limits) -> Result<Inspection, HostError> {
    let refuse = |(reason, hint): (String, &str)| HostError::NotAPlugin {
        origin: origin.to_owned(),
        reason,
        hint: hint.to_owned(),
    };
    if bytes.len() > limits.component_bytes {
        let reason = format!("it has {} bytes; the limit is {}", bytes.len(), limits.component_bytes);
        return Err(refuse((reason, "raise `Limits::component_bytes` if you trust it")));
    }
    let shape = Shape::read(bytes, limits).map_err(refuse)?;
    read_shape(shape, bytes).map_err(refuse)
}

fn read_shape(shape: Shape, bytes: &[u8]) -> Result<Inspection, (String, &'static str)> {
    const OTHER_WORLD: &str = "build it for the world in this project's wit/ directory";
    if !shape.exports.iter().any(|name| name.starts_with("llm:provider/provider@0.1.")) {
        let reason = "it is a component of another world: it does not export `llm:provider/provider@0.1`";
        return Err((reason.into(), OTHER_WORLD));
    }
    let mut capabilities = Vec::new();
    for import in &shape.imports {
        capabilities.extend(Capability::of_import(import).map_err(|reason| (reason, OTHER_WORLD))?);
    }
    capabilities.sort_unstable();
    capabilities.dedup();
    let text = shape.description.ok_or((
        "it does not say what it is: the section `llm-provider:description` is missing".to_owned(),
        "add the section after the build, as the build script of this project's plugins does",
    ))?;
    Ok(Inspection {
        digest: Digest::of(bytes),
        description: Description::parse(&text)
            .map_err(|reason| (reason, "correct the plugin's description and build it again"))?,
        capabilities,
        imports: shape.imports,
        size: bytes.len(),
        initial_memory: shape.initial_memory,
        maximum_memory: shape.maximum_memory,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(bytes: &[u8]) -> String {
        inspect(bytes, "x.wasm", &Limits::default()).expect_err("refused").to_string()
    }

    #[test]
    fn alien_bytes_are_refused_with_what_they_are() {
        assert_eq!(reason(b""), "x.wasm: it is empty");
        assert_eq!(reason(b"#!/bin/sh\n"), "x.wasm: it is not WebAssembly");
        assert_eq!(reason(b"\0asm\x01\0\0\0"), "x.wasm: it is a core module, not a component");
        assert!(reason(b"\0asm\x0d\0\x01\0").contains("another world"));
        assert!(reason(b"\0asm\x0d\0\x01\0\x01\xff").contains("broken"));
    }

    #[test]
    fn an_import_of_another_world_is_named() {
        assert!(Capability::of_import("llm:provider/http@0.1.3").expect("ours") == Some(Capability::Http));
        assert!(Capability::of_import("llm:provider/types@0.1.0").expect("ours").is_none());
        assert!(Capability::of_import("llm:provider/http@0.2.0").is_err());
        assert!(Capability::of_import("evil:shell/run").expect_err("alien").contains("evil:shell/run"));
    }
}
