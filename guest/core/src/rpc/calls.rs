//! Requests that wait for their answer.

use llm_provider_guest::types::Instant;
use std::collections::BTreeMap;

/// Open requests by id, each with what it was for and when it is given up.
#[derive(Clone, Debug)]
pub struct Calls<T> {
    next: u64,
    open: BTreeMap<u64, (T, Option<Instant>)>,
}

impl<T> Default for Calls<T> {
    fn default() -> Self {
        Self { next: 1, open: BTreeMap::new() }
    }
}

impl<T> Calls<T> {
    /// Opens a request and gives its id. Ids are never used twice.
    pub fn begin(&mut self, purpose: T, deadline: Option<Instant>) -> u64 {
        let id = self.next;
        self.next += 1;
        self.open.insert(id, (purpose, deadline));
        id
    }

    /// Closes a request that was answered. `None` for an id that is not open: an answer too late, or to nothing.
    pub fn settle(&mut self, id: u64) -> Option<T> {
        self.open.remove(&id).map(|(purpose, _)| purpose)
    }

    /// Closes and gives the requests whose deadline has passed, oldest first.
    pub fn expire(&mut self, now: Instant) -> Vec<T> {
        let due = |deadline: &Option<Instant>| deadline.is_some_and(|at| at <= now);
        let ids: Vec<u64> = self.open.iter().filter(|(_, (_, at))| due(at)).map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| self.settle(id)).collect()
    }

    /// Closes and gives the requests with such a purpose, oldest first.
    pub fn take(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Vec<T> {
        let ids: Vec<u64> = self.open.iter().filter(|(_, (purpose, _))| wanted(purpose)).map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| self.settle(id)).collect()
    }

    /// The next deadline.
    #[must_use]
    pub fn earliest(&self) -> Option<Instant> {
        self.open.values().filter_map(|(_, deadline)| *deadline).min()
    }

    /// Closes every request, as when the connection is gone.
    pub fn clear(&mut self) {
        self.open.clear();
    }

    /// How many requests wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_closed_once_by_its_answer_or_its_deadline() {
        let mut calls = Calls::default();
        let first = calls.begin("first", Some(10));
        let second = calls.begin("second", Some(5));
        let third = calls.begin("third", None);
        assert_eq!(calls.earliest(), Some(5));
        assert_eq!(calls.settle(first), Some("first"));
        assert_eq!(calls.settle(first), None);
        assert_eq!(calls.expire(4), Vec::<&str>::new());
        assert_eq!(calls.expire(5), vec!["second"]);
        assert_eq!(calls.settle(second), None);
        assert_eq!(calls.settle(third), Some("third"));
        assert!(calls.is_empty());
    }
}
