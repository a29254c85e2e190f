//! One HTTP request: which path it is for, what the script says, and the response's head.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, InvalidHeaderName};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::Value;

use crate::answer::Answer;
use crate::body::{Broken, ReplyBody, Source, Writer};
use crate::conversation::{self, field};
use crate::dialect::{About, Cursor, Dialect};
use crate::model_error::ModelError;
use crate::models;
use crate::recorder::{Arrival, RecordedRequest, Recorder, ReplyState, Ticket};
use crate::reply::{Content, EVENT_STREAM, Reply};
use crate::script::{Responder, Script};
use crate::socket::Line;
use crate::sse;
use crate::stop::{Action, Place, Stop};
use crate::target::{Target, query};

/// The largest request body: what real providers take (32 MiB) with room for a test beyond it.
pub(crate) const MAX_BODY: usize = 64 * 1024 * 1024;

const JSON: &str = "application/json";

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) plan: Mutex<Plan>,
    pub(crate) models: Vec<String>,
}

/// The part of a script that changes while the server runs.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) queue: VecDeque<Reply>,
    pub(crate) default: Responder,
}

impl Shared {
    pub(crate) fn new(script: Script) -> Self {
        Self {
            recorder: Recorder::new(script.kept),
            plan: Mutex::new(Plan { queue: script.queue, default: script.default }),
            models: script.models,
        }
    }

    pub(crate) fn plan(&self) -> MutexGuard<'_, Plan> {
        // No code that can panic runs under this lock.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers a request and takes its reply in one step, so that the n-th request gets the n-th reply.
    fn receive(&self, arrival: Arrival) -> (RecordedRequest, Ticket, Reply) {
        let mut plan = self.plan();
        let (request, ticket) = self.recorder.record(arrival);
        let queued = plan.queue.pop_front();
        let default = plan.default.clone();
        drop(plan);
        let reply = queued.unwrap_or_else(|| default.reply(&request));
        (request, ticket, reply)
    }
}

/// Answers one HTTP request.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    line: Arc<Line>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Broken> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let dialect = spoken(&parts);
    match (Target::of_path(path), &parts.method) {
        (Some(Target::Gemini { stream: true, .. }), &Method::POST)
            if query(&parts.uri, "alt").as_deref() != Some("sse") =>
        {
            // The real service streams a list of responses then, which no client here asks for.
            Ok(error(dialect, &ModelError::new(501, "this server streams with alt=sse only")))
        }
        (Some(target), &Method::POST) => model_request(shared, line, target, parts, body).await,
        (Some(_), _) => Ok(error(dialect, &ModelError::new(405, "only POST is allowed here"))),
        (None, &Method::GET) if path == "/v1/models" => {
            Ok(json(200, &models::list(&shared.models, dialect == Dialect::Anthropic)))
        }
        (None, &Method::GET) if path == "/v1beta/models" => {
            let page = models::page(&shared.models, &parts.uri);
            Ok(page.map_or_else(|refusal| error(dialect, &refusal), |page| json(200, &page)))
        }
        (None, _) => Ok(error(dialect, &ModelError::new(404, format!("no such path: {} {path}", parts.method)))),
    }
}

/// The dialect that a request is in: by its path, else by what only one dialect's clients send.
fn spoken(parts: &Parts) -> Dialect {
    let path = parts.uri.path();
    let has = |name: &str| parts.headers.contains_key(name);
    match Target::of_path(path) {
        Some(target) => target.dialect(),
        None if has("anthropic-version") => Dialect::Anthropic,
        None if has("x-goog-api-key") || path.starts_with("/v1beta/") => Dialect::Gemini,
        None => Dialect::ChatCompletions,
    }
}

async fn model_request(
    shared: Arc<Shared>,
    line: Arc<Line>,
    target: Target,
    parts: Parts,
    body: Incoming,
) -> Result<Response<ReplyBody>, Broken> {
    let Some(bytes) = read_body(body).await? else {
        return Ok(error(target.dialect(), &ModelError::new(413, format!("the body is larger than {MAX_BODY} bytes"))));
    };
    let parsed = serde_json::from_slice::<Value>(&bytes);
    let invalid = parsed.as_ref().err().map(|cause| format!("the body is no JSON: {cause}"));
    let (request, ticket, reply) = shared.receive(Arrival {
        target,
        path: parts.uri.to_string(),
        headers: headers(&parts.headers),
        body: parsed.unwrap_or_default(),
        body_bytes: bytes.len(),
    });
    drop(bytes);
    let reply = invalid.map_or(reply, |message| Reply::error(400, message));
    respond(&request, reply, line, ticket).await
}

/// The whole body, or nothing when it is too large: at once if its length is announced, else when it passes the limit.
async fn read_body(body: Incoming) -> Result<Option<Bytes>, Broken> {
    if usize::try_from(body.size_hint().lower()).is_ok_and(|announced| announced <= MAX_BODY) {
        return match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => Ok(Some(body.to_bytes())),
            Err(cause) if cause.is::<LengthLimitError>() => Ok(None),
            // The client left in the middle of its request.
            Err(_) => Err(Broken),
        };
    }
    Ok(None)
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

async fn respond(
    request: &RecordedRequest,
    reply: Reply,
    line: Arc<Line>,
    mut ticket: Ticket,
) -> Result<Response<ReplyBody>, Broken> {
    let reply = reply.timed(request.dialect);
    let (status, own) = (reply.status, reply.headers);
    let mut stops = VecDeque::new();
    for Stop { place, action } in reply.stops {
        match place {
            Place::BeforeHeaders => {
                before_headers(action, &line).await.inspect_err(|Broken| ticket.end(ReplyState::Cut))?;
            }
            Place::AfterDeltas(deltas) => stops.push_back((deltas, action)),
        }
    }
    stops.make_contiguous().sort_by_key(|(deltas, _)| *deltas);
    let (content_type, source) = content(request, reply.content, &mut stops);
    let (status, headers) = match head(request, status, &content_type, own) {
        Ok(head) => head,
        Err(message) => {
            ticket.end(ReplyState::Finished);
            return Ok(error(request.dialect, &ModelError::new(500, message)));
        }
    };
    let length = if stops.is_empty() { length(&source) } else { None };
    let writer = Writer::new(source, stops, line, ticket).timing(reply.pace, reply.split);
    let mut response = Response::new(ReplyBody::scripted(writer, length));
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    Ok(response)
}

async fn before_headers(action: Action, line: &Line) -> Result<(), Broken> {
    match action {
        Action::Pause(pause) => tokio::time::sleep(pause).await,
        Action::Gate(gate) => gate.pass().await,
        Action::Hang => std::future::pending().await,
        Action::Reset => {
            line.reset_at_end();
            return Err(Broken);
        }
        // The last two are only made for places after the headers; there is nothing else to do here.
        Action::Close | Action::Truncate | Action::Fail(_) => return Err(Broken),
    }
    Ok(())
}

/// The content type and the source of a reply's bytes.
fn content(request: &RecordedRequest, content: Content, stops: &mut VecDeque<(usize, Action)>) -> (String, Source) {
    match content {
        Content::Answer(answer) if request.wants_stream() => {
            let encoder = request.dialect.encoder(about(request, &answer));
            (EVENT_STREAM.to_owned(), Source::Events { answer, cursor: Cursor::default(), encoder })
        }
        Content::Answer(answer) => {
            let body = request.dialect.encoder(about(request, &answer)).whole(&answer);
            (JSON.to_owned(), one_body(&body, stops))
        }
        Content::Error(error) => (JSON.to_owned(), one_body(&error.body(request.dialect), stops)),
        Content::Raw { content_type, chunks } => (content_type, Source::Chunks(chunks.into())),
    }
}

/// One JSON body; with stops it comes in two halves and all stops are between them.
fn one_body(body: &Value, stops: &mut VecDeque<(usize, Action)>) -> Source {
    let mut first = BytesMut::new();
    sse::json(&mut first, body);
    if stops.is_empty() {
        return Source::Chunks(VecDeque::from([first.freeze()]));
    }
    for (deltas, _) in stops.iter_mut() {
        *deltas = 1;
    }
    let second = first.split_off(first.len() / 2);
    Source::Chunks(VecDeque::from([first.freeze(), second.freeze()]))
}

/// The length of a body that is no stream of events.
fn length(source: &Source) -> Option<u64> {
    match source {
        Source::Events { .. } => None,
        Source::Chunks(chunks) => u64::try_from(chunks.iter().map(Bytes::len).sum::<usize>()).ok(),
    }
}

fn about(request: &RecordedRequest, answer: &Answer) -> About {
    let messages = conversation::read(request.dialect, &request.body);
    let prompt_chars = messages.iter().map(|message| message.text.chars().count()).sum();
    let options = field(&request.body, "stream_options");
    About {
        number: request.number,
        model: request.model().to_owned(),
        usage: answer.usage(prompt_chars),
        usage_in_stream: field(options, "include_usage").as_bool().unwrap_or_default(),
    }
}

/// Status and headers; the script's own headers replace ours.
fn head(
    request: &RecordedRequest,
    status: u16,
    content_type: &str,
    own: Vec<(String, String)>,
) -> Result<(StatusCode, HeaderMap), String> {
    let status = StatusCode::from_u16(status).map_err(|cause| format!("status {status}: {cause}"))?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, header_value(content_type)?);
    if content_type == EVENT_STREAM {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    if let Some(name) = request.dialect.request_id_header() {
        headers.insert(HeaderName::from_static(name), header_value(&format!("req_{}", request.number))?);
    }
    for (name, value) in own {
        let key: HeaderName = name.parse().map_err(|cause: InvalidHeaderName| format!("header {name:?}: {cause}"))?;
        headers.insert(key, header_value(&value)?);
    }
    Ok((status, headers))
}

fn header_value(value: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(value).map_err(|cause| format!("header value {value:?}: {cause}"))
}

fn error(dialect: Dialect, error: &ModelError) -> Response<ReplyBody> {
    json(error.status, &error.body(dialect))
}

/// A response of the server itself, outside any script.
fn json(status: u16, body: &Value) -> Response<ReplyBody> {
    let mut bytes = BytesMut::new();
    sse::json(&mut bytes, body);
    let mut response = Response::new(ReplyBody::full(bytes.freeze()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}
