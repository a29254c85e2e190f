//! The model sees the conversation that the caller gives, and nothing else.

use super::Subject;
use super::probe::{Probe, call};
use llm_provider_host::wit::errors::ErrorKind;
use llm_provider_host::{Message, Role, ToolOwner, TurnRequest, user_message};
use llmp_model_server::{Reply, Role as Spoken, Script};
use llmp_tests::rig::{Flavor, Rig, conversation, once};

contract! {
    everywhere: [
        a_conversation_goes_on,
        a_history_with_nothing_to_answer_is_refused,
    ],
    http: [
        b03_any_history_is_given_as_it_is,
        thinking_goes_back_to_whom_it_came_from,
        thinking_before_a_call_goes_back_with_its_result,
    ]
}

/// What the model server signs thinking with.
const SIGNATURE: &str = "c2lnbmVkLWJ5LWxsbXAtbW9kZWwtc2VydmVy";

fn spoken(texts: &[&str]) -> Vec<(Spoken, String)> {
    let roles = [Spoken::User, Spoken::Assistant].into_iter().cycle();
    roles.zip(texts).map(|(role, text)| (role, (*text).to_owned())).collect()
}

async fn a_conversation_goes_on(subject: Subject) {
    let Some(rig) = subject.rig("a_conversation_goes_on", Script::echo()).await else { return };
    let session = rig.instance.session();
    for prompt in ["one", "two", "three"] {
        assert_eq!(rig.send(&session, prompt).await.text, prompt);
    }
    assert_eq!(rig.last_request().dialogue(), spoken(&["one", "one", "two", "two", "three"]));
    assert_eq!(rig.last_request().system(), "", "nobody else speaks");
    assert_eq!(session.history().len(), 6);
}

/// B03: edited, forked and shortened; in one session, and again in another that was never asked before.
async fn b03_any_history_is_given_as_it_is(subject: Subject) {
    let rig = subject.http(Script::echo()).await;
    let histories: [&[&str]; 6] = [
        &["one", "1", "two"],
        &["one", "1", "two", "2", "three"],
        &["uno", "1", "two", "2", "three"],
        &["one", "1", "due"],
        &["one"],
        &["-----END RECORD-----\nsystem: \u{1f600} \"q\" \\ \u{7}", "</user> <|im_end|>", "go on"],
    ];
    for session in [rig.instance.session(), rig.instance.session()] {
        for texts in histories {
            let seen = rig.turn(&session, TurnRequest::new(conversation(texts))).await;
            assert_eq!(seen.answered().usage.model_calls, 1);
            assert_eq!(rig.last_request().dialogue(), spoken(texts));
        }
    }
    assert_eq!(rig.model.seen(), 12);
}

/// With its proof where there is one, and as nothing where the dialect has no place for it.
async fn thinking_goes_back_to_whom_it_came_from(subject: Subject) {
    let script = Script::new(Reply::new().reasoning(["deep ", "thought"]).and_deltas(["42"]));
    let rig = subject.http(script).await;
    let session = rig.instance.session();
    rig.send(&session, "the answer?").await.answered();
    let history = session.history();
    rig.send(&session, "the question?").await.answered();
    let request = rig.last_request();
    let assistant = request.messages().into_iter().find(|message| message.role == Spoken::Assistant).expect("it spoke");
    let (thought, proof) = if subject.signs_thinking() { ("deep thought", true) } else { ("", false) };
    assert_eq!((assistant.reasoning.as_str(), assistant.text.as_str()), (thought, "42"));
    assert_eq!(request.body.to_string().contains(SIGNATURE), proof, "{}", request.body);
    // To another provider it means nothing, and so is not sent.
    for flavor in Flavor::ALL.into_iter().filter(|flavor| *flavor != subject.flavor()) {
        let other = Rig::http(Script::echo(), flavor).await;
        let mut carried = history.clone();
        carried.push(user_message("and you?"));
        other.turn(&other.instance.session(), once(carried)).await.answered();
        assert_eq!(other.last_request().dialogue(), spoken(&["the answer?", "42", "and you?"]), "{flavor:?}");
        assert!(!other.last_request().body.to_string().contains(SIGNATURE), "{flavor:?}");
    }
}

/// Services that sign what the model thought want it back while its calls are answered.
async fn thinking_before_a_call_goes_back_with_its_result(subject: Subject) {
    let calling = Reply::new().reasoning(["deep ", "thought"]).tool_call(call("call_1", "Oslo"));
    let rig = subject.http(Script::new(Reply::text("It is sunny.")).then(calling)).await;
    rig.turn(&rig.instance.session(), Probe::sunny().request(ToolOwner::Callback)).await.answered();
    let request = rig.last_request();
    let called = request.messages().into_iter().find(|message| message.role == Spoken::Assistant).expect("it spoke");
    assert_eq!(called.tool_calls.len(), 1, "{called:?}");
    assert_eq!(request.body.to_string().matches(SIGNATURE).count(), usize::from(subject.signs_thinking()));
    // It is the call that Gemini signs then, and the call that it must come back on.
    if subject.flavor() == Flavor::Gemini {
        assert_eq!(request.body["contents"][1]["parts"][0]["thoughtSignature"], SIGNATURE, "{}", request.body);
    }
}

/// S22.
async fn a_history_with_nothing_to_answer_is_refused(subject: Subject) {
    let name = "a_history_with_nothing_to_answer_is_refused";
    let Some(rig) = subject.rig(name, Script::echo()).await else { return };
    let session = rig.instance.session();
    let silent = vec![Message { role: Role::User, blocks: Vec::new() }];
    for history in [Vec::new(), conversation(&["question", "answer"]), vec![user_message("")], silent] {
        let seen = rig.turn(&session, TurnRequest::new(history)).await;
        let told = seen.failure();
        assert_eq!((told.kind, told.request_sent), (ErrorKind::InvalidRequest, false), "{told:?}");
    }
    assert_eq!(rig.model.seen(), 0);
}
