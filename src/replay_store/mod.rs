//! What may be used only once, and where its first use is recorded.

mod check;
mod entry;
mod memory;
mod recorded;

use std::fmt;
use std::sync::Arc;

pub(crate) use self::check::CheckState;
pub use self::check::{ReplayCheck, ReplayOutcome};
pub use self::entry::ReplayEntry;
pub use self::memory::MemoryReplayStore;
pub(crate) use self::recorded::{RecordedUse, RecordedUses, StoreId};

/// A store that records what may be used only once, such as a DPoP proof (RFC 9449 section 11.1).
///
/// [`MemoryReplayStore`] is one, for a server that is a single process. For several instances, implement this trait
/// over a database that they share.
///
/// A verifier asks the store after its own checks and those of the verifiers inside of it: what these refuse is not
/// recorded. What runs later, such as a check outside of it or authorization, can refuse a request whose use is recorded.
///
/// # Example: a store in a database
///
/// ```
/// use tower_jwt_auth::{Clock, ReplayCheck, ReplayEntry, ReplayOutcome, ReplayStore, SystemClock};
///
/// # #[derive(Clone, Debug)]
/// # struct Redis;
/// # impl Redis {
/// #     async fn set_if_absent(&self, _: [u8; 32], _: u128) -> Result<bool, std::io::Error> { Ok(true) }
/// # }
/// #[derive(Debug)]
/// struct SharedStore(Redis);
///
/// impl ReplayStore for SharedStore {
///     fn record(&self, entry: &ReplayEntry) -> ReplayCheck {
///         // A lifetime, not a time: with an `EXAT` in the past, Redis would store nothing and reply OK.
///         let Some(remaining) = entry.remaining(SystemClock.now()) else {
///             return ReplayCheck::ready(Err("the entry has expired".into()));
///         };
///         let (redis, key) = (self.0.clone(), *entry.digest());
///         ReplayCheck::pending(async move {
///             // In one command, so that two instances cannot both be the first: SET with NX and PX.
///             match redis.set_if_absent(key, remaining.as_millis() + 1).await? {
///                 true => Ok(ReplayOutcome::FirstUse),
///                 false => Ok(ReplayOutcome::SeenBefore),
///             }
///         })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store of what may be used once",
    label = "not a `ReplayStore`",
    note = "give a `MemoryReplayStore`, or implement `ReplayStore` over a database that all instances share"
)]
pub trait ReplayStore: fmt::Debug + Send + Sync + 'static {
    /// Records the use and returns whether it is the first one: in one step, so that of several requests at the same
    /// time exactly one is the first.
    ///
    /// The store keeps an entry at least until its [`expires_at`](ReplayEntry::expires_at), which is a time by the clock
    /// of the verifier. A database with another clock gets the [remaining](ReplayEntry::remaining) time instead.
    ///
    /// A store that is full or cannot be reached, or gets an entry that has expired, must return an error: the client
    /// then gets 503. It must never forget an entry that has not expired.
    fn record(&self, entry: &ReplayEntry) -> ReplayCheck;
}

impl<S: ReplayStore + ?Sized> ReplayStore for Arc<S> {
    fn record(&self, entry: &ReplayEntry) -> ReplayCheck {
        (**self).record(entry)
    }
}
