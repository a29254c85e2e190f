//! The questions a policy answers. Each refusal is the sentence an operator needs.

use super::Policy;
use crate::error::HostError;
use crate::inspect::Inspection;
use crate::limits::Limits;
use std::time::Duration;

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
        let Some(own) = &self.limits else { return host.clone() };
        let (size, time) = (usize::min, |one: Duration, other: Duration| one.min(other));
        Limits {
            memory_bytes: size(host.memory_bytes, own.memory_bytes),
            call_budget: time(host.call_budget, own.call_budget),
            turn_budget: time(host.turn_budget, own.turn_budget),
            effects_per_second: size(host.effects_per_second, own.effects_per_second),
            events_per_second: size(host.events_per_second, own.events_per_second),
            call_data_bytes: size(host.call_data_bytes, own.call_data_bytes),
            prompt_bytes: size(host.prompt_bytes, own.prompt_bytes),
            sessions: size(host.sessions, own.sessions),
            turns: size(host.turns, own.turns),
            turn_deadline: time(host.turn_deadline, own.turn_deadline),
            sidecars: size(host.sidecars, own.sidecars),
            tool_calls: size(host.tool_calls, own.tool_calls),
            tool_deadline: time(host.tool_deadline, own.tool_deadline),
            tool_result_bytes: size(host.tool_result_bytes, own.tool_result_bytes),
            log_bytes_per_second: size(host.log_bytes_per_second, own.log_bytes_per_second),
            ..host.clone()
        }
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

    #[test]
    fn limits_only_become_tighter() {
        let host = Limits::default();
        let own = Limits { prompt_bytes: 10, turns: usize::MAX, ..Limits::default() };
        let policy = Policy { limits: Some(own), ..Policy::new("/nowhere") };
        let limits = policy.tighten(&host);
        assert_eq!((limits.prompt_bytes, limits.turns), (10, host.turns));
        assert_eq!(Limits { prompt_bytes: host.prompt_bytes, ..limits }, host);
    }
}
