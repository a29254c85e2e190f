//! The list of models: `GET /v1/models`, in OpenAI's shape or in Anthropic's, and Gemini's `GET /v1beta/models`.

use hyper::Uri;
use serde_json::{Value, json};

use crate::dialect::CREATED;
use crate::model_error::ModelError;
use crate::target::query;

/// Models on one of Gemini's pages when the client does not say, and at most: from its reference.
const PAGE: usize = 50;
const PAGE_MAX: usize = 1_000;

/// The list of models. Anthropic's clients tell themselves by their `anthropic-version` header.
pub(crate) fn list(models: &[String], anthropic: bool) -> Value {
    let entry = |id: &String| {
        if anthropic {
            json!({"type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z"})
        } else {
            json!({"id": id, "object": "model", "created": CREATED, "owned_by": "llmp"})
        }
    };
    let data: Vec<Value> = models.iter().map(entry).collect();
    if anthropic {
        json!({"data": data, "has_more": false, "first_id": models.first(), "last_id": models.last()})
    } else {
        json!({"object": "list", "data": data})
    }
}

/// A page of Gemini's list, the only one that comes in pages.
///
/// # Errors
/// What the client asks for is no page.
pub(crate) fn page(models: &[String], uri: &Uri) -> Result<Value, ModelError> {
    let number = |key: &str| query(uri, key).filter(|value| !value.is_empty()).map(|value| value.parse::<usize>());
    let invalid = |key: &str| ModelError::new(400, format!("invalid {key}"));
    let size = number("pageSize").transpose().map_err(|_| invalid("page_size"))?;
    let size = size.filter(|size| *size > 0).unwrap_or(PAGE).min(PAGE_MAX);
    // What a token says is nobody's business but ours: where its page begins.
    let begin = number("pageToken").transpose().map_err(|_| invalid("page_token"))?.unwrap_or_default();
    let rest = models.get(begin..).ok_or_else(|| invalid("page_token"))?;
    let page: Vec<Value> = rest.iter().take(size).map(|id| info(id)).collect();
    // As everywhere in this API, what is empty is left out.
    let mut body = if page.is_empty() { json!({}) } else { json!({ "models": page }) };
    if let Some(body) = body.as_object_mut().filter(|_| rest.len() > size) {
        body.insert("nextPageToken".to_owned(), json!((begin + size).to_string()));
    }
    Ok(body)
}

fn info(id: &str) -> Value {
    json!({
        "name": format!("models/{id}"),
        "version": "1",
        "displayName": id,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "thinking": true,
    })
}
