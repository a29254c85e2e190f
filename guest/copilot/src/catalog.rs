//! Questions about the provider: its models, and what is left of a quota. GitHub's account knows; an endpoint of one's own
//! has no list that the CLI would ask for (PROTOCOL section 7).

use crate::config::Auth;
use crate::connection::Link;
use crate::failure::{self, Failure};
use crate::plugin::Copilot;
use crate::port::{Port, Purpose, Question};
use crate::wire::reply::{ModelList, Quota};
use crate::wire::request::Nothing;
use llm_provider_core::classify::Fault;
use llm_provider_core::rpc::RpcError;
use llm_provider_guest::catalog::Model;
use llm_provider_guest::effects::CatalogEffect;
use llm_provider_guest::types::QueryId;
use serde::Deserialize;
use serde_json::value::RawValue;

impl Copilot {
    /// Takes a question. The sidecar is started for it.
    pub(crate) fn asked(&mut self, id: QueryId, question: Question) {
        if let Auth::Byok(_) = self.port.config.auth {
            let what = match question {
                Question::Models => "an endpoint of one's own has no list of models that the Copilot CLI knows",
                Question::Quota => "an endpoint of one's own has no quota that the Copilot CLI knows",
            };
            self.port.refuse_query(id, question, &Failure::of(Fault::Unsupported, what));
            return;
        }
        self.idle_since = None;
        match self.link {
            Link::Ready { .. } => self.port.query(id, question),
            _ => {
                self.queries.push((id, question));
                self.need_sidecar();
            }
        }
    }

    /// The sidecar is ready: the questions that waited for it.
    pub(crate) fn ask_waiting(&mut self) {
        for (id, question) in std::mem::take(&mut self.queries) {
            self.port.query(id, question);
        }
    }

    /// An answer of the CLI to a question.
    pub(crate) fn told(&mut self, id: QueryId, question: Question, outcome: Result<&RawValue, RpcError>) {
        match (question, outcome) {
            (_, Err(error)) => {
                let what = match question {
                    Question::Models => "the list of models",
                    Question::Quota => "the quota",
                };
                self.port.refuse_query(id, question, &failure::refused(what, &error));
            }
            (Question::Models, Ok(raw)) => match read::<ModelList>(raw) {
                Ok(list) => {
                    let models = list.models.into_iter().map(Model::from).collect();
                    self.port.out.push(CatalogEffect::Models(id, Ok(models)).into());
                }
                Err(failure) => self.port.refuse_query(id, question, &failure),
            },
            (Question::Quota, Ok(raw)) => match read::<Quota>(raw) {
                Ok(quota) => {
                    let snapshots = quota.quota_snapshots.into_iter();
                    let allowances = snapshots.map(|(name, snapshot)| snapshot.named(name)).collect();
                    self.port.out.push(CatalogEffect::Quota(id, Ok(allowances)).into());
                }
                Err(failure) => self.port.refuse_query(id, question, &failure),
            },
        }
        self.note_idle();
    }

    /// The sidecar is gone, and every question with it.
    pub(crate) fn refuse_queries(&mut self, failure: &Failure) {
        let open = self.port.calls.take(|purpose| matches!(purpose, Purpose::Query(..)));
        let open = open.into_iter().filter_map(|purpose| match purpose {
            Purpose::Query(id, question) => Some((id, question)),
            _ => None,
        });
        for (id, question) in std::mem::take(&mut self.queries).into_iter().chain(open) {
            self.port.refuse_query(id, question, failure);
        }
    }
}

impl Port {
    fn query(&mut self, id: QueryId, question: Question) {
        let method = match question {
            Question::Models => "models.list",
            Question::Quota => "account.getQuota",
        };
        self.request(method, Nothing {}, Purpose::Query(id, question));
    }

    /// Answers a question with a failure.
    pub(crate) fn refuse_query(&mut self, id: QueryId, question: Question, failure: &Failure) {
        let error = failure.error();
        self.out.push(match question {
            Question::Models => CatalogEffect::Models(id, Err(error)).into(),
            Question::Quota => CatalogEffect::Quota(id, Err(error)).into(),
        });
    }
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Failure> {
    serde_json::from_str(raw.get()).map_err(|error| {
        Failure::of(Fault::Protocol, format!("the Copilot CLI answered in a way that this plugin cannot read: {error}"))
    })
}
