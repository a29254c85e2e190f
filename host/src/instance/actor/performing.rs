//! Performs what the plugin asked for, in order, as fast as readers and rates allow.

use super::super::queue::Room;
use super::super::timers::TimerKey;
use super::super::turns::{CancelCause, Delivered};
use super::super::{permissions, tools};
use super::{Actor, until};
use crate::bindings::llm::provider::events::Event;
use crate::bindings::llm::provider::types::TurnId;
use crate::effect::Effect;
use crate::error::PluginFault;
use std::time::{Duration, Instant};

impl Actor {
    /// All effects of a call. What this takes is no time of the plugin's: it hears of nothing meanwhile.
    pub(super) async fn perform_all(&mut self, effects: Vec<Effect>) -> Result<(), PluginFault> {
        let begin = Instant::now();
        for effect in effects {
            self.paced(&effect).await;
            self.perform(effect).await?;
        }
        self.timers.postpone_graces(begin.elapsed());
        Ok(())
    }

    /// Waits until an effect may be performed: an instance asks for no more in a second than it may, and the other tasks of
    /// this thread go on between the effects of a large call.
    async fn paced(&mut self, effect: &Effect) {
        tokio::task::consume_budget().await;
        while let Err(again) = self.pace.take(effect) {
            tokio::select! {
                () = tokio::time::sleep_until(again.into()) => {}
                () = self.attend() => {}
            }
        }
    }

    /// Waits for what waits for no reader and no rate: a signal, mail, a deadline.
    async fn attend(&mut self) {
        let (alarm, takes_mail) = (self.deadlines.next(), self.takes_mail());
        tokio::select! {
            biased;
            () = self.signals.wake.notified() => self.check_signals(),
            Some(mail) = self.inbox.recv(), if takes_mail => self.take_mail(mail),
            () = until(alarm) => self.check_deadlines(),
        }
    }

    async fn perform(&mut self, effect: Effect) -> Result<(), PluginFault> {
        match effect {
            Effect::Event(turn, event) => self.emit(turn, event).await?,
            Effect::SidecarStart(id, spec) => self.due.extend(self.outside.start_sidecar(id, &spec)),
            Effect::SidecarSend(id, data) => self.outside.send_sidecar(id, data).map_err(PluginFault::Contract)?,
            Effect::SidecarCloseInput(id) => self.outside.close_input(id),
            Effect::SidecarStop(id, mode) => self.outside.stop_sidecar(id, mode),
            Effect::HttpSend(id, request) => self.due.extend(self.outside.send_http(id, request)),
            Effect::HttpCancel(id) => self.outside.cancel_http(id),
            Effect::ToolInvoke(id, call) => match self.turns.get_mut(id) {
                Some(turn) => self.due.extend(tools::invoke(id, turn, call, &self.limits, self.sender.clone())?),
                None => {
                    return Err(PluginFault::Contract(format!("it invoked a tool for turn {id}, which is not open")));
                }
            },
            Effect::PermissionAsk(id, request) => match self.turns.get_mut(id) {
                Some(turn) => {
                    let policy = &self.tenant.0.policy.permissions;
                    self.due.extend(permissions::ask(id, turn, request, policy, &self.limits, self.sender.clone()));
                }
                None => {
                    let what = format!("it asked for a permission for turn {id}, which is not open");
                    return Err(PluginFault::Contract(what));
                }
            },
            Effect::CatalogModels(id, result) => {
                self.deadlines.clear(TimerKey::QueryDeadline(id));
                self.queries.models(id, result)?;
            }
            Effect::CatalogQuota(id, result) => {
                self.deadlines.clear(TimerKey::QueryDeadline(id));
                self.queries.quota(id, result)?;
            }
            Effect::TimerSet(id, after) => self.set_timer(id, after)?,
            Effect::TimerClear(id) => self.timers.clear(TimerKey::Plugin(id)),
            Effect::Log(level, text) => {
                let scrubber = &self.outside.scrubber;
                self.log.write(level, &text, |text| scrubber.text(text));
            }
        }
        Ok(())
    }

    /// Waits until the turn's reader has room. Who does not read may cancel and close, and a turn that is never read ends
    /// at its deadline.
    async fn room(&mut self, turn: TurnId, event: &Event) -> Option<Room> {
        while let Some(place) = self.turns.awaited(turn, event) {
            tokio::select! {
                room = place.free() => return room,
                () = self.attend() => {}
            }
        }
        None
    }

    async fn emit(&mut self, turn: TurnId, event: Event) -> Result<(), PluginFault> {
        if let Some((before, now)) = self.turns.spent(turn, &event) {
            self.tenant.0.ledger.reported(&before, &now);
        }
        let room = self.room(turn, &event).await;
        match self.turns.deliver(turn, event, room)? {
            Delivered::Ok => {}
            Delivered::ReaderGone => self.cancel(turn, CancelCause::Owner),
            Delivered::Ended => {
                self.deadlines.clear(TimerKey::TurnDeadline(turn));
                self.timers.clear(TimerKey::CancelGrace(turn));
            }
        }
        Ok(())
    }

    fn set_timer(&mut self, id: u64, after: u64) -> Result<(), PluginFault> {
        let (configured, running) = (self.limits.timers, self.timers.of_plugin());
        if running >= configured && !self.timers.runs(TimerKey::Plugin(id)) {
            return Err(PluginFault::Limit { limit: "timers", configured, observed: running + 1 });
        }
        // A timer beyond a day is a mistake of the plugin; it fires after a day.
        let after = Duration::from_millis(after.min(86_400_000));
        self.timers.start(TimerKey::Plugin(id), after);
        Ok(())
    }
}
