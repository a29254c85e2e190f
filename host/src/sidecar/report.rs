//! What a sidecar leaves behind for its plugin.

use llm_provider_process::open_left_behind;
use std::io::Read;
use std::path::Path;

/// What the process left behind, if it is a file and not longer than it may be. It is removed, whatever it is.
pub(super) async fn read(path: &Path, most: usize) -> Option<String> {
    let path = path.to_owned();
    let read = move || {
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        let mut text = String::new();
        // It stands where the sidecar writes, and the host may read more than the sidecar: no link is followed.
        let file = open_left_behind(&path);
        let read = file.and_then(|file| file.take(limit.saturating_add(1)).read_to_string(&mut text));
        drop(std::fs::remove_file(&path));
        match read {
            Ok(length) if length <= most => Some(text),
            Ok(_) => {
                tracing::warn!(path = %path.display(), most, "a sidecar's report is too long and was ignored");
                None
            }
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "a sidecar left no report");
                None
            }
        }
    };
    tokio::task::spawn_blocking(read).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::process::Command;
    use std::time::Duration;

    #[tokio::test]
    async fn a_report_is_a_file_and_no_way_to_another() {
        let place = tempfile::tempdir().expect("a directory");
        let path = |name: &str| place.path().join(name);
        std::fs::write(path("report"), "what it cost").expect("written");
        std::fs::write(path("secret"), "another's").expect("written");
        symlink(path("secret"), path("link")).expect("linked");
        assert!(Command::new("mkfifo").arg(path("fifo")).status().expect("runs").success());
        std::fs::create_dir(path("directory")).expect("made");
        assert_eq!(read(&path("report"), 100).await.as_deref(), Some("what it cost"));
        for name in ["report", "link", "fifo", "directory"] {
            let read = tokio::time::timeout(Duration::from_secs(20), async { read(&path(name), 100).await }).await;
            assert_eq!(read.expect("nobody is waited for"), None, "{name}");
        }
        assert_eq!(std::fs::read_to_string(path("secret")).expect("still there"), "another's");
        assert!(!path("link").exists() && !path("fifo").exists());
        std::fs::write(path("long"), "0123456789").expect("written");
        assert_eq!(read(&path("long"), 9).await, None);
    }
}
