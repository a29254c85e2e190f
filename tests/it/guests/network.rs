//! Plugins that send requests where they must not.

use super::{said, tenant};
use llm_provider_host::egress::{Egress, EgressLimits, EgressPolicy, Origin, Trust};
use llm_provider_host::{Destination, Plugin, Secret, SecretGrant, Session};
use llmp_test_hostile::Row;
use llmp_tests::plugins::hostile;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// A server that answers everything in one way and remembers what it was sent.
struct Canary {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Canary {
    fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut bytes = vec![0; 64 << 10];
                let count = stream.read(&mut bytes).unwrap_or(0);
                hears.lock().expect("no panic").push(String::from_utf8_lossy(&bytes[..count]).into_owned());
                drop(stream.write_all(answer.as_bytes()));
            }
        });
        Self { address, heard }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("no panic").clone()
    }

    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const KEY: &str = "a-canary-key-0123456789";

/// A session whose tenant may reach these origins, in private networks too where `private` says so.
fn session(plugin: &Plugin, origins: &[&str], private: bool, key_to: Option<Destination>) -> Session {
    let mut policy = EgressPolicy::new(Trust::system().expect("roots"));
    for origin in origins {
        let origin: Origin = origin.parse().expect("an origin");
        policy = if private { policy.allow_private(origin) } else { policy.allow(origin) };
    }
    let egress = Egress::new(policy, EgressLimits::default()).expect("a way out");
    let tenant = tenant(plugin, |policy| {
        let policy = policy.egress(egress);
        match key_to {
            Some(to) => policy.secret("key", SecretGrant { value: Secret::new(KEY), destinations: vec![to] }),
            None => policy,
        }
    });
    tenant.instance(plugin, "{}").expect("an instance").session()
}

/// The table of spellings stands in host/http; here a plugin tries the inside through the world's import.
pub(super) async fn g09_no_spelling_of_the_inside_is_reached() {
    let canary = Canary::start(OK);
    let port = canary.address.port();
    let plugin = hostile(Row::G09).await;
    let hosts = [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "169.254.169.254",
        "[fe80::1]",
        "user@127.0.0.1",
        "127.0.0.1.",
        "①②⑦.0.0.1",
    ];
    // Granted by name and at public addresses only: what the name leads to is judged.
    let granted: Vec<String> =
        hosts.iter().filter(|host| !host.contains('@')).map(|host| format!("http://{host}:{port}")).collect();
    let granted: Vec<&str> =
        granted.iter().filter(|origin| origin.parse::<Origin>().is_ok()).map(String::as_str).collect();
    for (origins, private) in [(&[][..], false), (&granted[..], false)] {
        let session = session(&plugin, origins, private, None);
        for host in hosts {
            let says = said(&session, &format!("fetch http://{host}:{port}/")).await;
            assert!(!says.starts_with("status"), "{host}: {says}");
        }
    }
    assert_eq!(canary.heard(), [""; 0], "nothing arrived");
}

/// A public grant of a name that the resolver leads inside; that it may change its mind is tried in host/http.
pub(super) async fn g10_a_name_that_leads_inside_is_not_dialled() {
    let canary = Canary::start(OK);
    let origin = format!("http://localhost:{}", canary.address.port());
    let session = session(&hostile(Row::G10).await, &[&origin], false, None);
    for _ in 0..100 {
        let says = said(&session, &format!("fetch {origin}/")).await;
        assert!(says.contains("Denied"), "{says}");
    }
    assert_eq!(canary.heard(), [""; 0]);
}

pub(super) async fn g11_a_redirect_leads_nowhere() {
    let inner = Canary::start(OK);
    let location = format!(
        "HTTP/1.1 302 Found\r\nLocation: {}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        inner.origin()
    );
    let outer = Canary::start(location.leak());
    let session = session(&hostile(Row::G11).await, &[&outer.origin(), &inner.origin()], true, None);
    assert_eq!(said(&session, &format!("fetch {}/", outer.origin())).await, "status 302");
    assert_eq!((outer.heard().len(), inner.heard().len()), (1, 0));
}

pub(super) async fn g12_no_header_smuggles() {
    let canary = Canary::start(OK);
    let session = session(&hostile(Row::G12).await, &[&canary.origin()], true, None);
    let url = format!("{}/", canary.origin());
    for header in [
        "x a\r\nevil: 1",
        "x a\nevil: 1",
        "x a\0b",
        "x\r\nevil 1",
        "x: 1",
        "content-length 5",
        "Transfer-Encoding chunked",
        "HOST other",
        "connection upgrade",
        "te trailers",
        " x",
        "é 1",
    ] {
        let says = said(&session, &format!("header {url} {header}")).await;
        assert!(!says.starts_with("status"), "{header:?}: {says}");
    }
    assert!(!said(&session, &format!("headers {url} 65")).await.starts_with("status"));
    assert_eq!(said(&session, &format!("headers {url} 3")).await, "status 200");
    let heard = canary.heard();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(!heard[0].contains("evil"), "{heard:?}");
}

pub(super) async fn g16_a_key_goes_to_its_origin_only() {
    let (own, other) = (Canary::start(OK), Canary::start(OK));
    let to = Destination::HttpHeader { origin: own.origin(), header: "x-api-key".into() };
    let session = session(&hostile(Row::G16).await, &[&own.origin(), &other.origin()], true, Some(to));
    for (origin, header) in [(other.origin(), "x-api-key"), (own.origin(), "x-other"), (own.origin(), "authorization")]
    {
        let says = said(&session, &format!("key {origin}/ {header} key")).await;
        assert!(says.contains("not granted") && !says.contains(KEY), "{says}");
    }
    assert_eq!(said(&session, &format!("key {}/ X-API-Key key", own.origin())).await, "status 200");
    assert!(other.heard().is_empty());
    assert!(own.heard().len() == 1 && own.heard()[0].contains(KEY), "{:?}", own.heard());
}
