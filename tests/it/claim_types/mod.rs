//! Types of claims whose `Deserialize` is careless or hostile: none of them hides a fault of reading,
//! and none of them changes what the rules see.

mod faults;
mod fields;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use tower_jwt_auth::{Algorithm, RejectionKind, VerifiedToken};

use crate::support::key;

fn verify<C: DeserializeOwned>(claims: &str) -> Result<VerifiedToken<C>, RejectionKind> {
    let hs256 = key(Algorithm::HS256);
    let token = hs256.token_of(r#"{"alg":"HS256"}"#, claims);
    let verifier = hs256.verifier().with_claims::<C>();
    verifier.verify_now(&token).map_err(|rejection| rejection.kind())
}

/// A field that is absent when its value does not fit.
#[derive(Debug, PartialEq)]
struct Lenient<T>(Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(T::deserialize(deserializer).ok()))
    }
}

/// A field that does not look at its value.
#[derive(Debug, Default)]
struct Unread;

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

/// Fields that swallow errors, also further down.
#[derive(Debug, Deserialize)]
struct LenientFields {
    #[serde(default)]
    roles: Lenient<Vec<Lenient<String>>>,
    #[serde(default)]
    tenant: Lenient<BTreeMap<String, u8>>,
    #[serde(default)]
    nbf: Lenient<String>,
    #[serde(default)]
    #[allow(dead_code, reason = "not even read")]
    exp: Unread,
    #[serde(default)]
    #[allow(dead_code, reason = "not even read")]
    other: Unread,
}
