//! What a turn may ask for reaches the model, or is refused before anything is sent.

use super::Subject;
use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::{ReasoningEffort, TurnRequest, user_message};
use llmp_model_server::Script;
use llmp_tests::rig::{Flavor, Rig, once};
use serde_json::{Value, json};

contract! {
    everywhere: [
        the_system_prompt_is_exactly_the_given_one,
    ],
    http: [
        every_option_arrives_or_is_refused,
        options_that_make_no_sense_are_refused,
        the_model_may_change,
    ]
}

const SYSTEM: &str = "You are a pirate.\nSay \"arr\" \u{2693} and nothing else.";
const SCHEMA: &str =
    r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}"#;

fn request() -> TurnRequest {
    once(vec![user_message("hi")])
}

async fn the_system_prompt_is_exactly_the_given_one(subject: Subject) {
    let name = "the_system_prompt_is_exactly_the_given_one";
    let Some(rig) = subject.rig(name, Script::echo()).await else { return };
    for system in [Some(SYSTEM), None] {
        let options = TurnRequest { system: system.map(str::to_owned), ..request() };
        rig.turn(&rig.instance.session(), options).await.answered();
        assert_eq!(rig.last_request().system(), system.unwrap_or_default());
    }
}

/// An option, what it sets, and where it stands in the body of each dialect; `None` where it cannot be said.
struct Case {
    option: &'static str,
    set: fn(&mut TurnRequest),
    chat: Option<(&'static str, Value)>,
    responses: Option<(&'static str, Value)>,
    anthropic: Option<(&'static str, Value)>,
    gemini: Option<(&'static str, Value)>,
}

fn sampling() -> [Case; 6] {
    [
        Case {
            option: "temperature",
            set: |request| request.sampling.temperature = Some(0.5),
            chat: Some(("/temperature", json!(0.5))),
            responses: Some(("/temperature", json!(0.5))),
            anthropic: Some(("/temperature", json!(0.5))),
            gemini: Some(("/generationConfig/temperature", json!(0.5))),
        },
        Case {
            option: "top-p",
            set: |request| request.sampling.top_p = Some(0.25),
            chat: Some(("/top_p", json!(0.25))),
            responses: Some(("/top_p", json!(0.25))),
            anthropic: Some(("/top_p", json!(0.25))),
            gemini: Some(("/generationConfig/topP", json!(0.25))),
        },
        Case {
            option: "top-k",
            set: |request| request.sampling.top_k = Some(40),
            chat: None,
            responses: None,
            anthropic: Some(("/top_k", json!(40))),
            gemini: Some(("/generationConfig/topK", json!(40))),
        },
        Case {
            option: "frequency-penalty",
            set: |request| request.sampling.frequency_penalty = Some(0.5),
            chat: Some(("/frequency_penalty", json!(0.5))),
            responses: None,
            anthropic: None,
            gemini: Some(("/generationConfig/frequencyPenalty", json!(0.5))),
        },
        Case {
            option: "presence-penalty",
            set: |request| request.sampling.presence_penalty = Some(-0.5),
            chat: Some(("/presence_penalty", json!(-0.5))),
            responses: None,
            anthropic: None,
            gemini: Some(("/generationConfig/presencePenalty", json!(-0.5))),
        },
        Case {
            option: "seed",
            set: |request| request.sampling.seed = Some(7),
            chat: Some(("/seed", json!(7))),
            responses: None,
            anthropic: None,
            gemini: Some(("/generationConfig/seed", json!(7))),
        },
    ]
}

fn others() -> [Case; 4] {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    [
        Case {
            option: "stop-sequences",
            set: |request| request.stop_sequences = vec!["\n\n".into(), "END".into()],
            chat: Some(("/stop", json!(["\n\n", "END"]))),
            responses: None,
            anthropic: Some(("/stop_sequences", json!(["\n\n", "END"]))),
            gemini: Some(("/generationConfig/stopSequences", json!(["\n\n", "END"]))),
        },
        Case {
            option: "max-output-tokens",
            set: |request| request.max_output_tokens = Some(321),
            chat: Some(("/max_tokens", json!(321))),
            responses: Some(("/max_output_tokens", json!(321))),
            anthropic: Some(("/max_tokens", json!(321))),
            gemini: Some(("/generationConfig/maxOutputTokens", json!(321))),
        },
        Case {
            option: "output-schema",
            set: |request| request.output_schema = Some(SCHEMA.to_owned()),
            chat: Some(("/response_format/json_schema/schema", schema.clone())),
            responses: Some(("/text/format/schema", schema.clone())),
            anthropic: Some(("/output_config/format/schema", schema.clone())),
            gemini: Some(("/generationConfig/responseJsonSchema", schema)),
        },
        Case {
            option: "reasoning-effort",
            set: |request| request.reasoning_effort = Some(ReasoningEffort::High),
            chat: Some(("/reasoning_effort", json!("high"))),
            responses: Some(("/reasoning/effort", json!("high"))),
            anthropic: Some(("/thinking", json!({"type": "enabled", "budget_tokens": 16_384}))),
            gemini: Some((
                "/generationConfig/thinkingConfig",
                json!({"thinkingLevel": "HIGH", "includeThoughts": true}),
            )),
        },
    ]
}

async fn every_option_arrives_or_is_refused(subject: Subject) {
    let rig = subject.http(Script::echo()).await;
    for Case { option, set, chat, responses, anthropic, gemini } in sampling().into_iter().chain(others()) {
        let place = match subject.flavor() {
            Flavor::Chat => chat,
            Flavor::Responses => responses,
            Flavor::Anthropic => anthropic,
            Flavor::Gemini => gemini,
        };
        let mut asked = request();
        set(&mut asked);
        let before = rig.model.seen();
        let seen = rig.turn(&rig.instance.session(), asked).await;
        match place {
            Some((path, value)) => {
                seen.answered();
                assert_eq!(rig.last_request().body.pointer(path), Some(&value), "{option}");
                assert!(seen.notices().is_empty(), "{option}: {:?}", seen.notices());
            }
            None => {
                let told = seen.failure();
                assert_eq!((told.kind, told.request_sent), (ErrorKind::Unsupported, false), "{option}: {told:?}");
                let words: String = told.message.replace('-', " ");
                assert!(words.contains(&option.replace('-', " ")), "{option} is named: {}", told.message);
                assert_eq!(rig.model.seen(), before, "{option}: nothing was sent");
            }
        }
    }
}

async fn options_that_make_no_sense_are_refused(subject: Subject) {
    let rig = subject.http(Script::echo()).await;
    let cases: [fn(&mut TurnRequest); 6] = [
        |request| request.max_output_tokens = Some(0),
        |request| request.sampling.temperature = Some(f64::NAN),
        |request| request.stop_sequences = vec![String::new()],
        |request| request.output_schema = Some("{".into()),
        |request| request.model = Some(String::new()),
        |request| request.tool_choice = llm_provider_host::ToolChoice::Required,
    ];
    for (at, set) in cases.into_iter().enumerate() {
        let mut asked = request();
        set(&mut asked);
        let seen = rig.turn(&rig.instance.session(), asked).await;
        let told = seen.failure();
        assert_eq!((told.kind, told.request_sent), (ErrorKind::InvalidRequest, false), "{at}: {told:?}");
    }
    assert_eq!(rig.model.seen(), 0);
}

async fn the_model_may_change(subject: Subject) {
    let rig = subject.http(Script::echo()).await;
    let session = rig.instance.session();
    rig.turn(&session, request()).await.answered();
    assert_eq!(rig.last_request().model(), "stub-model", "the configuration's");
    let asked = TurnRequest { model: Some("other-model".into()), ..request() };
    let seen = rig.turn(&session, asked).await;
    assert_eq!(seen.answered().model.as_deref(), Some("other-model"));
    assert_eq!(rig.last_request().model(), "other-model");
    let nameless = Rig::http_with(Script::echo(), subject.flavor(), json!({ "model": null })).await;
    let seen = nameless.ask("hi").await;
    assert_eq!((seen.failure().kind, nameless.model.seen()), (ErrorKind::InvalidRequest, 0), "{:?}", seen.error);
}
