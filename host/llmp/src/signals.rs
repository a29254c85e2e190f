//! Ctrl-C and termination.
//!
//! There is one rule. Ctrl-C ends what is being done: the start of the program, a turn, the line that is typed.
//! Termination ends the program, and a turn that runs is cancelled first. A second signal waits for nothing more. What a
//! signal ended ends with the exit code 130, whichever signal it was.

use crate::failure::Failure;
use std::future::{Future, ready};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Which signal came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Ctrl-C.
    Interrupt,
    /// An orderly end was asked for.
    Terminate,
}

/// Waits for signals. From its making on, neither ends the process by itself: whoever waits for something else waits for
/// them too.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// How many came for what is being done.
    came: usize,
    /// Whether the program is to end.
    ending: bool,
}

impl Signals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::usage(format!("cannot listen for Ctrl-C: {error}"), "try again");
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        Ok(Self { interrupt, terminate, came: 0, ending: false })
    }

    /// The next signal. Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Stop {
        let stop = tokio::select! {
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.terminate.recv() => Stop::Terminate,
        };
        self.came += 1;
        self.ending |= stop == Stop::Terminate;
        stop
    }

    /// Does this unless a signal comes first: then it is dropped.
    pub(crate) async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            done = work => Ok(done),
            _ = self.next() => Err(Failure::interrupted()),
        }
    }

    /// Begins something new: a Ctrl-C for what is over is forgotten, and the program goes on unless it is to end.
    pub(crate) async fn begin(&mut self) -> Result<(), Failure> {
        while tokio::select! { biased; _ = self.next() => true, () = ready(()) => false } {}
        self.came = 0;
        self.go_on()
    }

    /// An error when the program is to end.
    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        if self.ending { Err(Failure::interrupted()) } else { Ok(()) }
    }

    /// Whether a second one came: nothing more is waited for.
    pub(crate) fn urgent(&self) -> bool {
        self.came > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    /// Sends this process a signal, and waits until those who listen have it.
    async fn send(name: &str, witness: &mut Signals) {
        let pid = std::process::id().to_string();
        assert!(std::process::Command::new("kill").args([name, &pid]).status().expect("kill").success());
        witness.next().await;
    }

    /// One test for all: signals are the whole process's.
    #[tokio::test]
    async fn an_old_interrupt_is_forgotten_and_an_end_is_not() {
        let (mut signals, mut witness) = (Signals::listen().expect("listens"), Signals::listen().expect("listens"));
        send("-INT", &mut witness).await;
        signals.begin().await.expect("goes on");
        assert_eq!(signals.unless_stopped(ready(1)).await.expect("nothing is left of it"), 1);
        send("-INT", &mut witness).await;
        let stopped = signals.unless_stopped(std::future::pending::<()>()).await.expect_err("stopped");
        assert_eq!(stopped.kind, FailureKind::Interrupted);
        assert!(!signals.urgent() && signals.go_on().is_ok());
        send("-INT", &mut witness).await;
        assert_eq!(signals.next().await, Stop::Interrupt);
        assert!(signals.urgent());
        signals.begin().await.expect("goes on");
        assert!(!signals.urgent());
        send("-TERM", &mut witness).await;
        assert_eq!(signals.begin().await.expect_err("ends").kind, FailureKind::Interrupted);
        assert!(signals.begin().await.is_err() && signals.go_on().is_err(), "it stays so");
    }
}
