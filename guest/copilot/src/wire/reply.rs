//! Answers to our requests.

use super::event::Text;
use llm_provider_guest::catalog::{Allowance, Model};
use serde::Deserialize;
use std::collections::BTreeMap;

/// To `connect` and `ping`: which protocol the CLI speaks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Handshake<'a> {
    pub(crate) protocol_version: Option<i64>,
    #[serde(borrow)]
    pub(crate) version: Option<Text<'a>>,
}

/// To `session.send`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent<'a> {
    #[serde(borrow)]
    pub(crate) message_id: Option<Text<'a>>,
}

/// To `session.tools.handlePendingToolCall`.
#[derive(Debug, Deserialize)]
pub(crate) struct Taken {
    /// False for a request that the CLI does not know, or has answered.
    pub(crate) success: bool,
}

/// To `models.list`.
#[derive(Debug, Deserialize)]
pub(crate) struct ModelList {
    pub(crate) models: Vec<Listed>,
}

/// A model of the list. Anything but its name may be absent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    id: String,
    name: Option<String>,
    #[serde(default)]
    capabilities: Capabilities,
    billing: Option<Billing>,
    #[serde(default)]
    supported_reasoning_efforts: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Capabilities {
    #[serde(default)]
    supports: Supports,
    #[serde(default)]
    limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Supports {
    vision: Option<bool>,
    /// The schema says `toolCalls`; the CLI hands on what the service says.
    #[serde(alias = "tool_calls")]
    tool_calls: Option<bool>,
}

/// In the service's own spelling.
#[derive(Debug, Default, Deserialize)]
struct Limits {
    max_context_window_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Billing {
    multiplier: Option<f64>,
}

impl From<Listed> for Model {
    fn from(listed: Listed) -> Self {
        let Capabilities { supports, limits } = listed.capabilities;
        Self {
            id: listed.id,
            name: listed.name,
            context_window: limits.max_context_window_tokens,
            max_output_tokens: limits.max_output_tokens,
            images: supports.vision,
            tools: supports.tool_calls,
            reasoning_efforts: listed.supported_reasoning_efforts,
            premium_multiplier: listed.billing.and_then(|billing| billing.multiplier),
        }
    }
}

/// To `account.getQuota`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Quota {
    pub(crate) quota_snapshots: BTreeMap<String, Snapshot>,
}

/// One allowance.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Snapshot {
    #[serde(default)]
    is_unlimited_entitlement: bool,
    entitlement_requests: Option<f64>,
    used_requests: Option<f64>,
    remaining_percentage: Option<f64>,
    overage: Option<f64>,
    reset_date: Option<String>,
}

impl Snapshot {
    /// As an allowance under its name.
    pub(crate) fn named(self, name: String) -> Allowance {
        // -1 stands for "no end".
        let granted = self.entitlement_requests.filter(|granted| *granted >= 0.0);
        Allowance {
            name,
            unlimited: self.is_unlimited_entitlement || self.entitlement_requests == Some(-1.0),
            granted,
            used: self.used_requests,
            remaining_percent: self.remaining_percentage,
            overage: self.overage,
            resets_at: self.reset_date,
        }
    }
}
