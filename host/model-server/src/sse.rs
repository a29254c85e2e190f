//! Server-sent events, the way the dialects write them.
//!
//! OpenAI's chat completions send bare `data:` lines; OpenAI's Responses and Anthropic's Messages put an `event:`
//! line, equal to the data's own `type`, before each. Gemini ends lines with CR LF.

use bytes::{BufMut, BytesMut};
use serde::Serialize;

/// Appends one event. `name` is the `event:` line, absent for chat completions.
pub(crate) fn event(out: &mut BytesMut, name: Option<&str>, data: &impl Serialize) {
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\n");
    }
    out.extend_from_slice(b"data: ");
    json(out, data);
    out.extend_from_slice(b"\n\n");
}

/// Appends one event without a name, its lines ended the way Gemini does it.
pub(crate) fn data_crlf(out: &mut BytesMut, data: &impl Serialize) {
    out.extend_from_slice(b"data: ");
    json(out, data);
    out.extend_from_slice(b"\r\n\r\n");
}

/// Appends chat completions' end mark.
pub(crate) fn done(out: &mut BytesMut) {
    out.extend_from_slice(b"data: [DONE]\n\n");
}

/// Appends `data` as JSON.
pub(crate) fn json(out: &mut BytesMut, data: &impl Serialize) {
    // Writing to memory cannot fail, and every value here has string keys, which is all that JSON asks for.
    serde_json::to_writer(out.writer(), data).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_one_data_line_and_a_blank_line() {
        let mut out = BytesMut::new();
        event(&mut out, None, &json!({"a": "line\nbreak"}));
        event(&mut out, Some("ping"), &json!({"type": "ping"}));
        done(&mut out);
        assert_eq!(
            &out[..],
            b"data: {\"a\":\"line\\nbreak\"}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\ndata: [DONE]\n\n"
        );
        let mut out = BytesMut::new();
        data_crlf(&mut out, &json!({"a": "line\r\nbreak"}));
        assert_eq!(&out[..], b"data: {\"a\":\"line\\r\\nbreak\"}\r\n\r\n");
    }
}
