//! The progress of a download, on stderr.

use indicatif::{ProgressBar, ProgressStyle};
use llm_provider_host::artefact::Progress;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Shows a bar on a terminal and a line or two elsewhere.
pub(crate) fn on_stderr() -> Arc<dyn Fn(Progress) + Send + Sync> {
    let shown = Shown { bar: OnceLock::new(), said: Mutex::new(None), terminal: std::io::stderr().is_terminal() };
    Arc::new(move |progress| shown.show(&progress))
}

struct Shown {
    bar: OnceLock<ProgressBar>,
    /// The last line that was said, so that no line is said twice.
    said: Mutex<Option<&'static str>>,
    terminal: bool,
}

impl Shown {
    fn show(&self, progress: &Progress) {
        match progress {
            Progress::Waiting => self.say("waiting for another process that fetches the Copilot CLI"),
            Progress::Downloading { bytes, total } => {
                self.say("fetching the Copilot CLI (once)");
                if self.terminal {
                    self.move_bar(*bytes, *total);
                }
            }
            Progress::Unpacking => {
                self.finish();
                self.say("unpacking the Copilot CLI");
            }
            Progress::Published => self.finish(),
            _ => {}
        }
    }

    fn move_bar(&self, bytes: u64, total: Option<u64>) {
        let bar = self.bar.get_or_init(|| {
            let bar = ProgressBar::no_length();
            let style = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar
        });
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(bytes);
    }

    fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }

    fn say(&self, line: &'static str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != Some(line) {
            *said = Some(line);
            crate::output::tell(line);
        }
    }
}
