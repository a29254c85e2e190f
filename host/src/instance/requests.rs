//! The HTTP requests of an instance.

use crate::bindings::exports::llm::provider::provider::{HttpBytes, HttpFault, HttpHead, Input};
use crate::bindings::llm::provider::http::{Header, Request};
use crate::bindings::llm::provider::http_types::{Failure, FailureKind, RequestId, Response, ResponseHeader};
use crate::quota::{Ledger, Quota};
use crate::scrub::Scrubber;
use crate::secret::{Destination, Secrets};
use crate::tenant::Tenant;
use llm_provider_http as http;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// What is under way, and what was refused. Dropping it gives all of it up.
#[derive(Default)]
pub(crate) struct Requests {
    /// Until the plugin is told of the end.
    under_way: BTreeMap<RequestId, http::Exchange>,
    /// Until the plugin is told.
    refused: BTreeSet<RequestId>,
}

impl Requests {
    /// Sends a request, with its secrets in place. A refusal is an input, as any other failure.
    pub(crate) fn send(
        &mut self,
        id: RequestId,
        request: Request,
        tenant: &Tenant,
        secrets: &Secrets,
        scrubber: &Scrubber,
        inputs: &mpsc::Sender<Input>,
    ) -> Option<Input> {
        match self.start(id, request, tenant, secrets, scrubber, inputs) {
            Ok(exchange) => {
                self.under_way.insert(id, exchange);
                None
            }
            Err(failure) => {
                self.refused.insert(id);
                Some(Input::HttpFailed(HttpFault { id, failure }))
            }
        }
    }

    fn start(
        &self,
        id: RequestId,
        request: Request,
        tenant: &Tenant,
        secrets: &Secrets,
        scrubber: &Scrubber,
        inputs: &mpsc::Sender<Input>,
    ) -> Result<http::Exchange, Failure> {
        let Some(egress) = &tenant.0.policy.egress else {
            return Err(refusal(FailureKind::Denied, "the policy grants no origins".to_owned()));
        };
        let most = tenant.0.limits.requests;
        if self.under_way.len() >= most {
            return Err(refusal(FailureKind::Exhausted, format!("{most} requests of the plugin are under way")));
        }
        let ledger = &tenant.0.ledger;
        let spendable = [Quota::HttpRequests, Quota::HttpBytes, Quota::Tokens, Quota::PremiumRequests];
        if let Some(exceeded) = spendable.into_iter().find_map(|quota| ledger.check(quota).err()) {
            let after = exceeded.retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            return Err(Failure { retry_after: after, ..refusal(FailureKind::Exhausted, exceeded.to_string()) });
        }
        let request = fill(request, secrets).map_err(|reason| refusal(FailureKind::Denied, reason))?;
        ledger.spend(Quota::HttpRequests, 1);
        ledger.spend(Quota::HttpBytes, u64::try_from(request.body.len()).unwrap_or(u64::MAX));
        let (inputs, ledger) = (inputs.clone(), Arc::clone(ledger));
        let sink = Sink { id, inputs, ledger, scrubber: scrubber.clone(), body: Mutex::new(scrubber.clone()) };
        Ok(egress.send(request, sink))
    }

    pub(crate) fn cancel(&mut self, id: RequestId) {
        self.under_way.remove(&id);
        self.refused.remove(&id);
    }

    /// Whether an input that is about to be handed over may be: of a request that was cancelled nothing follows, and some
    /// of it may wait already. The last input of a request ends it.
    pub(crate) fn awaits(&mut self, input: &Input) -> bool {
        match input {
            Input::HttpResponse(head) => self.under_way.contains_key(&head.id),
            Input::HttpChunk(bytes) => self.under_way.contains_key(&bytes.id),
            Input::HttpEnd(id) => self.under_way.remove(id).is_some(),
            Input::HttpFailed(fault) => self.under_way.remove(&fault.id).is_some() || self.refused.remove(&fault.id),
            _ => true,
        }
    }
}

fn refusal(kind: FailureKind, message: String) -> Failure {
    Failure { kind, message, request_sent: false, retry_after: None }
}

/// Puts secrets into headers and body, each only where it is granted: a header of this origin.
fn fill(request: Request, secrets: &Secrets) -> Result<http::Request, String> {
    let origin = http::Origin::of(&request.url).map_err(|error| error.to_string())?.to_string();
    let mut filled = http::Request::new(request.method, request.url);
    filled.first_byte_timeout = request.first_byte_timeout.map(Duration::from_millis);
    for Header { name, value } in request.headers {
        let to = Destination::HttpHeader { origin: origin.clone(), header: name.to_ascii_lowercase() };
        let value = secrets.join(value, &to)?;
        filled = filled.header(name, value.as_slice());
    }
    // No secret is ever granted to a body: the header that is not there cannot be granted either.
    let nowhere = Destination::HttpHeader { origin, header: String::new() };
    let mut body = secrets.join(request.body, &nowhere)?;
    filled.body = std::mem::take(&mut *body).into();
    Ok(filled)
}

/// Brings what comes back to the instance, scrubbed. A full mailbox stops the reading of the socket.
struct Sink {
    id: RequestId,
    inputs: mpsc::Sender<Input>,
    ledger: Arc<Ledger>,
    scrubber: Scrubber,
    body: Mutex<Scrubber>,
}

impl Sink {
    fn inputs(&self, event: http::Event) -> Vec<Input> {
        let id = self.id;
        let chunk = |data: Vec<u8>| (!data.is_empty()).then_some(Input::HttpChunk(HttpBytes { id, data }));
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            http::Event::Response(head) => vec![Input::HttpResponse(HttpHead { id, response: self.head(head) })],
            http::Event::Chunk(bytes) => chunk(body.stream(bytes.to_vec())).into_iter().collect(),
            http::Event::End => chunk(body.finish()).into_iter().chain([Input::HttpEnd(id)]).collect(),
            http::Event::Failed(failure) => {
                let failed = Input::HttpFailed(HttpFault { id, failure: self.failure(&failure) });
                chunk(body.finish()).into_iter().chain([failed]).collect()
            }
        }
    }

    fn head(&self, head: http::ResponseHead) -> Response {
        let header = |(name, value): (String, String)| ResponseHeader { name, value: self.scrubber.text(&value) };
        Response { status: head.status, headers: head.headers.into_iter().map(header).collect() }
    }

    fn failure(&self, failure: &http::Failure) -> Failure {
        let kind = match failure.kind {
            http::FailureKind::Denied => FailureKind::Denied,
            http::FailureKind::Busy => FailureKind::Exhausted,
            http::FailureKind::Invalid => FailureKind::Invalid,
            http::FailureKind::Dns => FailureKind::Dns,
            http::FailureKind::Connect => FailureKind::Connect,
            http::FailureKind::Tls => FailureKind::Tls,
            http::FailureKind::Timeout => FailureKind::Timeout,
            http::FailureKind::Broken => FailureKind::Broken,
            http::FailureKind::TooLarge => FailureKind::TooLarge,
        };
        let message = self.scrubber.text(&failure.message);
        Failure { kind, message, request_sent: failure.request_sent, retry_after: None }
    }
}

impl http::EventSink for Sink {
    async fn deliver(&self, event: http::Event) -> Result<(), http::Closed> {
        if let http::Event::Chunk(bytes) = &event {
            self.ledger.spend(Quota::HttpBytes, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
        for input in self.inputs(event) {
            self.inputs.send(input).await.map_err(|_| http::Closed)?;
        }
        Ok(())
    }

    async fn closed(&self) {
        self.inputs.closed().await;
    }
}

#[cfg(test)]
mod tests;
