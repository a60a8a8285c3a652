//! How often documents are fetched: for each address that asks, each URL, each host, and in all.
//!
//! Anyone may ask, so without limits this service could be made to send requests to a host of an attacker's choice. The budgets
//! are in the store, as all instances together must not send more.

use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use super::Fault;
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
/// The first fetches from one host, whatever its port: 60, and 30 a minute. One address alone cannot use it up. Names below one
/// domain are different hosts, since which domains belong together is not known here. For them there is [`ALL`].
const HOST: Kind = Kind { name: "host", burst: 60, period: Duration::from_secs(2) };
/// The first fetches in all: 300, and 120 a minute.
const ALL: Kind = Kind { name: "all", burst: 300, period: Duration::from_millis(500) };
/// The fetches of documents that are known here, in all: as many. So made-up URLs do not keep known clients out.
const KNOWN: Kind = Kind { name: "known", ..ALL };

/// Takes one out of the budget of an address.
pub(super) async fn of_address(service: &Service, address: IpAddr) -> Result<(), Fault> {
    let taken = take(service, &ADDRESS, &network(address).to_string()).await?;
    taken.map_err(Fault::TooMany)
}

/// Takes one out of the budgets of a URL, of its host, and of all. `false` if one of them is used up.
pub(super) async fn of_target(
    service: &Service,
    id: &ClientId,
    is_known: bool,
) -> Result<bool, StoreError> {
    let budgets: &[(Kind, &str)] = match is_known {
        true => &[(URL, id.as_str()), (KNOWN, "")],
        false => &[(URL, id.as_str()), (HOST, id.host_name()), (ALL, "")],
    };
    for (kind, key) in budgets {
        if take(service, kind, key).await?.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes one more out of the budgets of a host and of all, for the keys of a client. `false` if one of them is used up.
pub(super) async fn of_keys(
    service: &Service,
    id: &ClientId,
    is_known: bool,
) -> Result<bool, StoreError> {
    let budgets: &[(Kind, &str)] = match is_known {
        true => &[(KNOWN, "")],
        false => &[(HOST, id.host_name()), (ALL, "")],
    };
    for (kind, key) in budgets {
        if take(service, kind, key).await?.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn take(
    service: &Service,
    kind: &Kind,
    key: &str,
) -> Result<Result<(), Duration>, StoreError> {
    let id = format!("client document {}:{key}", kind.name);
    service.store.take(&id, kind.burst, kind.period, now_ms(service)).await
}

fn now_ms(service: &Service) -> i64 {
    let time = service.settings.clock.now().to_system_time().unwrap_or(UNIX_EPOCH);
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
