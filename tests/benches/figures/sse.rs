//! What a streamed delta of an HTTP provider costs: through the sandbox, beside the same core without it.

use crate::{best, figure, micros, timed};
use llm_provider_guest::Plugin as _;
use llm_provider_guest::provider as native;
use llm_provider_host::wit::http_types::{Response, ResponseHeader};
use llm_provider_host::wit::provider::{HttpBytes, HttpHead, Turn, TurnOptions};
use llm_provider_host::{Effect, Host, HostConfig, Input, Plugin, user_message};
use llm_provider_openai::AnyApi;
use std::time::Duration;

const CONFIG: &str = r#"{"base-url":"http://127.0.0.1:9/v1","model":"m"}"#;

type Native = llm_provider_core::completion::Completions<AnyApi>;

pub(crate) fn run(short: bool) {
    let (deltas, runs) = if short { (200, 1) } else { (20_000, 7) };
    let host = Host::new(HostConfig::default()).expect("a host");
    let plugin = host.load_blocking(llm_provider_bundle::OPENAI, "openai").expect("the plugin");
    for (name, batch) in [("one at a time", 1), ("in batches of 64", 64)] {
        let chunks: Vec<Vec<u8>> = events(deltas).chunks(batch).map(<[_]>::concat).collect();
        let each = |time: Duration| time / u32::try_from(deltas).expect("few");
        let alone = best(runs, || each(natively(&chunks, deltas)));
        let sandboxed = best(runs, || each(sandboxed(&plugin, &chunks, deltas)));
        figure(&format!("SSE delta through the sandbox, {name}"), &micros(sandboxed), "");
        figure(&format!("  the same core natively, {name}"), &micros(alone), "");
        figure("  ratio", &format!("{:.2}x", sandboxed.as_secs_f64() / alone.as_secs_f64()), "");
    }
}

/// The events of a stream of chat completions.
fn events(deltas: usize) -> Vec<Vec<u8>> {
    let event = |at: usize| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\
             \"index\":0,\"delta\":{{\"content\":\"word {at} \"}},\"finish_reason\":null}}]}}\n\n"
        )
        .into_bytes()
    };
    (0..deltas).map(event).collect()
}

fn sandboxed(plugin: &Plugin, chunks: &[Vec<u8>], deltas: usize) -> Duration {
    let mut sandbox = plugin.sandbox(CONFIG, Vec::new(), 7).expect("a sandbox");
    let turn = Turn { session: 1, id: 2, history: vec![user_message("go")], options: TurnOptions::default() };
    sandbox.handle(1, &[Input::OpenSession(1), Input::StartTurn(turn)]).expect("no fault");
    let kind = ResponseHeader { name: "content-type".into(), value: "text/event-stream".into() };
    let response = Response { status: 200, headers: vec![kind] };
    sandbox.handle(1, &[Input::HttpResponse(HttpHead { id: 1, response })]).expect("no fault");
    let inputs: Vec<[Input; 1]> =
        chunks.iter().map(|data| [Input::HttpChunk(HttpBytes { id: 1, data: data.clone() })]).collect();
    let is_event = |effect: &&Effect| matches!(effect, Effect::Event(..));
    let (time, events) = timed(|| {
        let handle = |input: &[Input; 1]| sandbox.handle(2, input).expect("no fault").iter().filter(is_event).count();
        inputs.iter().map(handle).sum::<usize>()
    });
    assert!(events >= deltas, "{events} events for {deltas} deltas");
    time
}

fn natively(chunks: &[Vec<u8>], deltas: usize) -> Duration {
    use llm_provider_guest::{http_types, types};
    let setup = native::Setup { config: CONFIG.to_owned(), secrets: Vec::new(), seed: 7 };
    let mut plugin = Native::configure(setup).expect("a valid configuration");
    let text = types::Block::Text(types::TextBlock { text: "go".into() });
    let history = vec![types::Message { role: types::Role::User, blocks: vec![text] }];
    let turn = native::Turn { session: 1, id: 2, history, options: native::TurnOptions::default() };
    let kind = http_types::ResponseHeader { name: "content-type".into(), value: "text/event-stream".into() };
    let response = http_types::Response { status: 200, headers: vec![kind] };
    let begin = vec![
        native::Input::OpenSession(1),
        native::Input::StartTurn(turn),
        native::Input::HttpResponse(native::HttpHead { id: 1, response }),
    ];
    let mut effects = Vec::new();
    plugin.handle(1, begin, &mut effects);
    let input = |data: &Vec<u8>| native::Input::HttpChunk(native::HttpBytes { id: 1, data: data.clone() });
    let inputs: Vec<_> = chunks.iter().map(input).collect();
    let (time, events) = timed(|| {
        let mut events = 0;
        for input in inputs {
            effects.clear();
            plugin.handle(2, vec![input], &mut effects);
            events += effects.len();
        }
        events
    });
    assert!(events >= deltas, "{events} effects for {deltas} deltas");
    time
}
