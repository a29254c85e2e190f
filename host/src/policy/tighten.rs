//! A tenant's limits: the host's, tightened by its policy.

use crate::limits::Limits;
use std::time::Duration;

/// Says of each limit whose it is: one that stands in neither list does not compile.
macro_rules! limits {
    (host: $($host:ident),+; tenant: $($own:ident),+ $(,)?) => {
        /// The smaller one of each limit that a tenant may have of its own.
        pub(super) fn tightened(host: &Limits, own: &Limits) -> Limits {
            Limits { $($host: host.$host,)+ $($own: host.$own.min(own.$own),)+ }
        }

        impl Limits {
            /// Limits that tighten nothing, for [`crate::Policy::limits`]: set those that a tenant is to have of its own.
            #[must_use]
            pub fn loosest() -> Self {
                let host = Self::default();
                Self { $($host: host.$host,)+ $($own: Most::MOST,)+ }
            }
        }
    };
}

limits! {
    host: component_bytes, component_functions, component_function_bytes, component_parts, component_depth, component_items, compile_deadline, compile_bytes, compile_workers, instances, stack_bytes, suspended_calls, tick;
    tenant: memory_bytes, table_elements, call_budget, turn_budget, call_data_bytes, call_effects, effects_per_second, events_per_second, batch_inputs, mailbox, read_bytes, prompt_bytes, turn_events, sessions, turns, requests, timers, turn_deadline, cancel_grace, shutdown_grace, sidecars, sidecar_pending_bytes, sidecar_write_stall, sidecar_grace, stderr_bytes, stderr_tail_bytes, tool_calls, tool_deadline, tool_result_bytes, tool_refusal_bytes, tool_pattern_steps, tool_pattern_bytes, permission_deadline, queries, query_deadline, secret_deadline, providers, sidecar_report_bytes, log_line_bytes, log_bytes_per_second
}

/// The largest of a type.
trait Most {
    const MOST: Self;
}

impl Most for usize {
    const MOST: Self = Self::MAX;
}

impl Most for Duration {
    const MOST: Self = Self::MAX;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_only_become_tighter() {
        let host = Limits { turns: 5_000, ..Limits::default() };
        let mut own = Limits::loosest();
        assert_eq!(tightened(&host, &own), host, "nothing is tightened that is not said, even above the default");
        (own.prompt_bytes, own.timers, own.query_deadline) = (10, 1, Duration::from_secs(1));
        own.instances = 1;
        let limits = tightened(&host, &own);
        assert_eq!((limits.prompt_bytes, limits.timers, limits.query_deadline), (10, 1, Duration::from_secs(1)));
        assert_eq!((limits.turns, limits.instances), (5_000, host.instances), "the pool is the host's");
    }
}
