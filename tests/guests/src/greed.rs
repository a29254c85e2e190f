//! Taking more than is granted: time, memory, stack.

use std::hint::black_box;

/// Computes for ever.
pub(crate) fn spin() -> ! {
    let mut count = 0_u64;
    loop {
        count = black_box(count.wrapping_add(1));
    }
}

/// Takes memory, a MiB at a time, and writes to each page of it, until there is none.
pub(crate) fn grow() -> ! {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Calls itself until the stack is used up.
#[expect(unconditional_recursion, reason = "the stack's limit is what ends it")]
pub(crate) fn recurse(depth: u64) -> u64 {
    let here = black_box([depth; 64]);
    let deeper = recurse(black_box(depth + 1));
    deeper.wrapping_add(here.iter().sum())
}
