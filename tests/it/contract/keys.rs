//! The key goes into its header of requests to its origin, and nowhere else.

use super::determinism::Recording;
use super::{Subject, unasked};
use llm_provider_host::wit::errors::{ErrorKind, Verdict};
use llm_provider_host::{Destination, Policy, ProviderError};
use llmp_model_server::{ModelServer, RecordedRequest, Reply, Script};
use llmp_tests::rig::{CANARY_KEY, Rig, canary, egress, once, read};
use serde_json::json;

contract! {
    http: [
        g16_the_key_reaches_its_header_and_nothing_else,
        a_key_that_is_not_granted_to_the_header_is_not_sent,
        a_key_that_is_not_granted_at_all_is_told,
        an_origin_that_is_not_granted_is_not_asked,
    ]
}

/// Where the key stands in a request: names of headers, `path`, `body`.
fn places(request: &RecordedRequest) -> Vec<&str> {
    let headers = request.headers.iter().filter(|(_, value)| value.contains(CANARY_KEY));
    let mut places: Vec<&str> = headers.map(|(name, _)| name.as_str()).collect();
    places.extend(request.path.contains(CANARY_KEY).then_some("path"));
    places.extend(request.body.to_string().contains(CANARY_KEY).then_some("body"));
    places
}

async fn g16_the_key_reaches_its_header_and_nothing_else(subject: Subject) {
    let script = Script::new(Reply::error(401, format!("Incorrect API key provided: {CANARY_KEY}.")))
        .then(Reply::deltas(["your key is ", CANARY_KEY, "!"]))
        .then(Reply::text(format!("it is {CANARY_KEY}")).header("x-echo", CANARY_KEY).split_bytes(1));
    let rig = subject.http(script).await;
    let recording = Recording::default();
    let instance = rig.instance.clone().observed(recording.clone());
    let session = instance.session();
    let mask = "*".repeat(CANARY_KEY.len());
    let answered = rig.send(&session, "tell me").await;
    assert_eq!(answered.text, format!("your key is {mask}!"), "a service that repeats it is masked");
    let cut = rig.send(&session, "again").await;
    assert_eq!(cut.text, format!("it is {mask}"), "however it is cut");
    let refused = rig.send(&session, "tell me").await;
    assert!(refused.failure().message.contains(&mask), "{:?}", refused.error);
    let told = format!("{answered:?} {cut:?} {refused:?} {:?}", session.history());
    assert!(!told.contains(CANARY_KEY), "{told}");
    // What crosses the boundary of the sandbox, log lines included, has its name and not its value.
    let crossed = format!("{:?}", recording.calls());
    assert!(crossed.contains("api-key") && !crossed.contains(CANARY_KEY));
    let (header, prefix) = subject.flavor().key_header();
    let requests = rig.model.requests();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert_eq!(places(&request), [header]);
        assert_eq!(request.header(header), Some(format!("{prefix}{CANARY_KEY}").as_str()));
    }
}

/// A turn under a policy that grants something else.
async fn denied(subject: Subject, grant: impl FnOnce(Policy, &ModelServer) -> Policy) -> ProviderError {
    let rig = Rig::http_under(Script::echo(), subject.flavor(), json!({}), grant).await;
    let told = refused(&rig).await;
    assert_eq!(rig.model.seen(), 0, "nothing was sent: {told:?}");
    told
}

/// Why a turn is not answered, whether it could be started or not.
async fn refused(rig: &Rig) -> ProviderError {
    let session = rig.instance.session();
    match session.send("hello?", once(Vec::new())).await {
        Ok(turn) => read(turn).await.failure().clone(),
        Err(error) => error.provider().unwrap_or_else(|| panic!("not the provider's: {error:?}")).clone(),
    }
}

fn assert_denied(told: &ProviderError) {
    assert_eq!(
        (told.kind, told.verdict, told.request_sent),
        (ErrorKind::Permission, Verdict::Surface, false),
        "{told:?}"
    );
    assert!(told.hint.as_deref().is_some_and(|hint| hint.contains("policy")), "{told:?}");
}

async fn a_key_that_is_not_granted_to_the_header_is_not_sent(subject: Subject) {
    let wrong = |change: fn(&mut String, &mut String)| {
        move |policy: Policy, model: &ModelServer| {
            let Destination::HttpHeader { mut origin, mut header } = subject.flavor().key_destination(model) else {
                panic!("a header")
            };
            change(&mut origin, &mut header);
            policy.secret("api-key", canary(vec![Destination::HttpHeader { origin, header }])).egress(egress(model))
        }
    };
    assert_denied(&denied(subject, wrong(|_, header| "x-other".clone_into(header))).await);
    assert_denied(&denied(subject, wrong(|origin, _| "https://other.example".clone_into(origin))).await);
    let nowhere = |policy: Policy, model: &ModelServer| policy.secret("api-key", canary(vec![])).egress(egress(model));
    assert_denied(&denied(subject, nowhere).await);
}

/// The configuration names a secret that there is none of: it is refused before a turn begins.
async fn a_key_that_is_not_granted_at_all_is_told(subject: Subject) {
    let told = denied(subject, |policy, model| policy.egress(egress(model))).await;
    assert_eq!((told.kind, told.request_sent), (ErrorKind::InvalidRequest, false), "{told:?}");
    assert!(told.message.contains("`api-key`") && told.message.contains("not granted"), "{}", told.message);
}

async fn an_origin_that_is_not_granted_is_not_asked(subject: Subject) {
    let key = |policy: Policy, model: &ModelServer| {
        policy.secret("api-key", canary(vec![subject.flavor().key_destination(model)]))
    };
    assert_denied(&denied(subject, key).await);
    // The way to one server is granted, and the configuration names another, to which the key would go.
    let other = unasked().await;
    let grant = |policy: Policy, model: &ModelServer| {
        let to = vec![subject.flavor().key_destination(&other), subject.flavor().key_destination(model)];
        policy.secret("api-key", canary(to)).egress(egress(model))
    };
    let base = json!({ "base-url": other.openai_base_url() });
    let rig = Rig::http_under(Script::echo(), subject.flavor(), base, grant).await;
    assert_denied(&refused(&rig).await);
    assert_eq!((rig.model.seen(), other.seen()), (0, 0));
}
