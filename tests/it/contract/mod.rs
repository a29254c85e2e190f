//! One suite for every plugin, run through the sandbox: what a caller may rely on, whoever answers.
//!
//! The tests are functions of a [`Subject`]. `contract!` makes a test of each for every plugin and dialect that it
//! names: `everywhere` is all of them, the Copilot plugin with the real CLI included; `http` those that keep nothing
//! between turns and send their requests themselves.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and tells its figures; clippy knows only functions marked as tests"
)]

use llmp_model_server::{ModelServer, Script};
use llmp_tests::rig::{Flavor, Rig};

/// Makes a test of each function for each subject, named after both. Once in a file.
macro_rules! contract {
    (http: [$($http:ident),+ $(,)?]) => {
        mod chat { tests_of!($crate::contract::CHAT; $($http),+); }
        mod responses { tests_of!($crate::contract::RESPONSES; $($http),+); }
        mod anthropic { tests_of!($crate::contract::ANTHROPIC; $($http),+); }
        mod gemini { tests_of!($crate::contract::GEMINI; $($http),+); }
    };
    (everywhere: [$($name:ident),+ $(,)?], http: [$($http:ident),+ $(,)?]) => {
        mod copilot { tests_of!($crate::contract::Subject::Copilot; $($name),+); }
        contract!(http: [$($name),+, $($http),+]);
    };
}

/// Makes a test of each function for one subject.
macro_rules! tests_of {
    ($subject:expr; $($name:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($subject).await;
            }
        )+
    };
}

mod bytes;
mod cancel;
mod determinism;
mod faults;
mod history;
mod keys;
mod limits;
mod models;
mod neighbours;
mod options;
mod probe;
mod refusals;
mod retries;
mod returned;
mod route;
mod shape;
mod streaming;
mod tools;
mod unknown;
mod usage;

/// Who is under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    /// The Copilot plugin with the real CLI, over chat completions.
    Copilot,
    /// A plugin that sends its requests itself.
    Http(Flavor),
}

const CHAT: Subject = Subject::Http(Flavor::Chat);
const RESPONSES: Subject = Subject::Http(Flavor::Responses);
const ANTHROPIC: Subject = Subject::Http(Flavor::Anthropic);
const GEMINI: Subject = Subject::Http(Flavor::Gemini);

impl Subject {
    const ALL: [Self; 5] = [Self::Copilot, CHAT, RESPONSES, ANTHROPIC, GEMINI];

    /// A rig around it; `None` when the person asked to skip the real CLI.
    async fn rig(self, test: &str, script: Script) -> Option<Rig> {
        match self {
            Self::Copilot => Rig::real(test, script).await,
            Self::Http(flavor) => Some(Rig::http(script, flavor).await),
        }
    }

    /// A rig around one that sends its requests itself.
    async fn http(self, script: Script) -> Rig {
        Rig::http(script, self.flavor()).await
    }

    fn flavor(self) -> Flavor {
        match self {
            Self::Copilot => panic!("this test is for those that send their requests themselves"),
            Self::Http(flavor) => flavor,
        }
    }

    /// The name of its plugin's component in the bundle.
    fn component(self) -> &'static str {
        match self {
            Self::Copilot => "COPILOT",
            Self::Http(Flavor::Chat | Flavor::Responses) => "OPENAI",
            Self::Http(Flavor::Anthropic) => "ANTHROPIC",
            Self::Http(Flavor::Gemini) => "GEMINI",
        }
    }

    /// Whether the dialect hands out an opaque proof with what the model thought.
    fn signs_thinking(self) -> bool {
        matches!(self, RESPONSES | ANTHROPIC | GEMINI)
    }
}

/// A plugin that is embedded is under this contract.
#[test]
fn every_plugin_of_the_bundle_is_a_subject() {
    let source = include_str!("../../../guest/bundle/src/lib.rs");
    let constant = |line: &'static str| line.strip_prefix("pub const ")?.split_once(": &[u8]").map(|(name, _)| name);
    let mut bundled: Vec<&str> = source.lines().filter_map(constant).collect();
    let mut subjects: Vec<&str> = Subject::ALL.into_iter().map(Subject::component).collect();
    bundled.sort_unstable();
    subjects.sort_unstable();
    subjects.dedup();
    assert_eq!(bundled, subjects, "the bundle's plugins are the suite's subjects");
    assert!(!bundled.is_empty());
}

/// A model server that must not be asked.
async fn unasked() -> ModelServer {
    ModelServer::start(Script::echo()).await.expect("a model server")
}
