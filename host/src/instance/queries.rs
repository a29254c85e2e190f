//! Questions about the provider itself that wait for the plugin's answer.

use crate::bindings::exports::llm::provider::provider::Input;
use crate::bindings::llm::provider::catalog::{Allowance, Model};
use crate::bindings::llm::provider::errors::Error;
use crate::bindings::llm::provider::types::QueryId;
use crate::error::{HostError, PluginFault, TurnError};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// A question, with the place for its answer.
pub(crate) enum Query {
    /// Which models are there?
    Models(oneshot::Sender<Result<Vec<Model>, TurnError>>),
    /// What is left of what was granted?
    Quota(oneshot::Sender<Result<Vec<Allowance>, TurnError>>),
}

impl Query {
    /// The question as the plugin gets it.
    pub(crate) fn input(&self, id: QueryId) -> Input {
        match self {
            Self::Models(_) => Input::ListModels(id),
            Self::Quota(_) => Input::ReadQuota(id),
        }
    }

    /// Whether nobody waits for its answer any more.
    fn is_forgotten(&self) -> bool {
        match self {
            Self::Models(asked) => asked.is_closed(),
            Self::Quota(asked) => asked.is_closed(),
        }
    }

    /// Ends it without an answer. Whoever asked may have gone away.
    pub(crate) fn fail(self, error: TurnError) {
        match self {
            Self::Models(asked) => drop(asked.send(Err(error))),
            Self::Quota(asked) => drop(asked.send(Err(error))),
        }
    }
}

/// The open questions of an instance.
#[derive(Default)]
pub(super) struct Queries {
    open: BTreeMap<QueryId, Query>,
    /// The last that was asked: an answer to an earlier one, which is not open any more, came too late.
    last: Option<QueryId>,
}

impl Queries {
    /// Drops those that nobody waits for any more, and says which.
    pub(super) fn forget(&mut self) -> Vec<QueryId> {
        self.open.extract_if(.., |_, query| query.is_forgotten()).map(|(id, _)| id).collect()
    }

    /// Keeps a question, unless too many wait.
    pub(super) fn ask(&mut self, id: QueryId, query: Query, most: usize) -> Option<Input> {
        if self.open.len() >= most {
            query.fail(HostError::Limit { limit: "queries", configured: most }.into());
            return None;
        }
        let input = query.input(id);
        self.last = Some(id);
        self.open.insert(id, query);
        Some(input)
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Closes a question that was answered, or waited too long.
    pub(super) fn take(&mut self, id: QueryId) -> Option<Query> {
        self.open.remove(&id)
    }

    /// An answer with models.
    pub(super) fn models(&mut self, id: QueryId, result: Result<Vec<Model>, Error>) -> Result<(), PluginFault> {
        match self.take(id) {
            Some(Query::Models(asked)) => {
                drop(asked.send(result.map_err(TurnError::from)));
                Ok(())
            }
            other => self.stray(id, other),
        }
    }

    /// An answer with what is left.
    pub(super) fn quota(&mut self, id: QueryId, result: Result<Vec<Allowance>, Error>) -> Result<(), PluginFault> {
        match self.take(id) {
            Some(Query::Quota(asked)) => {
                drop(asked.send(result.map_err(TurnError::from)));
                Ok(())
            }
            other => self.stray(id, other),
        }
    }

    /// Ends all of them with the same fault.
    pub(super) fn end_all(self, fault: &PluginFault) {
        self.open.into_values().for_each(|query| query.fail(fault.clone().into()));
    }

    fn stray(&self, id: QueryId, open: Option<Query>) -> Result<(), PluginFault> {
        match open {
            None if self.last.is_some_and(|last| id <= last) => Ok(()),
            None => Err(PluginFault::Contract(format!("it answered the question {id}, which nobody asked"))),
            Some(query) => {
                let fault = PluginFault::Contract(format!("it gave the question {id} the answer to another kind"));
                query.fail(fault.clone().into());
                Err(fault)
            }
        }
    }
}
