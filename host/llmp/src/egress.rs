//! Who sends the Copilot CLI's requests to an endpoint of one's own, and what is granted for that.

use crate::config::{Egress as Wanted, EndpointKind, NoProxy, Provider, Resolved};
use crate::failure::Failure;
use llm_provider_host::egress::{Egress, EgressLimits, EgressPolicy, Origin, Proxy, Scheme, Trust};
use llm_provider_host::{Destination, Isolation, Network};
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
    /// As the configuration says. Where it says nothing, a CLI that others use too goes on sending itself.
    pub(crate) fn of(resolved: &Resolved) -> Self {
        let endpoint = match &resolved.provider.value {
            Provider::Github { .. } => return Self::Direct,
            Provider::Endpoint(endpoint) => endpoint.egress,
            Provider::Demo => None,
        };
        let source = &resolved.sidecar;
        let chosen = source.version.is_some() || source.path.is_some() || source.environment_path.is_some();
        let chosen = chosen || source.url.is_some();
        match endpoint {
            Some(Wanted::Host) => Self::Host,
            Some(Wanted::Direct) => Self::Direct,
            None if resolved.legacy || resolved.attach.is_some() => Self::Direct,
            // The version that comes by itself hands its requests over; of another, nobody knows.
            None if chosen => Self::HostOrDirect,
            None => Self::Host,
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

/// Whether the CLI is started without a network: where the host sends its requests and none of its own tools is on, it
/// needs none. A command that it runs may well need one, if only to talk to itself on the loopback.
pub(crate) fn isolation(resolved: &Resolved) -> Isolation {
    let needs_none = Way::of(resolved) == Way::Host && !resolved.legacy && resolved.tools.own.is_empty();
    if needs_none { Isolation::WherePossible } else { Isolation::Never }
}

/// The header that carries the key (seen with version 1.0.102).
pub(crate) fn key_header(kind: EndpointKind) -> &'static str {
    match kind {
        EndpointKind::OpenAi => "authorization",
        EndpointKind::Azure => "api-key",
        EndpointKind::Anthropic => "x-api-key",
        EndpointKind::Gemini => "x-goog-api-key",
    }
}

/// The way to a model's endpoint.
pub(crate) fn open(base_url: &str, network: &Network) -> Result<Egress, Failure> {
    let mut limits = EgressLimits::default();
    (limits.first_byte, limits.between_bytes, limits.total) = (SILENCE, SILENCE, TOTAL);
    way(base_url, network, limits).map_err(|why| {
        let message = format!("the endpoint cannot be reached through the host: {why}");
        Failure::usage(message, "check base-url, and `proxy` and `ca-bundle` in [network]")
    })
}

/// The way to the one origin of a URL: whoever wrote it into the configuration means it, on this machine or elsewhere. Says
/// why there is none.
pub(crate) fn way(url: &str, network: &Network, limits: EgressLimits) -> Result<Egress, String> {
    let origin = Origin::of(url).map_err(|error| error.to_string())?;
    let (direct, _) = NoProxy::read(network.no_proxy.as_deref().unwrap_or_default());
    let proxy = network.proxy.as_deref().filter(|_| !direct.covers(&origin));
    let trust = match (origin.scheme(), &network.ca_bundle) {
        // Nothing is verified on the way, so a machine without authorities can go it.
        (Scheme::Http, _) if proxy.is_none() => Trust::only([]).map_err(|error| error.to_string())?,
        (_, Some(path)) => {
            let pem = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Trust::system_and(&pem).map_err(|error| format!("{}: {error}", path.display()))?
        }
        (_, None) => Trust::system().map_err(|error| error.to_string())?,
    };
    let mut policy = EgressPolicy::new(trust).allow_private(origin);
    if let Some(proxy) = proxy {
        policy = policy.through(Proxy::new(proxy).map_err(|error| error.to_string())?);
    }
    Egress::new(policy, limits).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::scratch::Scratch;
    use crate::config::{self, Environment, Flags};
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
    fn a_cli_that_needs_no_network_has_none() {
        let isolation = |variables: &[(&str, &str)], toml: &str| {
            let scratch = Scratch::new();
            scratch.write("work/llmp.toml", toml);
            let home = ("HOME".to_owned(), scratch.path("home").display().to_string());
            let given = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let env = Environment::of(given.chain([home]).collect::<Vec<_>>());
            let (resolved, _) = config::resolve(&Flags::default(), &env, &scratch.path("work")).expect("resolved");
            isolation(&resolved)
        };
        let endpoint = "[providers.x]\nmodel = \"m\"\nthrough = \"copilot\"\nbase-url = \"http://127.0.0.1:9/v1\"\n";
        assert_eq!(isolation(&[], ""), Isolation::WherePossible, "the demo");
        assert_eq!(isolation(&[], endpoint), Isolation::WherePossible);
        let direct = format!("{endpoint}egress = \"direct\"\n");
        let tools = format!("{endpoint}[tools]\ncopilot = [\"bash\"]\n");
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
        let cases: [Case<'_>; 5] = [
            (&[("GITHUB_TOKEN", "gho_hunter2")], "", "it signs in itself"),
            (&[("COPILOT_CLI_PATH", "/x")], endpoint, "it may have to send its requests itself"),
            (&[("GITHUB_COPILOT_LEGACY", "true")], endpoint, "it sends its requests itself"),
            (&[], &direct, "it sends its requests itself"),
            (&[], &tools, "its tools may want it"),
        ];
        for (variables, toml, why) in cases {
            assert_eq!(isolation(variables, toml), Isolation::Never, "{why}");
        }
        let chosen = format!("{endpoint}egress = \"host\"\n");
        assert_eq!(isolation(&[("COPILOT_CLI_PATH", "/x")], &chosen), Isolation::WherePossible, "as it is told to");
    }

    #[test]
    fn the_way_leads_to_one_origin() {
        let egress = open("http://127.0.0.1:9/v1", &Network::default()).expect("a way");
        assert!(matches!(egress.decide("http://127.0.0.1:9/x"), Decision::Allow(_)));
        assert!(matches!(egress.decide("http://127.0.0.1:10/x"), Decision::Deny(_)));
    }
}
