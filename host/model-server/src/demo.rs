//! The built-in demo model: what it says when nothing is configured.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::conversation::{Message, Role};
use crate::prompt::unwrap_prompt;
use crate::recorder::RecordedRequest;
use crate::reply::Reply;

/// How much of the end of a prompt is quoted, in characters: enough to recognise it, short enough for one line or two.
const QUOTED: usize = 160;

/// Words in one delta: about as many as real providers send together.
const WORDS_IN_DELTA: usize = 3;

/// Between two deltas: the whole answer of about 25 deltas takes a quarter of a second, so that one sees it stream.
const PACE: Duration = Duration::from_millis(10);

/// The demo model's reply: the same for the same conversation.
#[must_use]
pub(crate) fn reply(request: &RecordedRequest) -> Reply {
    Reply::deltas(by_words(&text(&request.messages()))).pace(PACE)
}

/// The text that the demo model answers a conversation with.
fn text(messages: &[Message]) -> String {
    let prompts = messages.iter().filter(|message| message.role == Role::User);
    let turn: usize = prompts.map(|prompt| 1 + carried_over(&prompt.text)).sum();
    let said = match messages.last() {
        Some(last) if last.role == Role::Tool => format!("The tool returned: {}", quote(&last.text)),
        _ => format!("You said: {}", quote(last_prompt(messages))),
    };
    format!(
        "I am the built-in demo model of llmp: no real model is configured, so nothing you write leaves this machine. \
         {said}\nThis is turn {turn} of our conversation.\n\
         To talk to a real model, set GITHUB_TOKEN (for GitHub Copilot), or set COPILOT_PROVIDER_BASE_URL (for an endpoint of your own), \
         or add a [providers] section to llmp.toml."
    )
}

/// How many prompts stand in the record of an earlier conversation, where a prompt carries one. Whoever talks to the demo model
/// after the CLI was killed sees by the count that nothing was lost.
fn carried_over(prompt: &str) -> usize {
    #[derive(Deserialize)]
    struct Line<'a> {
        role: &'a str,
        text: Option<IgnoredAny>,
    }
    let record = prompt.lines().skip_while(|line| !line.starts_with("-----BEGIN RECORD ")).skip(1);
    record
        .take_while(|line| !line.starts_with("-----END RECORD "))
        .filter(|line| {
            serde_json::from_str(line).is_ok_and(|line: Line<'_>| line.role == "user" && line.text.is_some())
        })
        .count()
}

/// The last user prompt, without wrappers; empty when there is none.
pub(crate) fn last_prompt(messages: &[Message]) -> &str {
    messages.iter().rfind(|message| message.role == Role::User).map_or("", |message| unwrap_prompt(&message.text))
}

/// The end of `text` on one line, in quotes: of a text that is too long, its last paragraph, since what precedes the question
/// may be a file, or a conversation that was carried over.
fn quote(text: &str) -> String {
    let text = unwrap_prompt(text);
    let shown = if text.chars().count() > QUOTED { last_paragraph(text) } else { text };
    let line = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return "nothing (the text was empty).".to_owned();
    }
    let cut = line.chars().count().saturating_sub(QUOTED);
    let end: String = line.chars().skip(cut).collect();
    format!("\"{}{end}\"", if cut > 0 { "…" } else { "" })
}

fn last_paragraph(text: &str) -> &str {
    text.rsplit("\n\n").map(str::trim).find(|paragraph| !paragraph.is_empty()).unwrap_or(text)
}

/// `text` in deltas of a few words; together they are `text` again.
fn by_words(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
    words.chunks(WORDS_IN_DELTA).map(|chunk| chunk.concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation;
    use crate::dialect::Dialect;
    use proptest::prelude::*;
    use serde_json::json;

    fn chat(prompts: &[&str]) -> Vec<Message> {
        let messages: Vec<_> = prompts.iter().map(|text| json!({"role": "user", "content": text})).collect();
        conversation::read(Dialect::ChatCompletions, &json!({"messages": messages}))
    }

    #[test]
    fn it_says_what_it_is_and_how_to_get_a_real_one() {
        let text = text(&chat(&["<current_datetime>now</current_datetime>\n\nhello there"]));
        for part in [
            "built-in demo model",
            "\"hello there\"",
            "turn 1",
            "GITHUB_TOKEN",
            "COPILOT_PROVIDER_BASE_URL",
            "llmp.toml",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn it_counts_turns_and_quotes_only_the_end() {
        let long = "word ".repeat(100) + "the end";
        let text = text(&chat(&["one", "two", &long]));
        assert!(text.contains("turn 3 of our conversation") && text.contains("word the end\""));
        assert!(text.contains("\"…") && text.len() < 700);
    }

    #[test]
    fn of_a_conversation_that_was_carried_over_it_quotes_the_question_and_counts_all() {
        let record = [
            json!({"role": "user", "text": "x ".repeat(300)}),
            json!({"role": "user", "image": {"media_type": "image/png"}}),
            json!({"role": "assistant", "text": "an answer"}),
            json!({"role": "user", "text": "another"}),
        ];
        let record = record.map(|line| line.to_string()).join("\n");
        let carried = format!("-----BEGIN RECORD a-----\n{record}\n-----END RECORD a-----\nGo on.\n\nthe question\n");
        let text = text(&chat(&[&carried, "on"]));
        assert!(text.contains("turn 4 of our conversation"), "{text}");
        let text = super::text(&chat(&[&carried]));
        assert!(text.contains("You said: \"the question\"\n") && text.contains("turn 3 of"), "{text}");
    }

    #[test]
    fn it_survives_an_empty_conversation() {
        assert!(text(&[]).contains("turn 0"));
        assert!(text(&chat(&["  "])).contains("the text was empty"));
    }

    proptest! {
        #[test]
        fn deltas_are_the_text_again(text in ".*") {
            prop_assert_eq!(by_words(&text).concat(), text);
        }
    }
}
