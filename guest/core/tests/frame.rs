//! Frames: any cut gives the same, and what is wrong is refused before it costs memory.

use llm_provider_core::frame::{Decoder, FrameError, Limits, Secrets, encode};
use llm_provider_guest::secrets::{Chunk, SecretEncoding, SecretInfo, SecretRef};
use proptest::prelude::*;

/// What a decoder made of a stream: bodies, then how it ended, and the junk on the way.
#[derive(Debug, PartialEq)]
struct Read {
    bodies: Vec<Vec<u8>>,
    error: Option<FrameError>,
    end: Result<(), FrameError>,
    junk: usize,
}

fn read(pieces: &[&[u8]], limits: Limits) -> Read {
    let mut decoder = Decoder::new(limits);
    let mut read = Read { bodies: Vec::new(), error: None, end: Ok(()), junk: 0 };
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match decoder.next(&mut rest) {
                Ok(Some(body)) => read.bodies.push(body.to_vec()),
                Ok(None) => break,
                Err(error) => read.error = Some(error),
            }
        }
        assert!(rest.is_empty());
    }
    read.end = decoder.end();
    read.junk = decoder.take_junk().map_or(0, |junk| junk.bytes);
    read
}

fn whole(stream: &[u8]) -> Read {
    read(&[stream], Limits::default())
}

fn error(stream: &[u8]) -> FrameError {
    whole(stream).error.unwrap_or(FrameError::Truncated { have: 0, need: 0 })
}

#[test]
fn p05_lengths_that_are_none_are_refused() {
    let bad = |value: &str| error(format!("Content-Length: {value}\r\n\r\n").as_bytes());
    for value in ["-1", "+5", "5 5", "0x10", "1e3", "", "five", "5,5", "٥"] {
        assert!(matches!(bad(value), FrameError::BadLength { .. }), "{value}");
    }
    for value in ["16777217", "9223372036854775808", "99999999999999999999999999"] {
        assert!(matches!(bad(value), FrameError::BodyTooLong { .. }), "{value}");
    }
    assert_eq!(error(b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n"), FrameError::DuplicateLength);
    assert_eq!(error(b"Content-Type: x\r\n\r\n"), FrameError::MissingLength);
    assert!(matches!(error(b"Content-Length: 1\r\nno header\r\n\r\n"), FrameError::BadHeader { .. }));
    let long = [b"Content-Length: 1\r\nX: ".as_slice(), &[b'a'; 9_000]].concat();
    assert!(matches!(error(&long), FrameError::HeaderTooLong { .. }));
}

#[test]
fn other_headers_and_spellings_are_taken() {
    let stream = b"content-length:2\nContent-Type: a; b=c\r\n\r\n{}Content-Length: 0\r\n\r\nContent-Length: 1\r\n\r\nx";
    let read = whole(stream);
    assert_eq!((read.bodies, read.error), (vec![b"{}".to_vec(), vec![], b"x".to_vec()], None));
}

#[test]
fn p06_junk_is_passed_over_within_its_budget() {
    let read = whole(b"Welcome!\n> Content-Length: 2\r\n\r\n{}tail Content-Length: 1\r\n\r\nx");
    assert_eq!((read.bodies, read.junk), (vec![b"{}".to_vec(), b"x".to_vec()], 16));
    let long = vec![0x1b; 8_193];
    let FrameError::Junk { excerpt, .. } = error(&long) else { panic!() };
    assert!(excerpt.starts_with("\\x1b") && excerpt.len() < 400);
    let lines = b"a line of a program that talks\n".repeat(300);
    assert!(matches!(error(&lines), FrameError::Junk { .. }));
}

#[test]
fn p04_every_cut_within_a_frame_is_told() {
    let stream = b"Content-Length: 2\r\n\r\n{}Content-Length: 3\r\n\r\nabcContent-Length: 1\r\n\r\nx";
    let boundaries = [0, 23, 47, 69];
    for cut in 0..=stream.len() {
        let read = whole(&stream[..cut]);
        // Up to `Content-` it may still be junk.
        let in_word = boundaries.iter().any(|start| cut >= *start && cut - start < 8);
        assert_eq!(read.end.is_ok(), in_word, "{cut}");
    }
}

#[test]
fn the_length_counts_the_secret_as_it_will_be_written() {
    let info = SecretInfo { name: "k".into(), raw_length: 3, json_length: 5 };
    let secrets = Secrets::new(&[info]);
    let secret = |encoding| Chunk::Secret(SecretRef { name: "k".into(), encoding });
    let body = vec![
        Chunk::Bytes(b"ab".to_vec()),
        secret(SecretEncoding::JsonString),
        secret(SecretEncoding::Raw),
        Chunk::Bytes(b"c".to_vec()),
    ];
    let framed = encode(body, &secrets).unwrap();
    assert_eq!(framed[0], Chunk::Bytes(b"Content-Length: 11\r\n\r\nab".to_vec()));
    let unknown = Chunk::Secret(SecretRef { name: "other".into(), encoding: SecretEncoding::Raw });
    assert_eq!(encode(vec![unknown], &secrets).unwrap_err().name, "other");
    assert_eq!(encode(vec![], &secrets).unwrap(), [Chunk::Bytes(b"Content-Length: 0\r\n\r\n".to_vec())]);
}

fn part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..200).prop_map(|body| {
            [format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes(), body].concat()
        }),
        1 => prop::collection::vec(any::<u8>(), 0..60),
        1 => "[a-zA-Z:\r\n-]{0,40}".prop_map(String::into_bytes),
        1 => "(Content-Length: [0-9+-]{1,6}\r?\n){1,2}\r?\n".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(parts in prop::collection::vec(part(), 0..8), cuts in prop::collection::vec(1usize..80, 1..40)) {
        let stream = parts.concat();
        let small = Limits { header: 64, body: 150, junk: 100 };
        for limits in [Limits::default(), small] {
            let mut pieces = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            let whole = read(&[&stream], limits);
            let kind = |read: &Read| read.error.as_ref().map(std::mem::discriminant);
            for other in [read(&pieces, limits), read(&bytes, limits)] {
                prop_assert_eq!(&whole.bodies, &other.bodies);
                prop_assert_eq!(kind(&whole), kind(&other));
                if whole.error.is_none() {
                    prop_assert_eq!((&whole.end, whole.junk), (&other.end, other.junk));
                }
            }
        }
    }
}
