//! Lines from the person, edited, with a history that lasts.

use crate::failure::Failure;
use crate::output::tell;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use std::path::{Path, PathBuf};

/// What the person did at the prompt.
pub(crate) enum Line {
    Text(String),
    /// Ctrl-C: the line is dropped.
    Cancelled,
    /// Ctrl-D, or the end of stdin.
    End,
}

/// The editor. It blocks while the person types, so it works on a thread of its own for each line.
pub(crate) struct Lines {
    editor: Option<DefaultEditor>,
    history: PathBuf,
}

impl Lines {
    /// The editor with the history kept in `data_dir`.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, Failure> {
        let mut editor = DefaultEditor::new()
            .map_err(|error| Failure::usage(format!("cannot use the terminal: {error}"), "use `llmp ask` instead"))?;
        let history = data_dir.join("chat-history");
        // The first time there is none.
        drop(editor.load_history(&history));
        Ok(Self { editor: Some(editor), history })
    }

    /// Asks a question to be answered with yes or no. Only `y` and `yes` are a yes.
    pub(crate) async fn confirm(&mut self, question: &'static str) -> bool {
        let Some(mut editor) = self.editor.take() else { return false };
        let read = tokio::task::spawn_blocking(move || {
            let line = editor.readline(question);
            (editor, line)
        });
        let Ok((editor, line)) = read.await else { return false };
        self.editor = Some(editor);
        line.is_ok_and(|text| matches!(text.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// The next line; lines that end with a backslash go on.
    pub(crate) async fn next(&mut self) -> Result<Line, Failure> {
        let broken = || Failure::usage("the line editor has stopped", "start again");
        let mut editor = self.editor.take().ok_or_else(broken)?;
        let read = tokio::task::spawn_blocking(move || {
            let line = read_line(&mut editor);
            (editor, line)
        });
        let (mut editor, line) = read.await.map_err(|_| broken())?;
        if let Ok(text) = &line {
            drop(editor.add_history_entry(text));
            if let Err(error) = editor.save_history(&self.history) {
                tracing::debug!(%error, "cannot keep the line history");
            }
        }
        self.editor = Some(editor);
        match line {
            Ok(text) => Ok(Line::Text(text)),
            Err(ReadlineError::Interrupted) => Ok(Line::Cancelled),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(ReadlineError::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                tell("error: that line is not UTF-8");
                Ok(Line::Cancelled)
            }
            Err(error) => Err(Failure::usage(format!("cannot read a line: {error}"), "use `llmp ask` instead")),
        }
    }
}

fn read_line(editor: &mut DefaultEditor) -> Result<String, ReadlineError> {
    let mut text = editor.readline("> ")?;
    while text.ends_with('\\') {
        text.pop();
        text.push('\n');
        text.push_str(&editor.readline(". ")?);
    }
    Ok(text)
}
