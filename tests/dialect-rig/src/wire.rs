//! What is sent, and what comes back.

use llm_provider_core::classify::Failure;
use llm_provider_core::completion::{Piece, Reader};
use llm_provider_core::sse::Decoder;
use llm_provider_guest::http::Request;
use llm_provider_guest::secrets::Chunk;
use serde_json::Value;

/// The bytes of a request's body.
///
/// # Panics
/// When there is a secret in it.
#[must_use]
pub fn bytes(request: &Request) -> Vec<u8> {
    let literal = |chunk: &Chunk| match chunk {
        Chunk::Bytes(bytes) => bytes.clone(),
        Chunk::Secret(secret) => panic!("the secret {} in a body", secret.name),
    };
    request.body.iter().flat_map(literal).collect()
}

/// The body of a request.
#[must_use]
pub fn body(request: &Request) -> Value {
    serde_json::from_slice(&bytes(request)).unwrap()
}

/// What is written, secrets as their names.
#[must_use]
pub fn written(chunks: &[Chunk]) -> String {
    let text = |chunk: &Chunk| match chunk {
        Chunk::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        Chunk::Secret(secret) => format!("<{}>", secret.name),
    };
    chunks.iter().map(text).collect()
}

/// Unnamed events as a stream.
#[must_use]
pub fn stream(events: &[Value]) -> Vec<u8> {
    events.iter().flat_map(|event| format!("data: {event}\n\n").into_bytes()).collect()
}

/// What a stream in these chunks gives. Texts that came in several pieces are not joined.
pub fn read<'a>(mut reader: impl Reader, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Piece>, Option<Failure>) {
    let (mut decoder, mut events, mut out) = (Decoder::default(), Vec::new(), Vec::new());
    for chunk in chunks {
        decoder.push(chunk, &mut events).unwrap();
        for event in events.drain(..) {
            if let Err(failure) = reader.event(&event.name, &event.data, &mut out) {
                return (out, Some(failure));
            }
        }
    }
    let last = decoder.finish().unwrap();
    let ended = last.map_or(Ok(()), |event| reader.event(&event.name, &event.data, &mut out));
    let ended = ended.and_then(|()| reader.end(&mut out));
    (out, ended.err())
}

/// The pieces of an answer that is complete, and the same whether it comes whole or byte by byte.
///
/// # Panics
/// When it is not.
#[must_use]
pub fn pieces<R: Reader + Default>(stream: &str) -> Vec<Piece> {
    let (pieces, failure) = read(R::default(), [stream.as_bytes()]);
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(read(R::default(), stream.as_bytes().chunks(1)).0, pieces);
    pieces
}
