//! This crate, with its defaults: all checks on, the key in a JWK set and found by its `kid`.

use std::hint::black_box;

use axum::body::Body;
use tower_jwt_auth::{
    self as this, IssuerSet, JwkSet, JwtAuthLayer, JwtVerifier, RegisteredClaims, VerificationKey,
    VerifiedToken, VerifyToken,
};
use tower_layer::Layer;

use crate::contender::{Contender, Group, Handler};
use crate::fixture::{AUDIENCE, Algorithm, Claims, Fixture, ISSUER};

/// How many keys and issuers the verifiers of the growth rows have.
pub(crate) const MANY: usize = 1_000;
/// How many tokens the caches keep.
#[cfg(feature = "cache")]
pub(crate) const CACHED: usize = 10_000;

pub fn verifier(fixture: &Fixture) -> JwtVerifier {
    let keys = JwkSet::from_json(&fixture.jwks).expect("a JWK set");
    JwtVerifier::new(ISSUER, AUDIENCE, keys).expect("a verifier")
}

#[cfg(feature = "cache")]
pub fn cached_verifier(fixture: &Fixture) -> JwtVerifier {
    verifier(fixture).with_token_cache(CACHED).expect("a capacity")
}

/// The secret of another key, its `kid`, and the issuer that has it in a set.
pub(crate) fn another(serial: usize) -> (String, String, String) {
    let issuer = format!("https://auth.example.com/realms/tenant-{serial:04}");
    (format!("{serial:064}"), format!("2026-11-{serial:07}"), issuer)
}

fn another_key(serial: usize) -> VerificationKey {
    let (secret, kid, _) = another(serial);
    let key = VerificationKey::from_secret(secret.as_bytes(), this::Algorithm::HS256);
    key.expect("a key").with_kid(kid)
}

/// The fixture's key among many others.
pub(crate) fn many_keys(fixture: &Fixture) -> JwtVerifier {
    let own = JwkSet::from_json(&fixture.jwks).expect("a JWK set");
    let all = own.keys().cloned().chain((1..MANY).map(another_key));
    let keys = JwkSet::from_keys(all).expect("a JWK set");
    JwtVerifier::new(ISSUER, AUDIENCE, keys).expect("a verifier")
}

/// A set of the fixture's issuer and others.
pub(crate) fn issuers(fixture: &Fixture, count: usize) -> IssuerSet {
    let set = IssuerSet::new().with_capacity(count).expect("a capacity");
    set.add(verifier(fixture)).expect("an issuer");
    for serial in 1..count {
        let (_, _, issuer) = another(serial);
        let other = JwtVerifier::new(issuer, AUDIENCE, another_key(serial)).expect("a verifier");
        set.add(other).expect("another issuer");
    }
    set
}

pub(crate) fn layer<C: Send + Sync + 'static>(
    name: &'static str,
    verifier: impl VerifyToken<C>,
) -> Contender {
    let handler = Handler::<Body>::finding_by(|extensions| {
        black_box(VerifiedToken::<C>::from_extensions(extensions)).is_ok()
    });
    let service = JwtAuthLayer::new(verifier).layer(handler);
    Contender::layer::<Body, _>(name, Group::ThisCrate, service)
}

pub fn all(fixture: &Fixture) -> Vec<Contender> {
    // With the feature `tables` a key that was used often has a table.
    let name = if cfg!(feature = "tables") { "this crate, tables" } else { "this crate" };
    let mut all = vec![
        layer::<RegisteredClaims>(name, verifier(fixture)),
        layer("this crate, nine typed claims", verifier(fixture).with_claims::<Claims>()),
        layer::<RegisteredClaims>("this crate, IssuerSet", issuers(fixture, 2)),
    ];
    #[cfg(feature = "cache")]
    all.extend(cached(fixture));
    if fixture.algorithm == Algorithm::Hs256 {
        all.extend([
            layer::<RegisteredClaims>("this crate, 1,000 keys", many_keys(fixture)),
            layer::<RegisteredClaims>("this crate, 1,000 issuers", issuers(fixture, MANY)),
        ]);
    }
    all
}

#[cfg(feature = "cache")]
fn cached(fixture: &Fixture) -> Vec<Contender> {
    let verifier = cached_verifier(fixture);
    let checked = verifier.clone();
    vec![
        layer::<RegisteredClaims>("this crate, cache hit", verifier),
        layer::<RegisteredClaims>(
            "this crate, IssuerSet, cache hit",
            issuers(fixture, 2).with_token_cache(CACHED).expect("a capacity"),
        ),
        Contender::function(
            "this crate, verify_now, cache hit",
            Group::ThisCrate,
            str::to_owned,
            move |token| checked.verify_now(token).is_ok(),
        ),
    ]
}
