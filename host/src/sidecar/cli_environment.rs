//! What every run of the Copilot CLI gets: directories of the tenant's own and an environment that is given whole.

use super::program::SidecarUnavailable;
use crate::private_dir::create_private_dir;
use llm_provider_process::Spec;
use std::path::{Path, PathBuf};

/// What a company network needs. Nothing of it is taken from the host's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The proxy for http and https.
    pub proxy: Option<String>,
    /// Hosts reached without the proxy, comma-separated.
    pub no_proxy: Option<String>,
    /// A file of PEM certificates to trust besides the public ones.
    pub ca_bundle: Option<PathBuf>,
    /// A GitHub Enterprise host, such as `example.ghe.com`.
    pub github_host: Option<String>,
    /// Another address of the Copilot API.
    pub api_url: Option<String>,
}

impl Network {
    fn variables(&self) -> Vec<(&'static str, String)> {
        let path = self.ca_bundle.as_ref().map(|path| path.display().to_string());
        let named = [
            ("HTTP_PROXY", self.proxy.clone()),
            ("HTTPS_PROXY", self.proxy.clone()),
            ("NO_PROXY", self.no_proxy.clone()),
            ("NODE_EXTRA_CA_CERTS", path.clone()),
            ("SSL_CERT_FILE", path),
            ("COPILOT_GH_HOST", self.github_host.clone()),
            ("COPILOT_API_URL", self.api_url.clone()),
        ];
        named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Where the CLI looks for its unpacked program.
const PROGRAM_VARIABLE: &str = "COPILOT_PKG_CACHE_HOME";

/// The CLI's directories, all the tenant's own but for its program.
pub(super) struct Places {
    /// The unpacked program, which all tenants read.
    program: Option<PathBuf>,
    /// Whether this run may write the program.
    unpacks: bool,
    home: PathBuf,
    state: PathBuf,
    cache: PathBuf,
    pub(super) work: PathBuf,
    pub(super) temporary: PathBuf,
}

impl Places {
    /// Those of a catalogue entry. `unpack_dir` is where its unpacked program is, for all tenants; absent, it is among the
    /// tenant's own data.
    pub(super) fn below(tenant: &Path, entry: &str, unpack_dir: Option<PathBuf>) -> Self {
        let own = tenant.join(entry);
        Self {
            program: unpack_dir,
            unpacks: false,
            home: own.join("home"),
            state: own.join("state"),
            cache: tenant.join("copilot-cli").join("cache"),
            work: own.join("work"),
            temporary: own.join("tmp"),
        }
    }

    /// The same for the run that unpacks the program.
    pub(super) fn of_the_unpacker(self, program: &Path) -> Self {
        Self { program: Some(program.to_owned()), unpacks: true, ..self }
    }

    /// The unpacked program, for a run that only reads it.
    pub(super) fn read_only(&self) -> Option<&Path> {
        self.program.as_deref().filter(|_| !self.unpacks)
    }

    /// Makes them, for the owner only.
    pub(super) fn create(&self) -> Result<(), SidecarUnavailable> {
        for path in self.all() {
            create_private_dir(path).map_err(|error| SidecarUnavailable {
                message: format!("cannot make the directory {}: {error}", path.display()),
                hint: Some("make its parent writable, or choose another data directory".into()),
            })?;
        }
        Ok(())
    }

    /// All that the CLI may write.
    pub(super) fn all(&self) -> Vec<&Path> {
        let own = [&self.home, &self.state, &self.cache, &self.work, &self.temporary].map(PathBuf::as_path);
        let program = self.program.as_deref().filter(|_| self.unpacks);
        own.into_iter().chain(program).collect()
    }

    fn variables(&self) -> [(&'static str, &Path); 6] {
        [
            ("HOME", &self.home),
            ("COPILOT_HOME", &self.state),
            ("COPILOT_CACHE_HOME", &self.cache),
            ("XDG_CACHE_HOME", &self.cache),
            ("XDG_CONFIG_HOME", &self.home),
            ("TMPDIR", &self.temporary),
        ]
    }
}

/// Adds the environment: the directories, the network, the further variables and what is always so. `own` are the names
/// that the entry sets itself or that carry secrets.
pub(super) fn environment(
    spec: Spec,
    places: &Places,
    network: &Network,
    further: &[(String, String)],
    own: &[&str],
) -> Result<Spec, SidecarUnavailable> {
    let mut spec = places.variables().into_iter().fold(spec, |spec, (name, path)| spec.env(name, path));
    if let Some(program) = &places.program {
        spec = spec.env(PROGRAM_VARIABLE, program);
    }
    for (name, value) in network.variables() {
        spec = spec.env(name, value);
    }
    spec = spec.env("COPILOT_DISABLE_KEYTAR", "1");
    for (name, value) in further {
        if spec.env.iter().any(|(taken, _)| taken == name.as_str()) || own.contains(&name.as_str()) {
            return Err(SidecarUnavailable {
                message: format!("the variable {name} of the sidecar is set by the host and cannot be given"),
                hint: Some("take it out of the sidecar's further variables".into()),
            });
        }
        spec = spec.env(name, value);
    }
    for (name, usual) in [("PATH", "/usr/bin:/bin"), ("LANG", "C.UTF-8")] {
        if !further.iter().any(|(given, _)| given == name) {
            spec = spec.env(name, usual);
        }
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_used_or_refused() {
        let places = Places::below(Path::new("/srv/tenant"), "copilot-cli", None);
        let with = |further: &[(&str, &str)]| {
            let further: Vec<_> =
                further.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            environment(Spec::new("/bin/true", "/"), &places, &Network::default(), &further, &["TOKEN"])
        };
        let values = |spec: &Spec, name: &str| -> Vec<String> {
            let named = spec.env.iter().filter(|(other, _)| other == name);
            named.map(|(_, value)| value.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(values(&with(&[]).expect("sound"), "PATH"), ["/usr/bin:/bin"]);
        let own = with(&[("PATH", "/opt/node/bin:/usr/bin"), ("LANG", "C"), ("X", "1")]).expect("sound");
        assert_eq!(values(&own, "PATH"), ["/opt/node/bin:/usr/bin"], "once, and as given");
        assert_eq!((values(&own, "LANG"), values(&own, "X")), (vec!["C".to_owned()], vec!["1".to_owned()]));
        for name in ["HOME", "TOKEN", "COPILOT_DISABLE_KEYTAR"] {
            let refused = with(&[(name, "x")]).expect_err("the host's").message;
            assert!(refused.contains(name), "{refused}");
        }
    }
}
