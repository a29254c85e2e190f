//! Lines: any cut gives the same, and a line that is too long is refused before it costs memory.

use llm_provider_core::lines::{LineTooLong, Lines};
use proptest::prelude::*;

/// The lines of a stream and how it ended: with a rest, or with an error.
#[derive(Debug, PartialEq)]
struct Read {
    lines: Vec<Vec<u8>>,
    rest: Option<Vec<u8>>,
    error: Option<LineTooLong>,
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Read {
    let mut decoder = Lines::new(limit);
    let mut read = Read { lines: Vec::new(), rest: None, error: None };
    for piece in pieces {
        let mut rest = piece;
        loop {
            match decoder.next(&mut rest) {
                Ok(Some(line)) => read.lines.push(line.to_vec()),
                Ok(None) => break,
                Err(error) => read.error = Some(error),
            }
        }
        assert!(rest.is_empty());
    }
    read.rest = decoder.end().map(<[u8]>::to_vec);
    read
}

#[test]
fn lines_and_what_follows_the_last() {
    let read = read([b"one\n\ntwo\r\nth".as_slice(), b"ree".as_slice()], 100);
    assert_eq!(read.lines, [b"one".to_vec(), vec![], b"two".to_vec()]);
    assert_eq!((read.rest, read.error), (Some(b"three".to_vec()), None));
    assert_eq!(self::read([b"a\n".as_slice()], 100).rest, None);
}

#[test]
fn a_line_over_the_limit_ends_the_reading() {
    assert_eq!(read([b"12345\n12345\r\n".as_slice()], 5).lines.len(), 2);
    let read = read([b"1\n123".as_slice(), b"4567".as_slice(), b"\n2\n".as_slice()], 5);
    assert_eq!((read.lines, read.error), (vec![b"1".to_vec()], Some(LineTooLong { limit: 5 })));
    assert_eq!(read.rest, None);
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(
        stream in prop::collection::vec(prop_oneof![4 => any::<u8>(), 2 => Just(b'\n'), 1 => Just(b'\r')], 0..400),
        cuts in prop::collection::vec(1usize..40, 1..20),
        limit in 0usize..30,
    ) {
        for limit in [limit, 1_000] {
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
            let whole = read([stream.as_slice()], limit);
            for other in [read(pieces, limit), read(stream.chunks(1), limit)] {
                prop_assert_eq!(&whole.lines, &other.lines);
                prop_assert_eq!(whole.error, other.error);
                if whole.error.is_none() {
                    prop_assert_eq!(&whole.rest, &other.rest);
                }
            }
        }
    }

    #[test]
    fn the_lines_are_those_of_the_text(lines in prop::collection::vec("[a-z\\\\ {}\"]{0,20}", 0..10)) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let read = read([text.as_bytes()], 100);
        prop_assert_eq!(read.lines, lines.iter().map(|line| line.clone().into_bytes()).collect::<Vec<_>>());
    }
}
