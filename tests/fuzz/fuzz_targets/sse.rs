//! Any bytes as a stream of events, cut anywhere: the decoder never panics, gives the same events whatever the cuts, and
//! no event larger than it may be.
#![no_main]
#![allow(missing_docs)]

use libfuzzer_sys::fuzz_target;
use llm_provider_core::sse::{Decoder, Event, TooLarge};

/// Small, so that the fuzzer meets it.
const LIMIT: usize = 64;

fn decode(pieces: &[&[u8]]) -> (Vec<Event>, Result<Option<Event>, TooLarge>) {
    let (mut decoder, mut events) = (Decoder::new(LIMIT), Vec::new());
    for piece in pieces {
        if let Err(error) = decoder.push(piece, &mut events) {
            return (events, Err(error));
        }
    }
    (events, decoder.finish())
}

fuzz_target!(|input: (u16, u16, Vec<u8>)| {
    let bytes = input.2;
    let place = |at: u16| usize::from(at) % (bytes.len() + 1);
    let (first, second) = (place(input.0).min(place(input.1)), place(input.0).max(place(input.1)));
    let whole = decode(&[&bytes]);
    assert_eq!(whole, decode(&[&bytes[..first], &bytes[first..second], &bytes[second..]]));
    assert_eq!(whole, decode(&bytes.chunks(1).collect::<Vec<_>>()));
    // A byte that is no UTF-8 becomes three.
    assert!(whole.0.iter().all(|event| event.name.len() <= 3 * LIMIT && event.data.len() <= 3 * LIMIT));
});
