//! Any bytes as the output of a peer, cut anywhere: the decoder never panics, holds no more than it may, and gives the same
//! messages whatever the cuts.

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

/// Plays bytes of a fuzzer: where to cut, then the output.
pub(crate) fn play(input: &[u8]) {
    let Some((cut, bytes)) = input.split_first_chunk() else { return };
    let (head, tail) = bytes.split_at(usize::from(u16::from_le_bytes(*cut)) % (bytes.len() + 1));
    let whole = decode(&[bytes]);
    assert_eq!(whole, decode(&[head, tail]));
    for body in whole.0 {
        let _ = rpc::parse(&body);
    }
}
