//! A fake Copilot CLI: the server's side of the protocol, as fast as a pipe, with as many deltas as wanted.
//!
//! The shapes of its messages are those of the recorded ones in `transcripts/`; the real CLI is slower than a host can be
//! measured with.

use llm_provider_core::frame::Decoder;
use serde_json::{Value, json};
use std::io::{self, Write};

/// The state of one fake server.
pub struct FakeCli {
    deltas: usize,
    decoder: Decoder,
    sends: usize,
    over: bool,
}

impl FakeCli {
    /// A server that answers every prompt with so many deltas.
    #[must_use]
    pub fn new(deltas: usize) -> Self {
        Self { deltas, decoder: Decoder::default(), sends: 0, over: false }
    }

    /// True once it was told to shut down.
    #[must_use]
    pub fn over(&self) -> bool {
        self.over
    }

    /// Takes bytes of the client, cut anywhere, and writes what it answers.
    ///
    /// # Errors
    /// When the answer cannot be written.
    ///
    /// # Panics
    /// When the client does not frame what it writes.
    pub fn receive(&mut self, bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        let mut bodies = Vec::new();
        let mut rest = bytes;
        while let Some(body) = self.decoder.next(&mut rest).expect("framed requests") {
            bodies.push(serde_json::from_slice::<Value>(body).expect("JSON requests"));
        }
        bodies.iter().try_for_each(|body| self.answer(body, out))
    }

    fn answer(&mut self, request: &Value, out: &mut impl Write) -> io::Result<()> {
        let (id, params) = (&request["id"], &request["params"]);
        let session = &params["sessionId"];
        let result = match request["method"].as_str() {
            Some("connect") => json!({ "ok": true, "protocolVersion": 3, "version": "1.0.102" }),
            Some("session.create" | "session.resume") => json!({ "sessionId": session, "workspacePath": "/w" }),
            Some("session.send") => return self.turn(id, session, out),
            Some("runtime.shutdown") => {
                self.over = true;
                Value::Null
            }
            _ => json!({ "success": true }),
        };
        write_frame(out, &json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string())
    }

    fn turn(&mut self, id: &Value, session: &Value, out: &mut impl Write) -> io::Result<()> {
        self.sends += 1;
        let send = format!("send-{}", self.sends);
        write_frame(out, &json!({ "jsonrpc": "2.0", "id": id, "result": { "messageId": send } }).to_string())?;
        let event = |kind: &str, data: Value| event(session, kind, &data);
        write_frame(out, &event("assistant.turn_start", json!({ "turnId": "0", "interactionId": "i" })))?;
        let message = format!("ce55611d-93c4-420e-95af-{:012}", self.sends);
        let (mut whole, session_text) = (String::new(), session.to_string());
        for number in 0..self.deltas {
            let text = delta_text(number);
            // By hand: this loop must not be slower than what it feeds.
            let data = format!("{{\"messageId\":\"{message}\",\"deltaContent\":\"{text}\"}}");
            write_frame(out, &raw_event(&session_text, "assistant.message_delta", &data))?;
            whole.push_str(&text);
        }
        let usage = json!({ "model": "stub-model", "inputTokens": 3, "outputTokens": self.deltas, "apiCallId": "c" });
        write_frame(out, &event("assistant.usage", usage))?;
        let answer = json!({
            "messageId": message, "originatingMessageId": send, "model": "stub-model", "content": whole,
            "toolRequests": [], "turnId": "0", "apiCallId": "c",
        });
        write_frame(out, &event("assistant.message", answer))?;
        write_frame(out, &event("assistant.turn_end", json!({ "turnId": "0" })))?;
        write_frame(out, &event("session.idle", json!({ "mode": "interactive" })))?;
        out.flush()
    }
}

/// The text of a delta: its number, so that a lost or doubled one shows.
#[must_use]
pub fn delta_text(number: usize) -> String {
    format!("{number:06} ")
}

/// A `session.event` as the CLI sends it, with all the fields nobody needs.
#[must_use]
pub fn event(session: &Value, kind: &str, data: &Value) -> String {
    raw_event(&session.to_string(), kind, &data.to_string())
}

/// The same, of parts that are JSON already.
fn raw_event(session: &str, kind: &str, data: &str) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"session.event\",\"params\":{{\"sessionId\":{session},\"event\":{{\
         \"type\":\"{kind}\",\"data\":{data},\"ephemeral\":true,\"id\":\"72f52122-2b14-4c09-8608-642b3496b87a\",\
         \"timestamp\":\"2026-11-22T12:07:42.204Z\",\"parentId\":\"d9f509e0-e935-4e90-8907-59dcd6c70338\"}}}}}}"
    )
}

/// Writes a frame.
///
/// # Errors
/// When it cannot be written.
pub fn write_frame(out: &mut impl Write, body: &str) -> io::Result<()> {
    write!(out, "Content-Length: {}\r\n\r\n{body}", body.len())
}
