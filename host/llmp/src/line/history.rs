//! The lines that were typed, for the next time.

use crate::config::printable;
use crate::output::tell;
use rustyline::DefaultEditor;
use std::fmt::Display;
use std::fs::DirBuilder;
use std::io;
use std::path::{Path, PathBuf};

/// Where the lines are kept.
pub(super) struct History {
    file: PathBuf,
    /// Whether the person knows that they are not.
    told: bool,
}

impl History {
    /// Takes up the lines of before. The directory is made: who asks over HTTP has no sidecar that would have made it.
    pub(super) fn open(data_dir: &Path, editor: &mut DefaultEditor) -> Self {
        let mut history = Self { file: data_dir.join("chat-history"), told: false };
        if let Err(error) = make_private(data_dir) {
            history.not_kept(&error);
        }
        // The first time there is none.
        drop(editor.load_history(&history.file));
        history
    }

    /// Adds a line.
    pub(super) fn keep(&mut self, line: &str, editor: &mut DefaultEditor) {
        drop(editor.add_history_entry(line));
        if let Err(error) = editor.save_history(&self.file) {
            self.not_kept(&error);
        }
    }

    /// Said once: the conversation goes on without it.
    fn not_kept(&mut self, error: &dyn Display) {
        if !std::mem::replace(&mut self.told, true) {
            let file = self.file.display();
            tell(&printable(&format!("warning: the lines of this chat are not kept in {file}: {error}")));
            tell("hint: make the directory writable, or set LLMP_DATA_DIR to another");
        }
    }
}

/// Makes a directory with its parents that nobody else can enter. One that exists is left as it is.
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}
