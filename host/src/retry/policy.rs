//! What an embedder may choose about retries.

use std::time::Duration;

/// When and how often the host asks again after a failure. A value: each turn has its own.
///
/// [`RetryPolicy::standard`] is the default of a [`crate::TurnRequest`]. An engine that has a retry loop of its own sets
/// [`RetryPolicy::off`]: two loops around each other multiply, and the outer one is blind while the inner one waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts in all, the first included. Three, as the AWS and the model providers' own clients have it: what fails
    /// three times in a row is no accident. A provider's own retries, as it tells them, count as attempts.
    pub attempts: u32,
    /// The ceiling of the first wait; it doubles with each further one. Half a second: shorter waits meet the same
    /// failure, longer ones are felt.
    pub base: Duration,
    /// The highest ceiling. Twenty seconds: who waits longer should decide it, not find out.
    pub cap: Duration,
    /// The longest time a provider may ask to be left alone for and be waited for. A minute: most rate limits are by the
    /// minute. Beyond it the failure surfaces at once, with the time in it.
    pub longest_hint: Duration,
    /// How many retries a provider gets of one tenant; as many as `attempts` allow when absent.
    pub budget: Option<BudgetPolicy>,
    /// When a provider is left alone; never when absent.
    pub breaker: Option<BreakerPolicy>,
}

/// How many retries a provider gets of one tenant, over the last half minute and over the last second. Retries multiply
/// the load just when a provider is short of room; a share of the requests bounds what they can add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BudgetPolicy {
    /// Retries for every hundred requests. Twenty, as Envoy and reqwest have it: an outage costs a fifth more at most.
    pub percent: u32,
    /// Retries that are always allowed. Three: a tenant that asks once a minute has no share to speak of.
    pub floor: u32,
}

/// When a provider is left alone. Every request to a provider that is down costs its caller the time until it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerPolicy {
    /// Failures in a row after which it is left alone. Five: more than one turn's attempts, so that one unlucky turn
    /// shuts nobody out. A tenant that asks a hundred times a second has five in a row by chance while one in three fails:
    /// it wants more.
    pub consecutive: u32,
    /// Or this share of the last half minute's outcomes, in percent.
    pub percent: u32,
    /// Of at least so many outcomes; fewer say nothing.
    pub of_at_least: u32,
    /// How long it is left alone at first, where it does not say itself; doubles each time it is still down.
    pub cool_down: Duration,
    /// The longest time it is left alone, whatever it says: a wrong hint must not shut a tenant out for a day. One
    /// request in two minutes hurts nobody.
    pub longest_cool_down: Duration,
}

impl RetryPolicy {
    /// The accepted practice: three attempts, waits of `rand(0, min(20 s, 500 ms * 2^n))`, a budget and a breaker.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            attempts: 3,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(20),
            longest_hint: Duration::from_secs(60),
            budget: Some(BudgetPolicy { percent: 20, floor: 3 }),
            breaker: Some(BreakerPolicy {
                consecutive: 5,
                percent: 50,
                of_at_least: 10,
                cool_down: Duration::from_secs(10),
                longest_cool_down: Duration::from_secs(120),
            }),
        }
    }

    /// One attempt, always: for engines that own the loop. Such a turn neither asks nor informs budget and breaker.
    #[must_use]
    pub const fn off() -> Self {
        Self { attempts: 1, budget: None, breaker: None, ..Self::standard() }
    }

    /// True when a failure can lead to another attempt.
    #[must_use]
    pub const fn retries(&self) -> bool {
        self.attempts > 1
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::standard()
    }
}
