//! The one timer of a plugin: it stands at the earliest deadline.

use llm_provider_guest::effects::TimerEffect;
use llm_provider_guest::timers::TimerId;
use llm_provider_guest::types::Instant;

/// The timer's name.
const ALARM: TimerId = 1;

/// Where the timer stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alarm(Option<Instant>);

impl Alarm {
    /// Makes sure that the plugin is woken at `at` or before. Deadlines that move back leave the timer alone: it fires
    /// once for nothing, which is cheaper than a timer effect for every event.
    pub fn arm<E: From<TimerEffect>>(&mut self, at: Instant, now: Instant, out: &mut Vec<E>) {
        if self.0.is_none_or(|armed| at < armed) {
            self.0 = Some(at);
            out.push(TimerEffect::Set(ALARM, at.saturating_sub(now).max(1)).into());
        }
    }

    /// The timer has fired. False when it is none of ours.
    pub fn fired(&mut self, timer: TimerId) -> bool {
        let ours = timer == ALARM;
        if ours {
            self.0 = None;
        }
        ours
    }

    /// Stops the timer, if one runs.
    pub fn disarm<E: From<TimerEffect>>(&mut self, out: &mut Vec<E>) {
        if self.0.take().is_some() {
            out.push(TimerEffect::Clear(ALARM).into());
        }
    }
}
