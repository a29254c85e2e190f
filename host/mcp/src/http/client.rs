//! rmcp's idea of an HTTP client, over an egress.

use super::body::Body;
use futures_core::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use llm_provider_host::Secret;
use llm_provider_http::{Egress, Event, Failure, Request, ResponseHead};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::common::http_header::{
    EVENT_STREAM_MIME_TYPE, HEADER_LAST_EVENT_ID, HEADER_SESSION_ID, JSON_MIME_TYPE,
};
use rmcp::transport::streamable_http_client::{
    HttpStatusError, SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use sse_stream::{Sse, SseStream};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Events of a response that wait to be read: a few chunks, so that a slow reader stops the socket.
const EVENTS: usize = 4;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error("the response was interrupted")]
    Interrupted,
    #[error("an event has more than {0} bytes")]
    TooLarge(usize),
    #[error("HTTP status {0}")]
    Status(u16),
}

type Headers = HashMap<HeaderName, HeaderValue>;
type Failed = StreamableHttpError<HttpError>;
type Events = BoxStream<'static, Result<Sse, SseError>>;

/// An HTTP client for rmcp. It adds the headers with secrets, which rmcp never sees.
#[derive(Clone)]
pub(crate) struct Client {
    egress: Egress,
    headers: Arc<Vec<(String, Secret)>>,
}

impl Client {
    pub(super) fn new(egress: Egress, headers: Vec<(String, Secret)>) -> Self {
        Self { egress, headers: Arc::new(headers) }
    }

    /// The head of the response, and its body.
    async fn ask(
        &self,
        mut request: Request,
        session: Option<Arc<str>>,
        more: Headers,
    ) -> Result<(Head, Body), Failed> {
        for (name, value) in self.headers.iter() {
            request = request.header(name.clone(), value.expose());
        }
        if let Some(session) = session {
            request = request.header(HEADER_SESSION_ID, session.as_bytes());
        }
        for (name, value) in more {
            request = request.header(name.as_str(), value.as_bytes());
        }
        let (sink, mut events) = mpsc::channel(EVENTS);
        let exchange = self.egress.send(request, sink);
        match events.recv().await {
            Some(Event::Response(head)) => Ok((Head(head), Body::new(events, exchange))),
            Some(Event::Failed(failure)) => Err(StreamableHttpError::Client(failure.into())),
            _ => Err(StreamableHttpError::Client(HttpError::Interrupted)),
        }
    }
}

/// The head of a response, as the protocol reads it.
struct Head(ResponseHead);

impl Head {
    fn header(&self, name: &str) -> Option<&str> {
        let same = |(have, _): &&(String, String)| have.eq_ignore_ascii_case(name);
        self.0.headers.iter().find(same).map(|(_, value)| value.as_str())
    }

    fn is(&self, mime_type: &str) -> bool {
        let given = self.header("content-type").and_then(|value| value.split(';').next());
        given.is_some_and(|given| given.trim().eq_ignore_ascii_case(mime_type))
    }

    fn succeeded(&self) -> bool {
        (200..300).contains(&self.0.status)
    }

    /// Refusals that no body explains better. A redirect is one: it would lead where nobody has allowed.
    fn refusal(&self) -> Option<Failed> {
        match self.0.status {
            status @ (429 | 500..=599) => {
                let retry_after = self.header("retry-after").map(str::to_owned);
                Some(HttpStatusError::new(status, retry_after).into())
            }
            status @ (300..=399 | 401 | 403) => Some(StreamableHttpError::Client(HttpError::Status(status))),
            _ => None,
        }
    }
}

/// A request that leaves nothing to wait for.
fn is_answer(message: &ClientJsonRpcMessage) -> bool {
    !matches!(message, ClientJsonRpcMessage::Request(_))
}

/// The message in a body: any in a good response, an error in another.
async fn message(head: &Head, body: Body, most: usize) -> Result<ServerJsonRpcMessage, Failed> {
    let status = head.0.status;
    let (bytes, cut) = body.read(most).await.map_err(StreamableHttpError::Client)?;
    if cut {
        return Err(StreamableHttpError::ResponseBodyTooLarge { max_size: most });
    }
    match serde_json::from_slice(&bytes) {
        Ok(message) if head.succeeded() || matches!(message, ServerJsonRpcMessage::Error(_)) => Ok(message),
        Err(error) if head.succeeded() => Err(StreamableHttpError::Deserialize(error)),
        Ok(_) | Err(_) => Err(StreamableHttpError::Client(HttpError::Status(status))),
    }
}

impl StreamableHttpClient for Client {
    type Error = HttpError;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        auth: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session, auth, headers, limits).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        sent: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _: Option<String>,
        headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let request = Request::post(&*uri, serde_json::to_vec(&sent)?)
            .header("content-type", JSON_MIME_TYPE)
            .header("accept", format!("{JSON_MIME_TYPE}, {EVENT_STREAM_MIME_TYPE}"));
        let in_session = session.is_some();
        let (head, body) = self.ask(request, session, headers).await?;
        if matches!(head.0.status, 202 | 204) || (head.succeeded() && is_answer(&sent)) {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        if head.0.status == 404 && in_session {
            return Err(StreamableHttpError::SessionExpired);
        }
        if let Some(refusal) = head.refusal() {
            return Err(refusal);
        }
        let session = head.header(HEADER_SESSION_ID).map(str::to_owned);
        if head.succeeded() && head.is(EVENT_STREAM_MIME_TYPE) {
            let events = SseStream::from_bytes_stream(body.events(limits.max_sse_event_size));
            return Ok(StreamableHttpPostResponse::Sse(Box::pin(events), session));
        }
        if head.is(JSON_MIME_TYPE) {
            let message = message(&head, body, limits.max_json_response_size).await?;
            return Ok(StreamableHttpPostResponse::Json(message, session));
        }
        if head.succeeded() {
            return Err(StreamableHttpError::UnexpectedContentType(head.header("content-type").map(str::to_owned)));
        }
        Err(StreamableHttpError::Client(HttpError::Status(head.0.status)))
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        _: Option<String>,
        headers: Headers,
    ) -> Result<(), Failed> {
        let (head, _) = self.ask(Request::new("DELETE", &*uri), Some(session), headers).await?;
        // A server need not let sessions be ended.
        if head.succeeded() || head.0.status == 405 {
            return Ok(());
        }
        Err(StreamableHttpError::Client(HttpError::Status(head.0.status)))
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last: Option<String>,
        auth: Option<String>,
        headers: Headers,
    ) -> Result<Events, Failed> {
        let most = StreamableHttpResponseLimits::default().max_sse_event_size;
        self.get_stream_with_max_sse_event_size(uri, session, last, auth, headers, most).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last: Option<String>,
        _: Option<String>,
        headers: Headers,
        most: usize,
    ) -> Result<Events, Failed> {
        let mut request = Request::get(&*uri).header("accept", EVENT_STREAM_MIME_TYPE);
        if let Some(last) = last {
            request = request.header(HEADER_LAST_EVENT_ID, last);
        }
        let (head, body) = self.ask(request, session, headers).await?;
        if head.0.status == 405 {
            return Err(StreamableHttpError::ServerDoesNotSupportSse);
        }
        if let Some(refusal) = head.refusal() {
            return Err(refusal);
        }
        if !head.succeeded() {
            return Err(StreamableHttpError::Client(HttpError::Status(head.0.status)));
        }
        if !head.is(EVENT_STREAM_MIME_TYPE) {
            return Err(StreamableHttpError::UnexpectedContentType(head.header("content-type").map(str::to_owned)));
        }
        Ok(Box::pin(SseStream::from_bytes_stream(body.events(most))))
    }
}
