//! The address of the client, also behind proxies.
//!
//! Only the header that the trusted proxies set is read, and only as far as trusted proxies wrote it: from the right, past
//! the addresses of trusted proxies, to the first other one. Everything to the left of it came from the client.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::RequestExt;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;

use crate::Service;

/// The most hops that are looked at.
const MAX_HOPS: usize = 32;

/// The address of all clients whose address cannot be read. No connection comes from it, so they share a budget with
/// nobody else.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The header in which proxies write the address of their client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, a list of addresses.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ProxyHeader {
    const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

impl FromStr for ProxyHeader {
    type Err = UnknownProxyHeader;

    fn from_str(name: &str) -> Result<Self, UnknownProxyHeader> {
        [Self::XForwardedFor, Self::Forwarded]
            .into_iter()
            .find(|one| one.name().eq_ignore_ascii_case(name))
            .ok_or(UnknownProxyHeader)
    }
}

/// The name of no header that is known here.
#[derive(Clone, Copy, Debug)]
pub struct UnknownProxyHeader;

impl fmt::Display for UnknownProxyHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a header of a proxy: use x-forwarded-for or forwarded")
    }
}

impl std::error::Error for UnknownProxyHeader {}

/// Replaces the address of the connection by that of the client, so that all endpoints see it.
pub(crate) async fn replace(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    let settings = &service.settings;
    if !settings.trusted_proxies.is_empty()
        && let Ok(ConnectInfo(peer)) = request.extract_parts::<ConnectInfo<SocketAddr>>().await
    {
        let client =
            client(peer.ip(), request.headers(), settings.proxy_header, &settings.trusted_proxies);
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(client, peer.port())));
    }
    next.run(request).await
}

/// Whether this is the address of a trusted proxy.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address.to_canonical()))
}

/// The address of the client of this connection.
fn client(peer: IpAddr, headers: &HeaderMap, header: ProxyHeader, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| is_trusted(address, trusted);
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return client;
    }
    let mut hops = Vec::new();
    for value in headers.get_all(header.name()) {
        match value.to_str() {
            Ok(text) => hops.extend(header.hops(text)),
            Err(_) => hops.push(None),
        }
    }
    for hop in hops.into_iter().rev().take(MAX_HOPS) {
        let Some(address) = hop else { return UNKNOWN };
        client = address;
        if !is_trusted(client) {
            break;
        }
    }
    client
}

impl ProxyHeader {
    /// The addresses in a value of this header; `None` for one that cannot be read.
    fn hops(self, value: &str) -> Vec<Option<IpAddr>> {
        match self {
            // It has no quoted strings: each proxy appends a comma and an address to whatever text it got.
            Self::XForwardedFor => value.split(',').map(node).collect(),
            Self::Forwarded => match elements(value, b',') {
                Some(elements) => {
                    elements.into_iter().map(|one| for_parameter(one).and_then(node)).collect()
                }
                None => vec![None],
            },
        }
    }
}

/// Splits at a separator that is not in a quoted string. A parser that ignores quotes would take an address from
/// `host="x,for=192.0.2.1"`, which a client can choose. `None` if a quoted string does not end: then the text that a proxy
/// appended cannot be told from that of the client.
fn elements(text: &str, separator: u8) -> Option<Vec<&str>> {
    let (mut elements, mut start) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            byte if byte == separator && !is_quoted => {
                elements.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    elements.push(text[start..].trim());
    (!is_quoted).then_some(elements)
}

/// The one `for=` of an element of `Forwarded`, without quotes.
fn for_parameter(element: &str) -> Option<&str> {
    let mut found = None;
    for parameter in elements(element, b';')? {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("for") && found.replace(value.trim()).is_some() {
            return None;
        }
    }
    let value = found?;
    match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"'),
        None => Some(value),
    }
}

/// An address, with or without a port. IPv6 may be in brackets.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| {
            text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        })?;
    Some(address.to_canonical())
}

/// The part of an address that is counted: all of IPv4, or the 64 bits of IPv6 that one subscriber has.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn seen(peer: &str, header: ProxyHeader, values: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header.name(), HeaderValue::from_str(value).unwrap());
        }
        // The other header is the client's own.
        let other = match header {
            ProxyHeader::Forwarded => ("x-forwarded-for", "203.0.113.66"),
            ProxyHeader::XForwardedFor => ("forwarded", "for=203.0.113.66"),
        };
        headers.append(other.0, HeaderValue::from_static(other.1));
        client(peer.parse().unwrap(), &headers, header, &trusted).to_string()
    }

    #[test]
    fn the_header_of_an_untrusted_peer_is_ignored() {
        let seen = seen("192.0.2.1", ProxyHeader::XForwardedFor, &["203.0.113.9"]);
        assert_eq!(seen, "192.0.2.1");
    }

    #[test]
    fn the_right_most_untrusted_hop_is_the_client() {
        let header = ProxyHeader::XForwardedFor;
        for (values, client) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            (&["198.51.100.1, 203.0.113.9, 10.1.1.1"], "203.0.113.9"),
            (&["198.51.100.1", "203.0.113.9,10.1.1.1"], "203.0.113.9"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["2001:db8::1, 2001:db8:1::5"], "2001:db8::1"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&["10.1.1.1"], "10.1.1.1"),
            (&[], "10.0.0.1"),
            (&[""], "0.0.0.0"),
            (&["203.0.113.9, unknown"], "0.0.0.0"),
            (&["203.0.113.9, unknown, 10.1.1.1"], "0.0.0.0"),
            (&["\", 203.0.113.9"], "203.0.113.9"),
            (&["x=\"y, 203.0.113.9"], "203.0.113.9"),
            (&["\"198.51.100.1, 203.0.113.9, 10.1.1.1"], "203.0.113.9"),
            (&["\"", "203.0.113.9"], "203.0.113.9"),
            (&["203.0.113.9, \""], "0.0.0.0"),
        ] {
            assert_eq!(seen("10.0.0.1", header, values), client, "{values:?}");
        }
        assert_eq!(seen("::ffff:10.0.0.1", header, &["203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn forwarded_is_read_with_its_quotes() {
        for (value, client) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("For=203.0.113.9;proto=https;by=10.0.0.1", "203.0.113.9"),
            ("for=198.51.100.1, for=\"203.0.113.9:80\"", "203.0.113.9"),
            ("for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=\"[2001:db8::1]\"", "2001:db8::1"),
            ("for=203.0.113.9;host=\"x, for=198.51.100.1\"", "203.0.113.9"),
            ("for=203.0.113.9;host=\"x\\\", for=198.51.100.1\"", "203.0.113.9"),
            ("for=203.0.113.9;host=\"x; for=198.51.100.1\"", "203.0.113.9"),
            ("for=203.0.113.9;for=198.51.100.1", "0.0.0.0"),
            ("for=unknown", "0.0.0.0"),
            ("for=_hidden", "0.0.0.0"),
            ("proto=https", "0.0.0.0"),
            ("\", for=203.0.113.9", "0.0.0.0"),
            ("x=\"y, for=203.0.113.9", "0.0.0.0"),
            ("x=\"y, for=\"203.0.113.9:80\"", "0.0.0.0"),
            ("for=\"203.0.113.9:80\\\"", "0.0.0.0"),
        ] {
            assert_eq!(seen("10.0.0.1", ProxyHeader::Forwarded, &[value]), client, "{value}");
        }
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address() {
        assert_eq!(
            network("2001:db8::1".parse().unwrap()),
            network("2001:db8::2".parse().unwrap())
        );
        assert_ne!(
            network("2001:db8::1".parse().unwrap()),
            network("2001:db8:0:1::1".parse().unwrap())
        );
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), IpAddr::from([192, 0, 2, 1]));
    }
}
