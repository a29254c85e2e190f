//! The host as the CLI's way out: the CLI hands over what it would send to the model's endpoint, the host sends it under
//! its policy, and the endpoint's key never enters the CLI's process.
//!
//! In place of each secret the CLI has a placeholder, which comes back in the headers of its requests and becomes the
//! secret there, by name. A request whose turn is over is given up at once, whether the CLI says so or not.

mod answer;
mod headers;
mod offer;
mod origin;
pub(crate) mod placeholder;
mod requests;
mod seen;

pub(crate) use offer::Offer;
pub(crate) use seen::Seen;

use crate::config::{Auth, Config, HeaderValue};
use crate::connection::Link;
use crate::plugin::Copilot;
use crate::port::{Port, Purpose};
use crate::session::{Run, Stage};
use crate::wire::inference::{Accepted, RequestChunk, RequestStart, ResponseChunk, ResponseError, ResponseStart};
use answer::{Ending, Head, Part};
use base64::Engine as _;
use llm_provider_core::rpc::RpcError;
use llm_provider_guest::effects::HttpEffect;
use llm_provider_guest::events::NoticeKind;
use llm_provider_guest::http::RequestId;
use llm_provider_guest::log::Level;
use llm_provider_guest::provider::{HttpBytes, HttpFault, HttpHead};
use requests::{Refusal, Requests};
use serde_json::value::RawValue;
use std::borrow::Cow;

const START: &str = "llmInference.httpRequestStart";
const CHUNK: &str = "llmInference.httpRequestChunk";

/// What the plugin knows of its way out.
#[derive(Debug)]
pub(crate) struct Egress {
    pub(crate) offer: Offer,
    requests: Requests,
    /// The only origin that requests go to.
    origin: Option<String>,
    /// Placeholders, each with the name of its secret.
    secrets: Vec<(String, String)>,
}

impl Egress {
    /// For an endpoint of one's own; without one nothing is ever handed over.
    pub(crate) fn new(config: &Config, seed: u64) -> Self {
        let (mut names, mut origin) = (Vec::new(), None);
        if let Auth::Byok(byok) = &config.auth {
            let header = |value: &HeaderValue| match value {
                HeaderValue::Secret(secret) => Some(secret.secret.clone()),
                HeaderValue::Text(_) => None,
            };
            names.extend(byok.api_key.as_ref().map(|key| key.secret.clone()));
            names.extend(byok.headers.values().filter_map(header));
            names.sort();
            names.dedup();
            origin = origin::of(&byok.base_url);
        }
        let secrets = names.into_iter().map(|name| (placeholder::of(&name, seed), name)).collect();
        Self { offer: Offer::default(), requests: Requests::default(), origin, secrets }
    }

    /// Whether a request may go out, as far as that is known before its body.
    fn check(&self, start: &RequestStart<'_>) -> Result<(), Refusal> {
        if start.transport.as_ref().is_some_and(|transport| transport.0 != "http") {
            return Err(Refusal::new("EPROTONOSUPPORT", "only plain HTTP is handed over"));
        }
        let origin = origin::of(&start.url);
        if origin.is_none() || origin != self.origin {
            let origin = origin.unwrap_or_else(|| "an unclear origin".to_owned());
            let message = format!("{} is not the endpoint's origin", origin.escape_debug());
            return Err(Refusal::new("EACCES", message));
        }
        Ok(())
    }
}

impl Copilot {
    /// A request of the CLI's about its model traffic. False when it is about something else, or nothing was offered.
    pub(crate) fn handed_over(&mut self, id: &RawValue, method: &str, params: Option<&RawValue>) -> bool {
        if !self.port.egress.offer.is_taken() || !matches!(self.link, Link::Ready { .. }) {
            return false;
        }
        let text = params.map_or("{}", RawValue::get);
        let unreadable = match method {
            START => match serde_json::from_str(text) {
                Ok(start) => {
                    self.port.acknowledge(id);
                    self.request_started(&start);
                    return true;
                }
                Err(error) => error,
            },
            CHUNK => match serde_json::from_str(text) {
                Ok(chunk) => {
                    self.port.acknowledge(id);
                    self.request_goes_on(&chunk);
                    return true;
                }
                Err(error) => error,
            },
            _ => return false,
        };
        self.port.log(Level::Warn, format!("what the CLI hands over cannot be read: {unreadable}"));
        false
    }

    fn request_started(&mut self, start: &RequestStart<'_>) {
        let session = start.session_id.as_ref().map(|id| &*id.0);
        let egress = &mut self.port.egress;
        let admitted = match session {
            Some(name) if !self.names.contains(name) => {
                Err(Refusal::new("ECANCELED", "the turn of this request is over"))
            }
            _ => egress.check(start),
        };
        let begun = admitted.and_then(|()| {
            let headers = headers::outgoing(start.headers.clone(), &egress.secrets);
            egress.requests.begin(&start.request_id, session, &start.method, &start.url, headers)
        });
        if let Err(refusal) = begun {
            self.refuse_request(&start.request_id, session, &refusal);
        }
    }

    fn request_goes_on(&mut self, chunk: &RequestChunk<'_>) {
        let Some(id) = self.port.egress.requests.find(&chunk.request_id) else { return };
        if chunk.cancel {
            return self.port.give_up(id);
        }
        let data = if chunk.binary {
            let decoded = base64::engine::general_purpose::STANDARD.decode(chunk.data.as_bytes());
            decoded.map(Cow::Owned).map_err(|_| Refusal::new("EINVAL", "a part of the request is not base64"))
        } else {
            Ok(Cow::Borrowed(chunk.data.as_bytes()))
        };
        let requests = &mut self.port.egress.requests;
        if let Err(refusal) = data.and_then(|data| requests.more(id, &data)) {
            let session = requests.close(id).and_then(|open| open.session);
            return self.refuse_request(&chunk.request_id, session.as_deref(), &refusal);
        }
        if chunk.end
            && let Some(request) = requests.complete(id)
        {
            self.port.out.push(HttpEffect::Send(id, request).into());
        }
    }

    /// Answers a request in the place of the endpoint: it is not sent.
    fn refuse_request(&mut self, name: &str, session: Option<&str>, refusal: &Refusal) {
        let message = format!("a request of the Copilot CLI was not sent: {}", refusal.message);
        self.port.log(Level::Warn, message.clone());
        let id = session.and_then(|name| self.names.find(name.as_bytes()));
        if let Some(run) = id.and_then(|id| self.sessions.get(&id)?.run.as_ref()) {
            run.turn.notice(NoticeKind::Other("egress-refused".to_owned()), message.clone(), &mut self.port.out);
        }
        let error = Some(ResponseError { message: &message, code: refusal.code });
        let chunk = ResponseChunk { request_id: name, error, ..ResponseChunk::default() };
        self.port.request("llmInference.httpResponseChunk", chunk, Purpose::Response(None));
    }

    /// The turn that a request is for, which has just heard of its model.
    fn asker(&mut self, id: RequestId) -> Option<&mut Run> {
        let name = self.port.egress.requests.get(id)?.session.as_ref()?;
        let run = self.sessions.get_mut(&self.names.find(name.as_bytes())?)?.run.as_mut()?;
        if !matches!(run.stage, Stage::Sending | Stage::Running) {
            return None;
        }
        run.heard = self.port.now;
        Some(run)
    }

    /// The head of a response.
    pub(crate) fn http_response(&mut self, head: &HttpHead) {
        let HttpHead { id, response } = head;
        if let Some(run) = self.asker(*id) {
            run.seen = Seen::of(response);
        }
        let Some((open, _)) = self.port.egress.requests.answering(*id, 0) else { return };
        open.answer.head(Head { status: response.status, headers: headers::incoming(&response.headers) });
        self.port.go_on(*id);
    }

    /// More of a response's body.
    pub(crate) fn http_chunk(&mut self, bytes: &HttpBytes) {
        let HttpBytes { id, data } = bytes;
        self.asker(*id);
        let Some((open, fits)) = self.port.egress.requests.answering(*id, data.len()) else { return };
        if fits {
            open.answer.more(data);
        } else {
            open.answer.end(Ending::Failed(Refusal::new("ENOBUFS", "the response was not taken in time")));
            self.port.out.push(HttpEffect::Cancel(*id).into());
        }
        self.port.go_on(*id);
    }

    /// The end of a response.
    pub(crate) fn http_end(&mut self, id: RequestId) {
        let Some((open, _)) = self.port.egress.requests.answering(id, 0) else { return };
        open.answer.end(Ending::Complete);
        self.port.go_on(id);
    }

    /// A request failed. What no repetition can help ends its turn: the CLI would try for five seconds more.
    pub(crate) fn http_failed(&mut self, fault: &HttpFault) {
        let HttpFault { id, failure } = fault;
        let asker = self.asker(*id);
        let last = seen::last(failure).filter(|_| asker.is_some());
        if let Some(run) = asker {
            run.seen = None;
        }
        let Some((open, _)) = self.port.egress.requests.answering(*id, 0) else { return };
        open.answer.end(Ending::Failed(Refusal::new(seen::code(failure.kind), failure.message.clone())));
        let session = open.session.clone().and_then(|name| self.names.find(name.as_bytes()));
        self.port.go_on(*id);
        if let (Some(last), Some(session)) = (last, session) {
            self.fail_turn(session, &last, true);
        }
    }

    /// The CLI's word on a part of a response: it may not want more.
    pub(crate) fn response_taken(&mut self, id: Option<RequestId>, outcome: Result<&RawValue, RpcError>) {
        let wanted = match outcome {
            Ok(raw) => serde_json::from_str::<Accepted>(raw.get()).map_or(true, |answer| answer.accepted),
            Err(error) => {
                self.port.log(Level::Warn, format!("the CLI did not take a response: {}", error.message));
                false
            }
        };
        let Some(id) = id else { return };
        if !wanted {
            return self.port.give_up(id);
        }
        if let Some(open) = self.port.egress.requests.get_mut(id) {
            open.answer.taken();
            self.port.go_on(id);
        }
    }
}

impl Port {
    /// Gives the CLI the next part of a response, if it is ready for one. After the last there is nothing to remember.
    fn go_on(&mut self, id: RequestId) {
        let Some(open) = self.egress.requests.get_mut(id) else { return };
        let Some(part) = open.answer.next() else { return };
        let name = open.name.clone();
        match part {
            Part::Head(Head { status, headers }) => {
                let start = ResponseStart { request_id: &name, status, headers };
                self.request("llmInference.httpResponseStart", start, Purpose::Response(Some(id)));
            }
            Part::Body { data, binary, ending } => {
                let failure = ending.as_ref().and_then(Ending::failure);
                let chunk = ResponseChunk {
                    request_id: &name,
                    data: data.into(),
                    binary,
                    end: matches!(ending, Some(Ending::Complete)),
                    error: failure.as_ref().map(|(message, code)| ResponseError { message, code }),
                };
                let more = ending.is_none().then_some(id);
                if more.is_none() {
                    self.egress.requests.close(id);
                }
                self.request("llmInference.httpResponseChunk", chunk, Purpose::Response(more));
            }
        }
    }

    /// Gives up a request, if it is still under way.
    fn give_up(&mut self, id: RequestId) {
        if self.egress.requests.close(id).is_some_and(|open| open.is_under_way()) {
            self.out.push(HttpEffect::Cancel(id).into());
        }
    }

    /// Gives up what is under way for a server session; everything for `None`.
    pub(crate) fn give_up_all(&mut self, session: Option<&str>) {
        self.egress.requests.of(session).into_iter().for_each(|id| self.give_up(id));
    }

    /// What the CLI is told of a secret, and the host puts it in place.
    pub(crate) fn placeholder(&self, secret: &str) -> Option<String> {
        self.egress.offer.is_taken().then(|| placeholder::of(secret, self.seed))
    }
}
