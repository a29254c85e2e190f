//! A prompt as its author wrote it, without what a client wrapped around it.

/// Elements that the Copilot CLI puts before or after a user's prompt. 1.0.102 sends `current_datetime`; 1.0.2 to
/// 1.0.11 also append `reminder`.
const WRAPPERS: [&str; 4] = ["current_datetime", "reminder", "system_reminder", "system_notification"];

/// `prompt` without surrounding space and without the wrapping elements at its start and end.
#[must_use]
pub fn unwrap_prompt(prompt: &str) -> &str {
    let mut rest = prompt.trim();
    // Each round takes at least one element away, so this ends.
    while let Some(inner) = WRAPPERS.iter().find_map(|tag| leading(rest, tag).or_else(|| trailing(rest, tag))) {
        rest = inner.trim();
    }
    rest
}

fn leading<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    let inner = text.strip_prefix(&format!("<{tag}>"))?;
    Some(inner.split_once(&format!("</{tag}>"))?.1)
}

fn trailing<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    let inner = text.strip_suffix(&format!("</{tag}>"))?;
    Some(inner.rsplit_once(&format!("<{tag}>"))?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_wrappers_of_every_known_version_go() {
        let new = "<current_datetime>2026-11-22T12:10:48.350+00:00</current_datetime>\n\nfirst prompt";
        assert_eq!(unwrap_prompt(new), "first prompt");
        let old =
            "<current_datetime>x</current_datetime>\n\nw?\n\n<reminder>\n<sql_tables>No</sql_tables>\n</reminder>";
        assert_eq!(unwrap_prompt(old), "w?");
        assert_eq!(unwrap_prompt("<current_datetime>x</current_datetime>"), "");
    }

    #[test]
    fn what_the_author_wrote_stays() {
        for own in ["a <reminder>b</reminder> c", "<b>bold</b>", "<reminder>open", "x</reminder>"] {
            assert_eq!(unwrap_prompt(own), own);
        }
    }

    proptest! {
        #[test]
        fn a_wrapped_prompt_comes_out_whole(prompt in "[a-z <>/\n]{0,40}") {
            let wrapped = format!("<current_datetime>now</current_datetime>\n\n{prompt}\n\n<reminder>r</reminder>");
            prop_assert_eq!(unwrap_prompt(&wrapped), prompt.trim());
        }

        #[test]
        fn any_text_gives_a_part_of_itself(text in ".*") {
            prop_assert!(text.contains(unwrap_prompt(&text)));
        }
    }
}
