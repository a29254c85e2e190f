//! HTTP on behalf of an untrusted plugin, under a tenant's policy.
//!
//! An [`Egress`] performs the `http` import of the WIT world for one tenant. What it promises:
//!
//! * **Deny by default.** A request goes to an exact [`Origin`] that the [`EgressPolicy`] grants, or nowhere:
//!   [`EgressPolicy::decide`] is the one place of that decision.
//! * **No way to the inside.** Names are resolved once per connection, every address is judged by [`classify`], and
//!   exactly those that passed are dialled. Literal addresses are judged as well, in whatever spelling. Loopback and
//!   private networks need a grant of their own, and cloud metadata addresses cannot be granted at all.
//! * **One request is one request.** No redirects, no retries, no cookies, no referer, no proxy but an explicit one,
//!   nothing from the environment.
//! * **Bounded.** Every size and every wait has its figure in [`EgressLimits`]. A slow consumer stops the reading of
//!   the socket. Giving up closes the connection.
//! * **Honest failures.** A [`Failure`] says of which kind it is and whether the request may have reached the server.
//!
//! Secrets are put in place by the caller, before this crate sees a request; header values are treated as secrets all
//! the way and appear in no message.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use llm_provider_http::{Egress, EgressLimits, EgressPolicy, Event, Request, Trust};
//!
//! let policy = EgressPolicy::new(Trust::system()?).allow("https://api.example.com".parse()?);
//! let egress = Egress::new(policy, EgressLimits::default())?;
//! let (sink, mut events) = tokio::sync::mpsc::channel(16);
//! let exchange = egress.send(Request::get("https://api.example.com/v1/models"), sink);
//! while let Some(event) = events.recv().await {
//!     match event {
//!         Event::Response(head) => println!("{}", head.status),
//!         Event::Chunk(bytes) => println!("{} bytes", bytes.len()),
//!         Event::End => break,
//!         Event::Failed(failure) => return Err(failure.into()),
//!     }
//! }
//! drop(exchange); // earlier, this would have given the request up
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod address;
mod body;
mod client;
mod error;
mod exchange;
mod headers;
mod limits;
mod origin;
mod places;
mod policy;
mod request;
mod resolve;
mod stream;
mod trust;

pub use address::{AddressClass, classify};
pub use client::Egress;
pub use error::{EgressError, Failure, FailureKind};
pub use exchange::{Closed, EventSink, Exchange};
pub use limits::EgressLimits;
pub use origin::{Origin, OriginError, Scheme};
pub use policy::{Allowed, Decision, DenyReason, EgressPolicy, Proxy, Reach};
pub use request::{Event, Request, ResponseHead};
pub use resolve::{Resolver, Resolving, SystemResolver};
pub use rustls::pki_types::CertificateDer;
pub use trust::Trust;
