//! What a tenant's plugins may reach.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use crate::address::{AddressClass, classify};
use crate::error::EgressError;
use crate::origin::{Origin, OriginError, parse};
use crate::trust::Trust;

/// Which addresses a granted origin may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The public internet.
    Public,
    /// Also loopback, private, unique-local and carrier-grade NAT addresses: a model server on this machine or in this
    /// network. Never link-local and metadata addresses, where credentials of the machine itself are served.
    Private,
}

impl Reach {
    /// True where an address of this class may be dialled.
    pub fn permits(self, class: AddressClass) -> bool {
        use AddressClass::{Global, Loopback, Private, Shared, UniqueLocal};
        match self {
            Self::Public => class == Global,
            Self::Private => matches!(class, Global | Loopback | Private | Shared | UniqueLocal),
        }
    }
}

/// A forward proxy for every request. It resolves names itself: with a proxy, only literal addresses are judged here,
/// and keeping names from the inside is the proxy's work.
#[derive(Clone)]
pub struct Proxy {
    url: Url,
}

impl Proxy {
    /// An `http://` or `https://` proxy. User information in the URL becomes basic authentication.
    ///
    /// # Errors
    ///
    /// [`EgressError::Proxy`] for anything else.
    pub fn new(url: &str) -> Result<Self, EgressError> {
        let url = Url::parse(url).map_err(|_| EgressError::Proxy)?;
        if matches!(url.scheme(), "http" | "https") && url.has_host() {
            Ok(Self { url })
        } else {
            Err(EgressError::Proxy)
        }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }
}

impl fmt::Debug for Proxy {
    /// Without the user information.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({}://{:?}:{:?})", self.url.scheme(), self.url.host_str(), self.url.port_or_known_default())
    }
}

/// What a tenant's plugins may reach. Denies everything that was not allowed.
#[derive(Clone, Debug)]
pub struct EgressPolicy {
    grants: BTreeMap<Origin, Reach>,
    proxy: Option<Proxy>,
    trust: Trust,
}

impl EgressPolicy {
    /// A policy that denies everything.
    pub fn new(trust: Trust) -> Self {
        Self { grants: BTreeMap::new(), proxy: None, trust }
    }

    /// Grants an origin at public addresses.
    pub fn allow(mut self, origin: Origin) -> Self {
        self.grants.entry(origin).or_insert(Reach::Public);
        self
    }

    /// Grants an origin at public and at private addresses: see [`Reach::Private`].
    pub fn allow_private(mut self, origin: Origin) -> Self {
        self.grants.insert(origin, Reach::Private);
        self
    }

    /// Sends everything through a proxy.
    pub fn through(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Decides about a URL, as far as can be told before a name is resolved. The one place of this decision.
    pub fn decide(&self, url: &str) -> Decision {
        let (url, origin) = match parse(url) {
            Ok(parsed) => parsed,
            Err(error) => return Decision::Deny(DenyReason::Url(error)),
        };
        let Some(&reach) = self.grants.get(&origin) else {
            return Decision::Deny(DenyReason::NotGranted(origin));
        };
        if let Some(address) = literal(&origin) {
            let class = classify(address);
            if !reach.permits(class) {
                return Decision::Deny(DenyReason::Address { host: origin.host().to_string(), class });
            }
        }
        Decision::Allow(Allowed { url, origin, reach })
    }

    pub(crate) fn grants(&self) -> impl Iterator<Item = (&Origin, Reach)> {
        self.grants.iter().map(|(origin, reach)| (origin, *reach))
    }

    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }
}

fn literal(origin: &Origin) -> Option<IpAddr> {
    match origin.host() {
        Host::Ipv4(v4) => Some(IpAddr::V4(*v4)),
        Host::Ipv6(v6) => Some(IpAddr::V6(*v6)),
        Host::Domain(_) => None,
    }
}

/// What the policy says to a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may be requested, if its name leads to an address within reach.
    Allow(Allowed),
    /// It may not.
    Deny(DenyReason),
}

/// A URL that may be requested. Only [`EgressPolicy::decide`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    pub(crate) url: Url,
    pub(crate) origin: Origin,
    pub(crate) reach: Reach,
}

impl Allowed {
    /// Where it goes.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Which addresses it may lead to.
    pub fn reach(&self) -> Reach {
        self.reach
    }
}

/// Why a URL may not be requested.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DenyReason {
    /// It is no URL that anybody may request.
    #[error(transparent)]
    Url(OriginError),
    /// Its origin is not granted.
    #[error("the policy does not grant {0}")]
    NotGranted(Origin),
    /// It leads to an address out of reach.
    #[error("{host} is a {class} address, which the policy does not grant")]
    Address {
        /// The host as the URL has it.
        host: String,
        /// What its address is.
        class: AddressClass,
    },
}
