//! Names are resolved once, to addresses that are checked. The connection goes to these and no others.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use crate::key_source::remote::documents::hosts::Access;

/// The addresses of a name that are connected to at most. A name may have thousands, and each is tried until one answers.
const MAX_ADDRESSES: usize = 4;

/// Looks a name up. It may block.
pub(super) trait Lookup: Send + Sync {
    fn lookup(&self, name: &str) -> io::Result<Vec<SocketAddr>>;
}

/// The resolver of the system.
pub(super) struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        Ok((name, 0).to_socket_addrs()?.collect())
    }
}

/// The resolver of an HTTP client, which connects to what it returns. An address in place of a name does not come here:
/// [`Hosts::access`](super::hosts::Hosts::access) has checked it.
pub(super) struct CheckedResolver {
    lookup: Arc<dyn Lookup>,
    running: Arc<Semaphore>,
    access: Access,
    is_public: fn(IpAddr) -> bool,
}

impl CheckedResolver {
    pub(super) fn new(
        lookup: Arc<dyn Lookup>,
        running: Arc<Semaphore>,
        access: Access,
        is_public: fn(IpAddr) -> bool,
    ) -> Self {
        Self { lookup, running, access, is_public }
    }
}

/// The name has no address that may be connected to.
#[derive(Debug)]
pub(super) struct NoAddress;

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name has no address of the public internet")
    }
}

impl Error for NoAddress {}

/// Too many look-ups run.
#[derive(Debug)]
pub(super) struct TooManyLookups;

impl fmt::Display for TooManyLookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many names are looked up at the same time")
    }
}

impl Error for TooManyLookups {}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, access) = (Arc::clone(&self.lookup), self.access);
        let is_public = self.is_public;
        let permit = Arc::clone(&self.running).try_acquire_owned();
        Box::pin(async move {
            let permit = permit.map_err(|_| TooManyLookups)?;
            // The thread cannot be stopped. It keeps the permit, so that slow name servers do not use up the threads of the
            // runtime.
            let found = tokio::task::spawn_blocking(move || {
                let found = lookup.lookup(name.as_str());
                drop(permit);
                found
            });
            let mut addresses = found.await??;
            if access == Access::Global {
                addresses.retain(|address| is_public(address.ip()));
            }
            let addresses = few(addresses);
            if addresses.is_empty() {
                return Err(NoAddress.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The first addresses, each once, of both families in turns: the connection may be possible by one of them alone.
fn few(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_first_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for address in addresses {
        let family = if address.is_ipv6() == is_first_v6 { &mut first } else { &mut second };
        if family.len() < MAX_ADDRESSES && !family.contains(&address) {
            family.push(address);
        }
    }
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut few = Vec::with_capacity(MAX_ADDRESSES);
    while few.len() < MAX_ADDRESSES {
        let pair = [first.next(), second.next()];
        if pair.iter().all(Option::is_none) {
            break;
        }
        few.extend(pair.into_iter().flatten());
    }
    few.truncate(MAX_ADDRESSES);
    few
}
