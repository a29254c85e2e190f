//! `GET /v1/models`, in OpenAI's shape or in Anthropic's.

use serde_json::{Value, json};

use crate::dialect::CREATED;

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
