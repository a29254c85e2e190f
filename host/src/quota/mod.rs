//! What a tenant may use, counted by the host, with a hard stop before the call that would go beyond it.
//!
//! ```text
//! Quotas    what an operator grants       (a value)
//! Ledger    what a tenant holds and spent; the one place that says no
//! Hold      something held at once, given back when dropped
//! ```

mod kinds;
mod ledger;
mod window;

pub use kinds::{Allowance, Quota, QuotaExceeded, Quotas};
pub use ledger::TenantUsage;
pub(crate) use ledger::{Hold, Ledger};
