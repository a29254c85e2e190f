//! Questions about the provider itself: which models there are.

use super::dialect::Dialect;
use super::effect::Effect;
use super::{fault, refusal};
use crate::classify::{Failure, Fault};
use llm_provider_guest::catalog::Model;
use llm_provider_guest::effects::{CatalogEffect, HttpEffect};
use llm_provider_guest::http_types::{self, RequestId, Response};
use llm_provider_guest::types::QueryId;
use std::collections::BTreeMap;

/// The most bytes of a page: the longest list known, of a service that offers everybody's models, has half a mebibyte.
const PAGE_LIMIT: usize = 4 * 1024 * 1024;

/// The most pages: services give a hundred models on each. More are a service that gives the same page again and again.
const PAGES: u32 = 50;

/// The questions that wait for an answer, by the request under way for each.
#[derive(Debug, Default)]
pub(super) struct Queries(BTreeMap<RequestId, Query>);

#[derive(Debug)]
struct Query {
    id: QueryId,
    models: Vec<Model>,
    pages: u32,
    refused: Option<Response>,
    body: Vec<u8>,
}

impl Queries {
    /// Takes a question.
    pub(super) fn ask<D: Dialect>(&mut self, dialect: &D, id: QueryId, next: &mut RequestId, out: &mut Vec<Effect>) {
        let query = Query { id, models: Vec::new(), pages: 0, refused: None, body: Vec::new() };
        self.send(dialect, query, None, next, out);
    }

    fn send<D: Dialect>(
        &mut self,
        dialect: &D,
        query: Query,
        page: Option<&str>,
        next: &mut RequestId,
        out: &mut Vec<Effect>,
    ) {
        match dialect.models_request(page) {
            Ok(request) => {
                let id = *next;
                *next += 1;
                out.push(HttpEffect::Send(id, request).into());
                self.0.insert(id, query);
            }
            Err(failure) => query.answer(Err(failure), out),
        }
    }

    /// The head of a response. False when the request is none of these.
    pub(super) fn head(&mut self, request: RequestId, response: &Response, out: &mut Vec<Effect>) -> bool {
        let Some(query) = self.0.get_mut(&request) else { return false };
        if !(200..300).contains(&response.status) {
            query.refused = Some(response.clone());
        } else if fault::is_web_page(response) {
            self.give_up(request, fault::web_page(), out);
        }
        true
    }

    /// More of a body. False when the request is none of these.
    pub(super) fn chunk<D: Dialect>(
        &mut self,
        dialect: &D,
        request: RequestId,
        data: &[u8],
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some(query) = self.0.get_mut(&request) else { return false };
        if query.body.len().saturating_add(data.len()) <= PAGE_LIMIT {
            query.body.extend_from_slice(data);
            return true;
        }
        let failure = query.refusal(dialect);
        let failure = failure.unwrap_or_else(|| Failure::of(Fault::TooLarge, "the list of models is too long"));
        self.give_up(request, failure, out);
        true
    }

    /// The end of a body. False when the request is none of these.
    pub(super) fn end<D: Dialect>(
        &mut self,
        dialect: &D,
        request: RequestId,
        next: &mut RequestId,
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some(mut query) = self.0.remove(&request) else { return false };
        if let Some(failure) = query.refusal(dialect) {
            query.answer(Err(failure), out);
            return true;
        }
        match dialect.models(&query.body) {
            Err(failure) => query.answer(Err(failure), out),
            Ok(page) => {
                query.models.extend(page.models);
                query.pages += 1;
                query.body.clear();
                match page.next {
                    Some(_) if query.pages >= PAGES => query.answer(Err(endless()), out),
                    Some(from) => self.send(dialect, query, Some(&from), next, out),
                    None => {
                        let models = std::mem::take(&mut query.models);
                        query.answer(Ok(models), out);
                    }
                }
            }
        }
        true
    }

    /// A request failed. False when it is none of these.
    pub(super) fn failed<D: Dialect>(
        &mut self,
        dialect: &D,
        request: RequestId,
        failure: &http_types::Failure,
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some(query) = self.0.remove(&request) else { return false };
        // The body would have said more, but the status says enough.
        let failure = query.refusal(dialect).unwrap_or_else(|| fault::of(failure));
        query.answer(Err(failure), out);
        true
    }

    /// Ends all of them.
    pub(super) fn close(&mut self, out: &mut Vec<Effect>) {
        let requests: Vec<RequestId> = self.0.keys().copied().collect();
        requests.into_iter().for_each(|request| self.give_up(request, fault::closing(), out));
    }

    fn give_up(&mut self, request: RequestId, why: Failure, out: &mut Vec<Effect>) {
        if let Some(query) = self.0.remove(&request) {
            out.push(HttpEffect::Cancel(request).into());
            query.answer(Err(why), out);
        }
    }
}

impl Query {
    /// Why there is no list, when the response is a refusal.
    fn refusal<D: Dialect>(&self, dialect: &D) -> Option<Failure> {
        self.refused.as_ref().map(|response| refusal::of(dialect, response, &self.body))
    }

    fn answer(self, models: Result<Vec<Model>, Failure>, out: &mut Vec<Effect>) {
        out.push(CatalogEffect::Models(self.id, models.map_err(|failure| failure.error())).into());
    }
}

fn endless() -> Failure {
    Failure::of(Fault::Protocol, format!("the list of models has more than {PAGES} pages"))
}
