//! A plugin's log lines on their way into the embedder's log: escaped, shortened, rate-limited.

use crate::bindings::llm::provider::log::Level;
use crate::limits::Limits;
use std::time::{Duration, Instant};

/// The log of one instance.
pub(crate) struct PluginLog {
    plugin: String,
    line_bytes: usize,
    bytes_per_second: usize,
    window: Instant,
    written: usize,
    dropped: u64,
}

impl PluginLog {
    pub(crate) fn new(plugin: &str, limits: &Limits) -> Self {
        Self {
            plugin: plugin.to_owned(),
            line_bytes: limits.log_line_bytes,
            bytes_per_second: limits.log_bytes_per_second,
            window: Instant::now(),
            written: 0,
            dropped: 0,
        }
    }

    /// Writes a line, or counts it as dropped. `scrub` masks secrets.
    pub(crate) fn write(&mut self, level: Level, text: &str, scrub: impl Fn(&str) -> String) {
        if self.window.elapsed() >= Duration::from_secs(1) {
            self.window = Instant::now();
            self.written = 0;
            self.tell_dropped();
        }
        let line = self.shorten(&scrub(text));
        if self.written.saturating_add(line.len()) > self.bytes_per_second {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.written = self.written.saturating_add(line.len());
        let plugin = self.plugin.as_str();
        match level {
            Level::Trace => tracing::trace!(target: "llmp::plugin", plugin, "{line}"),
            Level::Debug => tracing::debug!(target: "llmp::plugin", plugin, "{line}"),
            Level::Info => tracing::info!(target: "llmp::plugin", plugin, "{line}"),
            Level::Warn => tracing::warn!(target: "llmp::plugin", plugin, "{line}"),
            Level::Error => tracing::error!(target: "llmp::plugin", plugin, "{line}"),
        }
    }

    fn tell_dropped(&mut self) {
        let count = std::mem::take(&mut self.dropped);
        if count > 0 {
            tracing::warn!(target: "llmp::plugin", plugin = self.plugin, dropped = count, "log lines came too fast");
        }
    }

    /// At most a line's bytes, with control and direction characters escaped: none can change how the log looks.
    fn shorten(&self, text: &str) -> String {
        let mut line = String::new();
        for character in text.chars() {
            if line.len() >= self.line_bytes {
                line.push_str("...");
                break;
            }
            if character.is_control() || is_direction(character) {
                line.extend(character.escape_unicode());
            } else {
                line.push(character);
            }
        }
        line
    }
}

fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_leave_its_line_or_grow() {
        let log = PluginLog::new("p", &Limits { log_line_bytes: 20, ..Limits::default() });
        assert_eq!(log.shorten("a\n\x1b[2J\u{202e}"), "a\\u{a}\\u{1b}[2J\\u{202e}");
        assert!(log.shorten(&"x".repeat(1000)).len() < 30);
    }

    #[test]
    fn a_flood_is_counted_and_dropped() {
        let mut log = PluginLog::new("p", &Limits { log_bytes_per_second: 100, ..Limits::default() });
        for _ in 0..50 {
            log.write(Level::Info, "0123456789", str::to_owned);
        }
        assert_eq!((log.written, log.dropped), (100, 40));
    }
}
