//! Half characters in JSON.
#![allow(missing_docs, clippy::unwrap_used)]

use llm_provider_core::surrogate::mended;
use proptest::prelude::*;

/// A piece of a JSON string, and what it stands for.
fn piece() -> impl Strategy<Value = (String, String)> {
    let pair = |(high, low): (u16, u16)| {
        let text = String::from_utf16(&[high, low]).unwrap();
        (format!("\\u{high:04x}\\u{low:04X}"), text)
    };
    let half = |unit: u16| (format!("\\u{unit:04x}"), "\u{fffd}".to_owned());
    let plain = any::<char>().prop_filter("an escape", |c| !matches!(c, '"' | '\\' | '\0'..='\x1f'));
    prop_oneof![
        plain.prop_map(|c| (c.to_string(), c.to_string())),
        (0xd800u16..0xdc00, 0xdc00u16..0xe000).prop_map(pair),
        (0xd800u16..0xdc00).prop_map(half),
        (0xdc00u16..0xe000).prop_map(half),
        Just(("\\\\ud800".to_owned(), "\\ud800".to_owned())),
        Just(("\\\\\\\"".to_owned(), "\\\"".to_owned())),
        Just(("\\u00e9\\n".to_owned(), "\u{e9}\n".to_owned())),
    ]
}

fn json(pieces: &[(String, String)]) -> String {
    let inside: String = pieces.iter().map(|(written, _)| written.as_str()).collect();
    format!("{{\"a\": \"{inside}\", \"b\": 1}}")
}

proptest! {
    #[test]
    fn legal_json_can_be_read_with_a_mark_for_each_half(pieces in prop::collection::vec(piece(), 0..12)) {
        let halves = |text: &str| text == "\u{fffd}";
        // The second half of a pair that a first half stands before is no half.
        let written = json(&pieces);
        let copy = mended(&written);
        let read: serde_json::Value = serde_json::from_str(copy.as_deref().unwrap_or(&written)).unwrap();
        prop_assert_eq!(read["b"].as_u64(), Some(1));
        prop_assert_eq!(copy.as_deref().and_then(mended), None, "once is enough");
        prop_assert_eq!(copy.is_none(), serde_json::from_str::<serde_json::Value>(&written).is_ok());
        let joined = pieces.windows(2).any(|two| halves(&two[0].1) && halves(&two[1].1));
        if !joined {
            let said: String = pieces.iter().map(|(_, text)| text.as_str()).collect();
            prop_assert_eq!(read["a"].as_str().unwrap(), said);
        }
    }

    #[test]
    fn whatever_comes_does_no_harm(text in "[\\\\ud8cDCx0f\"é🌧]{0,40}") {
        if let Some(copy) = mended(&text) {
            prop_assert!(copy.contains("\\ufffd") && copy.len() == text.len());
            prop_assert_eq!(mended(&copy), None);
        }
    }
}

#[test]
fn only_halves_are_replaced() {
    for (written, copy) in [
        (r#""\ud83d""#, Some(r#""\ufffd""#)),
        (r#""\ude00\ud83d""#, Some(r#""\ufffd\ufffd""#)),
        (r#""\ud83d\ud83d\ude00""#, Some(r#""\ufffd\ud83d\ude00""#)),
        (r#""\ud83dx\ude00""#, Some(r#""\ufffdx\ufffd""#)),
        (r#""\\ud83d \ud83d\n""#, Some(r#""\\ud83d \ufffd\n""#)),
        (r#""\ud83d\ude00""#, None),
        (r#""\\ud83d""#, None),
        (r#""\u+83d \ud8""#, None),
        (r"\", None),
        ("\\é\\", None),
    ] {
        assert_eq!(mended(written).as_deref(), copy, "{written}");
    }
}
