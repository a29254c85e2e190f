//! The questions a policy answers. Each refusal is the sentence an operator needs.

use super::Policy;
use super::tighten::tightened;
use crate::error::HostError;
use crate::inspect::Inspection;
use crate::limits::Limits;

impl Policy {
    /// Whether a plugin may be used, from what it is and wants.
    pub(crate) fn permits_plugin(&self, inspection: &Inspection) -> Result<(), HostError> {
        let (name, digest) = (&inspection.description.name, inspection.digest);
        let granted = match &self.plugins {
            None => &self.capabilities,
            Some(plugins) => plugins
                .get(&digest)
                .ok_or_else(|| HostError::Denied(format!("the plugin {name} with the digest {digest}")))?,
        };
        match inspection.capabilities.iter().find(|wanted| !granted.contains(wanted)) {
            None => Ok(()),
            Some(wanted) => Err(HostError::Denied(format!("`{wanted}` to the plugin {name}, which imports it"))),
        }
    }

    /// Whether a model may be asked for.
    pub(crate) fn permits_model(&self, model: Option<&str>) -> Result<(), HostError> {
        let Some(models) = &self.models else { return Ok(()) };
        let Some(model) = model else {
            return Err(HostError::Denied("a turn that names no model".into()));
        };
        if models.iter().any(|pattern| matches(pattern, model)) {
            return Ok(());
        }
        Err(HostError::Denied(format!("the model `{}`", model.escape_debug())))
    }

    /// Whether a tool may be offered.
    pub(crate) fn permits_tool(&self, name: &str) -> Result<(), HostError> {
        match &self.tools {
            Some(tools) if !tools.contains(name) => {
                Err(HostError::Denied(format!("the tool `{}`", name.escape_debug())))
            }
            _ => Ok(()),
        }
    }

    /// The host's limits, tightened.
    pub(crate) fn tighten(&self, host: &Limits) -> Limits {
        self.limits.as_ref().map_or_else(|| host.clone(), |own| tightened(host, own))
    }
}

/// Whether a text fits a pattern in which `*` stands for any characters. Linear in the text for each star.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(begin) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = text.split_once(part) else { return false };
        text = after;
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_models() {
        for (pattern, text) in
            [("gpt-5", "gpt-5"), ("gpt-*", "gpt-5"), ("*", ""), ("*mini*", "gpt-5-mini-2"), ("a*b*c", "axxbyyc")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("gpt-5", "gpt-5x"), ("gpt-*", "o3"), ("*mini", "mini-x"), ("a*a", "a"), ("a*b*c", "acb")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn models_and_tools_that_are_not_named_are_refused() {
        let mut policy = Policy::new("/nowhere");
        policy.permits_model(None).expect("no list, no bound");
        policy.permits_tool("any").expect("no list, no bound");
        policy.models = Some(vec!["gpt-*".into()]);
        policy.tools = Some(["search".to_owned()].into());
        policy.permits_model(Some("gpt-5")).expect("named");
        policy.permits_tool("search").expect("named");
        let says = |result: Result<(), HostError>| result.expect_err("refused").to_string();
        assert_eq!(says(policy.permits_model(Some("o3"))), "the policy does not grant the model `o3`");
        assert_eq!(says(policy.permits_model(None)), "the policy does not grant a turn that names no model");
        assert_eq!(says(policy.permits_tool("shell")), "the policy does not grant the tool `shell`");
    }
}
