//! What is reached without the proxy: a list of names, addresses and nets, each perhaps with a port.

use llm_provider_host::egress::Origin;
use std::net::IpAddr;

/// A list as NO_PROXY has it. There is no standard: what curl, Go and Python understand is understood.
#[derive(Debug, Default)]
pub(crate) struct NoProxy {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    hosts: Hosts,
    /// Any when absent.
    port: Option<u16>,
}

#[derive(Debug)]
enum Hosts {
    All,
    /// A name, and all below it.
    Name(String),
    /// Addresses whose first bits are these: all of them for one address.
    Net(IpAddr, u32),
}

impl NoProxy {
    /// Reads a list. What is not understood comes back beside it.
    pub(crate) fn read(list: &str) -> (Self, Vec<&str>) {
        let (mut entries, mut odd) = (Vec::new(), Vec::new());
        for text in list.split(|c: char| c == ',' || c.is_whitespace()).filter(|text| !text.is_empty()) {
            match Entry::read(text) {
                Some(entry) => entries.push(entry),
                None => odd.push(text),
            }
        }
        (Self { entries }, odd)
    }

    /// Whether an origin is reached without the proxy. Names are not looked up: a net is for addresses.
    pub(crate) fn covers(&self, origin: &Origin) -> bool {
        let host = origin.host().to_string();
        let address = address(&host);
        self.entries.iter().any(|entry| {
            let port = entry.port.is_none_or(|port| port == origin.port());
            port && match (&entry.hosts, address) {
                (Hosts::All, _) => true,
                (Hosts::Name(name), None) => is_below(host.trim_end_matches('.'), name),
                (Hosts::Net(net, length), Some(address)) => is_within(address, *net, *length),
                (Hosts::Name(_), Some(_)) | (Hosts::Net(..), None) => false,
            }
        })
    }
}

impl Entry {
    fn read(text: &str) -> Option<Self> {
        // An IPv6 address has colons of its own; with a port it stands in brackets.
        if let Some(hosts) = Hosts::read(text) {
            return Some(Self { hosts, port: None });
        }
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        (host.matches(':').count() == 0 || host.starts_with('[')).then_some(())?;
        Some(Self { hosts: Hosts::read(host)?, port: Some(port) })
    }
}

impl Hosts {
    fn read(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        if let Some((net, length)) = text.split_once('/') {
            let net = address(net)?;
            let length = length.parse().ok().filter(|length| *length <= bits(net).1)?;
            return Some(Self::Net(net, length));
        }
        if let Some(address) = address(text) {
            return Some(Self::Net(address, bits(address).1));
        }
        let name = text.strip_prefix("*.").or_else(|| text.strip_prefix('.')).unwrap_or(text);
        // As a URL would have it: in lower case and punycode.
        let origin: Origin = format!("http://{}/", name.trim_end_matches('.')).parse().ok()?;
        let canonical = origin.host().to_string();
        // `10.` and `192.168` would be addresses then, and mean something else here; `a:1` is a name with a port.
        let plain = address(&canonical).is_none() && !name.contains(['*', ':', '@']);
        plain.then_some(Self::Name(canonical))
    }
}

/// An address, perhaps in brackets. One of IPv4 within IPv6 is the one of IPv4.
fn address(text: &str) -> Option<IpAddr> {
    let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address: IpAddr = inside.unwrap_or(text).parse().ok()?;
    (inside.is_none() || address.is_ipv6()).then(|| address.to_canonical())
}

fn is_below(host: &str, name: &str) -> bool {
    host == name || host.strip_suffix(name).is_some_and(|before| before.ends_with('.'))
}

fn is_within(address: IpAddr, net: IpAddr, length: u32) -> bool {
    let ((address, all), (net, of)) = (bits(address), bits(net));
    all == of && (address ^ net).checked_shr(all - length).unwrap_or(0) == 0
}

/// The bits of an address, and how many they are.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (v4.to_bits().into(), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(list: &str, url: &str) -> bool {
        let (read, odd) = NoProxy::read(list);
        assert!(odd.is_empty(), "{odd:?}");
        read.covers(&Origin::of(url).expect("an origin"))
    }

    #[test]
    fn names_addresses_nets_and_ports_are_covered() {
        for (url, list, wanted) in [
            ("https://api.example.com", "", false),
            ("https://api.example.com", "example.com", true),
            ("https://example.com", ".example.com", true),
            ("https://api.example.com", "x, .example.com", true),
            ("https://api.example.com", "x .example.com", true),
            ("https://api.example.com", "*.example.com", true),
            ("https://api.example.com.", "example.com", true),
            ("https://api.example.com", ".Example.COM", true),
            ("https://API.example.com", "EXAMPLE.com.", true),
            ("https://a.b\u{fc}cher.example", "B\u{fc}cher.example", true),
            ("https://badexample.com", "example.com", false),
            ("https://api.example.com", "*", true),
            ("http://127.0.0.1:1", "localhost,127.0.0.1,::1", true),
            ("http://[::1]:1", "localhost,127.0.0.1,::1", true),
            ("http://[::1]:1", "[::1]", true),
            ("http://[::ffff:10.0.0.1]", "10.0.0.1", true),
            ("http://10.1.2.3", "10.0.0.0/8", true),
            ("http://11.1.2.3", "10.0.0.0/8", false),
            ("http://10.1.2.3", "10.1.2.3/32", true),
            ("http://10.1.2.4", "10.1.2.3/32", false),
            ("http://1.2.3.4", "0.0.0.0/0", true),
            ("http://[fd00::1]", "0.0.0.0/0", false),
            ("http://[fd12:3456::1]", "fd00::/8", true),
            ("http://[fd12:3456::1]", "[fd00::]/8", true),
            ("http://[fe12::1]", "fd00::/8", false),
            ("http://[fd12::1]", "::/0", true),
            ("https://ten.example", "10.0.0.0/8", false),
            ("https://api.example.com:8443", "example.com:8443", true),
            ("https://api.example.com", "example.com:443", true),
            ("https://api.example.com", "example.com:8443", false),
            ("http://[::1]:8080", "[::1]:8080", true),
            ("http://[::1]:8081", "[::1]:8080", false),
            ("http://10.0.0.1:80", "10.0.0.1:80", true),
            ("http://10.0.0.1:81", "10.0.0.0/8:80", false),
        ] {
            assert_eq!(covers(list, url), wanted, "{url} {list}");
        }
    }

    #[test]
    fn what_is_not_understood_is_told() {
        let odd = [
            "<local>",
            "10.*",
            "192.168.",
            "192.168",
            "10.0.0.0/33",
            "10.0.0.0/x",
            "example.com/8",
            "http://example.com",
            "example.com:0",
            "example.com:http",
            "a.*.example",
            "user@example.com",
            "[::1",
            "[10.0.0.1]",
            ".",
            "fd00::/129",
        ];
        let list = format!("example.com,{}, 10.0.0.0/8", odd.join(","));
        let (read, told) = NoProxy::read(&list);
        assert_eq!((told, read.entries.len()), (odd.to_vec(), 2));
    }
}
