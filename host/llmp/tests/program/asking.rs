//! The main job, with the real Copilot CLI and the built-in demo model.

use crate::run::{Place, Ran};
use llmp_tests::real_cli::skipped;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn with_nothing_configured_the_demo_model_answers() {
    if skipped("with_nothing_configured_the_demo_model_answers") {
        return;
    }
    let ran = Place::new().run(&["ask", "hello there"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("built-in demo model") && ran.stdout.contains("\"hello there\""), "{ran:?}");
    assert!(ran.stdout.ends_with('\n') && !ran.stderr.contains("error"), "{ran:?}");
}

#[test]
fn json_is_one_event_a_line_and_the_deltas_are_the_answer() {
    if skipped("json_is_one_event_a_line_and_the_deltas_are_the_answer") {
        return;
    }
    let ran = Place::new().run_with(&["ask", "--json"], "gr\u{fc}\u{df}e".as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    let text: String = of("text-delta").iter().filter_map(|line| line["text"].as_str()).collect();
    assert!(of("text-delta").len() > 3 && text.contains("gr\u{fc}\u{df}e"), "{ran:?}");
    assert_eq!(of("block-finished")[0]["block"]["text"], text.as_str());
    assert_eq!(lines.last().expect("lines")["type"], "finished");
    assert_eq!(of("finished").len(), 1);
}

#[test]
fn a_prompt_of_a_mebibyte_is_fine() {
    if skipped("a_prompt_of_a_mebibyte_is_fine") {
        return;
    }
    let prompt = "word ".repeat((1 << 20) / 5);
    let ran = Place::new().run_with(&["ask"], prompt.as_bytes());
    // The CLI itself counts tokens and refuses what is beyond the model's window; both are answers, none is a crash.
    assert!(matches!(ran.code, Some(0 | 1)) && !ran.stderr.contains("panicked"), "{:?} {}", ran.code, ran.stderr);
}

#[test]
fn a_chat_goes_on_after_a_command_and_keeps_its_history() {
    if skipped("a_chat_goes_on_after_a_command_and_keeps_its_history") {
        return;
    }
    let ran = Place::new().run_with(&["chat"], b"first\n/usage\n/nonsense\nsecond\n/quit\n");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("turn 1") && ran.stdout.contains("turn 2"), "{ran:?}");
    assert!(ran.stderr.contains("no command /nonsense") && ran.stderr.contains("input-tokens"), "{ran:?}");
}

#[test]
fn an_interrupt_ends_with_130_and_leaves_no_process() {
    if !skipped("an_interrupt_ends_with_130_and_leaves_no_process") {
        a_signal_ends_it("-INT");
    }
}

/// H04: an orderly end is asked for in mid-answer, as a service manager does.
#[test]
fn h04_termination_ends_with_130_and_leaves_no_process() {
    if !skipped("h04_termination_ends_with_130_and_leaves_no_process") {
        a_signal_ends_it("-TERM");
    }
}

fn a_signal_ends_it(signal: &str) {
    let place = Place::new();
    let mut command = place.command(&["ask", "hello"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut first = [0; 1];
    child.stdout.as_mut().expect("piped").read_exact(&mut first).expect("the answer begins");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("Linux");
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(cores.split_whitespace().nth(4), Some("0"), "a crash leaves no secrets in a file: {cores}");
    let began = Instant::now();
    let killed = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(killed.expect("kill").success());
    let ran = Ran::new(child.wait_with_output().expect("waited"));
    println!("figure: from the signal {signal} to the end: {:?}", began.elapsed());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(ran.stderr.contains("interrupted"), "it says that the answer is not all: {ran:?}");
    // The promise of the table, which is far above what it takes.
    assert!(began.elapsed() < Duration::from_millis(10_500));
    assert!(!alive_below(&place), "a process of this place is left");
}

/// True when a process lives whose environment names this place.
fn alive_below(place: &Place) -> bool {
    let name = place.path().display().to_string();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| std::fs::read(entry.path().join("environ")).ok())
        .any(|environment| String::from_utf8_lossy(&environment).contains(&name))
}
