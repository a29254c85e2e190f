//! The CLI's model traffic through the host: the offer, what goes out and comes back, and every way it ends.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod rig;

use llm_provider_copilot::{AnyMode, Effect};
use llm_provider_guest::Plugin;
use llm_provider_guest::effects::{EventEffect, HttpEffect, SidecarEffect};
use llm_provider_guest::errors::{ErrorKind, Verdict};
use llm_provider_guest::events::{Event, NoticeKind};
use llm_provider_guest::http::{Header, Request};
use llm_provider_guest::http_types::FailureKind;
use llm_provider_guest::provider::{Input, SidecarStart, Turn};
use llm_provider_guest::secrets::{Chunk, SecretEncoding, SecretRef};
use llm_provider_guest::sidecar_types::Started;
use rig::replay::play;
use rig::{BYOK, GITHUB, HOSTED, Rig, assistant, options, setup, user};
use serde_json::{Value, json};

const ENDPOINT: &str = "http://127.0.0.1:9/v1/chat/completions";

/// What is preferred when the configuration says nothing.
fn unset() -> String {
    HOSTED.replace(r#""egress":"host","#, "")
}

fn key() -> Chunk {
    Chunk::Secret(SecretRef { name: "key".into(), encoding: SecretEncoding::Raw })
}

fn cancels(rig: &Rig) -> Vec<u64> {
    let of = |effect: &Effect| if let Effect::Http(HttpEffect::Cancel(id)) = effect { Some(*id) } else { None };
    rig.effects.iter().filter_map(of).collect()
}

fn no_secret_reaches_the_cli(rig: &Rig) {
    for effect in &rig.effects {
        if let Effect::Sidecar(SidecarEffect::Send(_, chunks)) = effect {
            assert!(chunks.iter().all(|chunk| matches!(chunk, Chunk::Bytes(_))), "{effect:?}");
        }
        assert!(!matches!(effect, Effect::Sidecar(SidecarEffect::Start(_, spec)) if !spec.secrets.is_empty()));
    }
}

/// A turn whose prompt was taken by a CLI that hands over: with the turn, the session's name, the prompt's.
fn running(config: &str) -> (Rig, u64, String, String) {
    let mut rig = Rig::new(config);
    let turn = rig.ask(vec![user("one")]);
    rig.connect();
    rig.answer("llmInference.setProvider", json!({"success": true}));
    let (name, prompt) = rig.open();
    (rig, turn, name, prompt)
}

fn hand(rig: &mut Rig, method: &str, params: Value) {
    rig.answers.clear();
    rig.frame(
        &json!({"jsonrpc": "2.0", "id": "q-7", "method": format!("llmInference.{method}"), "params": params})
            .to_string(),
    );
    assert_eq!(rig.answers, [json!({"jsonrpc": "2.0", "id": "q-7", "result": {}})]);
}

fn start(rig: &mut Rig, request: &str, session: &str, url: &str, headers: &Value) {
    let params = json!({"requestId": request, "sessionId": session, "method": "POST", "url": url, "headers": headers,
        "agentId": session, "transport": "http"});
    hand(rig, "httpRequestStart", params);
}

/// A whole request with the key's placeholder in its header.
fn request(rig: &mut Rig, request: &str, session: &str) {
    let create = rig.all_asked.iter().find(|asked| asked.method == "session.create").unwrap();
    let bearer = format!("Bearer {}", create.params["provider"]["apiKey"].as_str().unwrap());
    start(rig, request, session, ENDPOINT, &json!({"authorization": [bearer]}));
    hand(
        rig,
        "httpRequestChunk",
        json!({"requestId": request, "data": "{}", "binary": false, "end": true, "cancel": false}),
    );
}

/// The last thing that the CLI was told of a response.
fn told(rig: &Rig) -> Value {
    let asked = rig.asked.iter().rev().find(|asked| asked.method.starts_with("llmInference.httpResponse")).unwrap();
    asked.params.clone()
}

#[test]
fn the_recorded_conversation() {
    let config = HOSTED.replace("http://127.0.0.1:9/v1", "https://model.invalid/v1");
    for cut in [usize::MAX, 1, 61] {
        let replay = play("09_llm_inference_callbacks", &config, &mut |_| cut);
        let rig = &replay.rig;
        assert_eq!(replay.said(0), assistant("Host served this."));
        assert_eq!(rig.failed(replay.turns[1]).error.kind, ErrorKind::Cancelled);
        let error = rig.failed(replay.turns[2]).error;
        assert_eq!(error.kind, ErrorKind::Transport, "{error:?}");
        assert_eq!(cancels(rig), [2]);
        no_secret_reaches_the_cli(rig);
    }
}

#[test]
fn what_is_handed_over_goes_out_with_the_key_and_without_what_is_the_hosts() {
    let headers = r#""headers":{"x-team":{"secret":"key"},"x-plain":"p"},"api-key""#;
    let (mut rig, _, name, _) = running(&HOSTED.replace(r#""api-key""#, headers));
    let create = rig.all_asked.iter().find(|asked| asked.method == "session.create").unwrap();
    let provider = create.params["provider"].clone();
    let placeholder = provider["apiKey"].as_str().unwrap();
    assert!(placeholder.starts_with("llmp-egress-placeholder-"));
    assert_eq!(provider["headers"], json!({"x-team": placeholder, "x-plain": "p"}));
    let headers = json!({"authorization": [format!("Bearer {placeholder}")], "x-team": [placeholder], "x-plain": ["p", "q"],
        "Host": ["evil"], "content-length": ["2"], "connection": ["close"], "accept-encoding": ["gzip"]});
    start(&mut rig, "r", &name, ENDPOINT, &headers);
    hand(&mut rig, "httpRequestChunk", json!({"requestId": "r", "data": "{\"a\":"}));
    assert!(rig.http.is_empty(), "not before it is whole");
    hand(&mut rig, "httpRequestChunk", json!({"requestId": "r", "data": "MX0=", "binary": true, "end": true}));
    let bytes = |text: &str| Chunk::Bytes(text.as_bytes().to_vec());
    let header = |name: &str, value: Vec<Chunk>| Header { name: name.into(), value };
    let sent = Request {
        method: "POST".into(),
        url: ENDPOINT.into(),
        headers: vec![
            header("authorization", vec![bytes("Bearer "), key()]),
            header("x-plain", vec![bytes("p")]),
            header("x-plain", vec![bytes("q")]),
            header("x-team", vec![key()]),
        ],
        body: vec![bytes("{\"a\":1}")],
        first_byte_timeout: None,
    };
    assert_eq!(rig.http.values().collect::<Vec<_>>(), [&sent]);
    no_secret_reaches_the_cli(&rig);
}

#[test]
fn an_answer_comes_back_whole_however_it_is_cut() {
    let (mut rig, turn, name, prompt) = running(HOSTED);
    request(&mut rig, "r", &name);
    rig.http_head(1, 200, &[("content-type", "text/event-stream"), ("x", "1"), ("x", "2"), ("content-length", "9")]);
    let head = rig.answer("llmInference.httpResponseStart", json!({"accepted": true})).params;
    let headers = json!({"content-type": ["text/event-stream"], "x": ["1", "2"]});
    assert_eq!(head, json!({"requestId": "r", "status": 200, "headers": headers}));
    let text = "h\u{e9}\u{1f600}".as_bytes();
    rig.http_chunk(1, &text[..3]);
    let params = |rig: &mut Rig| rig.answer("llmInference.httpResponseChunk", json!({"accepted": true})).params;
    assert_eq!(params(&mut rig), json!({"requestId": "r", "data": "h\u{e9}"}));
    rig.http_chunk(1, &text[3..5]);
    assert!(rig.asked.is_empty(), "a cut character waits for its other half");
    rig.http_chunk(1, &text[5..]);
    rig.http_chunk(1, b"\xff");
    assert_eq!(params(&mut rig), json!({"requestId": "r", "data": "\u{1f600}"}), "one part at a time");
    assert_eq!(params(&mut rig), json!({"requestId": "r", "data": "/w==", "binary": true}), "what is no text");
    rig.http.clear();
    rig.give(Input::HttpEnd(1));
    let end = rig.answer("llmInference.httpResponseChunk", json!({"accepted": false})).params;
    assert_eq!(end, json!({"requestId": "r", "data": "", "end": true}));
    rig.reply(&name, &prompt, "1");
    assert_eq!(rig.text(turn), "1");
    assert!(cancels(&rig).is_empty(), "a response that is over is not given up");
}

#[test]
fn a_request_that_nobody_wants_any_more_is_given_up() {
    let (mut rig, _, name, _) = running(HOSTED);
    request(&mut rig, "r", &name);
    hand(&mut rig, "httpRequestChunk", json!({"requestId": "r", "data": "", "end": true, "cancel": true}));
    assert_eq!(cancels(&rig), [1], "the CLI says so");
    request(&mut rig, "r", &name);
    rig.http_head(2, 200, &[]);
    rig.answer("llmInference.httpResponseStart", json!({"accepted": false}));
    assert_eq!(cancels(&rig), [1, 2], "the CLI takes no more of it");
    request(&mut rig, "s", &name);
    rig.give(Input::CancelTurn(1));
    assert_eq!(cancels(&rig), [1, 2, 3], "the owner cancels: at once, whatever the CLI does");
    hand(&mut rig, "httpRequestChunk", json!({"requestId": "s", "data": "", "end": true, "cancel": true}));
    request(&mut rig, "t", &name);
    assert_eq!(
        (told(&rig)["requestId"].as_str(), told(&rig)["error"]["code"].as_str()),
        (Some("t"), Some("ECANCELED"))
    );
    assert!(rig.http.is_empty(), "no request without a turn");
}

#[test]
fn nothing_outlives_the_cli_or_the_instance() {
    let (mut rig, turn, name, _) = running(HOSTED);
    request(&mut rig, "r", &name);
    start(&mut rig, "half", &name, ENDPOINT, &json!({}));
    rig.exited(1, "");
    assert_eq!(rig.failed(turn).error.kind, ErrorKind::Sidecar);
    assert_eq!(cancels(&rig), [1], "what was not sent is not given up");
    rig.http_chunk(1, b"late");
    let again = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    rig.connect();
    rig.answer("llmInference.setProvider", json!({"success": true}));
    let (name, _) = rig.open();
    request(&mut rig, "r", &name);
    assert!(rig.http.contains_key(&3), "ids are not used again: {:?}", rig.http.keys());
    rig.give(Input::Shutdown);
    assert_eq!(rig.failed(again).error.kind, ErrorKind::Cancelled);
    assert_eq!(cancels(&rig), [1, 3]);
    no_secret_reaches_the_cli(&rig);
}

#[test]
fn a_refusal_of_the_hosts_is_a_permission_error_and_no_second_try() {
    let table = [
        (FailureKind::Denied, ErrorKind::Permission, "EACCES"),
        (FailureKind::Tls, ErrorKind::Transport, "ERR_TLS_CERT"),
    ];
    for (kind, expected, code) in table {
        let (mut rig, turn, name, _) = running(HOSTED);
        request(&mut rig, "r", &name);
        rig.http_failed(1, kind, "the secret `key` is not granted to there");
        let error = rig.failed(turn).error;
        assert_eq!((error.kind, error.verdict), (expected, Verdict::Surface));
        assert!(
            error.message.contains("not granted to there") && error.hint.is_some() == (kind == FailureKind::Denied)
        );
        assert_eq!(told(&rig)["error"]["code"], code);
        assert!(rig.methods().contains(&"session.abort"), "the CLI's own retries are cut short");
    }
    let (mut rig, turn, name, _) = running(HOSTED);
    request(&mut rig, "r", &name);
    rig.http_failed(1, FailureKind::Exhausted, "the quota is used up");
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.verdict), (ErrorKind::Quota, Verdict::RetryAfter(90_000)));
    assert_eq!(error.retry_after, Some(90_000));
    assert_eq!(told(&rig)["error"]["code"], "EDQUOT");
    assert!(rig.methods().contains(&"session.abort"), "the CLI's own retries are cut short");
    let (mut rig, turn, name, _) = running(HOSTED);
    request(&mut rig, "r", &name);
    rig.http_failed(1, FailureKind::Broken, "cut");
    assert_eq!(told(&rig), json!({"requestId": "r", "data": "", "error": {"message": "cut", "code": "ECONNRESET"}}));
    assert!(!rig.monitor.ended(turn), "what may pass is the CLI's to repeat");
}

#[test]
fn another_origin_is_not_asked() {
    let (mut rig, turn, name, _) = running(HOSTED);
    for (at, url) in ["http://127.0.0.1:99/v1", "https://127.0.0.1:9/v1", "http://127.0.0.1:9@evil/v1", "file:///x"]
        .into_iter()
        .enumerate()
    {
        start(&mut rig, &at.to_string(), &name, url, &json!({}));
        assert_eq!(
            (told(&rig)["requestId"].clone(), told(&rig)["error"]["code"].clone()),
            (json!(at.to_string()), json!("EACCES"))
        );
        hand(&mut rig, "httpRequestChunk", json!({"requestId": at.to_string(), "data": "{}", "end": true}));
    }
    let params = json!({"requestId": "w", "sessionId": name, "method": "GET", "url": ENDPOINT, "headers": {}, "transport": "websocket"});
    hand(&mut rig, "httpRequestStart", params);
    assert_eq!(told(&rig)["error"]["code"], "EPROTONOSUPPORT");
    assert!(rig.http.is_empty() && !rig.monitor.ended(turn));
    assert_eq!(rig.notices(turn), vec![NoticeKind::Other("egress-refused".into()); 5]);
}

#[test]
fn what_was_seen_on_the_way_completes_what_the_cli_tells() {
    let (mut rig, turn, name, prompt) = running(HOSTED);
    request(&mut rig, "r", &name);
    rig.http_head(1, 429, &[("retry-after", "7"), ("x-request-id", "req_1")]);
    rig.event(&name, "model.call_failure", json!({"failureKind": "api", "statusCode": 429, "errorMessage": "slow"}));
    assert!(!rig.monitor.ended(turn));
    rig.event(&name, "session.error", json!({"errorType": "query", "message": "slow", "originatingMessageId": prompt}));
    rig.event(&name, "session.idle", json!({}));
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.http_status, error.retry_after), (ErrorKind::RateLimit, Some(429), Some(7_000)));
    assert_eq!((error.verdict, error.provider_request_id.as_deref()), (Verdict::RetryAfter(7_000), Some("req_1")));
    // As a date, and with the endpoint's own word that it is not worth it (N01).
    let (mut rig, turn, name, prompt) = running(HOSTED);
    request(&mut rig, "r", &name);
    let date = [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")];
    rig.http_head(1, 503, &[date[0], date[1], ("x-should-retry", "false")]);
    rig.event(&name, "session.error", json!({"errorType": "query", "message": "busy", "originatingMessageId": prompt}));
    rig.event(&name, "session.idle", json!({}));
    let error = rig.failed(turn).error;
    assert_eq!((error.http_status, error.retry_after, error.verdict), (Some(503), Some(30_000), Verdict::Surface));
    // A later request that was answered says nothing of an earlier one's refusal.
    let (mut rig, turn, name, prompt) = running(HOSTED);
    request(&mut rig, "r", &name);
    rig.http_head(1, 503, &[("retry-after", "7")]);
    request(&mut rig, "s", &name);
    rig.http_head(2, 200, &[]);
    rig.event(&name, "session.error", json!({"errorType": "query", "message": "odd", "originatingMessageId": prompt}));
    rig.event(&name, "session.idle", json!({}));
    assert_eq!((rig.failed(turn).error.http_status, rig.failed(turn).error.retry_after), (None, None));
}

#[test]
fn bytes_of_the_model_are_a_sign_of_life() {
    let (mut rig, turn, name, _) = running(HOSTED);
    request(&mut rig, "r", &name);
    rig.http_head(1, 200, &[]);
    for _ in 0..4 {
        while !rig.asked.is_empty() {
            let method = rig.asked[0].method.clone();
            rig.answer(&method, json!({"accepted": true}));
        }
        rig.pass(100_000);
        rig.http_chunk(1, b": ping\n\n");
    }
    assert!(!rig.monitor.ended(turn));
}

#[test]
fn a_cli_that_is_too_old_sends_itself_and_the_first_turn_is_told() {
    let mut rig = Rig::new(&unset());
    let turn = rig.ask(vec![user("one")]);
    rig.connect();
    rig.refuse("llmInference.setProvider", -32601, "Unhandled method llmInference.setProvider");
    assert_eq!(rig.asked[0].params["provider"]["apiKey"], "s3cr\"et");
    let (name, prompt) = rig.open();
    rig.frame(r#"{"jsonrpc":"2.0","id":4,"method":"llmInference.httpRequestStart","params":{}}"#);
    assert_eq!(rig.answers[0]["error"]["code"], -32601, "nothing was offered");
    rig.reply(&name, &prompt, "1");
    let direct = NoticeKind::Other("egress-direct".into());
    assert_eq!(rig.notices(turn), [direct]);
    let second = rig.ask(vec![user("one"), assistant("1"), user("two")]);
    let prompt = rig.prompt_taken();
    rig.reply(&name, &prompt, "2");
    assert_eq!((rig.text(second), rig.notices(second)), ("2".into(), vec![]));
    // Where the configuration insists, nothing is said to it.
    let mut rig = Rig::new(HOSTED);
    let turn = rig.ask(vec![user("one")]);
    rig.connect();
    rig.refuse("llmInference.setProvider", -32601, "Unhandled method llmInference.setProvider");
    let error = rig.failed(turn).error;
    assert_eq!((error.kind, error.verdict), (ErrorKind::Protocol, Verdict::Surface));
    assert!(error.hint.unwrap().contains("`egress`") && !rig.methods().contains(&"session.create"));
}

#[test]
fn a_cli_that_refuses_for_another_reason_does_not_get_the_key() {
    for config in [HOSTED.to_owned(), unset()] {
        let mut rig = Rig::new(&config);
        let turn = rig.ask(vec![user("one")]);
        rig.connect();
        rig.refuse("llmInference.setProvider", -32603, "Cannot set LLM inference provider while sessions are active.");
        assert_eq!(rig.failed(turn).error.kind, ErrorKind::Protocol);
        no_secret_reaches_the_cli(&rig);
        let mut rig = Rig::new(&config);
        let turn = rig.ask(vec![user("one")]);
        rig.connect();
        rig.pass(25_000);
        assert_eq!(rig.failed(turn).error.kind, ErrorKind::Timeout);
    }
}

#[test]
fn the_traffic_of_others_is_not_taken_over() {
    for (config, fails) in [(unset(), false), (HOSTED.to_owned(), true)] {
        let mut rig = Rig::new(&config.replacen('{', r#"{"connection-token":{"secret":"key"},"#, 1));
        let turn = rig.ask(vec![user("one")]);
        let started = Started { shared: true, working_directory: "/there".into(), ..Started::default() };
        let id = rig.sidecar.unwrap();
        rig.give(Input::SidecarStarted(SidecarStart { id, started }));
        rig.answer("connect", json!({"ok": true, "protocolVersion": 3}));
        assert!(!rig.methods().contains(&"llmInference.setProvider"));
        assert_eq!(rig.monitor.ended(turn), fails);
        assert_eq!(rig.methods().contains(&"session.create"), !fails);
    }
}

#[test]
fn two_turns_have_their_own_requests() {
    let (mut rig, first, name, prompt) = running(HOSTED);
    rig.give(Input::OpenSession(2));
    rig.give(Input::StartTurn(Turn { session: 2, id: 77, history: vec![user("x")], options: options() }));
    let (other, _) = rig.open();
    request(&mut rig, "r", &name);
    request(&mut rig, "s", &other);
    rig.http_head(2, 429, &[("retry-after", "9")]);
    rig.give(Input::CancelTurn(77));
    assert_eq!(cancels(&rig), [2]);
    rig.http_head(1, 200, &[]);
    rig.reply(&name, &prompt, "1");
    assert_eq!(rig.text(first), "1");
    let ended = |effect: &&Effect| matches!(effect, Effect::Event(EventEffect(77, Event::Failed(_))));
    assert_eq!(rig.effects.iter().filter(ended).count(), 1);
}

#[test]
fn a_configuration_that_cannot_be_is_refused() {
    let wrong = |config: &str| AnyMode::configure(setup(config)).err().map(|error| error.message).unwrap_or_default();
    assert!(wrong(&GITHUB.replacen('{', r#"{"egress":"host","#, 1)).contains("`egress`"));
    assert_eq!(wrong(&GITHUB.replacen('{', r#"{"egress":"direct","#, 1)), "");
    assert!(wrong(&HOSTED.replacen('{', r#"{"mode":"one-shot","#, 1)).contains("`egress`"));
    assert!(wrong(&HOSTED.replace("\"host\"", "\"host-or-direct\"")).contains("host-or-direct"));
    for good in [BYOK, HOSTED] {
        assert_eq!(wrong(good), "");
    }
}
