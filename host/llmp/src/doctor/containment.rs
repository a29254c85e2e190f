//! What holds sidecars on this machine, and what is missing.

use super::page::Page;
use llm_provider_host::process::{CGROUP_HINT, CgroupContainment, Containment, FileContainment, containment};

/// Writes it, and what the operator can do for more.
pub(super) fn write(page: &mut Page) {
    let found = containment();
    for (name, text) in lines(&found) {
        page.line(name, &text);
    }
    for (text, hint) in missing(&found) {
        page.advice(&text, hint);
    }
}

/// What there is.
pub(super) fn lines(found: &Containment) -> [(&'static str, String); 3] {
    let files = match &found.files {
        Ok(FileContainment { version, .. }) => format!("those of the sidecar only (landlock {version})"),
        Err(_) => "all of this user's are within a sidecar's reach".to_owned(),
    };
    let processes = match &found.cgroup {
        Ok(CgroupContainment { limits: true, .. }) => "ended with the sidecar, bounded in number and memory",
        Ok(_) => "ended with the sidecar, bounded one by one",
        Err(_) => "ended with the sidecar, but for those that hide; bounded one by one",
    };
    let network = if found.network.is_ok() { "can be withheld" } else { "cannot be withheld" };
    [("files", files), ("processes", processes.to_owned()), ("networks", network.to_owned())]
}

/// What there is not, and what to do.
pub(super) fn missing(found: &Containment) -> Vec<(String, Option<&'static str>)> {
    let mut missing = Vec::new();
    match &found.files {
        Ok(held) => missing.extend(held.missing().map(|parts| {
            (format!("this kernel's landlock leaves these to a sidecar: {parts}"), Some("use a newer kernel (6.12)"))
        })),
        Err(reason) => missing.push((format!("files are not kept from sidecars: {reason}"), Some(reason.hint()))),
    }
    match &found.cgroup {
        Ok(CgroupContainment { limits: true, .. }) => {}
        Ok(_) => {
            let text = "the number and memory of a sidecar's processes together have no limit: no controllers for its \
                        control group";
            missing.push((text.to_owned(), Some(CGROUP_HINT)));
        }
        Err(reason) => missing.push((format!("sidecars have no control groups: {reason}"), Some(reason.hint()))),
    }
    if let Err(reason) = &found.network {
        missing.push((format!("the network cannot be kept from sidecars: {reason}"), reason.hint()));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use llm_provider_host::process::{CgroupError, FileContainmentError, IsolationError};

    #[test]
    fn each_missing_one_has_a_hint() {
        let mut found = containment();
        found.files = Err(FileContainmentError::Disabled);
        found.cgroup = Err(CgroupError::Unsupported);
        found.network = Err(IsolationError::Denied { call: "unshare", code: 1 });
        let all = missing(&found);
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|(text, hint)| !text.is_empty() && hint.is_some()), "{all:?}");
        assert!(lines(&found).iter().any(|(_, text)| text.contains("those that hide")));
    }
}
