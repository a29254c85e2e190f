//! Plugins in the sandbox, without a sidecar.
