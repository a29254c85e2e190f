//! The one owner of the retry loop.
//!
//! A plugin says what failed and what it advises; the host's HTTP client repeats nothing; what a sidecar repeats by
//! itself it tells, and that counts. Whether a turn is asked again is decided here and nowhere else:
//!
//! ```text
//! policy   what an embedder may choose          (a value)
//! decide   one failure -> retry or surface      (pure)
//! budget   how many retries a provider is owed  (pure)
//! breaker  when a provider is left alone        (pure)
//! seam     several attempts -> one stream       (pure)
//! health   budget and breaker of one provider, kept by the tenant
//! start    hands one attempt to the plugin
//! control  cancel, in whatever phase the turn is
//! driver   the phases: running, waiting, starting
//! ```
//!
//! The pure parts take time and randomness as arguments, so that an outage of a minute is simulated in milliseconds.

mod breaker;
mod budget;
mod control;
mod decide;
mod driver;
mod health;
mod policy;
mod seam;
mod start;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use control::Control;
pub(crate) use driver::{Driver, cancelled};
pub(crate) use health::{Health, Registry};
pub use policy::{BreakerPolicy, BudgetPolicy, RetryPolicy};
pub(crate) use seam::Seam;
pub(crate) use start::{Asked, KnownTo};
