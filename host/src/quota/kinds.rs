//! The quotas there are, and how a refusal reads.

use std::fmt;
use std::time::Duration;

/// Something a tenant is granted so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Quota {
    /// Instances alive at once.
    Instances,
    /// Sessions that plugins know of at once.
    Sessions,
    /// Turns at once.
    Turns,
    /// Sidecars at once, those that are still ending included.
    Sidecars,
    /// Bytes of linear memory, summed over the instances.
    MemoryBytes,
    /// Milliseconds of computing in plugins, in a window.
    CpuMillis,
    /// HTTP requests, in a window.
    HttpRequests,
    /// Bytes of bodies of HTTP requests and responses, in a window.
    HttpBytes,
    /// Tokens read and written, as plugins report them, in a window.
    Tokens,
    /// Premium requests, or the provider's unit of cost, as plugins report them, in a window.
    PremiumRequests,
}

impl Quota {
    /// All of them, in the order of the enum.
    pub const ALL: [Self; 10] = [
        Self::Instances,
        Self::Sessions,
        Self::Turns,
        Self::Sidecars,
        Self::MemoryBytes,
        Self::CpuMillis,
        Self::HttpRequests,
        Self::HttpBytes,
        Self::Tokens,
        Self::PremiumRequests,
    ];

    /// Its name in a policy file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Instances => "instances",
            Self::Sessions => "sessions",
            Self::Turns => "turns",
            Self::Sidecars => "sidecars",
            Self::MemoryBytes => "memory-bytes",
            Self::CpuMillis => "cpu-millis",
            Self::HttpRequests => "http-requests",
            Self::HttpBytes => "http-bytes",
            Self::Tokens => "tokens",
            Self::PremiumRequests => "premium-requests",
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// So much in any stretch of time of this length, or once and for all where that is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The most, in the unit of its quota.
    pub most: u64,
    /// The length.
    pub per: Duration,
}

impl Allowance {
    /// So much per so long.
    #[must_use]
    pub fn new(most: u64, per: Duration) -> Self {
        Self { most, per }
    }
}

/// What one tenant may use. What is held at once is always bounded; what is spent over time is bounded where the operator
/// says so, since only the operator knows who pays.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quotas {
    /// Instances alive at once. One for each configuration in use: some dozen for a busy customer.
    pub instances: u64,
    /// Sessions at once. A person has a handful; an engine one for each job.
    pub sessions: u64,
    /// Turns at once.
    pub turns: u64,
    /// Sidecars at once. One of the Copilot CLI's with a session was seen to take 268 MiB.
    pub sidecars: u64,
    /// Bytes of linear memory over all instances: four that use all of [`crate::Limits::memory_bytes`], and any number of
    /// idle ones.
    pub memory_bytes: u64,
    /// Milliseconds of computing.
    pub cpu_millis: Option<Allowance>,
    /// HTTP requests.
    pub http_requests: Option<Allowance>,
    /// Bytes of HTTP bodies, both ways.
    pub http_bytes: Option<Allowance>,
    /// Tokens, read and written.
    pub tokens: Option<Allowance>,
    /// Premium requests.
    pub premium_requests: Option<Allowance>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            instances: 100,
            sessions: 1_024,
            turns: 256,
            sidecars: 4,
            memory_bytes: 1 << 30,
            cpu_millis: None,
            http_requests: None,
            http_bytes: None,
            tokens: None,
            premium_requests: None,
        }
    }
}

/// A tenant asked for more than it is granted. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct QuotaExceeded {
    /// Which quota.
    pub quota: Quota,
    /// What is granted.
    pub most: u64,
    /// What is held or was spent, with what was asked for where that is known before.
    pub used: u64,
    /// When asking again makes sense, for what is spent over time.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for QuotaExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the tenant's quota of {} is used up: {} of {}", self.quota, self.used, self.most)?;
        match self.retry_after {
            Some(after) => write!(f, "; there is more in {:.1} s", after.as_secs_f64()),
            None => Ok(()),
        }
    }
}
