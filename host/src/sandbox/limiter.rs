//! Memory and tables, summed over an instance: wasmtime's own limits count each memory for itself.

use crate::error::PluginFault;
use crate::limits::Limits;
use crate::quota::Hold;
use wasmtime::ResourceLimiter;

pub(crate) struct Limiter {
    memory_bytes: usize,
    table_elements: usize,
    memory_used: usize,
    table_used: usize,
    refused: Option<PluginFault>,
    /// What the tenant holds of memory for this instance; none outside of a tenant.
    account: Option<Hold>,
}

impl Limiter {
    pub(super) fn new(limits: &Limits, account: Option<Hold>) -> Self {
        Self {
            account,
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            memory_used: 0,
            table_used: 0,
            refused: None,
        }
    }

    /// The limit a plugin ran into, if it did: most then trap for want of memory, and this is the reason.
    pub(super) fn refused(&self) -> Option<&PluginFault> {
        self.refused.as_ref()
    }
}

/// Adds the growth to what is used, unless it passes the limit.
fn grow(used: &mut usize, current: usize, desired: usize, limit: usize) -> Result<(), usize> {
    let total = used.saturating_add(desired.saturating_sub(current));
    if total > limit {
        return Err(total);
    }
    *used = total;
    Ok(())
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let grown = grow(&mut self.memory_used, current, desired, self.memory_bytes);
        if let Err(observed) = grown {
            self.refused = Some(PluginFault::Limit { limit: "memory_bytes", configured: self.memory_bytes, observed });
            return Ok(false);
        }
        let more = u64::try_from(desired.saturating_sub(current)).unwrap_or(u64::MAX);
        let held = self.account.as_mut().map_or(Ok(()), |account| account.grow(more));
        if let Err(exceeded) = held {
            self.memory_used = self.memory_used.saturating_sub(desired.saturating_sub(current));
            self.refused = Some(PluginFault::Quota(exceeded));
        }
        Ok(held.is_ok())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let grown = grow(&mut self.table_used, current, desired, self.table_elements);
        if let Err(observed) = grown {
            self.refused =
                Some(PluginFault::Limit { limit: "table_elements", configured: self.table_elements, observed });
        }
        Ok(grown.is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_memories_count_together() {
        let mut limiter = Limiter::new(&Limits { memory_bytes: 100, ..Limits::default() }, None);
        assert!(limiter.memory_growing(0, 60, None).expect("no trap"));
        assert!(!limiter.memory_growing(0, 60, None).expect("no trap"));
        assert!(limiter.memory_growing(0, 40, None).expect("no trap"));
        assert!(matches!(limiter.refused(), Some(PluginFault::Limit { observed: 120, .. })));
    }
}
