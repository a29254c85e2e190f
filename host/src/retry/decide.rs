//! One failure: is the turn asked again?

use super::policy::RetryPolicy;
use crate::bindings::llm::provider::errors::{Error as ProviderError, ErrorKind, Verdict};
use std::time::Duration;

/// What is known when an attempt has failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation<'a> {
    /// The failure, with the facts as plugin *and* host know them.
    pub(super) error: &'a ProviderError,
    /// The owner wants the turn no more.
    pub(super) cancelled: bool,
    /// Attempts made so far, this one and the provider's own retries included.
    pub(super) attempts: u32,
    /// How often the host has asked again already: makes the waits longer.
    pub(super) retries: u32,
    /// What is left of the turn's time.
    pub(super) remaining: Duration,
    /// The budget has room for a retry.
    pub(super) budget: bool,
    /// How long the breaker keeps the provider shut.
    pub(super) shut_for: Option<Duration>,
    /// Any number: makes the jitter.
    pub(super) draw: u64,
}

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Ask again.
    Retry {
        /// Not before.
        after: Duration,
        /// What the attempt ran on may be gone: a fresh instance serves it then.
        fresh_session: bool,
    },
    /// It is the turn's end.
    Surface(Why),
}

/// Why a failure is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The owner cancelled the turn.
    Cancelled,
    /// Text was shown: it would be shown twice.
    OutputSeen,
    /// A tool ran: it might run again.
    ToolsRan,
    /// The plugin does not advise it.
    NotAdvised,
    /// There were as many attempts as the policy has.
    AttemptsSpent,
    /// The provider asks for more time than is waited.
    HintTooLong(Duration),
    /// The provider is left alone for now.
    Shut(Duration),
    /// Retries have their share of the load already.
    BudgetSpent,
    /// The wait would pass the turn's deadline.
    Deadline,
}

/// Decides. What makes a retry unsafe goes before what makes it useless, and that before what makes it unwelcome.
pub(super) fn decide(policy: &RetryPolicy, situation: &Situation<'_>) -> Decision {
    match retry(policy, situation) {
        Ok((after, fresh_session)) => Decision::Retry { after, fresh_session },
        Err(why) => Decision::Surface(why),
    }
}

fn retry(policy: &RetryPolicy, situation: &Situation<'_>) -> Result<(Duration, bool), Why> {
    let error = situation.error;
    refuse(situation.cancelled || error.kind == ErrorKind::Cancelled, Why::Cancelled)?;
    refuse(error.output_seen, Why::OutputSeen)?;
    refuse(error.tools_ran, Why::ToolsRan)?;
    let (advised, fresh_session) = advised(&error.verdict)?;
    refuse(situation.attempts >= policy.attempts, Why::AttemptsSpent)?;
    let hint = error.retry_after.map(Duration::from_millis);
    let asked_for = hint.unwrap_or(advised);
    refuse(asked_for > policy.longest_hint, Why::HintTooLong(asked_for))?;
    if let Some(after) = situation.shut_for {
        return Err(Why::Shut(after));
    }
    refuse(!situation.budget, Why::BudgetSpent)?;
    let jitter = jitter(policy, situation.retries, situation.draw);
    let after = match hint {
        Some(hint) => hint.max(jitter),
        None => advised + jitter,
    };
    refuse(after >= situation.remaining, Why::Deadline)?;
    Ok((after, fresh_session))
}

fn refuse(reason: bool, why: Why) -> Result<(), Why> {
    if reason { Err(why) } else { Ok(()) }
}

/// The time the plugin advises, and whether it wants to begin afresh. Where the provider itself gave no time, the
/// plugin's is a constant: the jitter comes on top, or all who failed together would come back together.
fn advised(verdict: &Verdict) -> Result<(Duration, bool), Why> {
    match verdict {
        Verdict::RetryNow => Ok((Duration::ZERO, false)),
        Verdict::RetryAfter(after) => Ok((Duration::from_millis(*after), false)),
        Verdict::RetryInFreshSession => Ok((Duration::ZERO, true)),
        Verdict::SwitchModel | Verdict::Compact | Verdict::Surface => Err(Why::NotAdvised),
    }
}

/// Full jitter: anything between nothing and `min(cap, base * 2^retries)`.
fn jitter(policy: &RetryPolicy, retries: u32, draw: u64) -> Duration {
    let ceiling = policy.base.saturating_mul(1 << retries.min(16)).min(policy.cap);
    let share = ceiling.as_nanos().saturating_mul(u128::from(draw)) >> u64::BITS;
    Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
}

/// Whether a failure says something of the provider's health. A wrong request or key says something of the asker.
pub(super) fn tells_health(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Transport
        | ErrorKind::Overloaded
        | ErrorKind::Timeout
        | ErrorKind::RateLimit
        | ErrorKind::Internal => true,
        ErrorKind::Authentication
        | ErrorKind::Permission
        | ErrorKind::Quota
        | ErrorKind::ContextLength
        | ErrorKind::ContentFilter
        | ErrorKind::InvalidRequest
        | ErrorKind::NotFound
        | ErrorKind::Unsupported
        | ErrorKind::Sidecar
        | ErrorKind::Protocol
        | ErrorKind::Cancelled => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::tests::error;
    use ErrorKind as K;
    use Verdict as V;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);
    const MINUTE: Duration = Duration::from_secs(60);

    fn situation(error: &ProviderError) -> Situation<'_> {
        let (attempts, retries, remaining, draw) = (1, 0, MINUTE * 10, u64::MAX / 2);
        Situation { error, cancelled: false, attempts, retries, remaining, budget: true, shut_for: None, draw }
    }

    fn standard(situation: &Situation<'_>) -> Decision {
        decide(&RetryPolicy::standard(), situation)
    }

    fn wait(decision: Decision) -> Duration {
        match decision {
            Decision::Retry { after, .. } => after,
            Decision::Surface(why) => panic!("{why:?}"),
        }
    }

    /// B12, S35: the facts decide. No text does: the same message with another verdict is another decision.
    #[test]
    fn b12_s35_the_verdict_decides_and_no_text() {
        for verdict in [V::RetryNow, V::RetryAfter(1), V::RetryInFreshSession] {
            let fresh = verdict == V::RetryInFreshSession;
            let error = ProviderError { message: "400 invalid api key".into(), ..error(K::Transport, verdict) };
            let decision = standard(&situation(&error));
            assert!(
                matches!(decision, Decision::Retry { fresh_session, .. } if fresh_session == fresh),
                "{decision:?}"
            );
        }
        for verdict in [V::SwitchModel, V::Compact, V::Surface] {
            let message = "503 overloaded, connection reset, try again".into();
            let error = ProviderError { message, http_status: Some(503), ..error(K::Overloaded, verdict) };
            assert_eq!(standard(&situation(&error)), Decision::Surface(Why::NotAdvised));
        }
    }

    /// S34: a turn that was given up is never asked again, whatever the plugin advises.
    #[test]
    fn s34_cancelled_is_never_repeated() {
        let told = error(K::Cancelled, V::RetryNow);
        assert_eq!(standard(&situation(&told)), Decision::Surface(Why::Cancelled));
        let other = error(K::Transport, V::RetryNow);
        let by_its_owner = Situation { cancelled: true, ..situation(&other) };
        assert_eq!(standard(&by_its_owner), Decision::Surface(Why::Cancelled));
    }

    /// B15, and the eighth of the accepted practice: a turn is safe to repeat until something was shown or done.
    #[test]
    fn b15_nothing_is_repeated_that_was_seen_or_done() {
        let seen = ProviderError { output_seen: true, ..error(K::Transport, V::RetryNow) };
        assert_eq!(standard(&situation(&seen)), Decision::Surface(Why::OutputSeen));
        let done = ProviderError { tools_ran: true, ..error(K::Transport, V::RetryNow) };
        assert_eq!(standard(&situation(&done)), Decision::Surface(Why::ToolsRan));
    }

    #[test]
    fn a_timeout_after_the_request_was_sent_is_the_plugins_to_judge() {
        let sent = |verdict| ProviderError { request_sent: true, ..error(K::Timeout, verdict) };
        assert_eq!(standard(&situation(&sent(V::Surface))), Decision::Surface(Why::NotAdvised));
        assert!(matches!(standard(&situation(&sent(V::RetryNow))), Decision::Retry { .. }));
    }

    #[test]
    fn n02_three_attempts_in_all() {
        let error = error(K::Overloaded, V::RetryNow);
        for (attempts, again) in [(1, true), (2, true), (3, false), (9, false)] {
            let decision = standard(&Situation { attempts, ..situation(&error) });
            assert_eq!(matches!(decision, Decision::Retry { .. }), again, "{attempts}: {decision:?}");
        }
        assert_eq!(decide(&RetryPolicy::off(), &situation(&error)), Decision::Surface(Why::AttemptsSpent));
    }

    /// N01: the provider's time is kept to the millisecond, up to a minute.
    #[test]
    fn n01_the_providers_time_is_kept_or_told() {
        let asks = |ms| ProviderError { retry_after: Some(ms), ..error(K::RateLimit, V::RetryAfter(ms)) };
        for ms in [600, 2_000, 30_000, 60_000] {
            assert_eq!(wait(standard(&situation(&asks(ms)))), MS * u32::try_from(ms).unwrap());
        }
        assert_eq!(wait(standard(&Situation { draw: u64::MAX, ..situation(&asks(0)) })).as_millis(), 499, "the jitter");
        for ms in [60_001, 86_400_000, u64::MAX] {
            let too_long = Decision::Surface(Why::HintTooLong(Duration::from_millis(ms)));
            assert_eq!(standard(&situation(&asks(ms))), too_long);
        }
        // The provider's own time goes before what the plugin thinks of it.
        let shorter = ProviderError { retry_after: Some(1_000), ..error(K::RateLimit, V::RetryAfter(90_000)) };
        assert_eq!(wait(standard(&situation(&shorter))), MS * 1_000);
        let guessed = error(K::RateLimit, V::RetryAfter(90_000));
        assert!(matches!(standard(&situation(&guessed)), Decision::Surface(Why::HintTooLong(_))));
    }

    #[test]
    fn what_the_plugin_advises_is_spread() {
        let error = error(K::Overloaded, V::RetryAfter(2_000));
        let waits = [0, u64::MAX / 2, u64::MAX].map(|draw| wait(standard(&Situation { draw, ..situation(&error) })));
        assert_eq!(waits.map(|wait| wait.as_millis()), [2_000, 2_249, 2_499]);
    }

    #[test]
    fn no_wait_passes_the_deadline() {
        let error = ProviderError { retry_after: Some(1_000), ..error(K::RateLimit, V::RetryNow) };
        for (remaining, again) in [(1_001, true), (1_000, false), (0, false)] {
            let decision = standard(&Situation { remaining: MS * remaining, ..situation(&error) });
            assert_eq!(decision == Decision::Surface(Why::Deadline), !again, "{remaining}: {decision:?}");
        }
    }

    #[test]
    fn budget_and_breaker_are_asked_last() {
        let error = error(K::Overloaded, V::RetryNow);
        let spent = Situation { budget: false, ..situation(&error) };
        assert_eq!(standard(&spent), Decision::Surface(Why::BudgetSpent));
        assert_eq!(standard(&Situation { shut_for: Some(MS), ..spent }), Decision::Surface(Why::Shut(MS)));
        assert_eq!(standard(&Situation { attempts: 3, ..spent }), Decision::Surface(Why::AttemptsSpent));
    }

    fn verdicts() -> impl Strategy<Value = Verdict> {
        prop_oneof![
            Just(V::RetryNow),
            (0_u64..100_000).prop_map(V::RetryAfter),
            Just(V::RetryInFreshSession),
            Just(V::SwitchModel),
            Just(V::Compact),
            Just(V::Surface),
        ]
    }

    fn kinds() -> impl Strategy<Value = ErrorKind> {
        prop::sample::select(vec![K::Transport, K::Timeout, K::RateLimit, K::InvalidRequest, K::Sidecar, K::Cancelled])
    }

    proptest! {
        /// A retry is always safe, advised, within attempts, deadline and ceiling, and no earlier than asked for.
        #[test]
        fn a_retry_is_safe_whatever_is_known(
            (kind, verdict) in (kinds(), verdicts()),
            facts in prop::array::uniform5(prop::bool::weighted(0.2)),
            hint in prop::option::of(0_u64..100_000),
            (attempts, retries, remaining) in (1_u32..5, 0_u32..40, 0_u64..700_000),
            (shut, draw) in (prop::option::of(1_u64..10_000), any::<u64>()),
        ) {
            let [output_seen, tools_ran, request_sent, cancelled, no_budget] = facts;
            let failure = error(kind, verdict);
            let failure = ProviderError { output_seen, tools_ran, request_sent, retry_after: hint, ..failure };
            let (remaining, shut_for) = (Duration::from_millis(remaining), shut.map(Duration::from_millis));
            let budget = !no_budget;
            let known = Situation { error: &failure, cancelled, attempts, retries, remaining, budget, shut_for, draw };
            let policy = RetryPolicy::standard();
            if let Decision::Retry { after, fresh_session } = decide(&policy, &known) {
                prop_assert!(!output_seen && !tools_ran && !cancelled && kind != K::Cancelled);
                prop_assert!(attempts < 3 && budget && shut_for.is_none() && after < remaining);
                prop_assert_eq!(fresh_session, verdict == V::RetryInFreshSession);
                prop_assert!(!matches!(verdict, V::SwitchModel | V::Compact | V::Surface));
                let advised = if let V::RetryAfter(ms) = verdict { Duration::from_millis(ms) } else { Duration::ZERO };
                let floor = hint.map_or(advised, Duration::from_millis);
                prop_assert!(after >= floor && floor <= policy.longest_hint);
                prop_assert!(after <= floor + policy.cap, "{after:?}");
            }
        }

        #[test]
        fn jitter_fills_its_range(retries in 0_u32..60, draw in any::<u64>()) {
            let policy = RetryPolicy::standard();
            let ceiling = jitter(&policy, retries, u64::MAX) + Duration::from_nanos(1);
            prop_assert!(jitter(&policy, retries, draw) < ceiling && ceiling <= policy.cap);
            prop_assert_eq!(jitter(&policy, retries, 0), Duration::ZERO);
            prop_assert!(jitter(&policy, retries, u64::MAX / 2) >= ceiling / 2 - Duration::from_nanos(2));
        }
    }
}
