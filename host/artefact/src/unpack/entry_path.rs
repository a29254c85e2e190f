//! Names of entries.

use super::{Layout, UnpackProblem};

/// Deepest path in components: 32; the deepest seen has 6.
const MAX_DEPTH: usize = 32;
/// Longest path in bytes: 1,024, the smallest limit among the systems (macOS).
const MAX_LENGTH: usize = 1024;
/// Longest component in bytes: 255, the limit of most file systems.
const MAX_COMPONENT: usize = 255;
/// Everything is put below this directory.
const ROOT: &str = "package";

/// A relative path of plain components below `package`, with `/` between them, that means the same on Linux, macOS and
/// Windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryPath(String);

impl EntryPath {
    pub(super) fn file(name: &[u8], layout: Layout) -> Result<Self, UnpackProblem> {
        let components = components(name)?;
        let path = rooted(components, layout);
        match path {
            Some(path) if path.contains('/') => Ok(Self(path)),
            _ => Err(refuse(name, "is not below package/")),
        }
    }

    /// `None` for the top of a bare archive (`./`).
    pub(super) fn directory(name: &[u8], layout: Layout) -> Result<Option<Self>, UnpackProblem> {
        let name = name.strip_suffix(b"/").unwrap_or(name);
        if name == b"." {
            return Ok(None);
        }
        rooted(components(name)?, layout)
            .map(|path| Some(Self(path)))
            .ok_or_else(|| refuse(name, "is not below package/"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    /// `a`, `a/b`, `a/b/c`.
    pub(super) fn with_ancestors(&self) -> impl Iterator<Item = &str> {
        let ends = self.0.match_indices('/').map(|(index, _)| index).chain([self.0.len()]);
        ends.filter_map(|end| self.0.get(..end))
    }
}

fn rooted(components: Vec<&str>, layout: Layout) -> Option<String> {
    match layout {
        Layout::Package => (components.first() == Some(&ROOT)).then(|| components.join("/")),
        Layout::Bare => Some(format!("{ROOT}/{}", components.join("/"))),
    }
}

/// The plain components of a name. One leading `./` is taken off: many packers write it.
fn components(name: &[u8]) -> Result<Vec<&str>, UnpackProblem> {
    let text = std::str::from_utf8(name).map_err(|_| refuse(name, "is not UTF-8"))?;
    if text.len() > MAX_LENGTH {
        return Err(refuse(name, "is too long"));
    }
    let components: Vec<&str> = text.strip_prefix("./").unwrap_or(text).split('/').collect();
    if components.len() > MAX_DEPTH {
        return Err(refuse(name, "is too deep"));
    }
    match components.iter().find_map(|component| rule_broken(component)) {
        Some(rule) => Err(refuse(name, rule)),
        None => Ok(components),
    }
}

fn rule_broken(component: &str) -> Option<&'static str> {
    let bytes = component.as_bytes();
    if component.is_empty() {
        return Some("is absolute or has an empty component");
    }
    if component == "." || component == ".." {
        return Some("has a . or .. component");
    }
    if bytes.len() > MAX_COMPONENT {
        return Some("has a component that is too long");
    }
    if component.chars().any(|c| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')) {
        return Some("has a character that is not allowed everywhere");
    }
    if component.ends_with(['.', ' ']) {
        return Some("has a component that ends with a dot or a space");
    }
    is_reserved(component).then_some("is reserved on Windows")
}

/// `CON`, `aux.txt`, `COM1` and their like are devices on Windows.
fn is_reserved(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or(component).trim_end().to_ascii_uppercase();
    match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        _ => matches!(stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT")),
            Some(number) if number.len() == 1 && number.bytes().all(|digit| digit.is_ascii_digit())),
    }
}

fn refuse(name: &[u8], rule: &'static str) -> UnpackProblem {
    let shown: String = String::from_utf8_lossy(name).chars().take(80).collect();
    UnpackProblem::Name { name: format!("{shown:?}"), rule }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    #[test]
    fn plain_names_pass() {
        for (name, layout, want) in [
            ("package/copilot", Layout::Package, "package/copilot"),
            ("./package/a b/ü.js", Layout::Package, "package/a b/ü.js"),
            ("copilot", Layout::Bare, "package/copilot"),
            ("./x/..y/z", Layout::Bare, "package/x/..y/z"),
        ] {
            assert_eq!(EntryPath::file(name.as_bytes(), layout).unwrap().as_str(), want);
        }
        assert_eq!(EntryPath::directory(b"./", Layout::Bare).unwrap(), None);
        assert_eq!(EntryPath::directory(b"package/", Layout::Package).unwrap().unwrap().as_str(), "package");
    }

    #[test]
    fn ancestors_come_from_the_top() {
        let path = EntryPath::file(b"package/a/b", Layout::Package).unwrap();
        assert_eq!(path.with_ancestors().collect::<Vec<_>>(), ["package", "package/a", "package/a/b"]);
    }

    #[test]
    fn others_do_not() {
        for name in [
            "",
            "/",
            ".",
            "..",
            "/etc/passwd",
            "package",
            "package/",
            "package/../x",
            "package/./x",
            "package//x",
            "other/x",
            "package/a\\..\\x",
            "package/C:x",
            "C:/x",
            "package/nul",
            "package/COM1.txt",
            "package/x.",
            "package/x ",
            "package/a\0b",
            "package/a\nb",
            "package/\u{7f}",
            "../package/x",
            "././package/x",
        ] {
            assert!(EntryPath::file(name.as_bytes(), Layout::Package).is_err(), "{name:?}");
        }
        assert!(EntryPath::file(b"package/\xff", Layout::Package).is_err());
        let deep = format!("package{}", "/a".repeat(40));
        let long = format!("package/{}", "a".repeat(256));
        for name in [deep, long] {
            assert!(EntryPath::file(name.as_bytes(), Layout::Package).is_err());
        }
    }

    proptest! {
        /// Whatever the name: what comes out stays below the root when it is joined to a directory.
        #[test]
        fn accepted_names_stay_below(name in "([a-z./\\\\: \\x00ü]|package/|\\.\\./){0,12}", bare: bool) {
            let layout = if bare { Layout::Bare } else { Layout::Package };
            if let Ok(path) = EntryPath::file(name.as_bytes(), layout) {
                let path = Path::new(path.as_str());
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
                prop_assert!(path.starts_with(ROOT) && path.components().count() > 1);
            }
        }

        #[test]
        fn any_bytes_are_read(name in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = EntryPath::file(&name, Layout::Package);
            let _ = EntryPath::directory(&name, Layout::Bare);
        }
    }
}
