//! Lines from the person, edited, with a history that lasts.

mod history;
mod terminal;

use crate::failure::Failure;
use crate::output::tell;
use history::History;
use rustyline::DefaultEditor;
use rustyline::error::{ReadlineError, Signal};
use std::path::Path;
use terminal::Terminal;
use tokio::task::JoinHandle;

/// What the person did at the prompt.
pub(crate) enum Line {
    Text(String),
    /// Ctrl-C: the line is dropped.
    Cancelled,
    /// Ctrl-D, or the end of stdin.
    End,
}

type Read = Result<String, ReadlineError>;

/// The editor. It blocks while the person types, so it works on a thread of its own for each line. Nobody can end that
/// thread: what is no longer waited for is taken up by the next who wants a line.
pub(crate) struct Lines {
    editor: Option<DefaultEditor>,
    reading: Option<JoinHandle<(DefaultEditor, Read)>>,
    /// The lines so far that go on in the next.
    begun: String,
    history: History,
    terminal: Terminal,
    /// Nothing is printed with it. While there is one, the editor hears of signals from any thread, and not only from its
    /// own.
    _printer: Option<Box<dyn Send>>,
}

impl Lines {
    /// The editor with the history kept in `data_dir`.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, Failure> {
        let mut editor = DefaultEditor::new()
            .map_err(|error| Failure::usage(format!("cannot use the terminal: {error}"), "use `llmp ask` instead"))?;
        let history = History::open(data_dir, &mut editor);
        // There is none where there is no terminal.
        let printer = editor.create_external_printer().ok().map(|printer| Box::new(printer) as Box<dyn Send>);
        let (begun, terminal) = (String::new(), Terminal::as_it_is());
        Ok(Self { editor: Some(editor), reading: None, begun, history, terminal, _printer: printer })
    }

    /// Asks a question to be answered with yes or no. Only `y` and `yes` are a yes.
    pub(crate) async fn confirm(&mut self, question: &'static str) -> bool {
        let Ok(line) = self.read(question).await else { return false };
        line.is_ok_and(|text| matches!(text.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// The next line; lines that end with a backslash go on. Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Line, Failure> {
        loop {
            let prompt = if self.begun.is_empty() { "> " } else { ". " };
            match self.read(prompt).await? {
                Ok(text) => match text.strip_suffix('\\') {
                    Some(text) => self.begun.push_str(&format!("{text}\n")),
                    None => return Ok(Line::Text(self.complete(&text))),
                },
                Err(error) => {
                    self.drop_begun();
                    return other(error);
                }
            }
        }
    }

    /// Forgets lines that were to go on in the next.
    pub(crate) fn drop_begun(&mut self) {
        self.begun.clear();
    }

    fn complete(&mut self, last: &str) -> String {
        let text = std::mem::take(&mut self.begun) + last;
        if let Some(editor) = &mut self.editor {
            self.history.keep(&text, editor);
        }
        text
    }

    /// One line as it is typed. Nothing is lost when the future is dropped.
    async fn read(&mut self, prompt: &'static str) -> Result<Read, Failure> {
        let broken = || Failure::usage("the line editor has stopped", "start again");
        if self.reading.is_none() {
            let mut editor = self.editor.take().ok_or_else(broken)?;
            self.reading = Some(tokio::task::spawn_blocking(move || {
                let line = editor.readline(prompt);
                (editor, line)
            }));
        }
        let Some(reading) = &mut self.reading else { return Err(broken()) };
        let read = reading.await;
        self.reading = None;
        let (editor, line) = read.map_err(|_| broken())?;
        self.editor = Some(editor);
        Ok(line)
    }
}

impl Drop for Lines {
    /// An editor that still waits for the person has the terminal as it needs it.
    fn drop(&mut self) {
        if self.reading.is_some() {
            self.terminal.restore();
        }
    }
}

/// What it means that there is no line.
fn other(error: ReadlineError) -> Result<Line, Failure> {
    match error {
        ReadlineError::Interrupted | ReadlineError::Signal(Signal::Interrupt) => Ok(Line::Cancelled),
        ReadlineError::Eof => Ok(Line::End),
        ReadlineError::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            tell("error: that line is not UTF-8");
            Ok(Line::Cancelled)
        }
        error => Err(Failure::usage(format!("cannot read a line: {error}"), "use `llmp ask` instead")),
    }
}
