//! The attacks, by what is wrong.

mod algorithm;
mod cache;
mod claims;
mod compact;
mod header;
mod kind;
mod request;
mod signature;

use crate::test_util::protection::attack::Attack;

impl Attack {
    /// All attacks, in the order in which they are sent.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        ALL.iter().copied().flatten()
    }
}

static ALL: [&[Attack]; 8] = [
    &request::ATTACKS,
    &compact::ATTACKS,
    &algorithm::ATTACKS,
    &signature::ATTACKS,
    &header::ATTACKS,
    &claims::ATTACKS,
    &kind::ATTACKS,
    &cache::ATTACKS,
];
