//! G09, G10: no way to the inside.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing)] // helpers of tests

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use llm_provider_http::{Egress, EgressLimits, EgressPolicy, Event, FailureKind, Origin, Request};
use support::{FakeDns, OK, Server, SilentDns, answer, egress_to, events, failure, no_trust};

/// Spellings of addresses that are not the public internet, as a URL's host.
const LITERALS: &[&str] = &[
    // Loopback: dotted, short, decimal, octal, hexadecimal, mixed, padded, percent-encoded, full width, trailing dot.
    "127.0.0.1",
    "127.0.1",
    "127.1",
    "127.255.255.254",
    "127.0.0.1.",
    "127.1.",
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "017700000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0177.0.0.1",
    "0177.1",
    "0177.0x0.0.1",
    "00000177.0.0.1",
    "0x7f.0x0.0x0.0x1",
    "127.0.0.01",
    "127.0.0.0x1",
    "0x0000007f.0.0.1",
    "127.65537",
    "127.0.257",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "127%2E1",
    "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    "127\u{3002}0\u{3002}0\u{3002}1",
    "127\u{ff0e}0\u{ff0e}0\u{ff0e}1",
    "\u{2460}\u{2461}\u{2466}.0.0.1",
    "127.0.0.\u{b9}",
    // This host.
    "0.0.0.0",
    "0",
    "0x0",
    "00",
    "0.0",
    "0.1.2.3",
    "0.0.0.0.",
    // Private networks.
    "10.0.0.1",
    "10.1",
    "167772161",
    "0xa000001",
    "012.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "2886729729",
    "0xac100001",
    "192.168.0.1",
    "192.168.1",
    "3232235521",
    "0xc0a80001",
    "0300.0250.0.1",
    "192.168.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "1681915905",
    // Metadata and link-local.
    "169.254.169.254",
    "169.254.43518",
    "169.16689662",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "0xa9.0xfe.0xa9.0xfe",
    "169.254.169.254.",
    "169.254.0.1",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "[fd00:ec2::254]",
    // Not unicast, not assigned, not for use.
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "4294967295",
    "0xffffffff",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    // IPv6: loopback, unspecified, link-local, unique-local, site-local, multicast, documentation, discard.
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::0001]",
    "[::]",
    "[0::0]",
    "[fe80::1]",
    "[FE80::1]",
    "[febf::1]",
    "[fc00::1]",
    "[fd12:3456:789a::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[ff0e::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[100::1]",
    "[5f00::1]",
    "[2001::1]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[2001:2::1]",
    "[64:ff9b:1::1]",
    // IPv4 within IPv6.
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:7F00:0001]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:192.168.0.1]",
    "[::ffff:0.0.0.0]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::10.0.0.1]",
    "[::169.254.169.254]",
    "[::ffff:0:127.0.0.1]",
    "[::ffff:0:10.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b::10.0.0.1]",
    "[2002:7f00:1::]",
    "[2002:7f00:0001::1]",
    "[2002:a00:1::1]",
    "[2002:a9fe:a9fe::1]",
    "[2002:c0a8:1::1]",
    "[2606:4700::5efe:127.0.0.1]",
    "[2606:4700::200:5efe:10.0.0.1]",
    // Names of this machine, which the system's resolver knows.
    "localhost",
    "LOCALHOST",
    "localhos%74",
    "\u{ff4c}ocalhost",
];

/// URLs that mean something else to each of two parsers.
const MALFORMED: &[&str] = &[
    "http://user@127.0.0.1:PORT/",
    "http://user:pass@127.0.0.1:PORT/",
    "http://example.com@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT@example.com/",
    "http://[::1%25lo]:PORT/",
    "http://[::ffff:127.0.0.1:PORT/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1 :PORT/",
    " http://127.0.0.1:PORT/",
    "http://127.0.0.1\t:PORT/",
    "http://127.0\n.0.1:PORT/",
    "http://256.0.0.1:PORT/",
    "http://127.0.0.1.1:PORT/",
    "http://0x7f.0.0.0.1:PORT/",
    "http://08.0.0.1:PORT/",
    "file://127.0.0.1:PORT/",
    "ftp://127.0.0.1:PORT/",
    "ws://127.0.0.1:PORT/",
    "gopher://127.0.0.1:PORT/",
    "//127.0.0.1:PORT/",
    "http://",
    "127.0.0.1:PORT",
];

#[tokio::test]
async fn g09_no_spelling_reaches_the_canary() {
    let canary = Server::fixed(OK).await;
    assert_eq!(answer(&egress_to(&canary, EgressLimits::default()), Request::get(canary.url("/"))).await.1, b"ok");
    assert_eq!(canary.connections(), 1, "the canary can be reached");
    assert!(LITERALS.len() + MALFORMED.len() >= 120);
    for host in LITERALS {
        let url = format!("http://{host}:{}/", canary.port());
        // Granted by name, so that the address check is all that stands in between.
        let origin = Origin::of(&url).unwrap_or_else(|error| panic!("{host}: {error}"));
        let egress = Egress::new(EgressPolicy::new(no_trust()).allow(origin), EgressLimits::default()).unwrap();
        let failure = failure(&egress, Request::get(&url)).await;
        assert_eq!(failure.kind, FailureKind::Denied, "{host}: {}", failure.message);
        assert!(!failure.request_sent);
    }
    let everything = EgressPolicy::new(no_trust()).allow_private(canary.url("").parse().unwrap());
    let egress = Egress::new(everything, EgressLimits::default()).unwrap();
    for url in MALFORMED {
        let url = url.replace("PORT", &canary.port().to_string());
        let kind = failure(&egress, Request::get(&url)).await.kind;
        assert!(matches!(kind, FailureKind::Invalid | FailureKind::Denied), "{url}: {kind:?}");
    }
    assert_eq!(canary.connections(), 1);
}

#[tokio::test]
async fn what_is_not_granted_is_denied_before_any_lookup() {
    let canary = Server::fixed(OK).await;
    let dns = Arc::new(FakeDns::default().answer("granted.test", &["127.0.0.1"]));
    let policy =
        EgressPolicy::new(no_trust()).allow_private(format!("http://granted.test:{}", canary.port()).parse().unwrap());
    let egress = Egress::with_resolver(policy, EgressLimits::default(), dns.clone()).unwrap();
    for url in [
        "https://granted.test:PORT/",
        "http://granted.test/",
        "http://granted.test.:PORT/",
        "http://a.granted.test:PORT/",
        "http://granted.test.evil.test:PORT/",
        "http://127.0.0.1:PORT/",
        "http://localhost:PORT/",
        "http://other.test:PORT/",
    ] {
        let url = url.replace("PORT", &canary.port().to_string());
        assert_eq!(failure(&egress, Request::get(&url)).await.kind, FailureKind::Denied, "{url}");
    }
    assert_eq!(dns.asked.load(Ordering::SeqCst), 0);
    assert_eq!(answer(&egress, Request::get(format!("http://GRANTED.test:{}/", canary.port()))).await.1, b"ok");
}

#[tokio::test]
async fn g09_names_that_lead_inside_are_denied() {
    let canary = Server::fixed(OK).await;
    for address in [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::127.0.0.1",
    ] {
        let dns = FakeDns::default().answer("inside.test", &[address]);
        let origin = format!("http://inside.test:{}", canary.port()).parse().unwrap();
        let policy = EgressPolicy::new(no_trust()).allow(origin);
        let egress = Egress::with_resolver(policy, EgressLimits::default(), Arc::new(dns)).unwrap();
        let failure = failure(&egress, Request::post(format!("http://inside.test:{}/", canary.port()), "secret")).await;
        assert_eq!(
            (failure.kind, failure.request_sent),
            (FailureKind::Denied, false),
            "{address}: {}",
            failure.message
        );
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn metadata_cannot_be_granted_even_as_private() {
    for host in
        ["169.254.169.254", "168.63.129.16", "100.100.100.200", "[fd00:ec2::254]", "[fe80::1]", "0.0.0.0", "[::]"]
    {
        let url = format!("http://{host}/");
        let policy = EgressPolicy::new(no_trust()).allow_private(url.parse().unwrap());
        let egress = Egress::new(policy, EgressLimits::default()).unwrap();
        assert_eq!(failure(&egress, Request::get(&url)).await.kind, FailureKind::Denied, "{host}");
    }
}

#[tokio::test]
async fn a_private_grant_is_for_its_port_only() {
    let canary = Server::fixed(OK).await;
    let other = Server::fixed(OK).await;
    let dns = FakeDns::default().answer("model.test", &["127.0.0.1"]);
    let origin = |server: &Server| format!("http://model.test:{}", server.port()).parse().unwrap();
    let policy = EgressPolicy::new(no_trust()).allow_private(origin(&other)).allow(origin(&canary));
    let egress = Egress::with_resolver(policy, EgressLimits::default(), Arc::new(dns)).unwrap();
    assert_eq!(answer(&egress, Request::get(format!("http://model.test:{}/", other.port()))).await.1, b"ok");
    let denied = failure(&egress, Request::get(format!("http://model.test:{}/", canary.port()))).await;
    assert_eq!(denied.kind, FailureKind::Denied);
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn g10_a_name_that_changes_its_mind_gains_nothing() {
    // The honest server and the canary differ in their address only.
    let honest = Server::fixed_at("127.0.0.2:0".parse().unwrap(), OK).await;
    let canary = Server::fixed_at(format!("127.0.0.1:{}", honest.port()).parse().unwrap(), OK).await;
    let url = format!("http://rebind.test:{}/", honest.port());
    for _ in 0..500 {
        let dns =
            Arc::new(FakeDns::default().answer("rebind.test", &["127.0.0.2"]).answer("rebind.test", &["127.0.0.1"]));
        let policy = EgressPolicy::new(no_trust()).allow_private(url.parse().unwrap());
        let egress = Egress::with_resolver(policy, EgressLimits::default(), dns.clone()).unwrap();
        assert_eq!(answer(&egress, Request::get(&url)).await.1, b"ok");
        assert_eq!(dns.asked.load(Ordering::SeqCst), 1, "what was checked is what was dialled");
    }
    assert_eq!((honest.connections(), canary.connections()), (500, 0));
}

#[tokio::test]
async fn g10_a_name_that_turns_inside_is_denied_every_time() {
    let canary = Server::fixed(OK).await;
    let url = format!("http://rebind.test:{}/", canary.port());
    let mut dns = FakeDns::default();
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0"].iter().cycle().take(1000) {
        dns = dns.answer("rebind.test", &[address]);
    }
    let policy = EgressPolicy::new(no_trust()).allow(url.parse().unwrap());
    let egress = Egress::with_resolver(policy, EgressLimits::default(), Arc::new(dns)).unwrap();
    for _ in 0..1000 {
        assert_eq!(failure(&egress, Request::get(&url)).await.kind, FailureKind::Denied);
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn g10_of_a_mixed_answer_only_what_is_within_reach_is_dialled() {
    let canary = Server::fixed(OK).await;
    let url = format!("http://mixed.test:{}/", canary.port());
    // Link-local is never within reach, loopback is by the grant: the first must be skipped, not fail the rest.
    let dns = FakeDns::default().answer("mixed.test", &["169.254.169.254", "224.0.0.1", "127.0.0.1"]);
    let policy = EgressPolicy::new(no_trust()).allow_private(url.parse().unwrap());
    let egress = Egress::with_resolver(policy, EgressLimits::default(), Arc::new(dns)).unwrap();
    assert_eq!(answer(&egress, Request::get(&url)).await.1, b"ok");
}

#[tokio::test]
async fn n10_name_servers_that_fail_or_are_silent() {
    let policy = || EgressPolicy::new(no_trust()).allow("http://gone.test".parse().unwrap());
    let egress = Egress::with_resolver(policy(), EgressLimits::default(), Arc::new(FakeDns::default())).unwrap();
    let gone = failure(&egress, Request::post("http://gone.test/", "body")).await;
    assert_eq!((gone.kind, gone.request_sent), (FailureKind::Dns, false), "{}", gone.message);
    let mut limits = EgressLimits::default();
    limits.resolve = Duration::from_millis(100);
    let egress = Egress::with_resolver(policy(), limits, Arc::new(SilentDns)).unwrap();
    let silent = failure(&egress, Request::post("http://gone.test/", "body")).await;
    assert_eq!((silent.kind, silent.request_sent), (FailureKind::Dns, false), "{}", silent.message);
}

#[tokio::test]
async fn g11_a_redirect_is_a_response_and_leads_nowhere() {
    let canary = Server::fixed(OK).await;
    for target in
        [canary.url("/"), "http://169.254.169.254/".into(), "//127.0.0.1/".into(), "file:///etc/passwd".into()]
    {
        for status in [301, 302, 303, 307, 308] {
            let server =
                Server::fixed(format!("HTTP/1.1 {status} Moved\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n"))
                    .await;
            let request = Request::get(server.url("/")).header("x-api-key", "hunter2");
            let (head, _) = answer(&egress_to(&server, EgressLimits::default()), request).await;
            assert_eq!(head.status, status);
            assert_eq!(server.requests().len(), 1);
        }
    }
    assert_eq!(canary.connections(), 0);
    let looped = events(&egress_to(&canary, EgressLimits::default()), Request::get(canary.url("/"))).await;
    assert_eq!(looped.last(), Some(&Event::End));
}
