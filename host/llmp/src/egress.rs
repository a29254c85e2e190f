//! Who sends the Copilot CLI's requests to an endpoint of one's own, and what is granted for that.

use crate::config::{Egress as Wanted, EndpointKind, Provider, Resolved};
use crate::failure::Failure;
use llm_provider_host::Destination;
use llm_provider_host::egress::{Egress, EgressLimits, EgressPolicy, Origin, Proxy, Scheme, Trust};
use std::time::Duration;

/// How long a model may be silent, before its answer and within it, as far as the host is concerned: the CLI's own wait.
/// What counts is the plugin's `activity-timeout-ms`, which is shorter and which the configuration sets.
const SILENCE: Duration = Duration::from_secs(600);
/// The longest answer. What counts is the turn's deadline.
const TOTAL: Duration = Duration::from_secs(3_600);

/// Who sends the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The host. The CLI never gets the key.
    Host,
    /// The host, but for a CLI that cannot hand its requests over: that one gets the key, and a notice says so.
    HostOrDirect,
    /// The CLI, with the key.
    Direct,
}

impl Way {
    /// As the configuration says. Where it says nothing, a CLI that others use too, or that has its own settings of the
    /// network, goes on sending itself.
    pub(crate) fn of(resolved: &Resolved) -> Self {
        let network = &resolved.sidecar.network;
        let endpoint = match &resolved.provider.value {
            Provider::Github { .. } => return Self::Direct,
            Provider::Endpoint(endpoint) => endpoint.egress,
            Provider::Demo => None,
        };
        let own_network = network.proxy.is_some() || network.ca_bundle.is_some();
        match endpoint {
            Some(Wanted::Host) => Self::Host,
            Some(Wanted::Direct) => Self::Direct,
            None if resolved.legacy || resolved.attach.is_some() || own_network => Self::Direct,
            None => Self::HostOrDirect,
        }
    }

    /// What the plugin's configuration says of it; nothing where the plugin decides the same by itself.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Host => Some("host"),
            Self::HostOrDirect => None,
            Self::Direct => Some("direct"),
        }
    }

    /// Where a secret of the endpoint may go: into this header of requests to `base_url`, or to the CLI.
    pub(crate) fn destinations(self, base_url: &str, header: &str, cli: Destination) -> Vec<Destination> {
        let header = Origin::of(base_url)
            .ok()
            .map(|origin| Destination::HttpHeader { origin: origin.to_string(), header: header.to_ascii_lowercase() });
        match self {
            Self::Host => header.into_iter().collect(),
            Self::HostOrDirect => header.into_iter().chain([cli]).collect(),
            Self::Direct => vec![cli],
        }
    }
}

/// The header that carries the key (seen with version 1.0.102).
pub(crate) fn key_header(kind: EndpointKind) -> &'static str {
    match kind {
        EndpointKind::OpenAi => "authorization",
        EndpointKind::Azure => "api-key",
        EndpointKind::Anthropic => "x-api-key",
    }
}

/// The way to the one origin of `base_url`: whoever wrote it into the configuration means it, on this machine or
/// elsewhere.
pub(crate) fn open(base_url: &str, proxy: Option<&str>) -> Result<Egress, Failure> {
    let wrong = |why: String| {
        let message = format!("the endpoint cannot be reached through the host: {why}");
        Failure::usage(message, "write `egress = \"direct\"` into its table to let the Copilot CLI send its requests")
    };
    let origin = Origin::of(base_url).map_err(|error| wrong(error.to_string()))?;
    // Plain http needs nobody's certificates, and must work where the system has none.
    let trust = match origin.scheme() {
        Scheme::Http => Trust::only([]),
        Scheme::Https => Trust::system(),
    };
    let trust = trust.map_err(|error| wrong(error.to_string()))?;
    let mut policy = EgressPolicy::new(trust).allow_private(origin);
    if let Some(proxy) = proxy {
        policy = policy.through(Proxy::new(proxy).map_err(|error| wrong(error.to_string()))?);
    }
    let limits = EgressLimits { first_byte: SILENCE, between_bytes: SILENCE, total: TOTAL, ..EgressLimits::default() };
    Egress::new(policy, limits).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use llm_provider_host::egress::Decision;

    #[test]
    fn a_secret_goes_where_its_sender_is() {
        let cli = || Destination::SidecarInput { sidecar: "s".into() };
        let header =
            || Destination::HttpHeader { origin: "https://model.example".into(), header: "authorization".into() };
        let of = |way: Way| way.destinations("https://Model.example:443/v1", "Authorization", cli());
        assert_eq!(of(Way::Host), [header()]);
        assert_eq!(of(Way::HostOrDirect), [header(), cli()]);
        assert_eq!(of(Way::Direct), [cli()]);
    }

    #[test]
    fn the_way_leads_to_one_origin() {
        let egress = open("http://127.0.0.1:9/v1", None).expect("a way");
        assert!(matches!(egress.decide("http://127.0.0.1:9/x"), Decision::Allow(_)));
        assert!(matches!(egress.decide("http://127.0.0.1:10/x"), Decision::Deny(_)));
    }
}
