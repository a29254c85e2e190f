//! The rows of the table of threats that are about hostile plugins.

/// A row. Whoever matches on all of them has a test for each: without one it does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// An infinite loop.
    G01,
    /// A loop that gives control back, by timers of no time.
    G02,
    /// Growth of memories and tables.
    G03,
    /// A recursion without end.
    G04,
    /// Strings too long, and strings that are none.
    G05,
    /// A flood of events for a reader that is slow or gone.
    G06,
    /// Ids of what does not exist.
    G07,
    /// Components that are too much to compile.
    G08,
    /// Requests to the inside.
    G09,
    /// A name that leads inside.
    G10,
    /// Redirects.
    G11,
    /// Headers that smuggle.
    G12,
    /// Names of programs, and what they are started with.
    G13,
    /// Files.
    G14,
    /// What another tenant left behind.
    G15,
    /// One's own key to somebody else.
    G16,
    /// Logs that lie or flood.
    G17,
    /// Programs without end.
    G18,
    /// Crashes between calls of the host.
    G19,
    /// Breaches of the contract.
    G20,
    /// What time gives away.
    G21,
    /// Cancels at any moment.
    G22,
}

impl Row {
    /// All rows.
    pub const ALL: [Self; 22] = [
        Self::G01,
        Self::G02,
        Self::G03,
        Self::G04,
        Self::G05,
        Self::G06,
        Self::G07,
        Self::G08,
        Self::G09,
        Self::G10,
        Self::G11,
        Self::G12,
        Self::G13,
        Self::G14,
        Self::G15,
        Self::G16,
        Self::G17,
        Self::G18,
        Self::G19,
        Self::G20,
        Self::G21,
        Self::G22,
    ];
}
