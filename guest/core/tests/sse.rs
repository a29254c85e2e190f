//! Server-sent events: any cut gives the same, as the WHATWG standard reads them (THREATS, row N04).

use llm_provider_core::sse::{Decoder, EVENT_LIMIT, Event, TooLarge};
use proptest::prelude::*;

/// The events of a stream, and what its end gave.
#[derive(Debug, PartialEq)]
struct Read {
    events: Vec<Event>,
    last: Result<Option<Event>, TooLarge>,
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Read {
    let (mut decoder, mut events) = (Decoder::new(limit), Vec::new());
    for piece in pieces {
        if let Err(error) = decoder.push(piece, &mut events) {
            return Read { events, last: Err(error) };
        }
    }
    Read { events, last: decoder.finish() }
}

fn event(name: &str, data: &str) -> Event {
    Event { name: name.into(), data: data.into() }
}

/// The events that a blank line ended, the same whether the stream comes whole or byte by byte.
fn events(stream: &str) -> Vec<Event> {
    let whole = read([stream.as_bytes()], EVENT_LIMIT);
    assert_eq!(whole, read(stream.as_bytes().chunks(1), EVENT_LIMIT));
    whole.events
}

/// What the end gave.
fn last(stream: &str) -> Result<Option<Event>, TooLarge> {
    read([stream.as_bytes()], EVENT_LIMIT).last
}

/// The four examples of the standard, section 9.2.6 "Interpreting an event stream".
#[test]
fn n04_the_examples_of_the_standard() {
    let stocks = "data: YHOO\ndata: +2\ndata: 10\n\n";
    assert_eq!(events(stocks), [event("", "YHOO\n+2\n10")]);
    let blocks = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
    assert_eq!(events(blocks), [event("", "first event"), event("", "second event"), event("", " third event")]);
    let empty = "data\n\ndata\ndata\n\ndata:";
    assert_eq!(events(empty), [event("", ""), event("", "\n")]);
    // The standard drops this one; here whoever reads the stream decides.
    assert_eq!(last(empty), Ok(Some(event("", ""))));
    assert_eq!(events("data:test\n\ndata: test\n\n"), [event("", "test"), event("", "test")]);
}

#[test]
fn n04_line_ends_and_their_mixture() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = format!("event: a{end}data: 1{end}data: 2{end}{end}data: 3{end}{end}");
        assert_eq!(events(&stream), [event("a", "1\n2"), event("", "3")], "{end:?}");
    }
    assert_eq!(events("data: 1\r\ndata: 2\rdata: 3\n\r\n"), [event("", "1\n2\n3")]);
    assert_eq!(events("data: 1\r\r\ndata: 2\n\r"), [event("", "1"), event("", "2")]);
}

#[test]
fn n04_a_line_end_that_is_split_is_one() {
    let pieces: [&[u8]; 5] = [b"data: 1\r", b"", b"\ndata: 2\r", b"\n\r", b"\ndata: 3\n\n"];
    assert_eq!(read(pieces, 100).events, [event("", "1\n2"), event("", "3")]);
    // The event is there when its carriage return is, not when the line feed comes.
    let (mut decoder, mut out) = (Decoder::default(), Vec::new());
    decoder.push(b"data: 1\r\n\r", &mut out).unwrap();
    assert_eq!(out, [event("", "1")]);
}

#[test]
fn n04_a_byte_order_mark_counts_only_at_the_beginning() {
    assert_eq!(events("\u{feff}data: 1\n\n"), [event("", "1")]);
    assert_eq!(events("\u{feff}\ndata: 1\n\n"), [event("", "1")]);
    assert_eq!(events("data: 1\n\u{feff}data: 2\n\n"), [event("", "1")]);
    assert_eq!(events("\u{feff}\u{feff}data: 1\n\ndata: 2\n\n"), [event("", "2")]);
    assert_eq!(events("data: \u{feff}1\n\n"), [event("", "\u{feff}1")]);
    for cut in 0..=3 {
        let (head, tail) = "\u{feff}data: 1\n\n".as_bytes().split_at(cut);
        assert_eq!(read([head, tail], 100).events, [event("", "1")], "{cut}");
    }
}

#[test]
fn n04_characters_and_bytes_that_are_none() {
    let stream = "event: ä\ndata: 日本 🦀\n\n";
    assert_eq!(events(stream), [event("ä", "日本 🦀")]);
    for cut in 0..=stream.len() {
        let (head, tail) = stream.as_bytes().split_at(cut);
        assert_eq!(read([head, tail], 100).events, [event("ä", "日本 🦀")], "{cut}");
    }
    let broken: &[u8] = b"data: \xe6\x97\n\ndata: \xff\xf0\x9f\n\n";
    assert_eq!(read([broken], 100).events, [event("", "\u{fffd}"), event("", "\u{fffd}\u{fffd}")]);
}

#[test]
fn n04_comments_and_fields() {
    let stream = ": ping\n:\nevent:x\nretry: 10\nid: 7\nDATA: no\n data: no\ndata : no\nunknown\ndata: a: b:\n\n";
    assert_eq!(events(stream), [event("x", "a: b:")]);
    // A name without data is no event, and the next one does not get it; of two names the last counts.
    assert_eq!(events("event: lost\n\ndata: 1\n\nevent: a\nevent: b\ndata\n\n"), [event("", "1"), event("b", "")]);
    assert_eq!(events("event: a\nevent\ndata: 1\n\n\n\n"), [event("", "1")]);
}

#[test]
fn n04_the_last_event_needs_no_blank_line() {
    for stream in ["event: e\ndata: x", "event: e\ndata: x\n", "event: e\r\ndata: x\r"] {
        assert_eq!((events(stream), last(stream)), (vec![], Ok(Some(event("e", "x")))), "{stream:?}");
    }
    for stream in ["", "\n", "data: x\n\n", "event: e\n", ": comment", "\u{feff}"] {
        assert_eq!(last(stream), Ok(None), "{stream:?}");
    }
}

#[test]
fn n04_a_line_of_10_mib_is_refused_before_it_costs_memory() {
    const PIECE: usize = 64 * 1024;
    for start in ["data: ", ": ", "event: ", ""] {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        decoder.push(start.as_bytes(), &mut out).unwrap();
        let piece = vec![b'x'; PIECE];
        let taken = (0..160).take_while(|_| decoder.push(&piece, &mut out).is_ok()).count();
        assert!(start.len() + taken * PIECE <= EVENT_LIMIT, "{start:?}: {taken} pieces were taken");
        assert!(start.len() + (taken + 1) * PIECE > EVENT_LIMIT, "{start:?}: {taken} pieces were taken");
        assert!(out.is_empty());
    }
    let whole = vec![b'x'; 10 * 1024 * 1024];
    assert_eq!(read([whole.as_slice()], EVENT_LIMIT).last, Err(TooLarge { limit: EVENT_LIMIT }));
}

#[test]
fn n04_an_event_of_many_lines_is_bounded_too() {
    let stream = "data: 12345\n".repeat(10);
    assert_eq!(read([stream.as_bytes()], 20).last, Err(TooLarge { limit: 20 }));
    let fits = "data: 12345\n".repeat(3) + "\n";
    assert_eq!(read([fits.as_bytes()], 17).events, [event("", "12345\n12345\n12345")]);
    assert_eq!(read([fits.as_bytes()], 16).last, Err(TooLarge { limit: 16 }));
    // Each event has the whole room.
    assert_eq!(read([fits.repeat(9).as_bytes()], 17).events.len(), 9);
}

fn cut<'a>(mut rest: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn parts() -> impl Strategy<Value = Vec<u8>> {
    let words =
        ["data", "data:", "data: ", "event:", ":", "id: 1", "x", "é", "🦀", "\u{feff}", "\n", "\r", "\r\n", "\n\n"];
    let part = prop_oneof![
        6 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(part, 0..80).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn n04_any_cut_gives_the_same(
        stream in prop_oneof![parts(), prop::collection::vec(any::<u8>(), 0..300)],
        cuts in prop::collection::vec(1usize..20, 1..20),
        limit in 0usize..40,
    ) {
        for limit in [limit, EVENT_LIMIT] {
            let whole = read([stream.as_slice()], limit);
            prop_assert_eq!(&whole, &read(cut(&stream, &cuts), limit));
            prop_assert_eq!(&whole, &read(stream.chunks(1), limit));
        }
    }

    #[test]
    fn n04_the_events_are_those_that_were_written(
        written in prop::collection::vec(("[a-z_.]{0,9}", "[^\r\0]{0,40}"), 0..9),
        end in prop::sample::select(vec!["\n", "\r", "\r\n"]),
        mark: bool,
        cuts in prop::collection::vec(1usize..20, 1..20),
    ) {
        let mut stream = String::from(if mark { "\u{feff}" } else { "" });
        for (name, data) in &written {
            stream.push_str(&format!(": comment{end}event: {name}{end}"));
            data.split('\n').for_each(|line| stream.push_str(&format!("data: {line}{end}")));
            stream.push_str(end);
        }
        let want: Vec<Event> = written.iter().map(|(name, data)| event(name, data)).collect();
        prop_assert_eq!(read(cut(stream.as_bytes(), &cuts), EVENT_LIMIT).events, want);
    }
}
