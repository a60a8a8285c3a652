//! Which addresses are those of the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::key_source::remote::fetch_url::is_private;

/// Whether the address is a global unicast address of one host, and nothing else.
///
/// Of IPv6 it is a list of what is allowed: `2000::/3` (RFC 4291) without the ranges in it that are special (RFC 6890) or that
/// embed an IPv4 address. So an IPv4 address in any IPv6 notation is refused, whichever it is: `::ffff:0:0/96`, `64:ff9b::/96`
/// (RFC 6052), `64:ff9b:1::/48` (RFC 8215), 6to4 (RFC 3056) and Teredo (RFC 4380).
pub(super) fn is_global(ip: IpAddr) -> bool {
    !is_private(ip)
        && match ip {
            IpAddr::V4(ip) => !is_relay(ip),
            IpAddr::V6(ip) => is_global_unicast(ip),
        }
}

/// The relays of 6to4, which were anycast (RFC 7526).
fn is_relay(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    (a, b, c) == (192, 88, 99)
}

fn is_global_unicast(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // Protocol assignments (RFC 2928): Teredo, benchmarks, ORCHID and others.
        [0x2001, 0..0x200, ..] => false,
        // Documentation (RFC 3849).
        [0x2001, 0xdb8, ..] => false,
        // 6to4.
        [0x2002, ..] => false,
        // Documentation (RFC 9637).
        [0x3fff, 0..0x1000, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_global_unicast_addresses_may_be_connected_to() {
        for ip in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::1.1.1.1",
            "::ffff:10.0.0.1",
            "::ffff:1.1.1.1",
            "::ffff:0:1.1.1.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::1.1.1.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "2002:101:101::1",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
        ] {
            assert!(!is_global(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.255.255",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700::1111",
            "3ffe::1",
            "3fff:1000::1",
        ] {
            assert!(is_global(ip.parse().unwrap()), "{ip}");
        }
    }
}
