//! One tenant's way out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, Proxy, redirect, retry};

use crate::body::{Sent, tracked};
use crate::error::{EgressError, Failure, FailureKind};
use crate::exchange::{EventSink, Exchange};
use crate::headers;
use crate::limits::EgressLimits;
use crate::origin::Origin;
use crate::places::{Place, Places};
use crate::policy::{Allowed, Decision, EgressPolicy, Reach};
use crate::request::Request;
use crate::resolve::{Resolver, Screen, SystemResolver};
use crate::stream;

/// Idle connections kept per origin. HTTP/2 needs one; HTTP/1 as many as a session has requests at once.
const IDLE_CONNECTIONS: usize = 4;

/// How long they are kept: shorter than the servers' usual minute, so that it is not they who close.
const IDLE: Duration = Duration::from_secs(30);

/// Bytes that a server may send ahead over HTTP/2: what a slow consumer costs in memory, per stream and in all.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Methods that a plugin may use. `CONNECT` and `TRACE` speak to proxies.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Performs requests for one tenant. Connections are pooled here, so they are never shared between tenants. Cloning is
/// cheap and shares the pool.
#[derive(Clone, Debug)]
pub struct Egress {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    policy: EgressPolicy,
    limits: EgressLimits,
    /// A client per origin, since what a name may lead to depends on the origin and a client has one resolver. So a
    /// pooled connection can never serve an origin with a narrower grant than the one it was made for.
    clients: BTreeMap<Origin, Client>,
    places: Places,
}

impl Egress {
    /// A way out under a policy, with the system's name resolution.
    ///
    /// # Errors
    ///
    /// [`EgressError::Client`] where the HTTP client refuses its configuration.
    pub fn new(policy: EgressPolicy, limits: EgressLimits) -> Result<Self, EgressError> {
        Self::with_resolver(policy, limits, Arc::new(SystemResolver::default()))
    }

    /// The same with name resolution of one's own. What it returns is screened like any answer.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_resolver(
        policy: EgressPolicy,
        limits: EgressLimits,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, EgressError> {
        let tls = policy.trust().tenant_config();
        let mut clients = BTreeMap::new();
        for (origin, reach) in policy.grants() {
            let client = client(&policy, &limits, Arc::clone(&resolver), reach, tls.clone())?;
            clients.insert(origin.clone(), client);
        }
        let places = Places::new(&limits);
        Ok(Self { inner: Arc::new(Inner { policy, limits, clients, places }) })
    }

    /// What the policy says to a URL.
    pub fn decide(&self, url: &str) -> Decision {
        self.inner.policy.decide(url)
    }

    /// Performs a request. Its events go to `sink`, in order, one at a time: while one is not taken nothing is read
    /// from the socket. Dropping the returned handle, or the sink's [`closed`](EventSink::closed), gives the request up
    /// and closes its connection (over HTTP/2, its stream).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn send(&self, request: Request, sink: impl EventSink) -> Exchange {
        let limits = self.inner.limits.clone();
        Exchange::start(stream::run(self.prepare(request), limits, sink))
    }

    /// Checks, then makes ready to send.
    fn prepare(&self, request: Request) -> Result<Prepared, Failure> {
        let limits = &self.inner.limits;
        let allowed = self.check_url(&request.url)?;
        let method = METHODS.into_iter().find(|method| method.as_str() == request.method);
        let method = method.ok_or_else(|| Failure::unsent(FailureKind::Invalid, "no method that may be used"))?;
        let headers = headers::outgoing(&request.headers, limits)?;
        if request.body.len() > limits.request_bytes {
            return Err(denied(format!("a body of more than {} bytes", limits.request_bytes)));
        }
        let client = self.inner.clients.get(&allowed.origin);
        let client = client.ok_or_else(|| denied("the policy does not grant it".to_owned()))?.clone();
        let place = self.inner.places.ask(request.body.len());
        let place = place.ok_or_else(|| {
            let message = format!("{} requests are under way, and as many wait as may", limits.in_flight);
            Failure::unsent(FailureKind::Busy, message)
        })?;
        let first_byte = request.first_byte_timeout.map_or(limits.first_byte, |wanted| wanted.min(limits.first_byte));
        let (body, sent) = tracked(request.body);
        let mut wire = reqwest::Request::new(method, allowed.url);
        *wire.headers_mut() = headers;
        *wire.body_mut() = (!sent.is_empty()).then(|| reqwest::Body::wrap(body));
        Ok(Prepared { client, wire, sent, first_byte, origin: allowed.origin, place })
    }

    fn check_url(&self, url: &str) -> Result<Allowed, Failure> {
        let limit = self.inner.limits.url_bytes;
        if url.len() > limit {
            return Err(denied(format!("a URL of more than {limit} bytes")));
        }
        match self.decide(url) {
            Decision::Allow(allowed) => Ok(allowed),
            Decision::Deny(reason) => Err(reason.into()),
        }
    }
}

/// A request that may be sent.
pub(crate) struct Prepared {
    pub(crate) client: Client,
    pub(crate) wire: reqwest::Request,
    pub(crate) sent: Sent,
    pub(crate) first_byte: Duration,
    pub(crate) origin: Origin,
    pub(crate) place: Place,
}

fn denied(message: String) -> Failure {
    Failure::unsent(FailureKind::Denied, message)
}

/// The one place where an HTTP client is made.
fn client(
    policy: &EgressPolicy,
    limits: &EgressLimits,
    resolver: Arc<dyn Resolver>,
    reach: Reach,
    tls: rustls::ClientConfig,
) -> Result<Client, EgressError> {
    // With a proxy, only the proxy's own name is ever looked up here.
    let reach = policy.proxy().is_none().then_some(reach);
    let builder = Client::builder()
        .no_proxy() // the environment's
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        // Off by default; on if somebody else in the build asks for the features.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Screen { resolver, reach, deadline: limits.resolve })
        .connect_timeout(limits.connect)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        // Twice what may come: what is a little too much is for `headers::incoming` to refuse, by its name. Here it would
        // be a broken connection, after which a request that was paid for is sent again.
        .http1_max_headers(limits.response_headers.saturating_mul(2))
        .http2_max_header_list_size(u32::try_from(limits.response_header_bytes.saturating_mul(2)).unwrap_or(u32::MAX))
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW);
    let builder = match policy.proxy() {
        Some(proxy) => builder.proxy(Proxy::all(proxy.url().clone())?),
        None => builder,
    };
    Ok(builder.build()?)
}
