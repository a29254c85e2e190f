//! Plugins that log what is no log.

use super::{said, tenant};
use llmp_test_hostile::Row;
use llmp_tests::plugins::{hostile, hostile_with};
use llmp_tests::watch::log;

pub(super) async fn g17_logs_neither_lie_nor_flood() {
    let log = log();
    let plugin = hostile(Row::G17).await;
    let session = tenant(&plugin, |policy| policy).instance(&plugin, "{}").expect("one").session();
    let evil = "mark-17 \u{1b}[2J\r\nWARN forged \u{202e}txet\u{202c} \0 \u{7} \u{9b}31m";
    said(&session, &format!("log {evil}")).await;
    let raw = log.with("mark-17");
    assert!(!raw.is_empty(), "the line arrived");
    for text in raw {
        let bad =
            text.chars().find(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
        assert_eq!(bad, None, "{text:?}");
    }
    let plugin = hostile_with(Row::G17, |limits| limits.log_bytes_per_second = 4 << 10).await;
    let session = tenant(&plugin, |policy| policy).instance(&plugin, "{}").expect("one").session();
    for _ in 0..20 {
        said(&session, &format!("log {}", "mark-18 ".repeat(500))).await;
    }
    let written: usize = log.with("mark-18").iter().map(String::len).sum();
    println!("figure: of 80 KB of log in a moment, {written} bytes were written at a limit of 4 KiB a second");
    assert!(written > 0 && written < 40 << 10, "{written}");
}
