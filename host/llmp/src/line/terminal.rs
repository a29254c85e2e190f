//! The terminal as the person had it.

use crate::output::data;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{IsTerminal, stdin, stdout};

/// How stdin was before an editor changed it; nothing when it is no terminal.
pub(super) struct Terminal(Option<Termios>);

impl Terminal {
    pub(super) fn as_it_is() -> Self {
        Self(tcgetattr(stdin()).ok())
    }

    /// Makes it as it was, on a line of its own. When that fails there is nothing else to try.
    pub(super) fn restore(&self) {
        const PASTE_AS_TYPED: &str = "\u{1b}[?2004l\n";
        let Some(before) = &self.0 else { return };
        let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        if stdout().is_terminal() {
            drop(data(PASTE_AS_TYPED));
        }
    }
}
