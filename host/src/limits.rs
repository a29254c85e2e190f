//! Every number that bounds a plugin, a sidecar or a queue, in one place, each with its reason.

use std::time::Duration;

/// What one host, and each instance on it, may use. The defaults suit a service with many tenants; an operator who knows
/// better changes a field and leaves the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a component file. The reference plugins have 0.3 MB; one with a scripting engine inside has 10 MB.
    pub component_bytes: usize,
    /// Functions of a component, over all its modules: room for an engine for scripts, beyond any plugin of this project.
    pub component_functions: usize,
    /// Bytes of one function's code: compiling takes more than linear time in it, and a compiler's own loops are the only
    /// functions that come near.
    pub component_function_bytes: usize,
    /// Modules and components within a component. Toolchains make a handful: the plugin, shims, an adapter of WASI.
    pub component_parts: usize,
    /// How deep these lie in each other. Toolchains put them one level deep.
    pub component_depth: usize,
    /// Types, imports, exports, aliases, instances and conversions that a component declares: far more than the world has.
    pub component_items: usize,
    /// How long a worker may take to compile a plugin. It takes a second per MB on two cores.
    pub compile_deadline: Duration,
    /// Bytes of memory a worker may take to compile a plugin. The Copilot plugin (1 MB) took 76 MiB on two cores; strangers'
    /// may have ten times the code.
    pub compile_bytes: u64,
    /// Plugins that workers compile at once. A compiler takes all cores, so more are no faster; the second is there so that a
    /// tenant whose plugin takes long, which has one place at a time, does not keep the others waiting.
    pub compile_workers: usize,
    /// Instances alive at once in a host. Each reserves 4 GiB of address space (so that memory accesses need no bounds
    /// checks) and no memory; 1,000 take 4 TiB of the 128 TiB a process has.
    pub instances: u32,
    /// Bytes of linear memory, summed over all memories of an instance. A session's state is kilobytes; a history of a
    /// few MiB passes through as copies, each call.
    pub memory_bytes: usize,
    /// Table elements, summed over all tables of an instance. A Rust plugin has some hundred functions in its table.
    pub table_elements: usize,
    /// Bytes of the wasm stack. wasmtime's default: enough for recursive parsers, small enough for any thread.
    pub stack_bytes: usize,
    /// How long one `handle` call may compute. Calls of honest plugins take microseconds, and 10 ms with a history of a
    /// MiB; a looping plugin is stopped after this and two ticks. Time on a core counts, where the system tells it; ten times
    /// this on the clock is the end in any case.
    pub call_budget: Duration,
    /// How long the calls of an instance may compute together for each turn and question that is open, and as long between
    /// them: what keeps to `call_budget` in each call, again and again, ends here. A history of 4 MiB that is sent again for
    /// each of a hundred calls of tools takes 4 s; an answer of 100,000 deltas takes 0.2 s.
    pub turn_budget: Duration,
    /// Calls that may wait in their middle while another tenant's go first. Each keeps a thread of the runtime's pool for
    /// blocking work, which has 512 unless the embedder says otherwise: a quarter. A smaller pool needs a smaller number, since
    /// a call that has a core must find a thread: `max_blocking_threads` beyond this and the cores. When so many wait, the other calls
    /// compute to their end, within their budget.
    pub suspended_calls: usize,
    /// How often a running call is looked at, while there are any; it is also when somebody comes who finds no core free.
    /// 2 ms: until it is looked at first, a call may take the last core, and all that the host does waits for the system to
    /// share it. A look costs a small read of `/proc`.
    pub tick: Duration,
    /// Bytes that one call hands over to the host, in all, and that wait for a turn's reader in events of a KiB and more. A prompt of `prompt_bytes` is written to the sidecar as JSON,
    /// which at worst (control characters) takes six bytes for one; refused before the host allocates.
    pub call_data_bytes: usize,
    /// Effects of one `handle` call. A 64 KiB read of the sidecar holds at most some thousand frames.
    pub call_effects: usize,
    /// Effects of an instance in a second, but for events; then it waits. Each costs the host some microseconds beside what
    /// the plugin computes, so this many take a part of a core. Honest plugins have a few for each piece of an answer. A
    /// cancel waits for what its call has asked for already: `call_effects` over this, a second.
    pub effects_per_second: usize,
    /// Events of an instance in a second; then it waits. One costs the host a microsecond, so this many keep a core busy,
    /// if a reader takes them as fast; models say a thousandth of it.
    pub events_per_second: usize,
    /// Outputs of sidecars and sockets handed over in one call: bounds the time between two looks at the mailbox. Of turns
    /// that begin, one call gets `prompt_bytes` of conversations, and the one that passes it.
    pub batch_inputs: usize,
    /// Inputs that wait for an instance. A full mailbox stops the readers of sockets and pipes, and so the sender.
    pub mailbox: usize,
    /// Bytes read from a sidecar or a socket at once: the size of a pipe's buffer.
    pub read_bytes: usize,
    /// Bytes of the text of one turn's history and options. A model with a million tokens reads 4 MiB.
    pub prompt_bytes: usize,
    /// Events that wait for a turn's reader. A full queue stops the instance, and so the pipe: nothing is dropped.
    pub turn_events: usize,
    /// Sessions open at once on an instance.
    pub sessions: usize,
    /// Turns open at once on an instance.
    pub turns: usize,
    /// HTTP requests of an instance that are under way, or whose end it has not heard yet: one for each turn, one for each
    /// question, and some besides. Those that wait for their place among the tenant's (`EgressLimits::in_flight`) count.
    pub requests: usize,
    /// Timers of an instance.
    pub timers: usize,
    /// How long a turn may take in all, when its request does not say. Longer than a long answer of a slow model.
    pub turn_deadline: Duration,
    /// How long a plugin may take to end a turn that was cancelled. It must not wait for anybody, so seconds are enough.
    pub cancel_grace: Duration,
    /// How long a closed instance may take to end its sidecars politely.
    pub shutdown_grace: Duration,
    /// Sidecars alive at once on an instance. A plugin that restarts one may have the old one still dying.
    pub sidecars: usize,
    /// Bytes that wait to be written to a sidecar. Two of the largest prompts.
    pub sidecar_pending_bytes: usize,
    /// How long a write to a sidecar may stand still before the sidecar counts as stuck and is ended.
    pub sidecar_write_stall: Duration,
    /// How long a sidecar may take to exit when its input is closed.
    pub sidecar_grace: Duration,
    /// Bytes of a sidecar's standard error that are kept: enough for a stack trace of Node.
    pub stderr_bytes: usize,
    /// Bytes of standard error handed to the plugin when a sidecar ends, for the error's text.
    pub stderr_tail_bytes: usize,
    /// Tool calls of one turn that run at once.
    pub tool_calls: usize,
    /// How long a tool may run before the model is told that it took too long, when the turn's request does not say. Tools
    /// build and test programs, which takes a minute or two; a fifth of a turn's time leaves the model room to go on.
    pub tool_deadline: Duration,
    /// Bytes of a tool's result.
    pub tool_result_bytes: usize,
    /// Bytes of the words in which a call's arguments are refused: room for a dozen errors with their paths. A model needs
    /// one to mend its call; an error may quote the arguments, which may be long.
    pub tool_refusal_bytes: usize,
    /// Steps back that matching a `pattern` of a tool's schema may take: schemas are third parties' (MCP) and arguments the
    /// model's, and together they could compute for ever. Honest patterns step back some hundred times; 100,000 steps take
    /// milliseconds.
    pub tool_pattern_steps: usize,
    /// Bytes of a compiled `pattern`, and of its cache. Honest ones have kilobytes.
    pub tool_pattern_bytes: usize,
    /// How long a decision on a permission may take: a person is asked in a chat. Then it counts as denied.
    pub permission_deadline: Duration,
    /// Questions about models and quota that wait at once on an instance.
    pub queries: usize,
    /// How long such a question may wait. A sidecar may have to start first, and the service be asked.
    pub query_deadline: Duration,
    /// How long reading a secret may take when an instance starts. A file takes microseconds, a vault a second.
    pub secret_deadline: Duration,
    /// Providers (plugin and configuration) whose budget of retries and breaker a tenant remembers. Each takes 1 KB and
    /// its configuration; a tenant has a handful, unless it makes a configuration for each person.
    pub providers: usize,
    /// Bytes of the report a sidecar leaves in a file. The Copilot CLI's usage has 2 KiB a model.
    pub sidecar_report_bytes: usize,
    /// Bytes of a log line, escaped.
    pub log_line_bytes: usize,
    /// Bytes of log lines of an instance in a second; what comes beyond is counted and dropped.
    pub log_bytes_per_second: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            component_bytes: 16 << 20,
            component_functions: 50_000,
            component_function_bytes: 1 << 20,
            component_parts: 32,
            component_depth: 4,
            component_items: 20_000,
            instances: 1_000,
            compile_deadline: Duration::from_secs(10),
            compile_bytes: 1 << 30,
            compile_workers: 2,
            memory_bytes: 256 << 20,
            table_elements: 20_000,
            stack_bytes: 512 << 10,
            call_budget: Duration::from_millis(200),
            turn_budget: Duration::from_secs(10),
            suspended_calls: 128,
            tick: Duration::from_millis(2),
            call_data_bytes: 32 << 20,
            call_effects: 50_000,
            effects_per_second: 50_000,
            events_per_second: 1_000_000,
            batch_inputs: 64,
            mailbox: 256,
            read_bytes: 64 << 10,
            prompt_bytes: 4 << 20,
            turn_events: 1_024,
            sessions: 1_024,
            turns: 256,
            requests: 320,
            timers: 1_024,
            turn_deadline: Duration::from_secs(600),
            cancel_grace: Duration::from_secs(15),
            shutdown_grace: Duration::from_secs(5),
            sidecars: 4,
            sidecar_pending_bytes: 64 << 20,
            sidecar_write_stall: Duration::from_secs(10),
            sidecar_grace: Duration::from_secs(5),
            stderr_bytes: 64 << 10,
            stderr_tail_bytes: 2 << 10,
            tool_calls: 32,
            tool_deadline: Duration::from_secs(120),
            tool_result_bytes: 1 << 20,
            tool_refusal_bytes: 2 << 10,
            tool_pattern_steps: 100_000,
            tool_pattern_bytes: 1 << 20,
            permission_deadline: Duration::from_secs(300),
            queries: 16,
            query_deadline: Duration::from_secs(60),
            secret_deadline: Duration::from_secs(10),
            providers: 1_024,
            sidecar_report_bytes: 256 << 10,
            log_line_bytes: 8 << 10,
            log_bytes_per_second: 64 << 10,
        }
    }
}
