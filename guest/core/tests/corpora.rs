//! What the fuzzers of bytes have found worth keeping (`tests/fuzz`).
#![allow(clippy::expect_used, clippy::indexing_slicing)]

#[path = "played/frames.rs"]
mod frames;
#[path = "played/sse.rs"]
mod sse;

use std::fs;
use std::path::Path;

fn replay(corpus: &str, play: fn(&[u8]), least: usize) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus").join(corpus);
    let files = fs::read_dir(&corpus).expect("the corpus").flatten();
    let replayed = files.map(|file| play(&fs::read(file.path()).expect("a file"))).count();
    assert!(replayed >= least, "only {replayed} files in {}", corpus.display());
}

#[test]
fn the_corpus_of_frames_holds() {
    replay("frames", frames::play, 3);
}

#[test]
fn the_corpus_of_events_holds() {
    replay("sse", sse::play, 6);
}
