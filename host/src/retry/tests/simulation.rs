//! An outage of a minute, with a thousand clients, on a virtual clock (N02 and the ninth of the accepted practice).

use super::error;
use crate::bindings::llm::provider::errors::{Error as ProviderError, ErrorKind, Verdict};
use crate::instance::drawn;
use crate::retry::decide::{Decision, Situation};
use crate::retry::health::{Admission, Health, Registry};
use crate::retry::policy::RetryPolicy;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Milliseconds since the beginning.
type Ms = u64;

const CLIENTS: usize = 1_000;
const OUTAGE: Range<Ms> = 60_000..120_000;
const END: Ms = 240_000;
const BUCKET: Ms = 100;

/// What happens at a time to a client.
enum Event {
    /// It has something to ask.
    Asks,
    /// An attempt reaches the provider.
    Arrives(Turn),
    /// Its outcome reaches the client.
    Ends(Turn, Admission, bool),
}

struct Turn {
    retries: u32,
}

/// Who asks how often, and what the provider does in its outage.
struct Setting {
    policy: RetryPolicy,
    failure: ProviderError,
    /// Of a hundred requests in the outage, how many fail.
    failing: u64,
    /// The mean time between two questions of a client.
    every: Ms,
    /// Each client is a tenant of its own.
    apart: bool,
}

struct World {
    setting: Setting,
    begin: Instant,
    health: Vec<Arc<Health>>,
    events: Vec<Option<(usize, Event)>>,
    queue: BinaryHeap<Reverse<(Ms, usize)>>,
    draws: u64,
    load: Vec<u64>,
    /// First attempts in the outage, and retries that were decided on in it.
    asked: u64,
    again: u64,
    answered: u64,
}

impl World {
    fn run(setting: Setting) -> Self {
        let registry = Registry::default();
        let one =
            |client: usize| registry.of(if setting.apart { client.to_string() } else { String::new() }, "", CLIENTS);
        let health = (0..CLIENTS).map(one).collect();
        let load = vec![0; usize::try_from((END + 200_000) / BUCKET).unwrap()];
        let (events, queue) = (Vec::new(), BinaryHeap::new());
        // Not before any of the healths began.
        let begin = Instant::now();
        let mut world = Self { setting, begin, health, events, queue, draws: 0, load, asked: 0, again: 0, answered: 0 };
        for client in 0..CLIENTS {
            let first = world.below(world.setting.every);
            world.at(first, client, Event::Asks);
        }
        while let Some(Reverse((now, event))) = world.queue.pop() {
            let (client, event) = world.events[event].take().expect("once");
            world.happens(now, client, event);
        }
        world
    }

    fn draw(&mut self) -> u64 {
        self.draws += 1;
        drawn(42, 0x7f00_0000_1000, self.draws)
    }

    fn below(&mut self, end: u64) -> u64 {
        u64::try_from((u128::from(self.draw()) * u128::from(end)) >> 64).unwrap()
    }

    fn at(&mut self, time: Ms, client: usize, event: Event) {
        self.queue.push(Reverse((time, self.events.len())));
        self.events.push(Some((client, event)));
    }

    fn clock(&self, now: Ms) -> Instant {
        self.begin + Duration::from_millis(now)
    }

    fn happens(&mut self, now: Ms, client: usize, event: Event) {
        match event {
            Event::Asks if now >= END => {}
            Event::Asks => self.at(now, client, Event::Arrives(Turn { retries: 0 })),
            Event::Arrives(turn) => {
                let admitted = self.health[client].admit(&self.setting.policy, self.clock(now), turn.retries == 0);
                let Ok(admission) = admitted else { return self.rests(now, client) };
                self.load[usize::try_from(now / BUCKET).unwrap()] += 1;
                self.asked += u64::from(turn.retries == 0 && OUTAGE.contains(&now));
                let fails = OUTAGE.contains(&now) && self.below(100) < self.setting.failing;
                let after = if fails { 20 + self.below(60) } else { 200 + self.below(400) };
                self.at(now + after, client, Event::Ends(turn, admission, fails));
            }
            Event::Ends(_, admission, false) => {
                self.answered += 1;
                admission.succeeded(self.clock(now));
                self.rests(now, client);
            }
            Event::Ends(turn, admission, true) => {
                let (draw, failure) = (self.draw(), self.setting.failure.clone());
                match admission.failed(self.clock(now), situation(&failure, turn.retries, draw)) {
                    Decision::Retry { after, .. } => {
                        self.again += u64::from(OUTAGE.contains(&now));
                        let due = now + u64::try_from(after.as_millis()).unwrap();
                        self.at(due, client, Event::Arrives(Turn { retries: turn.retries + 1 }));
                    }
                    Decision::Surface(_) => self.rests(now, client),
                }
            }
        }
    }

    /// The client thinks, between half and one and a half of the mean.
    fn rests(&mut self, now: Ms, client: usize) {
        let (every, some) = (self.setting.every, self.below(self.setting.every));
        self.at(now + every / 2 + some, client, Event::Asks);
    }

    /// The load in a span: its mean and its peak over so many buckets, each as requests in a bucket.
    fn over(&self, span: Range<Ms>, buckets: usize) -> (f64, f64) {
        let index = |time: Ms| usize::try_from(time / BUCKET).unwrap();
        let load = &self.load[index(span.start)..index(span.end)];
        let each = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len() as f64;
        (each(load), load.windows(buckets).map(each).fold(0.0, f64::max))
    }
}

fn situation(error: &ProviderError, retries: u32, draw: u64) -> Situation<'_> {
    let (attempts, remaining) = (retries + 1, Duration::from_secs(600));
    Situation { error, cancelled: false, attempts, retries, remaining, budget: true, shut_for: None, draw }
}

/// In terms of the normal load.
struct Figures {
    /// The busiest second.
    peak: f64,
    /// The busiest bucket.
    wave: f64,
    /// Retries for each request in the outage.
    share: f64,
}

/// Runs it and tells the figures.
fn figures(name: &str, setting: Setting) -> Figures {
    let begin = Instant::now();
    let world = World::run(setting);
    let (normal, _) = world.over(10_000..60_000, 1);
    let (_, wave) = world.over(10_000..END, 1);
    let (_, peak) = world.over(10_000..END, 10);
    let (outage, _) = world.over(OUTAGE, 1);
    let (after, _) = world.over(180_000..END, 1);
    let (peak, wave, share) = (peak / normal, wave / normal, world.again as f64 / world.asked as f64);
    println!(
        "figure: {name}: peak {peak:.2}x, wave {wave:.2}x, outage {:.2}x, after {:.2}x of {normal:.0} a bucket; \
         {share:.2} retries a request; {} answers in {:.1?}",
        outage / normal,
        after / normal,
        world.answered,
        begin.elapsed(),
    );
    assert!((0.9..1.1).contains(&(after / normal)), "{name}: it recovers");
    Figures { peak, wave, share }
}

fn outage(failure: ProviderError) -> Setting {
    Setting { policy: RetryPolicy::standard(), failure, failing: 100, every: 1_000, apart: false }
}

fn overloaded(verdict: Verdict) -> ProviderError {
    error(ErrorKind::Overloaded, verdict)
}

#[test]
fn n02_outage_simulation() {
    let hinted = ProviderError { retry_after: Some(5_000), ..overloaded(Verdict::RetryAfter(5_000)) };
    for (name, failure) in [
        ("retried at once", overloaded(Verdict::RetryNow)),
        ("with the plugin's pause", overloaded(Verdict::RetryAfter(2_000))),
        ("with the provider's hint", hinted),
    ] {
        let Figures { peak, wave, .. } = figures(name, outage(failure));
        assert!(peak <= 1.3, "{name}: {peak}");
        assert!(wave <= 2.0, "{name}: {wave}");
    }
}

/// The budget holds by itself, when the provider fails too rarely to be left alone: a fifth more than what is asked.
#[test]
fn n02_a_partial_outage_is_borne_by_the_budget_alone() {
    for failing in [20, 40, 100] {
        let mut setting = Setting { failing, ..outage(overloaded(Verdict::RetryNow)) };
        setting.policy.breaker = None;
        let Figures { share, .. } = figures(&format!("{failing} % fail, no breaker"), setting);
        assert!(share > 0.1 && share <= 0.21, "{failing} %: {share}");
    }
}

/// A thousand tenants of one client each share nothing: each has its own floor, and asks until its own breaker opens.
#[test]
fn n02_tenants_apart_share_nothing_and_do_not_come_in_step() {
    let setting = Setting { apart: true, ..outage(overloaded(Verdict::RetryAfter(2_000))) };
    let Figures { peak, wave, .. } = figures("a thousand tenants", setting);
    assert!(peak <= 1.3 && wave <= 2.0, "{peak} {wave}");
}

/// The same with nothing held back: what all of this is for.
#[test]
fn n02_the_simulation_sees_a_wave() {
    let mut setting = outage(overloaded(Verdict::RetryNow));
    (setting.policy.budget, setting.policy.breaker, setting.policy.attempts) = (None, None, 6);
    let Figures { peak, .. } = figures("six attempts, nothing held back", setting);
    assert!(peak > 2.0, "{peak}");
}
