//! The wasmtime engine: what untrusted code may use, and how it is compiled.

use crate::error::{HostError, one_line};
use crate::limits::Limits;
use std::path::Path;
use wasmtime::{
    Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy,
};

/// Core instances of one component: the plugin, wit-component's shims, and WASI adapters of other toolchains.
const CORE_INSTANCES: u32 = 16;

/// Builds the engine. With `cache`, compiled plugins are kept there, keyed by their content, the engine's version and its
/// settings.
pub(crate) fn build(limits: &Limits, cache: Option<Cache>) -> Result<Engine, HostError> {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift) // Winch had sandbox escapes; it is not linked
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true) // same inputs, same effects
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes)
        .wasm_memory64(false)
        .wasm_gc(false) // its heap is not built in; this refuses what needs none, too
        .wasm_custom_page_sizes(false)
        .wasm_relaxed_simd(false)
        .wasm_multi_memory(false)
        .wasm_wide_arithmetic(false)
        .generate_address_map(false) // half of the artefact, for offsets that nobody reads
        .native_unwind_info(false)
        .concurrency_support(false) // no component-model async: calls are plain and short
        .memory_init_cow(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    config.cache(cache);
    Engine::new(&config).map_err(failed)
}

/// The compiled plugins in a directory.
pub(crate) fn cache(directory: &Path) -> Result<Cache, HostError> {
    let mut config = CacheConfig::new();
    config.with_directory(directory);
    // What is used often would be compressed once more, harder: that takes a core for a second, and loading a plugin 20 %
    // longer ever after, for a fifth of its bytes on a disk.
    config.with_optimized_compression_usage_counter_threshold(u64::MAX);
    Cache::new(config).map_err(failed)
}

fn failed(error: wasmtime::Error) -> HostError {
    HostError::Engine(one_line(format!("{error:#}")))
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(limits.instances)
        .total_core_instances(limits.instances.saturating_mul(CORE_INSTANCES))
        .total_memories(limits.instances)
        .total_tables(limits.instances.saturating_mul(4))
        .total_stacks(1) // of asynchronous calls, which there are none of; the default maps 2 GiB
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(1)
        .max_tables_per_component(4)
        .max_memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements)
        .linear_memory_keep_resident(0)
        .table_keep_resident(0);
    pool
}
