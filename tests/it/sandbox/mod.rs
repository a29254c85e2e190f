//! Plugins in the sandbox, without a sidecar.

mod bystander;
mod cache;
mod cancel;
mod contract;
mod determinism;
mod faults;
mod inspect;
mod lifetime;
mod limits;
mod pressure;
mod tape;
mod wasip2;
