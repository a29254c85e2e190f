//! Calls that another model made in the turn that goes on.
//!
//! From Gemini 3 on the API refuses a request in which a step of the current turn begins with a call without a
//! signature. Its documentation has a word in place of one, for histories that another model has begun.

use super::contents::{Content, Speaker};

/// The documented word.
const NOT_CHECKED: &str = "skip_thought_signature_validator";

/// Puts the word on the first call of each step that has no signature. What was before the last thing that the user
/// said is not checked, and stays as it is.
pub(super) fn complete(contents: &mut [Content<'_>]) {
    let steps = contents.iter_mut().rev().take_while(|content| !asks(content));
    for step in steps.filter(|content| content.role == Speaker::Model) {
        if let Some(call) = step.parts.iter_mut().find(|part| part.is_call()) {
            call.thought_signature.get_or_insert(NOT_CHECKED);
        }
    }
}

/// Whether the user says something here, besides results of calls.
fn asks(content: &Content<'_>) -> bool {
    content.role == Speaker::User && !content.parts.iter().all(super::contents::Part::is_result)
}
