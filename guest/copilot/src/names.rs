//! Which conversation a server session belongs to.

use llm_provider_guest::types::SessionId;
// Comparing as the standard library does is a call in wasm that goes byte by byte: two of them took 8 % of a delta's time.
use memchr::arch::all::is_equal;
use std::collections::BTreeMap;

/// The conversations by the names of their server sessions. Names that are not in here have no one to listen.
#[derive(Debug, Default)]
pub(crate) struct Names {
    ids: BTreeMap<String, SessionId>,
    /// Who was found last: nearly everything that comes is a piece of the answer that the last piece was of.
    last: Option<(String, SessionId)>,
}

impl Names {
    pub(crate) fn insert(&mut self, name: String, id: SessionId) {
        self.last = None;
        self.ids.insert(name, id);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.last = None;
        self.ids.remove(name);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.ids.contains_key(name)
    }

    /// Whose session has this name.
    #[inline]
    pub(crate) fn find(&mut self, name: &[u8]) -> Option<SessionId> {
        match &self.last {
            Some((last, id)) if is_equal(last.as_bytes(), name) => Some(*id),
            _ => self.look_up(name),
        }
    }

    #[inline(never)]
    fn look_up(&mut self, name: &[u8]) -> Option<SessionId> {
        let (name, id) = self.ids.get_key_value(str::from_utf8(name).ok()?)?;
        self.last = Some((name.clone(), *id));
        Some(*id)
    }

    /// All names; none is left.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = String> + use<> {
        std::mem::take(self).ids.into_keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_found_last_is_forgotten_with_the_name() {
        let mut names = Names::default();
        names.insert("one".to_owned(), 1);
        names.insert("two".to_owned(), 2);
        for _ in 0..2 {
            assert_eq!((names.find(b"one"), names.find(b"one"), names.find(b"two")), (Some(1), Some(1), Some(2)));
        }
        assert_eq!((names.find(b"on"), names.find(b"\xff"), names.find(b"two")), (None, None, Some(2)));
        names.insert("two".to_owned(), 3);
        assert_eq!(names.find(b"two"), Some(3));
        names.remove("two");
        assert!(names.find(b"two").is_none() && !names.contains("two") && names.contains("one"));
        assert_eq!(names.find(b"one"), Some(1));
        assert_eq!(names.take().collect::<Vec<_>>(), ["one"]);
        assert_eq!(names.find(b"one"), None);
        names.insert("one".to_owned(), 4);
        names.find(b"one");
        names.clear();
        assert_eq!(names.find(b"one"), None);
    }
}
