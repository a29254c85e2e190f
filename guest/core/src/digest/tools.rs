//! Fingerprints of tool sets.

use super::{Digest, Fields};
use llm_provider_guest::types::Tool;

/// Covers names, descriptions and schemas as they are; the order of the tools does not count.
#[must_use]
pub fn fingerprint(tools: &[Tool]) -> Digest {
    let mut sorted: Vec<&Tool> = tools.iter().collect();
    sorted.sort_by(|a, b| (&a.name, &a.description, &a.parameters).cmp(&(&b.name, &b.description, &b.parameters)));
    sorted
        .into_iter()
        .fold(Fields::new("tools"), |fields, tool| {
            fields.field(tool.name.as_bytes()).field(tool.description.as_bytes()).field(tool.parameters.as_bytes())
        })
        .digest()
}
