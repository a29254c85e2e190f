//! Answers cut anywhere on their way.

use super::Subject;
use super::probe::{Probe, call, results};
use super::shape::well_formed;
use llm_provider_host::wit::types::ThinkingBlock;
use llm_provider_host::{Block, ToolOwner, Usage};
use llmp_model_server::{Reply, Script};

contract! {
    everywhere: [
        a_stream_in_single_bytes_is_the_same_answer,
    ],
    http: [
        any_cut_gives_the_same_answer,
        arguments_in_pieces_of_characters,
    ]
}

/// One, two, three and four bytes, a combined one, and what JSON escapes.
const TEXT: &str = "a\u{e9}\u{20ac}\u{1f600}e\u{301}\u{2028} \"\\\n\t\u{7f} \u{5d0}\u{202e}end";

fn answer() -> Reply {
    Reply::new().reasoning(["h\u{fc}\u{1f914}", "m"]).and_deltas(TEXT.chars().map(String::from))
}

async fn a_stream_in_single_bytes_is_the_same_answer(subject: Subject) {
    let name = "a_stream_in_single_bytes_is_the_same_answer";
    let Some(rig) = subject.rig(name, Script::new(answer().split_bytes(1))).await else { return };
    let seen = rig.ask("byte by byte").await;
    well_formed(&seen);
    seen.answered();
    assert_eq!((seen.text.as_str(), seen.thinking.as_str()), (TEXT, "h\u{fc}\u{1f914}m"));
    assert_eq!(seen.block_text(), TEXT);
}

/// Every size of piece up to one that holds most events: cuts fall into sequences, escapes, lines and between them.
async fn any_cut_gives_the_same_answer(subject: Subject) {
    let rig = subject.http(Script::new(answer())).await;
    let whole = rig.ask("in one").await;
    // The proof of a thought has the name of its answer in it.
    let nameless = |block: Block| match block {
        Block::Thinking(thinking) => Block::Thinking(ThinkingBlock { signature: None, ..thinking }),
        block => block,
    };
    let told =
        |blocks: Vec<Block>, usage: Usage| (blocks.into_iter().map(nameless).collect::<Vec<_>>(), usage.output_tokens);
    let expected = told(whole.blocks(), whole.answered().usage);
    for size in [1, 2, 3, 5, 7, 11, 64, 257] {
        rig.model.push(answer().split_bytes(size)).expect("room");
        let seen = rig.ask("in one").await;
        well_formed(&seen);
        assert_eq!(told(seen.blocks(), seen.answered().usage), expected, "pieces of {size} bytes");
        assert_eq!(seen.count("text-delta"), TEXT.chars().count(), "as they were sent, not as they were cut");
    }
}

async fn arguments_in_pieces_of_characters(subject: Subject) {
    let city = "K\u{f8}benhavn \u{1f1e9}\u{1f1f0} \"\\\"";
    let calling = || Reply::new().tool_call(call("call_1", city)).split_bytes(1);
    let rig = subject.http(Script::new(Reply::text("Done.")).then(calling())).await;
    let tool = Probe::sunny();
    let seen = rig.turn(&rig.instance.session(), tool.request(ToolOwner::Callback)).await;
    well_formed(&seen);
    assert_eq!(seen.text, "Done.", "{:?}", seen.error);
    assert_eq!(tool.calls(), [serde_json::json!({ "city": city })]);
    assert_eq!(results(&rig), [("call_1".to_owned(), format!("sunny in {city}"))], "and back again");
}
