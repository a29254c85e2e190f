//! A chat in a terminal of its own, with a person's keys.

use crate::run::{PATIENCE, Place};
use llmp_model_server::{ModelServer, Reply, Script};
use pty_process::blocking::{Command, Pts, Pty, open};
use rustix::termios::tcgetattr;
use std::io::{Read, Write};
use std::process::Child;
use std::sync::{Arc, mpsc};
use std::time::Instant;

const CTRL_C: &str = "\u{3}";
const ENTER: &str = "\r";

/// A terminal with a chat in it.
struct Terminal {
    keyboard: Arc<Pty>,
    /// The program's end, kept open: what a terminal is set to is gone with the last who has it.
    line: Pts,
    /// What the terminal was set to before there was a program.
    before: String,
    child: Child,
    shown: mpsc::Receiver<Vec<u8>>,
    /// What was shown and not waited for yet.
    rest: String,
}

impl Terminal {
    fn chat(place: &Place) -> Self {
        let (keyboard, line) = open().expect("a terminal");
        let before = modes(&line);
        let program = place.command(&["chat"]);
        let mut command = Command::new(program.get_program()).args(program.get_args()).env_clear().env("TERM", "xterm");
        command = command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let child = command.current_dir(place.path()).spawn_borrowed(&line).expect("started");
        let keyboard = Arc::new(keyboard);
        let (teller, shown) = mpsc::channel();
        let screen = Arc::clone(&keyboard);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = (&*screen).read(&mut bytes) {
                if teller.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keyboard, line, before, child, shown, rest: String::new() }
    }

    fn type_in(&self, keys: &str) {
        (&*self.keyboard).write_all(keys.as_bytes()).expect("it reads");
    }

    /// Waits until this is shown, after what was waited for before.
    fn until_shown(&mut self, part: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.rest.find(part) {
                self.rest.drain(..at + part.len());
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            let bytes = self.shown.recv_timeout(left).unwrap_or_else(|_| panic!("no `{part}` in {:?}", self.rest));
            self.rest.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    }

    /// The exit code, once it has ended by itself and left the terminal as it was.
    fn end(mut self) -> Option<i32> {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("waited") {
                break status;
            }
            assert!(Instant::now() < end, "it does not end: {:?}", self.rest);
            std::thread::sleep(std::time::Duration::from_millis(10));
        };
        assert_eq!(modes(&self.line), self.before, "the terminal is left as it was");
        status.code()
    }
}

/// What a terminal is set to.
fn modes(line: &Pts) -> String {
    let set = tcgetattr(line).expect("a terminal");
    format!("{:?} {:?} {:?} {:?}", set.input_modes, set.output_modes, set.control_modes, set.local_modes)
}

async fn chat(script: Script) -> (ModelServer, Place) {
    let server = ModelServer::start(script).await.expect("a server");
    let place = Place::new().asking(&server.openai_base_url());
    (server, place)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_ctrl_c_ends_an_answer_and_the_chat_goes_on() {
    let hanging = Reply::deltas(["one, ", "two"]).hang_after(2);
    let (_server, place) = chat(Script::text("better").then(Reply::text("fine")).then(hanging)).await;
    let mut terminal = Terminal::chat(&place);
    terminal.until_shown("> ");
    terminal.type_in(&format!("hello{ENTER}"));
    terminal.until_shown("fine");
    terminal.until_shown("> ");
    terminal.type_in(&format!("again{ENTER}"));
    terminal.until_shown("two");
    terminal.type_in(CTRL_C);
    terminal.until_shown("error: interrupted");
    terminal.until_shown("> ");
    terminal.type_in(&format!("half a line{CTRL_C}"));
    terminal.until_shown("/quit or Ctrl-D ends");
    terminal.type_in(&format!("once more{ENTER}"));
    terminal.until_shown("better");
    terminal.type_in(&format!("/usage{ENTER}"));
    terminal.until_shown("2 answers");
    terminal.type_in(&format!("/quit{ENTER}"));
    assert_eq!(terminal.end(), Some(0));
}

/// The line is being edited: the terminal shows no keys by itself then, and must after.
#[tokio::test(flavor = "multi_thread")]
async fn a_termination_while_a_line_is_typed_leaves_the_terminal_as_it_was() {
    let (_server, place) = chat(Script::text("fine")).await;
    let mut terminal = Terminal::chat(&place);
    terminal.until_shown("> ");
    terminal.type_in("half a li");
    terminal.until_shown("half a li");
    assert_ne!(modes(&terminal.line), terminal.before, "the editor has it");
    terminal.terminate();
    terminal.until_shown("error: interrupted");
    assert_eq!(terminal.end(), Some(130));
}
