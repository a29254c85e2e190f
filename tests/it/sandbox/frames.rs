//! What a sidecar writes that is no frame, or announces what nobody could keep (THREATS, rows P05 and P06). What is a frame
//! is tried in guest/core; here are the amounts.

use crate::measure::{Claimed, Peak, alone};
use llm_provider_core::frame::{Decoder, FrameError};
use llm_provider_host::wit::errors::ErrorKind;
use llmp_model_server::Script;
use llmp_tests::fake_sidecar::FakeSidecar;
use llmp_tests::rig::Rig;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

/// Ten times the promise of 64 KiB.
const MOST: usize = 640 << 10;

/// Heads of frames that are refused: beyond any memory, negative, a byte too many, with a sign, twice, and none.
const REFUSED: [&str; 6] = [
    "Content-Length: 9223372036854775808\r\n\r\n",
    "Content-Length: -1\r\n\r\n",
    "Content-Length: 16777217\r\n\r\n",
    "Content-Length: +5\r\n\r\n",
    "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
    "Content-Type: x\r\n\r\n",
];

/// All of them, in pieces of so many bytes.
fn refuse(size: usize) {
    for head in REFUSED {
        let mut decoder = Decoder::default();
        let refused = head.as_bytes().chunks(size).any(|mut piece| decoder.next(&mut piece).is_err());
        assert!(refused, "{head:?}");
    }
}

#[test]
fn p05_what_is_announced_costs_no_memory() {
    if !alone("sandbox::frames::p05_what_is_announced_costs_no_memory") {
        return;
    }
    refuse(1);
    let (peak, claimed) = (Peak::begin(), Claimed::begin());
    for round in 0..1_000 {
        refuse(if round % 2 == 0 { 100 } else { 1 });
    }
    let (written, asked) = (peak.grown(), claimed.grown());
    println!("figure: 6000 refused frames took {} KiB, and asked the kernel for {} KiB", written >> 10, asked >> 10);
    assert!(asked < MOST, "{asked}");
    assert!(written < 1 << 20, "the same, and what the kernel's own counting is off by: {written}");

    // The largest that is not refused, a thousand at once, of each of which a byte has come.
    let announced: Vec<Decoder> = (0..1_000)
        .map(|_| {
            let mut decoder = Decoder::default();
            let mut piece = b"Content-Length: 16777216\r\n\r\n{".as_slice();
            assert!(matches!(decoder.next(&mut piece), Ok(None)));
            decoder
        })
        .collect();
    let each = claimed.grown() / announced.len();
    println!("figure: each of {} announced bodies of 16 MiB asked the kernel for {} KiB", announced.len(), each >> 10);
    assert!(each < MOST, "{each}");
}

/// A mebibyte that differs with the seed.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_le_bytes()[6]
    };
    std::iter::repeat_with(next).take(1 << 20).collect()
}

#[test]
fn p06_a_mebibyte_of_junk_is_one_failure() {
    let mut slowest = Duration::ZERO;
    for seed in 0..16 {
        let junk = noise(seed);
        for size in [1, 7, 4_096, 65_536, junk.len()] {
            let (begin, mut decoder, mut errors) = (Instant::now(), Decoder::default(), Vec::new());
            for mut piece in junk.chunks(size) {
                while !piece.is_empty() {
                    match decoder.next(&mut piece) {
                        Ok(None) => {}
                        Ok(Some(body)) => panic!("a frame in junk: {body:?}"),
                        Err(error) => {
                            slowest = slowest.max(begin.elapsed());
                            errors.push(error);
                        }
                    }
                }
            }
            let [FrameError::Junk { excerpt, .. }] = &errors[..] else { panic!("{errors:?}") };
            assert!(excerpt.chars().all(|c| c.is_ascii() && !c.is_ascii_control()), "{excerpt:?}");
        }
    }
    println!("figure: a mebibyte of junk failed within {slowest:?}");
    assert!(slowest < Duration::from_millis(500), "ten times the promise of 50 ms: {slowest:?}");
}

/// Says when it begins, by the time of a file, and then a mebibyte of what may be anything.
const JUNK: &str = ": > \"$0\"; head -c 1048576 /dev/urandom; sleep 60";

#[tokio::test(flavor = "multi_thread")]
async fn p06_a_sidecar_that_writes_a_mebibyte_of_junk_fails_its_turn() {
    let place = TempDir::new().expect("a directory");
    let mark = place.path().join("begun");
    let args = ["-c", JUNK, &mark.display().to_string()].map(str::to_owned).to_vec();
    let rig = Rig::new(Script::echo(), FakeSidecar { program: "/bin/sh".into(), args }).await;
    let seen = rig.ask("hello").await;
    let ended = SystemTime::now();
    let failure = seen.failure();
    assert_eq!(failure.kind, ErrorKind::Protocol, "{}", failure.message);
    assert!(!failure.message.chars().any(char::is_control), "{:?}", failure.message);
    let begun = mark.metadata().and_then(|file| file.modified()).expect("it began");
    let took = ended.duration_since(begun).unwrap_or_default();
    println!("figure: a sidecar's mebibyte of junk failed its turn within {took:?}");
    assert!(took < Duration::from_millis(500), "ten times the promise of 50 ms: {took:?}");
    assert_eq!(rig.model.seen(), 0);
}
