//! How often documents are fetched: for each address that asks, each URL, each host, and in all.
//!
//! Anyone may ask, so without limits this service could be made to send requests to a host of an attacker's choice. The budgets
//! are in the store, as all instances together must not send more.

use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use super::client_id::ClientId;
use crate::Service;
use crate::client_address::network;
use crate::store::StoreError;

/// A kind of budget: how many at once, and how long until one comes back.
struct Kind {
    name: &'static str,
    burst: u32,
    period: Duration,
}

/// The documents that are not known here and that an address may ask for: 20, and 10 a minute.
const ADDRESS: Kind = Kind { name: "address", burst: 20, period: Duration::from_secs(6) };
/// The fetches of one URL: 5, and 6 a minute. So a document that is invalid is not fetched with every request.
const URL: Kind = Kind { name: "url", burst: 5, period: Duration::from_secs(10) };
/// The fetches of unknown documents from one host, whatever its port: 60, and 30 a minute. One address alone cannot use it
/// up. Names below one domain are different hosts, since which domains belong together is not known here. For them there is
/// [`ALL`].
const HOST: Kind = Kind { name: "host", burst: 60, period: Duration::from_secs(2) };
/// The fetches of unknown documents in all: 300, and 120 a minute.
const ALL: Kind = Kind { name: "all", burst: 300, period: Duration::from_millis(500) };

/// The fetches of known documents have budgets of their own, so that made-up URLs do not keep known clients out. For an
/// address: 40, and 20 a minute.
const KNOWN_ADDRESS: Kind =
    Kind { name: "known address", burst: 40, period: Duration::from_secs(3) };
const KNOWN_HOST: Kind = Kind { name: "known host", ..HOST };
const KNOWN: Kind = Kind { name: "known", ..ALL };

/// Whether an address may ask for a document: `Err` is the time until it may.
///
/// What is not known here costs each request something, and what is known only the one that fetches it.
pub(super) async fn of_address(
    service: &Service,
    address: IpAddr,
    is_known: bool,
) -> Result<Result<(), Duration>, StoreError> {
    let address = network(address).to_string();
    match is_known {
        true => left(service, &KNOWN_ADDRESS, &address).await,
        false => take(service, &ADDRESS, &address).await,
    }
}

/// Takes one out of the budgets of a URL, of its host, and of all. `false` if one of them is used up.
///
/// The budgets with few keys are looked at first: while one of them is used up, a made-up URL does not even get a row.
pub(super) async fn of_target(
    service: &Service,
    id: &ClientId,
    address: IpAddr,
    is_known: bool,
) -> Result<bool, StoreError> {
    let host = id.host_name();
    let (of_host, all) = budgets(is_known);
    if left(service, &all, "").await?.is_err() || left(service, &of_host, host).await?.is_err() {
        return Ok(false);
    }
    for (kind, key) in [(URL, id.as_str()), (of_host, host), (all, "")] {
        if take(service, &kind, key).await?.is_err() {
            return Ok(false);
        }
    }
    if is_known {
        // It had one left. That others took it since is no reason to refuse those who wait for this fetch.
        let _taken = take(service, &KNOWN_ADDRESS, &network(address).to_string()).await?;
    }
    Ok(true)
}

/// Takes one more out of the budgets of a host and of all, for the keys of a client. `false` if one of them is used up.
pub(super) async fn of_keys(
    service: &Service,
    id: &ClientId,
    is_known: bool,
) -> Result<bool, StoreError> {
    let (of_host, all) = budgets(is_known);
    for (kind, key) in [(of_host, id.host_name()), (all, "")] {
        if take(service, &kind, key).await?.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The budgets of a host and of all.
const fn budgets(is_known: bool) -> (Kind, Kind) {
    if is_known { (KNOWN_HOST, KNOWN) } else { (HOST, ALL) }
}

async fn left(
    service: &Service,
    kind: &Kind,
    key: &str,
) -> Result<Result<(), Duration>, StoreError> {
    let left = service.store.left(&name(kind, key), kind.burst, kind.period, now_ms(service)).await;
    Ok(left?.map(drop))
}

async fn take(
    service: &Service,
    kind: &Kind,
    key: &str,
) -> Result<Result<(), Duration>, StoreError> {
    service.store.take(&name(kind, key), kind.burst, kind.period, now_ms(service)).await
}

fn name(kind: &Kind, key: &str) -> String {
    format!("client document {}:{key}", kind.name)
}

fn now_ms(service: &Service) -> i64 {
    let time = service.settings.clock.now().to_system_time().unwrap_or(UNIX_EPOCH);
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
