//! URLs of this machine, for which plain http is allowed.

use std::net::IpAddr;

use url::Url;

/// Whether the host is `localhost` or a loopback address.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match ip_of(url) {
        Some(ip) => ip.is_loopback(),
        None => url.host_str().is_some_and(|host| host.trim_end_matches('.') == "localhost"),
    }
}

/// The address, if the host is one.
pub(crate) fn ip_of(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}
