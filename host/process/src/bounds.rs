//! What a child may take of the machine.

/// Hard limits of every process of a child, set before its program runs; it cannot raise them. A limit of the owner
/// that is lower stays.
///
/// Two that one might look for are left out, because they would break what they should bound:
///
/// * the size of the address space (`RLIMIT_AS`): Node reserves gigabytes of it for WebAssembly and its heap, of which
///   it uses some hundred megabytes, and does not start without;
/// * the number of processes (`RLIMIT_NPROC`): it counts those of the user on the whole machine, so that one child's
///   bomb makes all others fail, and it does not count those of root at all.
///
/// Both memory and processes are a cgroup's to bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessLimits {
    /// Bytes of a core file. 0: it would hold the secrets of the process.
    pub core_bytes: u64,
    /// Open descriptors of one process. 4,096: Node takes as many as it may for itself, and what it opens at once is
    /// hundreds at most (a search through a large source tree); a leak ends there, before 32 sidecars together
    /// have taken 131,072 files, some 32 MiB of the kernel's memory.
    pub descriptors: u64,
    /// Bytes of one file that is written. 4 GiB: more than any file that the Copilot CLI (150 MiB) or a tool writes
    /// (the pack of the largest repositories is 3 GiB), and less than the disk that a log written in a loop fills.
    pub file_bytes: u64,
    /// Bytes of private memory that can be written to (`RLIMIT_DATA`), address space that is only reserved left out. None:
    /// Node's own limit on its heap is another, and a sidecar's tools are unknown.
    pub data_bytes: Option<u64>,
}

impl Default for ProcessLimits {
    fn default() -> Self {
        Self { core_bytes: 0, descriptors: 4_096, file_bytes: 4 << 30, data_bytes: None }
    }
}
