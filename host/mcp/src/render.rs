//! What a tool of a server gave, as text for the model.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use llm_provider_host::ToolContent;
use rmcp::model::{CallToolResult, ContentBlock, Resource, ResourceContents};

/// The text of a result, and whether it is a failure. Structured content is shown where there is nothing else: servers
/// that send both repeat it as text.
pub(crate) fn render(result: CallToolResult) -> (String, bool) {
    let failed = result.is_error.unwrap_or(false);
    let text = match result.structured_content {
        Some(value) if result.content.is_empty() => ToolContent::from(value).render(),
        _ => result.content.into_iter().map(block).collect::<Vec<_>>().join("\n"),
    };
    (text, failed)
}

fn block(block: ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text,
        ContentBlock::Image(image) => left_out("an image", &image.mime_type, &image.data),
        ContentBlock::Audio(audio) => left_out("audio", &audio.mime_type, &audio.data),
        ContentBlock::Resource(embedded) => contents(embedded.resource),
        ContentBlock::ResourceLink(link) => resource_link(&link),
        other => serde_json::to_value(other).map_or_else(|error| error.to_string(), |value| value.to_string()),
    }
}

/// A model that reads text gains nothing from the digits of a picture, and pays for them.
fn left_out(what: &str, mime_type: &str, base64: &str) -> String {
    format!("[{what} ({mime_type}, {} bytes) that is not shown here]", base64.trim_end_matches('=').len() * 3 / 4)
}

fn contents(contents: ResourceContents) -> String {
    match contents {
        ResourceContents::TextResourceContents { uri, text, .. } => format!("[{uri}]\n{text}"),
        ResourceContents::BlobResourceContents { uri, blob, .. } => {
            let text = match STANDARD.decode(&blob) {
                Ok(bytes) => ToolContent::Bytes(bytes).render(),
                Err(_) => "[data that is not base64]".to_owned(),
            };
            format!("[{uri}]\n{text}")
        }
        other => serde_json::to_value(other).map_or_else(|error| error.to_string(), |value| value.to_string()),
    }
}

fn resource_link(link: &Resource) -> String {
    let about = link.description.as_deref().map(|about| format!(": {about}")).unwrap_or_default();
    format!("[the resource {} at {}{about}]", link.title.as_ref().unwrap_or(&link.name), link.uri)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rendered(result: Value) -> (String, bool) {
        render(serde_json::from_value(result).expect("a result"))
    }

    #[test]
    fn s31_each_kind_of_content_becomes_text() {
        let cases = [
            (json!([]), ""),
            (json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b\n"}]), "a\nb\n"),
            (
                json!([{"type": "image", "mimeType": "image/png", "data": "AAAA/w=="}]),
                "[an image (image/png, 4 bytes) that is not shown here]",
            ),
            (
                json!([{"type": "audio", "mimeType": "audio/wav", "data": "AAAA"}]),
                "[audio (audio/wav, 3 bytes) that is not shown here]",
            ),
            (json!([{"type": "resource", "resource": {"uri": "file:///a", "text": "hi"}}]), "[file:///a]\nhi"),
            (json!([{"type": "resource", "resource": {"uri": "file:///a", "blob": "aGk="}}]), "[file:///a]\nhi"),
            (
                json!([{"type": "resource", "resource": {"uri": "file:///a", "blob": "/w=="}}]),
                "[file:///a]\n[1 bytes that are no text, in base64]\n/w==",
            ),
            (
                json!([{"type": "resource", "resource": {"uri": "file:///a", "blob": "?"}}]),
                "[file:///a]\n[data that is not base64]",
            ),
            (
                json!([{"type": "resource_link", "uri": "file:///a", "name": "a", "description": "first"}]),
                "[the resource a at file:///a: first]",
            ),
        ];
        for (content, text) in cases {
            assert_eq!(rendered(json!({ "content": content })), (text.to_owned(), false), "{content}");
        }
    }

    #[test]
    fn structured_content_stands_in_for_none() {
        let both = json!({"content": [{"type": "text", "text": "a"}], "structuredContent": {"a": 1}});
        assert_eq!(rendered(both).0, "a");
        assert_eq!(rendered(json!({"content": [], "structuredContent": {"a": 1}})).0, r#"{"a":1}"#);
    }

    #[test]
    fn s32_a_failure_is_one() {
        let failed = rendered(json!({"content": [{"type": "text", "text": "no such file"}], "isError": true}));
        assert_eq!(failed, ("no such file".to_owned(), true));
    }
}
