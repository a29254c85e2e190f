//! What a plugin says of itself, in its section `llm-provider:description`.

use serde::{Deserialize, Serialize};

/// A secret a plugin would use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SecretWanted {
    /// The name to bind in the policy.
    pub name: String,
    /// What it is for and where it goes.
    pub purpose: String,
}

/// What a plugin is and wants. Fields this version does not know are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Description {
    /// Lower-case letters, digits and `-`.
    pub name: String,
    /// By semver.
    pub version: String,
    /// One line.
    pub summary: String,
    /// The wire dialects it speaks.
    #[serde(default)]
    pub dialects: Vec<String>,
    /// Models it knows by name; empty when the provider decides.
    #[serde(default)]
    pub models: Vec<String>,
    /// A JSON schema of its configuration.
    #[serde(default)]
    pub config_schema: serde_json::Value,
    /// Secrets it would use.
    #[serde(default)]
    pub secrets: Vec<SecretWanted>,
    /// Sidecars it would start.
    #[serde(default)]
    pub sidecars: Vec<String>,
    /// Origins it would send requests to.
    #[serde(default)]
    pub origins: Vec<String>,
}

impl Description {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let description: Self =
            serde_json::from_str(text).map_err(|error| format!("its description is not valid: {error}"))?;
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if description.name.is_empty() || !description.name.chars().all(named) {
            return Err(format!("its name {:?} is not made of a-z, 0-9 and `-`", description.name));
        }
        let printable = |text: &str| !text.chars().any(char::is_control);
        if !printable(&description.version) || !printable(&description.summary) {
            return Err("its description contains control characters".into());
        }
        Ok(description)
    }
}
