//! Reads an answer of Responses.

use super::blocks::{Blocks, Place, Reasoning};
use super::event::{Event, Item, Part, Response, arguments, text};
use super::signature::Signature;
use crate::counts;
use crate::refusal;
use llm_provider_core::classify::{Failure, Fault};
use llm_provider_core::completion::{Piece, Reader};
use llm_provider_core::surrogate::mended;
use llm_provider_core::turn::Kind;
use llm_provider_guest::types::FinishReason;
use serde_json::Value;
use std::collections::BTreeSet;

/// Reads one answer.
///
/// A refusal is given as text, and the answer then ends as `content-filter` instead of `stop`: a caller that waits for
/// JSON must be told that it is none.
#[derive(Debug, Default)]
pub struct ResponsesReader {
    /// A name for ids of calls that the service gives none.
    made: String,
    blocks: Blocks,
    /// The ids of the calls so far.
    calls: BTreeSet<String>,
    model_told: bool,
    refused: bool,
    ended: bool,
}

impl ResponsesReader {
    /// A reader for the answer to a call of this name.
    pub(crate) fn new(key: &str) -> Self {
        Self { made: key.to_owned(), ..Self::default() }
    }

    fn take(&mut self, kind: &str, event: Event, out: &mut Vec<Piece>) -> Result<(), Failure> {
        let item = event.output_index.unwrap_or(0);
        let part = Place::Part(item, event.content_index.unwrap_or(0));
        let summary = (Reasoning::Summary, event.summary_index.unwrap_or(0));
        let readable = (Reasoning::Text, event.content_index.unwrap_or(0));
        let said = |value| text(value).unwrap_or_default();
        match kind {
            "response.output_text.delta" => self.blocks.delta(part, Kind::Text, said(event.delta), out),
            "response.output_text.done" => self.blocks.whole(part, Kind::Text, said(event.text), out),
            "response.refusal.delta" => self.refusal(part, said(event.delta), false, out),
            "response.refusal.done" => self.refusal(part, said(event.refusal), true, out),
            "response.content_part.done" => self.part(part, parsed(event.part)?, out),
            "response.reasoning_summary_text.delta" => self.blocks.reasoning(item, summary, said(event.delta), out),
            "response.reasoning_text.delta" => self.blocks.reasoning(item, readable, said(event.delta), out),
            "response.function_call_arguments.delta" => self.arguments(item, said(event.delta), false, out),
            "response.function_call_arguments.done" => {
                self.arguments(item, arguments(event.arguments).unwrap_or_default(), true, out);
            }
            "response.output_item.added" => self.added(item, parsed(event.item)?, out),
            "response.output_item.done" => self.done(item, parsed(event.item)?, out),
            "response.created" | "response.in_progress" | "response.queued" => {
                self.model(event.response.and_then(|response| response.model), out);
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                let ending = kind.strip_prefix("response.").unwrap_or(kind);
                return self.ending(ending, event.response.unwrap_or_default(), out);
            }
            // They say what others say too.
            "response.content_part.added"
            | "response.output_text.annotation.added"
            | "response.reasoning_summary_part.added"
            | "response.reasoning_summary_part.done"
            | "response.reasoning_summary_text.done"
            | "response.reasoning_text.done"
            | "response.reasoning_part.added"
            | "response.reasoning_part.done" => {}
            _ => out.push(Piece::Unknown),
        }
        Ok(())
    }

    fn model(&mut self, model: Option<String>, out: &mut Vec<Piece>) {
        if let Some(model) = model.filter(|model| !model.is_empty() && !self.model_told) {
            self.model_told = true;
            out.push(Piece::Model(model));
        }
    }

    fn refusal(&mut self, place: Place, text: String, whole: bool, out: &mut Vec<Piece>) {
        self.refused |= !text.is_empty();
        if whole {
            self.blocks.whole(place, Kind::Text, text, out);
        } else {
            self.blocks.delta(place, Kind::Text, text, out);
        }
    }

    fn part(&mut self, place: Place, part: Part, out: &mut Vec<Piece>) {
        // Readable reasoning has parts of its own, whose item tells them.
        if let Place::Part(item, _) = place
            && self.blocks.has(Place::Item(item))
        {
            return;
        }
        self.refusal(place, part.refusal.unwrap_or_default(), true, out);
        self.blocks.whole(place, Kind::Text, part.text.unwrap_or_default(), out);
    }

    /// Arguments of a call that was not announced wait for its item, which has them too.
    fn arguments(&mut self, item: u64, text: String, whole: bool, out: &mut Vec<Piece>) {
        let (place, kind) = (Place::Item(item), Kind::Text);
        if !self.blocks.has(place) {
            return;
        }
        if whole {
            self.blocks.whole(place, kind, text, out);
        } else {
            self.blocks.delta(place, kind, text, out);
        }
    }

    fn added(&mut self, index: u64, item: Item, out: &mut Vec<Piece>) {
        match item {
            Item::FunctionCall { id, call_id, name, .. } => self.call(index, call_id.or(id), name, out),
            Item::Unknown => out.push(Piece::Unknown),
            Item::Message { .. } | Item::Reasoning { .. } => {}
        }
    }

    fn call(&mut self, index: u64, id: Option<String>, name: String, out: &mut Vec<Piece>) {
        if self.blocks.has(Place::Item(index)) {
            return;
        }
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{}_{index}", self.made));
        self.calls.insert(id.clone());
        self.blocks.open(Place::Item(index), Kind::ToolCall { id, name }, out);
    }

    fn done(&mut self, index: u64, item: Item, out: &mut Vec<Piece>) {
        match item {
            Item::Message { content } => {
                for (at, part) in (0..).zip(content.unwrap_or_default()) {
                    self.part(Place::Part(index, at), part, out);
                }
                self.blocks.close_item(index, None, out);
            }
            Item::Reasoning { id, summary, content, encrypted_content } => {
                self.reasoned(index, summary, content, out);
                let signature = encrypted_content
                    .filter(|content| !content.is_empty())
                    .and_then(|content| Signature { id: id.unwrap_or_default(), encrypted_content: content }.write());
                if signature.is_some() {
                    self.blocks.open(Place::Item(index), Kind::Thinking, out);
                }
                self.blocks.close_item(index, signature.as_ref(), out);
            }
            Item::FunctionCall { id, call_id, name, arguments: whole } => {
                self.call(index, call_id.or(id), name, out);
                self.arguments(index, arguments(whole).unwrap_or_default(), true, out);
                self.blocks.close_call(Place::Item(index), out);
            }
            Item::Unknown => {}
        }
    }

    /// The readable parts of a reasoning item, unless they have come in pieces.
    fn reasoned(&mut self, index: u64, summary: Option<Vec<Part>>, content: Option<Vec<Part>>, out: &mut Vec<Piece>) {
        if self.blocks.has(Place::Item(index)) {
            return;
        }
        for (form, parts) in [(Reasoning::Summary, summary), (Reasoning::Text, content)] {
            for (at, part) in (0..).zip(parts.unwrap_or_default()) {
                self.blocks.reasoning(index, (form, at), part.text.unwrap_or_default(), out);
            }
        }
    }

    /// The end of the answer, by the status it has then.
    fn ending(&mut self, status: &str, response: Response, out: &mut Vec<Piece>) -> Result<(), Failure> {
        self.model(response.model, out);
        if let Some(usage) = response.usage.filter(Value::is_object) {
            out.push(Piece::Usage(counts::of_responses(&usage)));
        }
        let incomplete = response.incomplete_details.and_then(|details| details.reason);
        let reason = match (status, incomplete.as_deref()) {
            ("completed", _) => None,
            ("incomplete", Some("max_output_tokens")) => Some(FinishReason::Length),
            ("incomplete", Some("content_filter")) => Some(FinishReason::ContentFilter),
            ("incomplete", other) => Some(FinishReason::Other(other.unwrap_or("incomplete").to_owned())),
            _ => return Err(failed(status, response.error.filter(|error| !error.is_null()))),
        };
        self.remaining(response.output.unwrap_or_default(), out)?;
        self.blocks.close(out);
        self.ended = true;
        out.push(Piece::Stopped(reason.unwrap_or_else(|| self.reason())));
        Ok(())
    }

    fn reason(&self) -> FinishReason {
        match (self.calls.is_empty(), self.refused) {
            (false, _) => FinishReason::ToolCalls,
            (true, true) => FinishReason::ContentFilter,
            (true, false) => FinishReason::Stop,
        }
    }

    /// What the whole answer has that did not come before: all of it when nothing came, and calls, which have names to
    /// know them by. Texts have none, and must not come twice.
    fn remaining(&mut self, output: Vec<Value>, out: &mut Vec<Piece>) -> Result<(), Failure> {
        let nothing = self.blocks.is_empty();
        // Indices of its own: servers that leave out events do not count the same.
        let first = if nothing { 0 } else { u64::from(u32::MAX) };
        for (index, item) in (first..).zip(output) {
            let item = parsed(Some(item))?;
            let missing = match &item {
                Item::FunctionCall { id, call_id, .. } => {
                    call_id.as_ref().or(id.as_ref()).is_some_and(|id| !self.calls.contains(id))
                }
                _ => false,
            };
            if nothing || missing {
                self.done(index, item, out);
            }
        }
        Ok(())
    }
}

impl Reader for ResponsesReader {
    fn event(&mut self, name: &str, data: &str, out: &mut Vec<Piece>) -> Result<(), Failure> {
        // The API has no such mark; some servers send it all the same.
        if matches!(name, "ping" | "keepalive") || data.trim() == "[DONE]" {
            return Ok(());
        }
        let event: Event = match serde_json::from_str(data) {
            Ok(event) => event,
            Err(error) => {
                return match mended(data) {
                    Some(copy) => self.event(name, &copy, out),
                    None => unread(name, data, &error, out),
                };
            }
        };
        let kind = event.kind.clone().filter(|kind| !kind.is_empty()).unwrap_or_else(|| name.to_owned());
        match kind.as_str() {
            "error" => Err(refusal::reported_text(data)),
            "" => untyped(data, out),
            "ping" | "keepalive" => Ok(()),
            kind => self.take(kind, event, out),
        }
    }

    fn whole(&mut self, body: &str, out: &mut Vec<Piece>) -> Result<(), Failure> {
        let response: Response = match serde_json::from_str(body) {
            Ok(response) => response,
            Err(error) => {
                return match mended(body) {
                    Some(copy) => self.whole(&copy, out),
                    None => Err(broken(&error.to_string())),
                };
            }
        };
        if let Some(error) = response.error.as_ref().filter(|error| !error.is_null()) {
            return Err(refusal::reported(error));
        }
        if response.output.is_none() {
            return Err(broken("there is no `output`"));
        }
        let status = response.status.clone();
        self.ending(status.as_deref().unwrap_or("completed"), response, out)
    }

    fn end(&mut self, _: &mut Vec<Piece>) -> Result<(), Failure> {
        if self.ended {
            return Ok(());
        }
        Err(Failure::of(Fault::Transport, "the stream ended before the answer did"))
    }
}

/// An object without a type: an error's body in the middle of the stream, or nothing that is known.
fn untyped(data: &str, out: &mut Vec<Piece>) -> Result<(), Failure> {
    let value: Value = serde_json::from_str(data).unwrap_or_default();
    if value.get("error").is_some_and(|error| !error.is_null()) {
        return Err(refusal::reported(&value));
    }
    out.push(Piece::Unknown);
    Ok(())
}

/// An event of another shape than those that are known: one of them that is broken, or one that is not known.
fn unread(name: &str, data: &str, error: &serde_json::Error, out: &mut Vec<Piece>) -> Result<(), Failure> {
    let value: Option<Value> = serde_json::from_str(data).ok();
    let kind = value.as_ref().and_then(|value| value.get("type")).and_then(Value::as_str).unwrap_or(name);
    if kind == "error" {
        return Err(refusal::reported_text(data));
    }
    if !value.as_ref().is_some_and(Value::is_object) || is_read(kind) {
        return Err(broken(&error.to_string()));
    }
    out.push(Piece::Unknown);
    Ok(())
}

/// Whether an event of this type matters, so that it must not be lost.
fn is_read(kind: &str) -> bool {
    ["response.output_", "response.function_call_arguments.", "response.refusal.", "response.content_part."]
        .iter()
        .any(|prefix| kind.starts_with(prefix))
        || matches!(kind, "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled")
}

fn failed(status: &str, error: Option<Value>) -> Failure {
    match error {
        Some(error) => refusal::reported(&error),
        None => {
            let message = format!("the model's service ended the answer with the status `{}`", status.escape_debug());
            Failure::of(Fault::Provider, message)
        }
    }
}

fn parsed<T: serde::de::DeserializeOwned>(value: Option<Value>) -> Result<T, Failure> {
    serde_json::from_value(value.unwrap_or_default()).map_err(|error| broken(&error.to_string()))
}

fn broken(why: &str) -> Failure {
    Failure::of(Fault::Protocol, format!("the model's service sent something that is no response: {why}"))
}
