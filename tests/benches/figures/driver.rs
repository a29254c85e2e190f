//! Drives a plugin by hand, in the sandbox, up to the point where deltas stream.

use crate::native::Native;
use llm_provider_host::wit::provider::{SidecarBytes, SidecarStart, Turn, TurnOptions};
use llm_provider_host::wit::secrets::Chunk;
use llm_provider_host::wit::sidecar_types::Started;
use llm_provider_host::{Effect, Input, Plugin, Sandbox, user_message};
use llmp_tests::fake_cli::FakeCli;

/// The plugin's configuration: an endpoint nobody asks.
pub(crate) const CONFIG: &str =
    r#"{"egress":"direct","model":"m","auth":{"type":"byok","provider":"openai","base-url":"http://127.0.0.1:9/v1"}}"#;

/// A sandbox with one streaming turn.
pub(crate) struct Driven {
    pub(crate) sandbox: Sandbox,
    /// What the server says of the turn, as one run of bytes.
    pub(crate) stream: Vec<u8>,
}

/// Brings a turn to the point where `deltas` deltas are about to arrive.
pub(crate) fn drive(plugin: &Plugin, deltas: usize) -> Driven {
    let mut sandbox = plugin.sandbox(CONFIG, Vec::new(), 7).expect("a sandbox");
    let mut server = FakeCli::new(deltas);
    let mut waiting: Vec<Input> = vec![Input::OpenSession(1), Input::StartTurn(turn())];
    loop {
        let effects = sandbox.handle(1, &waiting).expect("no fault");
        waiting.clear();
        for effect in effects {
            match effect {
                Effect::SidecarStart(id, _) => {
                    let started =
                        Started { version: "1.0.102".into(), working_directory: "/w".into(), ..Started::default() };
                    waiting.push(Input::SidecarStarted(SidecarStart { id, started }));
                }
                Effect::SidecarSend(id, chunks) => {
                    let mut answer = Vec::new();
                    server.receive(&bytes(&chunks), &mut answer).expect("written");
                    if answer.len() > 10_000 || deltas < 20 && is_turn(&answer) {
                        return Driven { sandbox, stream: answer };
                    }
                    waiting.push(Input::SidecarOutput(SidecarBytes { id, data: answer }));
                }
                _ => {}
            }
        }
        assert!(!waiting.is_empty(), "the plugin waits for something this driver does not know");
    }
}

fn is_turn(answer: &[u8]) -> bool {
    String::from_utf8_lossy(answer).contains("assistant.turn_start")
}

fn bytes(chunks: &[Chunk]) -> Vec<u8> {
    let plain = |chunk: &Chunk| match chunk {
        Chunk::Bytes(bytes) => bytes.clone(),
        Chunk::Secret(_) => Vec::new(),
    };
    chunks.iter().flat_map(plain).collect()
}

fn turn() -> Turn {
    Turn { session: 1, id: 2, history: vec![user_message("go")], options: TurnOptions::default() }
}

/// The same turn in the same core, natively.
pub(crate) fn drive_native(deltas: usize) -> (Native, Vec<u8>) {
    let mut native = Native::new(CONFIG);
    let mut server = FakeCli::new(deltas);
    let mut sent = native.begin();
    loop {
        let mut answer = Vec::new();
        for bytes in &sent {
            server.receive(bytes, &mut answer).expect("written");
        }
        if is_turn(&answer) {
            return (native, answer);
        }
        sent = native.output(&answer).0;
        assert!(!sent.is_empty(), "the plugin waits for something this driver does not know");
    }
}

/// Cuts a run of frames into whole frames.
pub(crate) fn frames(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let head = rest.windows(4).position(|at| at == b"\r\n\r\n").expect("a header") + 4;
        let text = std::str::from_utf8(&rest[..head]).expect("ASCII");
        let length: usize = text.trim().rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a length");
        frames.push(rest[..head + length].to_vec());
        rest = &rest[head + length..];
    }
    frames
}
