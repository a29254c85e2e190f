//! Prints an answer as it streams.
//!
//! What was printed cannot be taken back. When the provider begins an answer again, what comes is compared with what
//! stands there already and only what goes beyond it is printed; if it differs, the person is told and gets it whole.

use crate::output;
use llm_provider_host::Event;
use llm_provider_host::wit::events::{BlockKind, BlockStart, NoticeKind};
use std::io;

/// Where printed text goes.
pub(crate) trait Screen {
    /// The answer.
    fn answer(&mut self, text: &str) -> io::Result<()>;
    /// Everything else, a line.
    fn tell(&mut self, text: &str);
}

/// stdout and stderr.
pub(crate) struct Terminal;

impl Screen for Terminal {
    fn answer(&mut self, text: &str) -> io::Result<()> {
        output::data(text)
    }

    fn tell(&mut self, text: &str) {
        output::tell(text);
    }
}

/// The state of one answer's printing.
#[derive(Default)]
pub(crate) struct Printer {
    /// What stands on stdout of this answer.
    printed: String,
    /// What the current attempt has said so far, while it repeats what is printed.
    repeated: Option<String>,
    thinking: bool,
}

impl Printer {
    /// Prints what an event adds.
    pub(crate) fn event(&mut self, event: &Event, screen: &mut impl Screen) -> io::Result<()> {
        match event {
            Event::TextDelta(delta) => self.text(&delta.text, screen),
            Event::BlockStarted(BlockStart { kind, .. }) => self.block(kind, screen),
            Event::AttemptAbandoned(why) => {
                self.repeated = Some(String::new());
                // Where nothing was shown there is nothing to take back, and a notice says who tries again.
                if self.printed.is_empty() {
                    return Ok(());
                }
                screen.tell(&format!("note: the provider begins again: {}", output::plain(why)));
                Ok(())
            }
            // That a session was opened or goes on is what everybody expects.
            Event::Notice(notice) if matches!(notice.kind, NoticeKind::Opened | NoticeKind::Continued) => Ok(()),
            Event::Notice(notice) => {
                screen.tell(&format!("note: {}", output::plain(&notice.message)));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Ends the answer's last line.
    pub(crate) fn end(&mut self, screen: &mut impl Screen) -> io::Result<()> {
        let open = !self.printed.is_empty() && !self.printed.ends_with('\n');
        if open { screen.answer("\n") } else { Ok(()) }
    }

    fn block(&mut self, kind: &BlockKind, screen: &mut impl Screen) -> io::Result<()> {
        match kind {
            BlockKind::Thinking if !self.thinking => {
                self.thinking = true;
                screen.tell("note: the model is thinking");
            }
            // A second text, after a tool call, begins on a line of its own.
            BlockKind::Text if self.repeated.is_none() && !self.printed.is_empty() && !self.printed.ends_with('\n') => {
                return self.print("\n\n", screen);
            }
            BlockKind::ToolCall(call) => screen.tell(&format!("note: the model calls {}", output::plain(&call.name))),
            BlockKind::Thinking | BlockKind::Text => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str, screen: &mut impl Screen) -> io::Result<()> {
        let Some(mut repeated) = self.repeated.take() else { return self.print(text, screen) };
        repeated.push_str(text);
        if self.printed.starts_with(&repeated) {
            self.repeated = Some(repeated);
            return Ok(());
        }
        if let Some(more) = repeated.strip_prefix(self.printed.as_str()) {
            let more = more.to_owned();
            return self.print(&more, screen);
        }
        screen.tell("note: what was printed above is void; the answer comes whole:");
        self.end(screen)?;
        self.printed.clear();
        self.print(&repeated, screen)
    }

    fn print(&mut self, text: &str, screen: &mut impl Screen) -> io::Result<()> {
        self.printed.push_str(text);
        screen.answer(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llm_provider_host::wit::events::Delta;

    #[derive(Default)]
    struct Recorded {
        answer: String,
        told: Vec<String>,
    }

    impl Screen for Recorded {
        fn answer(&mut self, text: &str) -> io::Result<()> {
            self.answer.push_str(text);
            Ok(())
        }

        fn tell(&mut self, text: &str) {
            self.told.push(text.to_owned());
        }
    }

    fn show(parts: &[Option<&str>]) -> Recorded {
        let (mut printer, mut screen) = (Printer::default(), Recorded::default());
        for part in parts {
            let event = match part {
                Some(text) => Event::TextDelta(Delta { index: 0, text: (*text).to_owned() }),
                None => Event::AttemptAbandoned("reset".into()),
            };
            printer.event(&event, &mut screen).expect("recorded");
        }
        printer.end(&mut screen).expect("recorded");
        screen
    }

    #[test]
    fn a_repeated_beginning_is_not_printed_twice() {
        let screen = show(&[Some("one "), Some("two"), None, Some("on"), Some("e two"), Some(" three")]);
        assert_eq!(screen.answer, "one two three\n");
        assert_eq!(screen.told.len(), 1);
    }

    #[test]
    fn another_answer_comes_whole_and_is_announced() {
        let screen = show(&[Some("one two"), None, Some("one x")]);
        assert_eq!(screen.answer, "one two\none x\n");
        assert_eq!(screen.told.len(), 2);
    }
}
