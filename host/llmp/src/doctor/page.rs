//! The report as text.

use crate::config::printable;
use crate::failure::Failure;

/// Lines under headings, and the failures, which come last so that they are seen.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    notes: String,
    errors: usize,
}

impl Page {
    pub(super) fn title(&mut self, text: &str) {
        self.text.push_str(&format!("{}\n", printable(text)));
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.text.push_str(&format!("\n{text}\n"));
    }

    pub(super) fn line(&mut self, name: &str, text: &str) {
        self.text.push_str(&format!("  {}: {}\n", printable(name), printable(text)));
    }

    /// Something to know.
    pub(super) fn note(&mut self, text: &str) {
        self.below("note", text, None);
    }

    /// Something that could be better.
    pub(super) fn advice(&mut self, text: &str, hint: Option<&str>) {
        self.below("note", text, hint);
    }

    /// Something that may not work as meant.
    pub(super) fn warning(&mut self, text: &str, hint: Option<&str>) {
        self.below("warning", text, hint);
    }

    /// Something that keeps `llmp ask` from answering.
    pub(super) fn error(&mut self, text: &str, hint: Option<&str>) {
        self.errors += 1;
        self.below("error", text, hint);
    }

    pub(super) fn failure(&mut self, failure: &Failure) {
        self.error(&failure.message, failure.hint.as_deref());
    }

    pub(super) fn end(&mut self) {
        let notes = std::mem::take(&mut self.notes);
        if !notes.is_empty() {
            self.text.push_str(&format!("\n{notes}"));
        }
        if self.errors == 0 {
            self.text.push_str("\nready to answer\n");
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    fn below(&mut self, kind: &str, text: &str, hint: Option<&str>) {
        self.notes.push_str(&format!("{kind}: {}\n", printable(text)));
        if let Some(hint) = hint.filter(|hint| !hint.is_empty()) {
            self.notes.push_str(&format!("hint: {}\n", printable(hint)));
        }
    }
}

/// Bytes for a person.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = UNITS.into_iter().find(|(_, shift)| bytes >> shift > 0);
    unit.map_or_else(|| format!("{bytes} bytes"), |(name, shift)| format!("{} {name}", bytes >> shift))
}
