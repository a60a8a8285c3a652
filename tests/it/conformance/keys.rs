//! The keys that a row names.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use tower_jwt_auth::{Algorithm, VerificationKey};

use crate::support::{self, TestKey};

/// A key by the name of its algorithm; `ES256#2` is another one than `ES256`.
pub(super) fn named_key(name: &str) -> &'static TestKey {
    static OTHERS: LazyLock<Mutex<HashMap<String, &'static TestKey>>> =
        LazyLock::new(Mutex::default);

    let algorithm: Algorithm = base_name(name).parse().unwrap();
    if !name.contains('#') {
        return support::key(algorithm);
    }
    let mut others = OTHERS.lock().unwrap();
    others
        .entry(name.to_owned())
        .or_insert_with(|| Box::leak(Box::new(TestKey::generate(algorithm))))
}

pub(super) fn base_name(name: &str) -> &str {
    name.split('#').next().unwrap()
}

/// A secret or a PEM by itself: it has no `kid`.
pub(super) fn local_key(name: &str) -> VerificationKey {
    let key = named_key(name);
    match key.algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
            VerificationKey::from_secret(key.secret(), key.algorithm).unwrap()
        }
        _ => VerificationKey::from_pem(key.pem().as_bytes(), key.algorithm).unwrap(),
    }
}
