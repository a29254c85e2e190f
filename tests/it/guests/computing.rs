//! Plugins that compute without end, and what a tenant's neighbours feel of it.

use super::{said, tenant, turn};
use crate::measure::{Held, alone};
use llm_provider_host::{Allowance, Instance, Limits, PluginFault, Quota, Quotas, Tenant, TurnError, user_message};
use llmp_test_hostile::Row;
use llmp_tests::plugins::{hostile, hostile_with};
use llmp_tests::rig::{once, read};
use std::time::{Duration, Instant};

/// The time in which so many in a hundred lie.
fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Fifty looping plugins of one tenant on a runtime of two workers; a tenant with one honest session beside them.
pub(super) async fn g01_infinite_loop() {
    const SPINNERS: usize = 50;
    let plugin = hostile(Row::G01).await;
    let (evil, good) = (tenant(&plugin, |policy| policy), tenant(&plugin, |policy| policy));
    let honest = good.instance(&plugin, "{}").expect("an instance").session();
    said(&honest, "warm").await;
    let spinners: Vec<_> = (0..SPINNERS)
        .map(|_| {
            let session = evil.instance(&plugin, "{}").expect("an instance").session();
            tokio::spawn(async move { turn(&session, "spin").await })
        })
        .collect();
    let mut steps = Vec::new();
    while !spinners.iter().all(tokio::task::JoinHandle::is_finished) {
        let begin = Instant::now();
        assert_eq!(said(&honest, "still here").await, "still here");
        steps.push(begin.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut deaths = Vec::new();
    for spinner in spinners {
        match spinner.await.expect("no panic").error {
            Some(TurnError::Fault(PluginFault::CallBudget { observed, .. })) => deaths.push(observed),
            other => panic!("a loop was not stopped: {other:?}"),
        }
    }
    let (step, death) = (percentile(steps.clone(), 99), percentile(deaths, 99));
    println!(
        "figure: {SPINNERS} loops stopped after {death:?} (99 %); {} steps beside them took {step:?}",
        steps.len()
    );
    assert!(steps.len() >= 20, "the honest tenant had no turn: {}", steps.len());
    assert!(step < Duration::from_millis(200), "ten times the promise of 20 ms: {step:?}");
    assert!(death < Duration::from_millis(2_300), "ten times the promise of 230 ms: {death:?}");
}

/// Calls are short, and there is one after the other: the runtime stays free, and the tenant's budget ends it.
pub(super) async fn g02_a_loop_that_gives_control_back() {
    let plugin = hostile(Row::G02).await;
    let mut quotas = Quotas::default();
    quotas.cpu_millis = Some(Allowance::new(100, Duration::from_secs(3_600)));
    let evil = tenant(&plugin, |policy| policy.quotas(quotas));
    let session = evil.instance(&plugin, "{}").expect("an instance").session();
    let looping = tokio::spawn(async move { turn(&session, "tick").await });
    let mut late = Vec::new();
    while !looping.is_finished() {
        let begin = Instant::now();
        tokio::time::sleep(Duration::from_millis(5)).await;
        late.push(begin.elapsed().saturating_sub(Duration::from_millis(5)));
    }
    let ended = looping.await.expect("no panic");
    let (most, latest) = (percentile(late.clone(), 99), late.iter().max().copied().unwrap_or_default());
    println!(
        "figure: beside a plugin of timers without end, a timer of 5 ms was late by {most:?} (99 %), {latest:?} at most"
    );
    assert!(most < Duration::from_millis(250), "ten times the promise of 25 ms: {most:?}");
    let Some(TurnError::Fault(PluginFault::Quota(exceeded))) = ended.error else { panic!("{:?}", ended.error) };
    assert_eq!((exceeded.quota, exceeded.most), (Quota::CpuMillis, 100));
    let session = evil.instance(&plugin, "{}").expect("an instance").session();
    let refused = session.turn(once(vec![user_message("more")])).await;
    assert!(refused.is_err(), "the next turn is refused before it begins");
    assert!(evil.usage().refused[&Quota::CpuMillis] >= 2);
    ends_at_the_budget_of_its_turn().await;
    waits_at_its_rates().await;
}

/// Without a quota too, however short its calls are.
async fn ends_at_the_budget_of_its_turn() {
    const BUDGET: Duration = Duration::from_millis(50);
    let plugin = hostile_with(Row::G02, |limits| limits.turn_budget = BUDGET).await;
    let session = tenant(&plugin, |policy| policy).instance(&plugin, "{}").expect("an instance").session();
    let ended = turn(&session, "tick").await;
    let Some(TurnError::Fault(fault)) = ended.error else { panic!("{:?}", ended.error) };
    assert_eq!(fault, PluginFault::TurnBudget { configured: BUDGET, open: 1 });
    assert_eq!(said(&session, "still here").await, "still here");
}

/// Three seconds' worth at once: one is granted, two are waited for.
async fn waits_at_its_rates() {
    let change = |limits: &mut Limits| (limits.effects_per_second, limits.events_per_second) = (1_000, 1_000);
    let plugin = hostile_with(Row::G02, change).await;
    let tenant = tenant(&plugin, |policy| policy);
    for flood in ["moves 3000", "events 3000"] {
        let session = tenant.instance(&plugin, "{}").expect("an instance").session();
        let begin = Instant::now();
        said(&session, flood).await;
        assert!(begin.elapsed() > Duration::from_millis(1_900), "{flood}: {:?}", begin.elapsed());
    }
}

pub(super) async fn g04_endless_recursion() {
    let plugin = hostile(Row::G04).await;
    let session = tenant(&plugin, |policy| policy).instance(&plugin, "{}").expect("an instance").session();
    let mut longest = Duration::ZERO;
    for _ in 0..1_000 {
        let begin = Instant::now();
        let seen = turn(&session, "recurse").await;
        longest = longest.max(begin.elapsed());
        let Some(TurnError::Fault(PluginFault::Trapped(says))) = seen.error else { panic!("{:?}", seen.error) };
        assert!(says.contains("stack"), "{says}");
    }
    println!("figure: 1000 recursions without end, the longest took {longest:?}");
    assert_eq!(said(&session, "still here").await, "still here");
}

/// Two plugins see the same clock, and no finer than a millisecond.
pub(super) async fn g21_time_comes_in_milliseconds() {
    let plugin = hostile(Row::G21).await;
    let session = tenant(&plugin, |policy| policy).instance(&plugin, "{}").expect("an instance").session();
    let begin = Instant::now();
    let first: u64 = said(&session, "now").await.parse().expect("whole milliseconds");
    tokio::time::sleep(Duration::from_millis(30)).await;
    let second: u64 = said(&session, "now").await.parse().expect("whole milliseconds");
    let elapsed = u64::try_from(begin.elapsed().as_millis()).expect("short");
    assert!(second - first >= 29 && second - first <= elapsed + 1, "{first} {second} {elapsed}");
    assert!(first < 60_000, "counted from the instance's own beginning, not from that of the machine: {first}");
}

/// Cancels by call, by drop of the turn, by drop of the session, in any phase, so many of them on an instance.
async fn cancels(instance: Instance, seed: u64, count: u64) {
    let (mut random, mut done) = (seed, 0);
    while done < count {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let session = instance.session();
        let prompt = ["hold", "stream 1000", "invoke 3", "tick"][usize::try_from(random >> 40).expect("small") % 4];
        let Ok(mut turn) = session.turn(once(vec![user_message(prompt)])).await else {
            // So many were cancelled at once that those before it still hold what there is.
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        for _ in 0..(random >> 50) % 4 {
            drop(tokio::time::timeout(Duration::from_millis(1), turn.next()).await);
        }
        match done % 3 {
            0 => drop(turn),
            1 => {
                turn.canceller().cancel();
                drop(read(turn).await);
            }
            _ => drop(session),
        }
        done += 1;
    }
}

/// Waits until a tenant holds none of these any more.
async fn given_back(tenant: &Tenant, quotas: &[Quota]) {
    let begin = Instant::now();
    while tenant.usage().held.iter().any(|(quota, held)| quotas.contains(quota) && *held > 0) {
        assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", tenant.usage());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// All comes back: what the tenant holds, the process's descriptors and children, the runtime's tasks.
pub(super) async fn g22_cancels_at_any_moment() {
    const CANCELS: u64 = 10_000;
    const INSTANCES: u64 = 4;
    const AT_ONCE: u64 = 4; // on each of them
    if !alone("guests::g22_cancels_at_any_moment") {
        return;
    }
    let plugin = hostile(Row::G22).await;
    let tenant = tenant(&plugin, |policy| policy);
    let start = || tenant.instance(&plugin, "{}").expect("an instance");
    let first = start();
    assert_eq!(said(&first.session(), "still here").await, "still here");
    drop(first);
    let before = Held::settled().await;

    let (begin, instances) = (Instant::now(), (0..INSTANCES).map(|_| start()).collect::<Vec<_>>());
    let lanes = (0..INSTANCES * AT_ONCE).zip(instances.iter().cycle());
    let lanes = lanes.map(|(seed, on)| tokio::spawn(cancels(on.clone(), seed, CANCELS / INSTANCES / AT_ONCE)));
    for lane in lanes.collect::<Vec<_>>() {
        lane.await.expect("no panic");
    }
    println!("figure: {CANCELS} cancels took {:?}", begin.elapsed());
    given_back(&tenant, &[Quota::Turns, Quota::Sessions]).await;
    for instance in &instances {
        assert_eq!(said(&instance.session(), "still here").await, "still here");
    }
    drop(instances);
    given_back(&tenant, &Quota::ALL).await;
    let after = Held::settled().await;
    println!("figure: before {CANCELS} cancels {before:?}, after them {after:?}");
    assert!(after.descriptors <= before.descriptors, "descriptors stay: {before:?} {after:?}");
    assert!(after.tasks <= before.tasks, "tasks stay: {before:?} {after:?}");
    assert_eq!(after.children, before.children, "children stay: {before:?} {after:?}");
}
