//! From a name to the addresses that may be dialled.
//!
//! The HTTP client asks here once per connection and dials exactly what it gets, so a name that changes its mind
//! between a check and a use (DNS rebinding) gains nothing: there is no second look.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
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

/// Lookups of all tenants at once. Each keeps a thread of the runtime's pool for blocking work, also when nobody waits for
/// it any more: a name server that is silent keeps it for half a minute. The pool has 512 threads, on which plugins compute
/// too; a lookup takes milliseconds, so that a sixteenth of them is thousands a second.
static LOOKUPS: Semaphore = Semaphore::const_new(32);

/// Lookups of one resolver at once, so of one tenant: a quarter, so that one whose names lead to a silent name server does
/// not keep the others waiting.
const OWN_LOOKUPS: usize = 8;

/// The operating system's resolver. Its lookups are few at once, its own and those of all resolvers together; the others
/// wait, within the caller's deadline.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    own: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { own: Arc::new(Semaphore::new(OWN_LOOKUPS)) }
    }
}

impl Resolver for SystemResolver {
    fn resolve(&self, host: String) -> Resolving {
        let look_up = move || Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect());
        Box::pin(bounded(Arc::clone(&self.own), &LOOKUPS, look_up))
    }
}

/// Computes on a thread for blocking work, once both have a place. The places come back when the work ends, not when it is
/// given up: a thread cannot be.
async fn bounded<T: Send + 'static>(
    own: Arc<Semaphore>,
    all: &'static Semaphore,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let own = own.acquire_owned().await.map_err(io::Error::other)?;
    let all = all.acquire().await.map_err(io::Error::other)?;
    let done = spawn_blocking(move || {
        let done = work();
        drop((all, own));
        done
    });
    done.await?
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
    use super::{Resolver, Resolving, Screen, ScreenError, SystemResolver, bounded};
    use crate::address::AddressClass;
    use crate::policy::Reach;
    use std::net::IpAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, mpsc};
    use std::time::{Duration, Instant};
    use tokio::sync::Semaphore;

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

    /// Waits until that many lookups run, then a little for more.
    async fn run_exactly(running: &AtomicUsize, wanted: usize) {
        let begin = Instant::now();
        while running.load(Ordering::SeqCst) != wanted {
            assert!(begin.elapsed() < Duration::from_secs(20), "{running:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(running.load(Ordering::SeqCst), wanted);
    }

    #[tokio::test]
    async fn lookups_that_were_given_up_still_count() {
        static ALL: Semaphore = Semaphore::const_new(3);
        let (go_on, held) = mpsc::channel::<()>();
        let (held, running) = (Arc::new(Mutex::new(held)), Arc::new(AtomicUsize::new(0)));
        let ask = |own: &Arc<Semaphore>| {
            let (held, running) = (Arc::clone(&held), Arc::clone(&running));
            bounded(Arc::clone(own), &ALL, move || {
                running.fetch_add(1, Ordering::SeqCst);
                let _ = held.lock().unwrap().recv();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
        };
        let [one, other] = [(); 2].map(|()| Arc::new(Semaphore::new(2)));
        for _ in 0..4 {
            assert!(tokio::time::timeout(Duration::from_millis(20), ask(&one)).await.is_err());
        }
        run_exactly(&running, 2).await;
        for _ in 0..4 {
            assert!(tokio::time::timeout(Duration::from_millis(20), ask(&other)).await.is_err());
        }
        run_exactly(&running, 3).await;
        drop(go_on);
        run_exactly(&running, 0).await;
        tokio::time::timeout(Duration::from_secs(20), ask(&one)).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_system_knows_this_machine() {
        let found = SystemResolver::default().resolve("localhost".to_owned()).await.unwrap();
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
        assert!(SystemResolver::default().resolve("nowhere.invalid".to_owned()).await.is_err());
    }

    #[tokio::test]
    async fn a_flood_of_addresses_is_cut() {
        let many = ["8.8.8.8"; 1000];
        assert_eq!(screened(Some(Reach::Public), &many).await.unwrap().len(), 16);
    }
}
