//! What the program says when it serves: its address on standard output, and warnings in the log.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use token_service::demo;
use url::{Host, Url};

/// Writes the lines for people and scripts. `demo` is the secret of the demo client; `metrics` the address of the
/// metrics; `docs` says whether there is a page.
pub(super) fn announce(
    address: SocketAddr,
    demo: Option<&str>,
    metrics: Option<SocketAddr>,
    docs: bool,
) -> io::Result<()> {
    let demo = demo.map_or_else(String::new, |secret| {
        format!(
            "demo user: {}, password: {}\ndemo client: {}, secret: {secret}\n",
            demo::USER,
            demo::PASSWORD,
            demo::CLIENT
        )
    });
    let page = match docs {
        true => format!("docs page: http://{}/docs\n", reachable(address)),
        false => String::new(),
    };
    let metrics = metrics
        .map_or_else(String::new, |address| format!("metrics on http://{address}/metrics\n"));
    let lines = format!("{demo}{metrics}listening on http://{address}\n{page}");
    // One write, because a reader may close the pipe once it has the address.
    let mut out = io::stdout().lock();
    out.write_all(lines.as_bytes())?;
    out.flush()
}

/// Warns of what an operator should know.
pub(super) fn warn(issuer: &str, address: SocketAddr) {
    tracing::warn!(
        "the password grant is on: RFC 9700 section 2.4 forbids it, as it hands passwords to \
         clients; use the authorization code grant with PKCE, or client credentials"
    );
    if names_no_host(issuer) {
        tracing::warn!(
            "the issuer {} cannot be reached by that URL: other services will not find its metadata \
             and keys; give the URL that they use, such as --issuer http://HOST:{}",
            issuer,
            address.port()
        );
    }
}

/// Warns of hosts that the documents of clients may be fetched from without the usual rules.
pub(super) fn warn_of_hosts(hosts: &[String]) {
    if !hosts.is_empty() {
        tracing::warn!(
            "dangerous: anyone can make this service fetch from {}, over plain http and at a private address",
            hosts.join(", ")
        );
    }
}

/// Whether the host of the URL is the unspecified address, "every interface".
fn names_no_host(issuer: &str) -> bool {
    match Url::parse(issuer).ok().as_ref().and_then(Url::host) {
        Some(Host::Ipv4(ip)) => ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => ip.is_unspecified(),
        _ => false,
    }
}

/// The address that a browser on this machine can open: loopback instead of "every interface".
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
