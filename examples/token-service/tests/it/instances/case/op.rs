//! The operations, and how often each comes.

use std::time::Duration;

use proptest::prelude::*;

use super::{CLIENTS, CONFIDENTIAL, PUBLIC, USERS};

/// An operation. `at` is the instance; the other numbers choose one of those that there are.
#[derive(Clone, Debug)]
pub enum Op {
    Password {
        at: usize,
        user: usize,
        client: usize,
        old: bool,
    },
    ClientCredentials {
        at: usize,
        client: usize,
        old: bool,
    },
    Refresh {
        at: usize,
        token: usize,
    },
    /// The same one again at another instance.
    RefreshTwice {
        at: usize,
        also_at: usize,
        token: usize,
    },
    LogIn {
        at: usize,
        user: usize,
    },
    LogOut {
        at: usize,
        user: usize,
    },
    Authorize {
        at: usize,
        user: usize,
        client: usize,
    },
    Exchange {
        at: usize,
        code: usize,
        wrong: bool,
    },
    RevokeRefreshToken {
        at: usize,
        token: usize,
        as_other: bool,
    },
    RevokeAccessToken {
        at: usize,
        token: usize,
    },
    /// At one instance, with the key set of another one.
    UseAccessToken {
        at: usize,
        keys_of: usize,
        token: usize,
    },
    IntrospectRefreshToken {
        at: usize,
        token: usize,
        as_other: bool,
    },
    ChangePassword {
        at: usize,
        user: usize,
    },
    DisableUser {
        at: usize,
        user: usize,
    },
    ChangeSecret {
        at: usize,
        client: usize,
    },
    AddKey {
        at: usize,
    },
    ReplaceKeys {
        at: usize,
    },
    /// The instance does nothing until it gets a request.
    Sleep {
        at: usize,
    },
    Purge {
        at: usize,
    },
    Wait(Duration),
}

pub fn op() -> impl Strategy<Value = Op> {
    let at = 0_usize..3;
    let any = 0_usize..16;
    let seconds = |all: Vec<u64>| prop::sample::select(all).prop_map(Duration::from_secs);
    let short = seconds(vec![1, 2, 29, 30, 31, 59, 60, 61, 600]);
    let long = seconds(vec![1_000, 2_000, 90_000, 700_000, 1_300_000, 2_700_000, 7_300_000]);
    prop_oneof![
        6 => (at.clone(), 0..USERS, 0..CLIENTS, prop::bool::weighted(0.1))
            .prop_map(|(at, user, client, old)| Op::Password { at, user, client, old }),
        2 => (at.clone(), 0..CONFIDENTIAL, prop::bool::weighted(0.2))
            .prop_map(|(at, client, old)| Op::ClientCredentials { at, client, old }),
        12 => (at.clone(), any.clone()).prop_map(|(at, token)| Op::Refresh { at, token }),
        4 => (at.clone(), at.clone(), any.clone())
            .prop_map(|(at, also_at, token)| Op::RefreshTwice { at, also_at, token }),
        1 => (at.clone(), 0..USERS).prop_map(|(at, user)| Op::LogIn { at, user }),
        1 => (at.clone(), 0..USERS).prop_map(|(at, user)| Op::LogOut { at, user }),
        5 => (at.clone(), 0..USERS, 0..=PUBLIC)
            .prop_map(|(at, user, client)| Op::Authorize { at, user, client }),
        7 => (at.clone(), any.clone(), prop::bool::weighted(0.1))
            .prop_map(|(at, code, wrong)| Op::Exchange { at, code, wrong }),
        2 => (at.clone(), any.clone(), prop::bool::weighted(0.3)).prop_map(
            |(at, token, as_other)| Op::RevokeRefreshToken { at, token, as_other }
        ),
        2 => (at.clone(), any.clone())
            .prop_map(|(at, token)| Op::RevokeAccessToken { at, token }),
        10 => (at.clone(), at.clone(), any.clone())
            .prop_map(|(at, keys_of, token)| Op::UseAccessToken { at, keys_of, token }),
        4 => (at.clone(), any.clone(), prop::bool::weighted(0.2)).prop_map(
            |(at, token, as_other)| Op::IntrospectRefreshToken { at, token, as_other }
        ),
        1 => (at.clone(), 0..USERS).prop_map(|(at, user)| Op::ChangePassword { at, user }),
        1 => (at.clone(), 0..USERS).prop_map(|(at, user)| Op::DisableUser { at, user }),
        1 => (at.clone(), 0..CONFIDENTIAL)
            .prop_map(|(at, client)| Op::ChangeSecret { at, client }),
        1 => at.clone().prop_map(|at| Op::AddKey { at }),
        1 => at.clone().prop_map(|at| Op::ReplaceKeys { at }),
        1 => at.clone().prop_map(|at| Op::Sleep { at }),
        2 => at.prop_map(|at| Op::Purge { at }),
        8 => short.prop_map(Op::Wait),
        4 => long.prop_map(Op::Wait),
    ]
}
