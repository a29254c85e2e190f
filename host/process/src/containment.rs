//! What holds children on this machine, in one report.

use crate::cgroup::{CgroupContainment, CgroupError, cgroup_containment};
use crate::isolation::{IsolationError, network_isolation};
use crate::reach::{FileContainment, FileContainmentError, file_containment};

/// What holds a child on this machine, besides what always does: a session and group of its own that ends with its
/// owner, the limits of [`ProcessLimits`](crate::ProcessLimits), and no rights beyond its owner's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Containment {
    /// It can be held to some files.
    pub files: Result<FileContainment, FileContainmentError>,
    /// It can be given a control group.
    pub cgroup: Result<CgroupContainment, CgroupError>,
    /// It can be kept from the network.
    pub network: Result<(), IsolationError>,
}

/// Tries each. The first call takes some milliseconds, which the thread waits for.
pub fn containment() -> Containment {
    Containment { files: file_containment(), cgroup: cgroup_containment(), network: network_isolation() }
}
