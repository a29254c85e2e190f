//! Which addresses are the public internet, and what the others are.
//!
//! From the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its updates). An IPv6 address that
//! carries an IPv4 address is judged as that one, since some router or kernel will unwrap it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressClass {
    /// The public internet.
    Global,
    /// This host or network: `0.0.0.0/8`, `::`.
    Unspecified,
    /// This machine: `127.0.0.0/8`, `::1`.
    Loopback,
    /// RFC 1918: `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16`.
    Private,
    /// RFC 4193: `fc00::/7`, and the older site-local `fec0::/10`.
    UniqueLocal,
    /// RFC 6598, carrier-grade NAT: `100.64.0.0/10`.
    Shared,
    /// This link: `169.254.0.0/16`, `fe80::/10`. Cloud metadata services live here.
    LinkLocal,
    /// A cloud's metadata service at an address of another class.
    Metadata,
    /// `224.0.0.0/4`, `ff00::/8`.
    Multicast,
    /// Documentation, benchmarks, protocol assignments, transition mechanisms, and what is not assigned.
    Reserved,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Global => "public",
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::UniqueLocal => "unique-local",
            Self::Shared => "carrier-grade NAT",
            Self::LinkLocal => "link-local",
            Self::Metadata => "cloud metadata",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
        })
    }
}

/// Says what an address is for.
pub fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressClass {
    match address.octets() {
        [0, ..] => AddressClass::Unspecified,
        [127, ..] => AddressClass::Loopback,
        // Azure's wire server and Alibaba's metadata service: reachable from any guest of those clouds.
        [168, 63, 129, 16] | [100, 100, 100, 200] => AddressClass::Metadata,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => AddressClass::Private,
        [100, 64..=127, ..] => AddressClass::Shared,
        [169, 254, ..] => AddressClass::LinkLocal,
        [224..=239, ..] => AddressClass::Multicast,
        // Protocol assignments; three documentation nets; the former 6to4 relays; benchmarks; class E and broadcast.
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => AddressClass::Reserved,
        [192, 88, 99, _] | [198, 18..=19, ..] | [240..=255, ..] => AddressClass::Reserved,
        _ => AddressClass::Global,
    }
}

fn classify_v6(address: Ipv6Addr) -> AddressClass {
    if let Some(embedded) = embedded_v4(address) {
        return classify_v4(embedded);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressClass::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressClass::Loopback,
        // EC2's own net. Of the other clouds the one address each: the nets around them are in use as private ones.
        [0xfd00, 0x0ec2, ..] => AddressClass::Metadata,
        [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254] => AddressClass::Metadata, // Google
        [0xfd00, 0x00c1, 0, 0, 0, 0, 0xa9fe, 0xa9fe] => AddressClass::Metadata, // Oracle
        [0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x0042] => AddressClass::Metadata, // Scaleway
        [0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1] => AddressClass::Metadata, // Linode
        [0xfd00, 0x0100, 0, 0, 0, 0, 0x0100, 0x0200] => AddressClass::Metadata, // Alibaba
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => AddressClass::UniqueLocal,
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        // Protocol assignments with Teredo, ORCHID and benchmarks; two documentation nets; the latter's neighbour /16
        // is unassigned, so its whole /20 goes.
        [0x2001, 0x0000..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0x0000..=0x0fff, ..] => AddressClass::Reserved,
        // An ISATAP interface behind a public prefix leads to the inside if its IPv4 address does.
        [0x2000..=0x3fff, _, _, _, 0x0000 | 0x0200, 0x5efe, high, low] => classify_v4(join(high, low)),
        [0x2000..=0x3fff, ..] => AddressClass::Global,
        _ => AddressClass::Reserved,
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped (`::ffff:0:0/96`), translated (`::ffff:0:0:0/96`),
/// compatible (`::/96`), NAT64 (`64:ff9b::/96`), 6to4 (`2002::/16`).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(join(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(join(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::{AddressClass, classify};
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    fn of(text: &str) -> AddressClass {
        classify(text.parse().unwrap())
    }

    const RANGES: &[(&str, AddressClass)] = &[
        ("0.0.0.0", AddressClass::Unspecified),
        ("0.255.255.255", AddressClass::Unspecified),
        ("1.0.0.0", AddressClass::Global),
        ("9.255.255.255", AddressClass::Global),
        ("10.0.0.0", AddressClass::Private),
        ("10.255.255.255", AddressClass::Private),
        ("11.0.0.0", AddressClass::Global),
        ("100.63.255.255", AddressClass::Global),
        ("100.64.0.0", AddressClass::Shared),
        ("100.127.255.255", AddressClass::Shared),
        ("100.128.0.0", AddressClass::Global),
        ("100.100.100.200", AddressClass::Metadata),
        ("168.63.129.16", AddressClass::Metadata),
        ("168.63.129.15", AddressClass::Global),
        ("126.255.255.255", AddressClass::Global),
        ("127.0.0.0", AddressClass::Loopback),
        ("127.255.255.255", AddressClass::Loopback),
        ("128.0.0.0", AddressClass::Global),
        ("169.253.255.255", AddressClass::Global),
        ("169.254.0.0", AddressClass::LinkLocal),
        ("169.254.169.254", AddressClass::LinkLocal),
        ("169.254.255.255", AddressClass::LinkLocal),
        ("169.255.0.0", AddressClass::Global),
        ("172.15.255.255", AddressClass::Global),
        ("172.16.0.0", AddressClass::Private),
        ("172.31.255.255", AddressClass::Private),
        ("172.32.0.0", AddressClass::Global),
        ("191.255.255.255", AddressClass::Global),
        ("192.0.0.0", AddressClass::Reserved),
        ("192.0.0.192", AddressClass::Reserved),
        ("192.0.1.0", AddressClass::Global),
        ("192.0.2.0", AddressClass::Reserved),
        ("192.0.3.0", AddressClass::Global),
        ("192.88.99.1", AddressClass::Reserved),
        ("192.167.255.255", AddressClass::Global),
        ("192.168.0.0", AddressClass::Private),
        ("192.168.255.255", AddressClass::Private),
        ("192.169.0.0", AddressClass::Global),
        ("198.17.255.255", AddressClass::Global),
        ("198.18.0.0", AddressClass::Reserved),
        ("198.19.255.255", AddressClass::Reserved),
        ("198.20.0.0", AddressClass::Global),
        ("198.51.100.7", AddressClass::Reserved),
        ("203.0.113.7", AddressClass::Reserved),
        ("223.255.255.255", AddressClass::Global),
        ("224.0.0.0", AddressClass::Multicast),
        ("239.255.255.255", AddressClass::Multicast),
        ("240.0.0.0", AddressClass::Reserved),
        ("255.255.255.255", AddressClass::Reserved),
        ("8.8.8.8", AddressClass::Global),
        ("::", AddressClass::Unspecified),
        ("::1", AddressClass::Loopback),
        ("::2", AddressClass::Unspecified),
        ("::7f00:1", AddressClass::Loopback),
        ("::ffff:7f00:1", AddressClass::Loopback),
        ("::ffff:808:808", AddressClass::Global),
        ("::ffff:0:a00:1", AddressClass::Private),
        ("64:ff9b::a9fe:a9fe", AddressClass::LinkLocal),
        ("64:ff9b::808:808", AddressClass::Global),
        ("64:ff9b:1::808:808", AddressClass::Reserved),
        ("2002:7f00:1::", AddressClass::Loopback),
        ("2002:808:808::1", AddressClass::Global),
        ("100::1", AddressClass::Reserved),
        ("5f00::1", AddressClass::Reserved),
        ("1fff::1", AddressClass::Reserved),
        ("2000::1", AddressClass::Global),
        ("2001::1", AddressClass::Reserved),
        ("2001:1ff::1", AddressClass::Reserved),
        ("2001:200::1", AddressClass::Global),
        ("2001:db8::1", AddressClass::Reserved),
        ("2606:4700::1111", AddressClass::Global),
        ("3fff::1", AddressClass::Reserved),
        ("3fff:1000::1", AddressClass::Global),
        ("4000::1", AddressClass::Reserved),
        ("fbff::1", AddressClass::Reserved),
        ("fc00::1", AddressClass::UniqueLocal),
        ("fd00:ec2::254", AddressClass::Metadata),
        ("fd20:ce::254", AddressClass::Metadata),
        ("fd20:ce::253", AddressClass::UniqueLocal),
        ("fd00:c1::a9fe:a9fe", AddressClass::Metadata),
        ("fd00:c1::1", AddressClass::UniqueLocal),
        ("fd00:42::42", AddressClass::Metadata),
        ("fd00:42::1", AddressClass::UniqueLocal),
        ("fd00:a9fe:a9fe::1", AddressClass::Metadata),
        ("fd00:a9fe:a9fe::2", AddressClass::UniqueLocal),
        ("fd00:100::100:200", AddressClass::Metadata),
        ("fd00:100::1", AddressClass::UniqueLocal),
        ("fdff::1", AddressClass::UniqueLocal),
        ("fe00::1", AddressClass::Reserved),
        ("fe80::1", AddressClass::LinkLocal),
        ("febf::1", AddressClass::LinkLocal),
        ("fec0::1", AddressClass::UniqueLocal),
        ("ff02::1", AddressClass::Multicast),
        ("2606:4700::5efe:10.0.0.1", AddressClass::Private),
        ("2606:4700::200:5efe:8.8.8.8", AddressClass::Global),
    ];

    #[test]
    fn first_and_last_of_every_range_and_their_neighbours() {
        for &(text, class) in RANGES {
            assert_eq!(of(text), class, "{text}");
        }
    }

    fn embeddings(v4: Ipv4Addr) -> [Ipv6Addr; 5] {
        let [a, b, c, d] = v4.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        [
            Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
            Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
            Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn g09_an_embedded_v4_is_judged_as_the_v4(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            prop_assume!(bits > 1); // `::` and `::1` have classes of their own
            for v6 in embeddings(v4) {
                prop_assert_eq!(classify(IpAddr::V6(v6)), classify(IpAddr::V4(v4)), "{}", v6);
            }
        }

        #[test]
        fn the_standard_library_agrees_on_what_is_not_public(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified();
            prop_assert!(!special || classify(IpAddr::V4(v4)) != AddressClass::Global);
        }
    }
}
