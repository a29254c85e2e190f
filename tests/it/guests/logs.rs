//! Plugins that log what is no log.

use super::{said, tenant};
use llmp_tests::plugins::{naughty, naughty_with};
use std::fmt;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps the values of all fields.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<String>>>);

struct Values<'a>(&'a Sink);

impl Visit for Values<'_> {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        self.0.0.lock().expect("no panic").push(format!("{value:?}"));
    }

    fn record_str(&mut self, _: &Field, value: &str) {
        self.0.0.lock().expect("no panic").push(value.to_owned());
    }
}

impl Subscriber for Sink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "llmp::plugin"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Values(self));
    }

    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

pub(super) async fn g17_logs_neither_lie_nor_flood() {
    let sink = Sink::default();
    // The only test of this program that installs one; the actors run on other threads.
    let installed = tracing::subscriber::set_global_default(sink.clone()).is_ok();
    assert!(installed, "another test has installed a subscriber");
    let session = tenant(&naughty().await, |policy| policy).instance(&naughty().await, "{}").expect("one").session();
    let evil = "mark-17 \u{1b}[2J\r\nWARN forged \u{202e}txet\u{202c} \0 \u{7} \u{9b}31m";
    said(&session, &format!("log {evil}")).await;
    let raw: Vec<String> =
        sink.0.lock().expect("no panic").iter().filter(|text| text.contains("mark-17")).cloned().collect();
    assert!(!raw.is_empty(), "the line arrived");
    for text in raw {
        let bad =
            text.chars().find(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
        assert_eq!(bad, None, "{text:?}");
    }
    let plugin = naughty_with(|limits| limits.log_bytes_per_second = 4 << 10).await;
    let session = tenant(&plugin, |policy| policy).instance(&plugin, "{}").expect("one").session();
    let before = sink.0.lock().expect("no panic").iter().map(String::len).sum::<usize>();
    for _ in 0..20 {
        said(&session, &format!("log {}", "mark-18 ".repeat(1_000))).await;
    }
    let written = sink.0.lock().expect("no panic").iter().map(String::len).sum::<usize>() - before;
    println!("figure: of 160 KB of log in a moment, {written} bytes were written at a limit of 4 KiB a second");
    assert!(written < 64 << 10, "{written}");
}
