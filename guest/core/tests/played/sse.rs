//! Any bytes as a stream of events, cut anywhere: the decoder never panics, gives the same events whatever the cuts, and
//! no event larger than it may be.

use llm_provider_core::sse::{Decoder, Event, TooLarge};

/// Small, so that the fuzzer meets it.
const LIMIT: usize = 64;

fn decode(limit: usize, pieces: &[&[u8]]) -> (Vec<Event>, Result<Option<Event>, TooLarge>) {
    let (mut decoder, mut events) = (Decoder::new(limit), Vec::new());
    for piece in pieces {
        if let Err(error) = decoder.push(piece, &mut events) {
            return (events, Err(error));
        }
    }
    (events, decoder.finish())
}

/// Plays bytes of a fuzzer: where to cut, twice, then the stream.
pub(crate) fn play(input: &[u8]) {
    let Some(([a, b, c, d], bytes)) = input.split_first_chunk() else { return };
    let place = |at: [u8; 2]| usize::from(u16::from_le_bytes(at)) % (bytes.len() + 1);
    let (one, other) = (place([*a, *b]), place([*c, *d]));
    let (first, second) = (one.min(other), one.max(other));
    for limit in [LIMIT, usize::MAX] {
        let whole = decode(limit, &[bytes]);
        assert_eq!(whole, decode(limit, &[&bytes[..first], &bytes[first..second], &bytes[second..]]));
        assert_eq!(whole, decode(limit, &bytes.chunks(1).collect::<Vec<_>>()));
        // A byte that is no UTF-8 becomes three.
        let most = limit.saturating_mul(3);
        assert!(whole.0.iter().all(|event| event.name.len() <= most && event.data.len() <= most));
    }
}
