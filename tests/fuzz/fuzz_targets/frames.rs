//! Any bytes as the output of a peer, cut anywhere: the decoder never panics, holds no more than it may, and gives the same
//! messages whatever the cuts.
#![no_main]
#![allow(missing_docs)]

use libfuzzer_sys::fuzz_target;
use llm_provider_core::frame::Decoder;
use llm_provider_core::rpc;

fn decode(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let (mut decoder, mut bodies) = (Decoder::default(), Vec::new());
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match decoder.next(&mut rest) {
                Ok(Some(body)) => bodies.push(body.to_vec()),
                Ok(None) => break,
                Err(_) => return (bodies, true),
            }
        }
    }
    (bodies, false)
}

fuzz_target!(|input: (u16, Vec<u8>)| {
    let (cut, bytes) = (usize::from(input.0) % (input.1.len() + 1), input.1);
    let (head, tail) = bytes.split_at(cut);
    let whole = decode(&[&bytes]);
    assert_eq!(whole, decode(&[head, tail]));
    for body in whole.0 {
        let _ = rpc::parse(&body);
    }
});
