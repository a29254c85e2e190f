//! Reaching for the world outside, with the means of the standard library.

use std::collections::HashMap;
use std::fs::File;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant, SystemTime};
use std::{env, thread};

/// What came of the attempt that `what` names; `None` when it names none.
pub(crate) fn attempt(what: &str) -> Option<String> {
    Some(match what {
        "open" => outcome(File::open("/etc/passwd")),
        "create" => outcome(File::create("/tmp/llmp-test-echo")),
        "connect" => outcome(TcpStream::connect("127.0.0.1:9")),
        "resolve" => outcome(("localhost", 80).to_socket_addrs()),
        "thread" => outcome(thread::Builder::new().spawn(|| ())),
        "env" => format!("{:?} {:?}", env::vars().collect::<Vec<_>>(), env::args().collect::<Vec<_>>()),
        "stdin" => read_line(),
        "time" => format!("{:?}", SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()),
        "wait" => wait(),
        "hash" => format!("{:?}", (0..20).map(|n| (n, n)).collect::<HashMap<u32, u32>>()),
        "sleep" => {
            thread::sleep(Duration::from_secs(3600));
            "woke".to_owned()
        }
        "panic" => fail(),
        "print" => print(),
        _ => return None,
    })
}

fn outcome<T>(tried: std::io::Result<T>) -> String {
    match tried {
        Ok(_) => "DONE".to_owned(),
        Err(error) => format!("refused: {error}"),
    }
}

fn read_line() -> String {
    let mut line = String::new();
    format!("{:?} {line:?}", std::io::stdin().read_line(&mut line))
}

/// Within a call the clock stands still.
fn wait() -> String {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(1) {}
    "time passed".to_owned()
}

/// Far more than anybody keeps.
#[expect(clippy::print_stdout, reason = "that prints are bounded is what is tested")]
fn print() -> String {
    (0..10_000).for_each(|number| println!("{number:0>60}"));
    "printed".to_owned()
}

#[expect(clippy::panic, reason = "to panic is what is asked for")]
fn fail() -> ! {
    panic!("as asked")
}
