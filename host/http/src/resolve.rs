//! From a name to the addresses that may be dialled.
//!
//! The HTTP client asks here once per connection and dials exactly what it gets, so a name that changes its mind
//! between a check and a use (DNS rebinding) gains nothing: there is no second look.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve};
use tokio::time::timeout;

use crate::address::{AddressClass, classify};
use crate::error::FailureKind;
use crate::policy::Reach;

/// Addresses of one name that are tried. A connection gives up long before it has tried more.
const MAX_ADDRESSES: usize = 16;

/// What a [`Resolver`] returns.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Where names are looked up.
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of a name, best first. The deadline is the caller's.
    fn resolve(&self, host: String) -> Resolving;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: String) -> Resolving {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((host, 0)).await?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScreenError {
    #[error("{host} has no address: {source}")]
    Unresolved { host: String, source: io::Error },
    #[error("{host} has no address")]
    NoAddress { host: String },
    #[error("no answer from the name server about {host} in time")]
    Timeout { host: String },
    #[error("{host} leads to a {class} address, which the policy does not grant")]
    Refused { host: String, class: AddressClass },
}

impl ScreenError {
    pub(crate) fn kind(&self) -> FailureKind {
        match self {
            Self::Unresolved { .. } | Self::NoAddress { .. } | Self::Timeout { .. } => FailureKind::Dns,
            Self::Refused { .. } => FailureKind::Denied,
        }
    }
}

/// Looks names up and lets through what is within reach.
#[derive(Clone)]
pub(crate) struct Screen {
    pub(crate) resolver: Arc<dyn Resolver>,
    /// None for the operator's own proxy, which may be anywhere.
    pub(crate) reach: Option<Reach>,
    pub(crate) deadline: Duration,
}

impl Screen {
    async fn addresses(self, host: String) -> Result<Vec<IpAddr>, ScreenError> {
        let all = match timeout(self.deadline, self.resolver.resolve(host.clone())).await {
            Ok(Ok(all)) => all,
            Ok(Err(source)) => return Err(ScreenError::Unresolved { host, source }),
            Err(_) => return Err(ScreenError::Timeout { host }),
        };
        let permitted = |address: &IpAddr| self.reach.is_none_or(|reach| reach.permits(classify(*address)));
        let survivors: Vec<_> = all.iter().copied().filter(permitted).take(MAX_ADDRESSES).collect();
        match (survivors.is_empty(), all.first()) {
            (false, _) => Ok(survivors),
            (true, Some(&refused)) => Err(ScreenError::Refused { host, class: classify(refused) }),
            (true, None) => Err(ScreenError::NoAddress { host }),
        }
    }
}

impl Resolve for Screen {
    fn resolve(&self, name: Name) -> reqwest::dns::Resolving {
        let (screen, host) = (self.clone(), name.as_str().to_owned());
        Box::pin(async move {
            let survivors = screen.addresses(host).await?;
            // Port 0 is replaced by the URL's.
            let addresses: Addrs = Box::new(survivors.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Resolver, Resolving, Screen, ScreenError};
    use crate::address::AddressClass;
    use crate::policy::Reach;
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::time::Duration;

    struct Fixed(Vec<IpAddr>);

    impl Resolver for Fixed {
        fn resolve(&self, _host: String) -> Resolving {
            let addresses = self.0.clone();
            Box::pin(async move { Ok(addresses) })
        }
    }

    async fn screened(reach: Option<Reach>, addresses: &[&str]) -> Result<Vec<String>, ScreenError> {
        let resolver = Arc::new(Fixed(addresses.iter().map(|text| text.parse().unwrap()).collect()));
        let screen = Screen { resolver, reach, deadline: Duration::from_secs(5) };
        let survivors = screen.addresses("name.test".to_owned()).await?;
        Ok(survivors.iter().map(IpAddr::to_string).collect())
    }

    #[tokio::test]
    async fn g10_of_a_mixed_answer_only_what_is_within_reach_survives() {
        let mixed = ["127.0.0.1", "8.8.8.8", "169.254.169.254", "2606:4700::1111", "::ffff:10.0.0.1"];
        assert_eq!(screened(Some(Reach::Public), &mixed).await.unwrap(), ["8.8.8.8", "2606:4700::1111"]);
        let private = ["127.0.0.1", "8.8.8.8", "2606:4700::1111", "::ffff:10.0.0.1"];
        assert_eq!(screened(Some(Reach::Private), &mixed).await.unwrap(), private);
        assert_eq!(screened(None, &mixed).await.unwrap(), mixed, "the operator's proxy");
    }

    #[tokio::test]
    async fn an_answer_out_of_reach_is_not_an_empty_answer() {
        let inside = screened(Some(Reach::Public), &["10.0.0.1"]).await.unwrap_err();
        assert!(matches!(inside, ScreenError::Refused { class: AddressClass::Private, .. }), "{inside}");
        assert!(matches!(screened(Some(Reach::Public), &[]).await, Err(ScreenError::NoAddress { .. })));
    }

    #[tokio::test]
    async fn a_flood_of_addresses_is_cut() {
        let many = ["8.8.8.8"; 1000];
        assert_eq!(screened(Some(Reach::Public), &many).await.unwrap().len(), 16);
    }
}
