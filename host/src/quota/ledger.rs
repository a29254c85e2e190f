//! What a tenant holds and has spent.

use super::kinds::{Allowance, Quota, QuotaExceeded, Quotas};
use super::window::Window;
use crate::bindings::llm::provider::types::Usage;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A part of a premium request: plugins report them as fractions, and sums of fractions drift.
const PREMIUM_PARTS: u64 = 1_000;

/// The books of one tenant.
#[derive(Debug)]
pub(crate) struct Ledger {
    quotas: Quotas,
    began: Instant,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    held: BTreeMap<Quota, u64>,
    spent: BTreeMap<Quota, Spent>,
    refused: BTreeMap<Quota, u64>,
}

#[derive(Debug)]
struct Spent {
    /// In the parts that are counted.
    most: u64,
    window: Window,
    total: u64,
}

/// Something that is held at once; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Hold {
    ledger: Arc<Ledger>,
    quota: Quota,
    amount: u64,
}

/// What a tenant uses, at one moment: for metrics. Holds numbers only, nothing of any content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantUsage {
    /// Held now.
    pub held: BTreeMap<Quota, u64>,
    /// Spent since the tenant was made, of what has an allowance or not.
    pub spent: BTreeMap<Quota, u64>,
    /// How often something was refused.
    pub refused: BTreeMap<Quota, u64>,
}

impl Ledger {
    pub(crate) fn new(quotas: Quotas) -> Self {
        let spent = SPENT.iter().map(|quota| (*quota, Spent::new(*quota, allowance(&quotas, *quota)))).collect();
        Self { quotas, began: Instant::now(), books: Mutex::new(Books { spent, ..Books::default() }) }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes some of what can be held at once.
    ///
    /// # Errors
    /// There is not so much left.
    pub(crate) fn hold(self: &Arc<Self>, quota: Quota, amount: u64) -> Result<Hold, QuotaExceeded> {
        let mut hold = Hold { ledger: Arc::clone(self), quota, amount: 0 };
        hold.grow(amount)?;
        Ok(hold)
    }

    /// Looks whether anything is left to spend: the stop before a call whose cost is known only after it.
    ///
    /// # Errors
    /// Nothing is left in this window.
    pub(crate) fn check(&self, quota: Quota) -> Result<(), QuotaExceeded> {
        let now = self.began.elapsed();
        let mut books = self.books();
        let refusal = books.spent.get(&quota).and_then(|spent| spent.refusal(quota, now));
        match refusal {
            None => Ok(()),
            Some(refusal) => {
                books.refused(quota);
                Err(refusal)
            }
        }
    }

    /// Writes down what was spent.
    pub(crate) fn spend(&self, quota: Quota, amount: u64) {
        let parts = amount.saturating_mul(parts(quota));
        self.spend_parts(quota, parts);
    }

    fn spend_parts(&self, quota: Quota, parts: u64) {
        if parts > 0 {
            let now = self.began.elapsed();
            if let Some(spent) = self.books().spent.get_mut(&quota) {
                spent.window.add(now, parts);
                spent.total = spent.total.saturating_add(parts);
            }
        }
    }

    /// Writes down time that was computed.
    pub(crate) fn computed(&self, time: Duration) {
        self.spend_parts(Quota::CpuMillis, u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Writes down what a turn has cost since it was last looked at. A report that goes back gives nothing back.
    pub(crate) fn reported(&self, before: &Usage, now: &Usage) {
        let tokens = |usage: &Usage| usage.input_tokens.saturating_add(usage.output_tokens);
        self.spend(Quota::Tokens, tokens(now).saturating_sub(tokens(before)));
        let premium = (now.premium_requests - before.premium_requests) * PREMIUM_PARTS as f64;
        // Saturates, and takes what is no number for 0.
        self.spend_parts(Quota::PremiumRequests, premium.round() as u64);
    }

    pub(crate) fn usage(&self) -> TenantUsage {
        let books = self.books();
        let spent = books.spent.iter().map(|(quota, spent)| (*quota, spent.total / parts(*quota)));
        TenantUsage { held: books.held.clone(), spent: spent.collect(), refused: books.refused.clone() }
    }

    fn most_held(&self, quota: Quota) -> u64 {
        match quota {
            Quota::Instances => self.quotas.instances,
            Quota::Sessions => self.quotas.sessions,
            Quota::Turns => self.quotas.turns,
            Quota::Sidecars => self.quotas.sidecars,
            Quota::MemoryBytes => self.quotas.memory_bytes,
            Quota::CpuMillis | Quota::HttpRequests | Quota::HttpBytes | Quota::Tokens | Quota::PremiumRequests => 0,
        }
    }
}

/// What is spent over time.
const SPENT: [Quota; 5] =
    [Quota::CpuMillis, Quota::HttpRequests, Quota::HttpBytes, Quota::Tokens, Quota::PremiumRequests];

fn allowance(quotas: &Quotas, quota: Quota) -> Option<Allowance> {
    match quota {
        Quota::CpuMillis => quotas.cpu_millis,
        Quota::HttpRequests => quotas.http_requests,
        Quota::HttpBytes => quotas.http_bytes,
        Quota::Tokens => quotas.tokens,
        Quota::PremiumRequests => quotas.premium_requests,
        Quota::Instances | Quota::Sessions | Quota::Turns | Quota::Sidecars | Quota::MemoryBytes => None,
    }
}

/// How many parts a unit is counted in: calls take microseconds, and some requests are a third of a premium one.
fn parts(quota: Quota) -> u64 {
    match quota {
        Quota::CpuMillis => 1_000,
        Quota::PremiumRequests => PREMIUM_PARTS,
        _ => 1,
    }
}

impl Spent {
    fn new(quota: Quota, allowance: Option<Allowance>) -> Self {
        let Allowance { most, per } = allowance.unwrap_or(Allowance { most: u64::MAX, per: Duration::from_secs(60) });
        Self { most: most.saturating_mul(parts(quota)), window: Window::new(per), total: 0 }
    }

    fn refusal(&self, quota: Quota, now: Duration) -> Option<QuotaExceeded> {
        let used = self.window.sum(now);
        (used >= self.most).then(|| QuotaExceeded {
            quota,
            most: self.most / parts(quota),
            used: used / parts(quota),
            retry_after: Some(self.window.until_below(now, self.most)),
        })
    }
}

impl Books {
    fn refused(&mut self, quota: Quota) {
        let refused = self.refused.entry(quota).or_default();
        *refused = refused.saturating_add(1);
    }
}

impl Hold {
    /// Takes more of the same.
    ///
    /// # Errors
    /// There is not so much left; what was held stays held.
    pub(crate) fn grow(&mut self, amount: u64) -> Result<(), QuotaExceeded> {
        let most = self.ledger.most_held(self.quota);
        let mut books = self.ledger.books();
        let held = books.held.entry(self.quota).or_default();
        let wanted = held.saturating_add(amount);
        if wanted > most {
            books.refused(self.quota);
            return Err(QuotaExceeded { quota: self.quota, most, used: wanted, retry_after: None });
        }
        *held = wanted;
        self.amount = self.amount.saturating_add(amount);
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(held) = self.ledger.books().held.get_mut(&self.quota) {
            *held = held.saturating_sub(self.amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(change: impl FnOnce(&mut Quotas)) -> Arc<Ledger> {
        let mut quotas = Quotas::default();
        change(&mut quotas);
        Arc::new(Ledger::new(quotas))
    }

    #[test]
    fn what_is_held_comes_back_and_refusals_are_counted() {
        let ledger = ledger(|quotas| quotas.turns = 2);
        let one = ledger.hold(Quota::Turns, 1).expect("the first");
        let two = ledger.hold(Quota::Turns, 1).expect("the second");
        let refused = ledger.hold(Quota::Turns, 1).expect_err("full");
        assert_eq!((refused.quota, refused.most, refused.used, refused.retry_after), (Quota::Turns, 2, 3, None));
        assert_eq!(refused.to_string(), "the tenant's quota of turns is used up: 3 of 2");
        drop(one);
        drop(ledger.hold(Quota::Turns, 1).expect("room again"));
        drop(two);
        let usage = ledger.usage();
        assert_eq!((usage.held[&Quota::Turns], usage.refused[&Quota::Turns]), (0, 1));
    }

    #[test]
    fn what_is_spent_stops_the_next_call_and_says_when_to_come_back() {
        let hour = Duration::from_secs(3_600);
        let ledger = ledger(|quotas| quotas.tokens = Some(Allowance::new(100, hour)));
        ledger.check(Quota::Tokens).expect("nothing spent");
        let usage = |tokens| Usage { input_tokens: tokens, ..Usage::default() };
        ledger.reported(&Usage::default(), &usage(60));
        ledger.check(Quota::Tokens).expect("40 left");
        ledger.reported(&usage(60), &usage(110));
        ledger.reported(&usage(110), &usage(20));
        let refused = ledger.check(Quota::Tokens).expect_err("spent");
        assert_eq!((refused.most, refused.used), (100, 110));
        assert!(refused.retry_after.is_some_and(|after| after > hour * 9 / 10 && after <= hour), "{refused}");
        ledger.check(Quota::HttpRequests).expect("no allowance, no bound");
    }

    #[test]
    fn fractions_of_premium_requests_and_of_milliseconds_add_up() {
        let hour = Duration::from_secs(3_600);
        let ledger = ledger(|quotas| {
            quotas.premium_requests = Some(Allowance::new(1, hour));
            quotas.cpu_millis = Some(Allowance::new(1, hour));
        });
        let usage = |premium_requests| Usage { premium_requests, ..Usage::default() };
        ledger.reported(&usage(0.0), &usage(0.33));
        ledger.reported(&usage(0.0), &usage(f64::NAN));
        ledger.reported(&usage(5.0), &usage(0.0));
        ledger.check(Quota::PremiumRequests).expect("a third");
        ledger.reported(&usage(0.33), &usage(1.0));
        ledger.check(Quota::PremiumRequests).expect_err("one");
        for _ in 0..10 {
            ledger.computed(Duration::from_micros(99));
        }
        ledger.check(Quota::CpuMillis).expect("990 us");
        ledger.computed(Duration::from_micros(10));
        ledger.check(Quota::CpuMillis).expect_err("a millisecond");
    }
}
