//! A policy as one TOML file: nothing is granted that is not in it, and a key it does not know is an error.

use super::Policy;
use crate::digest::Digest;
use crate::inspect::Capability;
use crate::limits::Limits;
use crate::quota::{Allowance, Quotas};
use crate::secret::{Destination, Resolvers, SecretReference, SecretResolver};
use crate::sidecar::{SidecarOptions, SidecarProgram};
use llm_provider_http::{Egress, EgressLimits, EgressPolicy, Origin, Trust};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A policy file that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}{}: {reason}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
#[non_exhaustive]
pub struct PolicyError {
    /// The file.
    pub origin: String,
    /// Where in it, counted from 1, if it is one place.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

/// What a policy file can refer to: given by the embedder, since a file must not reach beyond it.
#[derive(Clone)]
pub struct PolicySources {
    /// Whom to trust in TLS.
    pub trust: Trust,
    /// Bounds of HTTP requests.
    pub egress_limits: EgressLimits,
    /// Reads secrets by their addresses.
    pub resolver: Arc<dyn SecretResolver>,
    /// The sidecars that may be granted.
    pub catalogue: Vec<Arc<dyn SidecarProgram>>,
}

impl PolicySources {
    /// Files for secrets, the usual bounds, no sidecars.
    #[must_use]
    pub fn new(trust: Trust) -> Self {
        let (egress_limits, resolver) = (EgressLimits::default(), Arc::new(Resolvers::default()));
        Self { trust, egress_limits, resolver, catalogue: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    directory: PathBuf,
    #[serde(default)]
    plugins: Vec<PluginTable>,
    #[serde(default)]
    origins: Vec<OriginTable>,
    #[serde(default)]
    secrets: BTreeMap<String, SecretTable>,
    #[serde(default)]
    sidecars: BTreeMap<String, toml::Table>,
    #[serde(default)]
    tools: BTreeSet<String>,
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    quotas: QuotaTable,
    #[serde(default)]
    limits: LimitTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PluginTable {
    /// For whoever reads the file.
    #[serde(rename = "name")]
    _name: Option<String>,
    digest: String,
    #[serde(default)]
    capabilities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct OriginTable {
    origin: String,
    #[serde(default)]
    private: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SecretTable {
    from: String,
    to: Vec<DestinationTable>,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields, rename_all = "kebab-case")]
enum DestinationTable {
    Header {
        origin: String,
        header: String,
    },
    Variable {
        sidecar: String,
        variable: String,
    },
    /// The sidecar by its name, whose standard input it is.
    Input {
        #[serde(rename = "input-of")]
        input_of: String,
    },
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct QuotaTable {
    instances: Option<u64>,
    sessions: Option<u64>,
    turns: Option<u64>,
    sidecars: Option<u64>,
    memory_bytes: Option<u64>,
    cpu_millis: Option<AllowanceTable>,
    http_requests: Option<AllowanceTable>,
    http_bytes: Option<AllowanceTable>,
    tokens: Option<AllowanceTable>,
    premium_requests: Option<AllowanceTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct AllowanceTable {
    most: u64,
    per_seconds: NonZeroU64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LimitTable {
    memory_bytes: Option<usize>,
    call_budget_millis: Option<u64>,
    turn_budget_millis: Option<u64>,
    effects_per_second: Option<usize>,
    events_per_second: Option<usize>,
    prompt_bytes: Option<usize>,
    turn_deadline_seconds: Option<u64>,
    tool_deadline_seconds: Option<u64>,
    tool_result_bytes: Option<usize>,
    log_bytes_per_second: Option<usize>,
}

impl Policy {
    /// Reads a policy file. `origin` says where the text came from, for errors. No secret is read here: that is done when
    /// an instance starts.
    ///
    /// # Errors
    /// [`PolicyError`]: unknown keys, what is no digest, capability, origin or sidecar of the catalogue.
    pub fn from_toml(text: &str, origin: &str, sources: &PolicySources) -> Result<Self, PolicyError> {
        let file: File = toml::from_str(text).map_err(|error| {
            let line =
                error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
            PolicyError { origin: origin.to_owned(), line, reason: crate::error::one_line(error.message()) }
        })?;
        file.policy(sources).map_err(|reason| PolicyError { origin: origin.to_owned(), line: None, reason })
    }
}

impl File {
    fn policy(self, sources: &PolicySources) -> Result<Policy, String> {
        let mut policy = Policy::new(self.directory);
        policy.plugins = Some(BTreeMap::new());
        policy.capabilities = BTreeSet::new();
        for plugin in self.plugins {
            let capabilities = plugin.capabilities.iter().map(|name| capability(name));
            policy = policy.plugin(plugin.digest.parse::<Digest>()?, capabilities.collect::<Result<Vec<_>, _>>()?);
        }
        policy.egress = egress(&self.origins, sources)?;
        policy.references = secrets(self.secrets)?;
        policy.resolver = Arc::clone(&sources.resolver);
        policy.sidecars = sidecars(self.sidecars, &sources.catalogue)?;
        (policy.tools, policy.models) = (Some(self.tools), Some(self.models));
        policy.quotas = self.quotas.quotas();
        policy.limits = Some(self.limits.limits());
        Ok(policy)
    }
}

fn capability(name: &str) -> Result<Capability, String> {
    Capability::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| {
        let known = Capability::ALL.map(Capability::name).join(", ");
        format!("there is no capability `{}`; there are {known}", name.escape_debug())
    })
}

fn origin(text: &str) -> Result<Origin, String> {
    text.parse().map_err(|error| format!("`{}` is no origin: {error}", text.escape_debug()))
}

/// One way out for each tenant: its connections are never another's.
fn egress(origins: &[OriginTable], sources: &PolicySources) -> Result<Option<Egress>, String> {
    if origins.is_empty() {
        return Ok(None);
    }
    let mut policy = EgressPolicy::new(sources.trust.clone());
    for table in origins {
        let origin = origin(&table.origin)?;
        policy = if table.private { policy.allow_private(origin) } else { policy.allow(origin) };
    }
    Egress::new(policy, sources.egress_limits.clone()).map(Some).map_err(|error| error.to_string())
}

fn secrets(tables: BTreeMap<String, SecretTable>) -> Result<BTreeMap<String, SecretReference>, String> {
    let destination = |table: DestinationTable| match table {
        DestinationTable::Header { origin: text, header } => {
            Ok(Destination::HttpHeader { origin: origin(&text)?.to_string(), header: header.to_ascii_lowercase() })
        }
        DestinationTable::Variable { sidecar, variable } => Ok(Destination::SidecarVariable { sidecar, variable }),
        DestinationTable::Input { input_of: sidecar } => Ok(Destination::SidecarInput { sidecar }),
    };
    let reference = |(name, table): (String, SecretTable)| {
        let destinations = table.to.into_iter().map(destination).collect::<Result<Vec<_>, String>>()?;
        Ok((name, SecretReference { address: table.from, destinations }))
    };
    tables.into_iter().map(reference).collect()
}

fn sidecars(
    tables: BTreeMap<String, toml::Table>,
    catalogue: &[Arc<dyn SidecarProgram>],
) -> Result<Vec<Arc<dyn SidecarProgram>>, String> {
    let granted = |(name, options): (String, toml::Table)| {
        let found = catalogue.iter().find(|program| program.name() == name).ok_or_else(|| {
            let known: Vec<&str> = catalogue.iter().map(|program| program.name()).collect();
            format!("there is no sidecar `{}`; the host has [{}]", name.escape_debug(), known.join(", "))
        })?;
        let own = found.with_options(SidecarOptions(options)).map_err(|why| format!("the sidecar `{name}`: {why}"))?;
        Ok(own.unwrap_or_else(|| Arc::clone(found)))
    };
    tables.into_iter().map(granted).collect()
}

impl QuotaTable {
    fn quotas(self) -> Quotas {
        let allowance =
            |table: AllowanceTable| Allowance::new(table.most, Duration::from_secs(table.per_seconds.get()));
        let usual = Quotas::default();
        Quotas {
            instances: self.instances.unwrap_or(usual.instances),
            sessions: self.sessions.unwrap_or(usual.sessions),
            turns: self.turns.unwrap_or(usual.turns),
            sidecars: self.sidecars.unwrap_or(usual.sidecars),
            memory_bytes: self.memory_bytes.unwrap_or(usual.memory_bytes),
            cpu_millis: self.cpu_millis.map(allowance),
            http_requests: self.http_requests.map(allowance),
            http_bytes: self.http_bytes.map(allowance),
            tokens: self.tokens.map(allowance),
            premium_requests: self.premium_requests.map(allowance),
        }
    }
}

impl LimitTable {
    fn limits(self) -> Limits {
        // What the file does not say is as the host has it.
        let mut limits = Limits::loosest();
        let sizes = [
            (&mut limits.memory_bytes, self.memory_bytes),
            (&mut limits.effects_per_second, self.effects_per_second),
            (&mut limits.events_per_second, self.events_per_second),
            (&mut limits.prompt_bytes, self.prompt_bytes),
            (&mut limits.tool_result_bytes, self.tool_result_bytes),
            (&mut limits.log_bytes_per_second, self.log_bytes_per_second),
        ];
        for (limit, given) in sizes {
            *limit = given.unwrap_or(*limit);
        }
        let times = [
            (&mut limits.call_budget, self.call_budget_millis.map(Duration::from_millis)),
            (&mut limits.turn_budget, self.turn_budget_millis.map(Duration::from_millis)),
            (&mut limits.turn_deadline, self.turn_deadline_seconds.map(Duration::from_secs)),
            (&mut limits.tool_deadline, self.tool_deadline_seconds.map(Duration::from_secs)),
        ];
        for (limit, given) in times {
            *limit = given.unwrap_or(*limit);
        }
        limits
    }
}
