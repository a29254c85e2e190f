//! placeholder until the merge
use llm_provider_guest::http_types::ResponseHeader;
use llm_provider_guest::types::Milliseconds;
/// x
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// x
    pub retry_after: Option<Milliseconds>,
    /// x
    pub should_retry: Option<bool>,
}
pub(super) fn of(_: u16, _: &[ResponseHeader]) -> Hints {
    Hints::default()
}
