//! Where a reply stops on its way, and what happens there: waits and faults.

use std::time::Duration;

use crate::gate::Gate;
use crate::model_error::ModelError;

/// A place in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    BeforeHeaders,
    /// After that many deltas of whatever kind. `0` is after the dialect's opening events; more than there are is after
    /// the content and before the dialect's closing events.
    AfterDeltas(usize),
}

/// What happens at a place.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Pause(Duration),
    Gate(Gate),
    /// Until the client leaves or the server ends.
    Hang,
    /// RST.
    Reset,
    /// FIN without the end of the HTTP message.
    Close,
    /// The HTTP message ends well, the dialect's stream does not.
    Truncate,
    /// The dialect's own event for an error in mid-stream, then the HTTP message ends well.
    Fail(ModelError),
}

/// One action at one place.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    pub(crate) place: Place,
    pub(crate) action: Action,
}
