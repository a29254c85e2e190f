//! Looking for what is not one's own: old memory, ids of others, what the clock gives away, bytes that are no text.

use crate::effect::Effect;
use crate::plugin::answer;
use crate::speech::{attempt, notice, say};
use llm_provider_guest::Perform;
use llm_provider_guest::effects::{HttpEffect, SidecarEffect, TimerEffect};
use llm_provider_guest::secrets::Chunk;
use llm_provider_guest::sidecar::StopMode;
use llm_provider_guest::types::TurnId;

/// Does what `mode` says; false when it names nothing of the kind.
pub(crate) fn start(mode: &str, turn: TurnId, argument: &str, now: u64, out: &mut Vec<Effect>) -> bool {
    let count = argument.parse::<u64>().unwrap_or(0);
    match mode {
        "now" => answer(turn, &now.to_string(), out),
        "stale" => answer(turn, &stale(count).to_string(), out),
        "forge" => {
            forge(count, out);
            answer(turn, "done", out);
        }
        "trap" => trap_after(turn, count),
        "no-text" => say(out, turn, notice(&no_text())),
        _ => return false,
    }
    true
}

/// Takes fresh memory without writing to it, and counts the bytes in it that somebody else wrote.
fn stale(bytes: u64) -> usize {
    // Asked for as zeroes, which on wasm is memory as it comes from the host.
    let memory = vec![0_u8; usize::try_from(bytes).unwrap_or(0)];
    std::hint::black_box(&memory).iter().filter(|byte| **byte != 0).count()
}

/// Speaks of things that do not exist: everything for which the world says that unknown ids are ignored.
fn forge(count: u64, out: &mut Vec<Effect>) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let id = if state & 1 == 0 { state >> 8 } else { (state >> 8) % 16 };
        out.push(match (state >> 33) % 6 {
            0 => TimerEffect::Clear(id).into(),
            1 => HttpEffect::Cancel(id).into(),
            2 => SidecarEffect::Send(id, vec![Chunk::Bytes(vec![0; 16])]).into(),
            3 => SidecarEffect::CloseInput(id).into(),
            4 => SidecarEffect::Stop(id, StopMode::Kill).into(),
            _ => SidecarEffect::Stop(id, StopMode::Graceful).into(),
        });
    }
}

/// Crashes between two calls of the host.
#[expect(clippy::panic, reason = "to panic is what is asked for")]
fn trap_after(turn: TurnId, calls: u64) -> ! {
    for at in 0..calls {
        let mut one = Vec::new();
        say(&mut one, turn, if at == 0 { attempt(1) } else { notice("still alive") });
        one.into_iter().for_each(Perform::perform);
    }
    panic!("as asked, after {calls} calls")
}

/// A string that is none, as code that is not Rust makes them.
#[expect(unsafe_code, reason = "the host must bear what no sound plugin does")]
fn no_text() -> String {
    // SAFETY: none; the string is handed to the host's boundary and never looked at here. A hostile plugin does this.
    unsafe { String::from_utf8_unchecked(vec![0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80]) }
}
