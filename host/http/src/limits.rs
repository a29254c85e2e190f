//! How much and how long.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The limits of one [`Egress`](crate::Egress), so of one tenant. A request that passes one of sizes fails with
/// [`FailureKind::Denied`](crate::FailureKind::Denied) before anything is sent; a response that passes one, with
/// [`FailureKind::TooLarge`](crate::FailureKind::TooLarge).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EgressLimits {
    /// Requests at once. A tenant's eight busy sessions at four requests each; every one holds a socket and up to half
    /// a MiB of buffers. Further ones wait for their place, for half of their time to the first byte at most: a request that
    /// is sent late is paid for and then given up.
    pub in_flight: usize,
    /// Bytes of the requests that wait for their place, each with 64 KiB beside its body: as much as the bodies of those
    /// under way may have. That is a thousand with a history of 200 KiB, four times a tenant's turns. What comes beyond
    /// fails at once with [`FailureKind::Busy`](crate::FailureKind::Busy).
    pub waiting_bytes: usize,
    /// Bytes of a URL: what common servers take (8 KiB request line).
    pub url_bytes: usize,
    /// Headers of a request: the APIs of providers want fewer than twenty.
    pub request_headers: usize,
    /// Bytes of a request's headers, names and values: below the 32 KiB that common servers take.
    pub request_header_bytes: usize,
    /// Bytes of a request's body: a million tokens of history with a few images.
    pub request_bytes: usize,
    /// Headers of a response. Providers behind a content network send up to sixty.
    pub response_headers: usize,
    /// Bytes of a response's headers.
    pub response_header_bytes: usize,
    /// Bytes of a response's body: hours of streamed text. Nothing is decompressed here, so what is counted is what is
    /// handed over, and a bomb stays as small as it came.
    pub response_bytes: usize,
    /// Bytes of one [`Event::Chunk`](crate::Event::Chunk): two TLS records. Each is handed from task to task, which costs
    /// more than the bytes; larger ones are hardly faster (`cargo bench`), and a full mailbox of a host (256 inputs) holds
    /// so much more of a peer that sends without end: 8 MiB as it is.
    pub chunk_bytes: usize,
    /// The wait for an answer of the name server.
    pub resolve: Duration,
    /// The wait for a connection: name, TCP and TLS.
    pub connect: Duration,
    /// The wait for the head of the response, from the call on, the wait for a place included. Reasoning models take most
    /// of a minute.
    pub first_byte: Duration,
    /// The wait for more of the body. Providers send a comment line every 15 to 30 s.
    pub between_bytes: Duration,
    /// From the call to the end of the body.
    pub total: Duration,
}

impl Default for EgressLimits {
    fn default() -> Self {
        Self {
            in_flight: 32,
            waiting_bytes: 256 * MIB,
            url_bytes: 8 * KIB,
            request_headers: 64,
            request_header_bytes: 32 * KIB,
            request_bytes: 8 * MIB,
            response_headers: 128,
            response_header_bytes: 64 * KIB,
            response_bytes: 64 * MIB,
            chunk_bytes: 32 * KIB,
            resolve: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(60),
            between_bytes: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}
