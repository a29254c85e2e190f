//! The powers of root, which a contained child does not have.
//!
//! Rules on files do not hold root: with its capabilities a process makes a device of the disk and opens that, loads a
//! module into the kernel, or reads the memory of others. What is kept is what an ordinary program of root does with
//! files of its own, where the rules allow it to be at all.

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities,
};

const KEPT: CapabilitySet =
    CapabilitySet::CHOWN.union(CapabilitySet::DAC_OVERRIDE).union(CapabilitySet::FOWNER).union(CapabilitySet::FSETID);

/// Runs in the forked process. The program that it becomes has no other capabilities than those kept, and gets none:
/// `exec` gives only what is in one of the sets that are emptied here.
pub(super) fn shed() -> Result<(), Errno> {
    for number in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if KEPT.contains(one) {
            continue;
        }
        match remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            Err(Errno::INVAL) => break, // beyond the last that this kernel knows
            Err(Errno::PERM) => break,  // not a privileged user, to whom `exec` gives none, since it gains none
            Err(errno) => return Err(errno),
        }
    }
    match clear_ambient_capability_set() {
        Ok(()) | Err(Errno::INVAL) => {} // a kernel before 4.3 has no such set
        Err(errno) => return Err(errno),
    }
    let sets = capabilities(None)?;
    set_capabilities(None, CapabilitySets { inheritable: CapabilitySet::empty(), ..sets })
}
