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
            Event::Finished(_) => self.finish(screen),
            _ => Ok(()),
        }
    }

    /// The answer is whole. When it repeats only a part of what was printed, the rest of that is void.
    fn finish(&mut self, screen: &mut impl Screen) -> io::Result<()> {
        match self.repeated.take() {
            Some(whole) if whole.trim_end() != self.printed.trim_end() => self.replace(&whole, screen),
            _ => Ok(()),
        }
    }

    /// Ends the last line of what was printed.
    pub(crate) fn end(&mut self, screen: &mut impl Screen) -> io::Result<()> {
        if is_open(&self.printed) { screen.answer("\n") } else { Ok(()) }
    }

    fn block(&mut self, kind: &BlockKind, screen: &mut impl Screen) -> io::Result<()> {
        match kind {
            BlockKind::Thinking if !self.thinking => {
                self.thinking = true;
                screen.tell("note: the model is thinking");
            }
            // A second text, after a tool call, begins on a line of its own; so it does when it is repeated.
            BlockKind::Text if is_open(self.repeated.as_ref().unwrap_or(&self.printed)) => {
                return self.text("\n\n", screen);
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
        self.replace(&repeated, screen)
    }

    /// Prints another answer than the one that stands there.
    fn replace(&mut self, whole: &str, screen: &mut impl Screen) -> io::Result<()> {
        screen.tell(match whole {
            "" => "note: what was printed above is void; the answer is empty",
            _ => "note: what was printed above is void; the answer comes whole:",
        });
        self.end(screen)?;
        self.printed.clear();
        self.print(whole, screen)
    }

    fn print(&mut self, text: &str, screen: &mut impl Screen) -> io::Result<()> {
        self.printed.push_str(text);
        screen.answer(text)
    }
}

/// Whether a text has a last line that is not ended.
fn is_open(text: &str) -> bool {
    !text.is_empty() && !text.ends_with('\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use llm_provider_host::wit::events::{Delta, Finished};

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

    fn delta(text: &str) -> Event {
        Event::TextDelta(Delta { index: 0, text: text.to_owned() })
    }

    fn text_block() -> Event {
        Event::BlockStarted(BlockStart { index: 0, kind: BlockKind::Text })
    }

    fn abandoned() -> Event {
        Event::AttemptAbandoned("reset".into())
    }

    fn finished() -> Event {
        let reason = llm_provider_host::FinishReason::Stop;
        let usage = llm_provider_host::Usage {
            model_calls: 1,
            input_tokens: 0,
            output_tokens: 0,
            reasoning_tokens: 0,
            cache_read_tokens: 0,
            cache_write_tokens: 0,
            premium_requests: 0.0,
        };
        Event::Finished(Finished { reason, usage, model: None, provider_request_id: None })
    }

    fn show(events: &[Event]) -> Recorded {
        let (mut printer, mut screen) = (Printer::default(), Recorded::default());
        for event in events {
            printer.event(event, &mut screen).expect("recorded");
        }
        printer.end(&mut screen).expect("recorded");
        screen
    }

    #[test]
    fn a_repeated_beginning_is_not_printed_twice() {
        let parts =
            [delta("one "), delta("two"), abandoned(), delta("on"), delta("e two"), delta(" three"), finished()];
        let screen = show(&parts);
        assert_eq!(screen.answer, "one two three\n");
        assert_eq!(screen.told.len(), 1);
    }

    #[test]
    fn another_answer_comes_whole_and_is_announced() {
        let screen = show(&[delta("one two"), abandoned(), delta("one x"), finished()]);
        assert_eq!(screen.answer, "one two\none x\n");
        assert_eq!(screen.told.len(), 2);
    }

    #[test]
    fn a_shorter_answer_comes_whole_and_is_announced() {
        let screen = show(&[delta("one two three"), abandoned(), delta("one "), delta("two"), finished()]);
        assert_eq!(screen.answer, "one two three\none two\n");
        assert_eq!(screen.told[1..], ["note: what was printed above is void; the answer comes whole:"]);
        let screen = show(&[delta("one"), abandoned(), finished()]);
        assert_eq!(screen.answer, "one\n");
        assert_eq!(screen.told[1..], ["note: what was printed above is void; the answer is empty"]);
        let screen = show(&[delta("one"), abandoned(), delta("one"), finished()]);
        assert_eq!((screen.answer.as_str(), screen.told.len()), ("one\n", 1), "the same again");
    }

    /// An answer that is not whole says nothing of what stands there.
    #[test]
    fn a_repetition_that_breaks_off_voids_nothing() {
        let screen = show(&[delta("one two"), abandoned(), delta("one")]);
        assert_eq!((screen.answer.as_str(), screen.told.len()), ("one two\n", 1));
    }

    #[test]
    fn blocks_are_apart_when_they_are_repeated_too() {
        let attempt = || vec![text_block(), delta("a"), text_block(), delta("b")];
        let screen = show(&[attempt(), vec![abandoned()], attempt(), vec![delta("c"), finished()]].concat());
        assert_eq!(screen.answer, "a\n\nbc\n");
        assert_eq!(screen.told.len(), 1, "{:?}", screen.told);
    }
}
