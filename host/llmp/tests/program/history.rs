//! The lines of a chat, kept for the next one.

use crate::run::Place;
use std::os::unix::fs::PermissionsExt;

/// Who asks over HTTP starts no sidecar, which would have made the directory.
#[test]
fn lines_are_kept_where_nothing_was_kept_before() {
    let place = Place::new().asking("http://127.0.0.1:9/v1");
    let ran = place.run_with(&["chat"], b"/usage\n/model \\\nx\n/quit\n");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let data = place.path().join("data");
    assert_eq!(data.metadata().expect("made").permissions().mode() & 0o777, 0o700);
    let kept = std::fs::read_to_string(data.join("chat-history")).expect("kept");
    assert!(kept.contains("/usage\n/model \\nx\n/quit\n"), "{kept}");
}

#[test]
fn that_they_are_not_kept_is_told_once() {
    let place = Place::new().asking("http://127.0.0.1:9/v1");
    let below = place.file("a-file", "").join("below");
    let place = place.with("LLMP_DATA_DIR", &below.display().to_string());
    let ran = place.run_with(&["chat"], b"/usage\n/usage\n/quit\n");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let warnings = ran.stderr.lines().filter(|line| line.starts_with("warning: the lines of this chat are not kept"));
    assert_eq!(warnings.count(), 1, "{ran:?}");
}
