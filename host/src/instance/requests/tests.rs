//! An instance's requests, against a server that answers or is silent.

use super::*;
use crate::host::{Host, HostConfig};
use crate::limits::Limits;
use crate::policy::Policy;
use crate::quota::Allowance;
use http::{Egress, EgressLimits, EgressPolicy, Origin, Trust};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

/// A server that answers all that it is asked in this way, or never where there is nothing to say.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
            if answer.is_empty() {
                kept.push(stream);
            }
        }
    });
    url
}

/// An instance's requests of a tenant that may ask this server, and where its inputs wait.
struct Rig {
    requests: Requests,
    tenant: Tenant,
    secrets: Secrets,
    url: String,
    sender: mpsc::Sender<Input>,
    inputs: mpsc::Receiver<Input>,
}

impl Rig {
    fn new(answer: &'static str, change: impl FnOnce(&mut Policy, &mut Limits)) -> Self {
        let (url, mut limits) = (server(answer), Limits::default());
        let origin = Origin::of(&url).expect("an origin");
        let way = EgressPolicy::new(Trust::only([]).expect("no authorities")).allow_private(origin);
        let egress = Egress::new(way, EgressLimits::default()).expect("a way out");
        let mut policy = Policy::new("/nowhere").egress(egress);
        limits.instances = 1;
        change(&mut policy, &mut limits);
        let tenant = Host::new(HostConfig { limits, ..HostConfig::default() }).expect("a host").tenant(policy);
        let (sender, inputs) = mpsc::channel(256);
        let secrets = Secrets::new(BTreeMap::new());
        Self { requests: Requests::default(), tenant, secrets, url, sender, inputs }
    }

    fn send(&mut self, id: RequestId) -> Option<Input> {
        let (method, url) = ("GET".to_owned(), self.url.clone());
        let request = Request { method, url, headers: Vec::new(), body: Vec::new(), first_byte_timeout: None };
        let scrubber = Scrubber::new(&self.secrets);
        self.requests.send(id, request, &self.tenant, &self.secrets, &scrubber, &self.sender)
    }

    async fn next(&mut self) -> Input {
        tokio::time::timeout(Duration::from_secs(20), self.inputs.recv()).await.expect("in time").expect("an input")
    }
}

fn failure(refused: Option<Input>) -> Failure {
    match refused {
        Some(Input::HttpFailed(fault)) => fault.failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn more_requests_than_may_be_are_refused_at_once() {
    let mut rig = Rig::new("", |_, limits| limits.requests = 2);
    assert!(rig.send(1).is_none() && rig.send(2).is_none());
    let begin = std::time::Instant::now();
    let refused: Vec<Input> = (3..50_000).map(|id| rig.send(id).expect("a refusal")).collect();
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert_eq!((rig.requests.under_way.len(), rig.inputs.len()), (2, 0), "nothing waits for the mailbox");
    for input in &refused {
        assert_eq!(failure(Some(input.clone())).kind, FailureKind::Exhausted);
        assert!(rig.requests.awaits(input));
        assert!(!rig.requests.awaits(input), "once");
    }
    assert!(rig.requests.refused.is_empty());
    rig.requests.cancel(1);
    assert!(rig.send(50_000).is_none(), "its place is free");
    failure(rig.send(50_001));
}

#[tokio::test]
async fn a_place_is_free_once_the_end_was_heard() {
    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok";
    let mut rig = Rig::new(answer, |_, limits| limits.requests = 1);
    for id in 1..4 {
        assert!(rig.send(id).is_none());
        for _ in 0..3 {
            failure(rig.send(100));
            let input = rig.next().await;
            assert!(rig.requests.awaits(&input), "{input:?}");
        }
    }
    rig.url = "http://127.0.0.1:1/".to_owned();
    for id in 4..6 {
        assert!(rig.send(id).is_none(), "the policy speaks in the request's own time");
        let denied = rig.next().await;
        assert!(rig.requests.awaits(&denied));
        assert_eq!(failure(Some(denied)).kind, FailureKind::Denied);
    }
}

#[tokio::test]
async fn nothing_of_a_cancelled_request_is_handed_over() {
    let mut rig = Rig::new("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok", |_, _| ());
    assert!(rig.send(1).is_none());
    let came = [rig.next().await, rig.next().await, rig.next().await];
    assert!(matches!(came, [Input::HttpResponse(_), Input::HttpChunk(_), Input::HttpEnd(1)]), "{came:?}");
    rig.requests.cancel(1);
    for input in &came {
        assert!(!rig.requests.awaits(input), "{input:?}");
    }
    rig.url = "no URL".to_owned();
    let refused = rig.send(2).expect("a refusal");
    rig.requests.cancel(2);
    assert!(!rig.requests.awaits(&refused), "{refused:?}");
    assert!(rig.requests.awaits(&Input::Shutdown));
}

#[tokio::test]
async fn a_used_up_quota_is_no_refusal_of_the_policys_and_says_when_there_is_more() {
    let hour = Duration::from_secs(3_600);
    let mut rig = Rig::new("", |policy, _| policy.quotas.http_requests = Some(Allowance::new(1, hour)));
    assert!(rig.send(1).is_none());
    let told = failure(rig.send(2));
    assert_eq!((told.kind, told.request_sent), (FailureKind::Exhausted, false));
    assert!(told.retry_after.is_some_and(|after| after > 3_000_000 && after <= 3_600_000), "{told:?}");
    assert!(told.message.contains("http-requests"), "{told:?}");
}
