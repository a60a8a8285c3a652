//! The deny-list: which tokens it refuses, what it asks of a token, and what a store that fails does.

mod again;
mod composition;
mod ends;
mod limits;
mod memory;

use std::future::ready;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, Clock, DenyList, JwtAuthLayer, JwtVerifier, MemoryRevocationStore, NumericDate,
    PresentedToken, Rejection, RejectionKind, Revocation, RevocationLookup, RevocationQuery,
    RevocationStore, Revoked, VerifiedToken, VerifyToken, verify_fn,
};

use crate::support::requests::{Body, bearer, challenge, refusal, send, send_later};
use crate::support::{ISSUER, NOW, claims, claims_with, claims_without, key, now};

use RejectionKind::*;

const HOUR: Duration = Duration::from_secs(3600);

fn verifier() -> JwtVerifier {
    key(Algorithm::HS256).verifier()
}

fn token_of(claims: &Value) -> String {
    key(Algorithm::HS256).token(claims)
}

/// Good claims with a `jti`.
fn named(id: &str) -> Value {
    claims_with("jti", id)
}

fn store() -> MemoryRevocationStore {
    MemoryRevocationStore::new(100).unwrap().with_clock(now())
}

fn at(seconds: i64) -> NumericDate {
    NumericDate::from_unix_seconds(seconds)
}

fn layer(store: impl RevocationStore) -> JwtAuthLayer {
    JwtAuthLayer::new(DenyList::new(verifier(), store))
}

/// The answer to a token with these claims, which is known at once.
fn answer(layer: &JwtAuthLayer, claims: &Value) -> Response<Body> {
    send(layer, bearer(&token_of(claims)))
}

/// The refusal of a token with these claims, and what was expected.
fn refused(layer: &JwtAuthLayer, claims: &Value) -> Option<(RejectionKind, Option<String>)> {
    let response = answer(layer, claims);
    let rejection = response.extensions().get::<Rejection>()?;
    Some((rejection.kind(), rejection.expected().map(str::to_owned)))
}

/// A clock that a test sets.
#[derive(Clone, Debug)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(NOW)))
    }

    fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for Hands {
    fn now(&self) -> NumericDate {
        at(self.0.load(Ordering::Relaxed))
    }
}

fn list(max_entries: usize, clock: &Hands) -> MemoryRevocationStore {
    MemoryRevocationStore::new(max_entries).unwrap().with_clock(clock.clone())
}

/// The token with these claims, verified as that of a request.
async fn verified<C: 'static>(verifier: impl VerifyToken<C>, claims: &Value) -> VerifiedToken<C> {
    let (head, ()) = Request::new(()).into_parts();
    let presented = PresentedToken::bearer(&token_of(claims)).unwrap();
    verifier.verify_token(&presented, &head).await.unwrap().into_token()
}

/// Keeps what it is asked, and returns always the same.
#[derive(Clone, Debug)]
struct Asked {
    returns: Revoked,
    queries: Arc<Mutex<Vec<Query>>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Query {
    keys: Vec<String>,
    issuer: String,
    token_id: Option<String>,
    subject: Option<String>,
    issued_at: Option<NumericDate>,
    /// Where the text of the issuer is in memory.
    address: usize,
}

impl Asked {
    fn new(returns: Revoked) -> Self {
        Self { returns, queries: Arc::default() }
    }

    fn queries(&self) -> Vec<Query> {
        self.queries.lock().unwrap().clone()
    }
}

impl RevocationStore for Asked {
    fn find(&self, query: &RevocationQuery<'_>) -> RevocationLookup {
        self.queries.lock().unwrap().push(Query {
            keys: query.keys().collect(),
            issuer: query.issuer().to_owned(),
            token_id: query.token_id().map(str::to_owned),
            subject: query.subject().map(str::to_owned),
            issued_at: query.issued_at(),
            address: query.issuer().as_ptr() as usize,
        });
        RevocationLookup::ready(Ok(self.returns))
    }
}

#[test]
fn token_whose_jti_is_revoked_is_refused_and_others_pass() {
    let store = store();
    let layer = layer(store.clone());
    assert_eq!(answer(&layer, &named("stolen")).status(), 204);

    store.revoke(&Revocation::token(ISSUER, "stolen"), HOUR).unwrap();
    let response = answer(&layer, &named("stolen"));
    assert_eq!(response.status(), 401);
    assert_eq!(refusal(&response), Some(RevokedToken));
    assert_eq!(
        challenge(&response),
        Some(
            r#"Bearer realm="api", error="invalid_token", error_description="the token was revoked""#
        )
    );
    assert_eq!(answer(&layer, &named("another")).status(), 204);
}

#[test]
fn ids_of_another_issuer_are_other_ids() {
    let store = store();
    let other = "https://other.example";
    store.revoke(&Revocation::token(other, "1"), HOUR).unwrap();
    store.revoke(&Revocation::subject(other, "alice"), HOUR).unwrap();
    store.revoke(&Revocation::subject_before(other, "alice", at(NOW)), HOUR).unwrap();
    store.revoke(&Revocation::issuer_before(other, at(NOW)), HOUR).unwrap();
    // Nor is a `jti` a `sub`.
    store.revoke(&Revocation::subject(ISSUER, "1"), HOUR).unwrap();
    store.revoke(&Revocation::token(ISSUER, "alice"), HOUR).unwrap();
    assert_eq!(answer(&layer(store), &named("1")).status(), 204);
}

#[test]
fn all_tokens_of_a_revoked_subject_are_refused() {
    let store = store();
    store.revoke(&Revocation::subject(ISSUER, "mallory"), HOUR).unwrap();
    let layer = layer(store.clone());
    for issued in [NOW - 60, NOW] {
        let mut claims = named("1");
        (claims["sub"], claims["iat"]) = (json!("mallory"), json!(issued));
        assert_eq!(refused(&layer, &claims), Some((RevokedToken, None)));
    }
    assert_eq!(answer(&layer, &named("1")).status(), 204);

    assert!(store.restore(&Revocation::subject(ISSUER, "mallory")));
    let mut claims = named("1");
    claims["sub"] = json!("mallory");
    assert_eq!(answer(&layer, &claims).status(), 204);
}

#[test]
fn tokens_issued_before_a_time_are_refused() {
    let time = at(NOW - 10);
    for (revocation, concerns_bob) in [
        (Revocation::subject_before(ISSUER, "alice", time), false),
        (Revocation::issuer_before(ISSUER, time), true),
        (Revocation::all_before(time), true),
    ] {
        let store = store();
        store.revoke(&revocation, HOUR).unwrap();
        let layer = layer(store);
        let issued = |iat: Value, sub: &str| {
            let mut claims = named("1");
            (claims["iat"], claims["sub"]) = (iat, json!(sub));
            refused(&layer, &claims).map(|(kind, _)| kind)
        };
        let before = json!(NOW - 11);
        assert_eq!(issued(before.clone(), "alice"), Some(RevokedToken));
        assert_eq!(issued(json!(NOW as f64 - 10.5), "alice"), Some(RevokedToken));
        assert_eq!(issued(json!(NOW - 10), "alice"), None);
        assert_eq!(issued(json!(NOW), "alice"), None);
        assert_eq!(issued(before, "bob"), concerns_bob.then_some(RevokedToken));
    }
}

#[test]
fn token_without_iat_is_refused_only_under_a_rule_about_it() {
    let store = store();
    let layer = layer(store.clone());
    let mut claims = named("1");
    claims.as_object_mut().unwrap().remove("iat");
    assert_eq!(refused(&layer, &claims), None);
    store.revoke(&Revocation::subject_before(ISSUER, "alice", at(0)), HOUR).unwrap();
    assert_eq!(refused(&layer, &claims), Some((MissingClaim, Some("iat".into()))));
}

#[test]
fn token_that_could_not_be_revoked_is_refused() {
    let layer = layer(store());
    let jti = Some((MissingClaim, Some("jti".to_owned())));
    assert_eq!(refused(&layer, &claims()), jti);
    assert_eq!(refused(&layer, &named("")), jti);
    // Without a subject it belongs to nobody, and can be revoked by its `jti`.
    let mut claims = named("1");
    claims.as_object_mut().unwrap().remove("sub");
    assert_eq!(refused(&layer, &claims), None);
}

#[test]
fn missing_jti_is_allowed_for_tokens_with_a_subject() {
    let store = store();
    let lax = DenyList::new(verifier(), store.clone()).dangerous_allow_missing_jti();
    let summary = lax.describe().unwrap();
    assert_eq!(summary.dangers(), ["dangerous_allow_missing_jti"]);
    assert_eq!(DenyList::new(verifier(), store.clone()).describe(), verifier().describe());

    let layer = JwtAuthLayer::new(lax);
    assert_eq!(refused(&layer, &claims()), None);
    let nameless = claims_without("sub");
    assert_eq!(refused(&layer, &nameless), Some((MissingClaim, Some("jti".into()))));
    store.revoke(&Revocation::subject(ISSUER, "alice"), HOUR).unwrap();
    assert_eq!(refused(&layer, &claims()), Some((RevokedToken, None)));
}

#[test]
fn claim_of_another_type_is_refused_whatever_the_claims_type() {
    #[derive(Deserialize)]
    struct NoClaims {}

    let deny_list = DenyList::new(verifier().with_claims::<NoClaims>(), store());
    let layer = JwtAuthLayer::new(deny_list);
    assert_eq!(send(&layer, bearer(&token_of(&named("1")))).status(), 204);
    for (name, value) in [("jti", json!(7)), ("jti", json!(["1"])), ("sub", json!({}))] {
        let mut claims = named("1");
        claims[name] = value;
        let response = send(&layer, bearer(&token_of(&claims)));
        assert_eq!(refusal(&response), Some(MalformedClaims), "{claims}");
    }
}

#[test]
fn opaque_token_is_refused_since_it_cannot_be_found() {
    let opaque = verify_fn(|_: &PresentedToken| Ok(()));
    let layer = JwtAuthLayer::new(DenyList::new(opaque, store()));
    let response = send(&layer, bearer("abc"));
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert_eq!(rejection.kind(), MissingClaim);
    assert_eq!(rejection.expected(), Some("claims that can be read by name"));
}

#[test]
fn store_is_asked_once_with_all_that_names_the_token() {
    let asked = Asked::new(Revoked::No);
    let layer = layer(asked.clone());
    assert_eq!(answer(&layer, &named("1")).status(), 204);
    let queries = asked.queries();
    let [query] = &*queries else { panic!("{queries:?}") };
    assert_eq!(query.issuer, ISSUER);
    assert_eq!(query.token_id.as_deref(), Some("1"));
    assert_eq!(query.subject.as_deref(), Some("alice"));
    assert_eq!(query.issued_at, Some(at(NOW - 60)));
    let before = Revocation::subject_before(ISSUER, "alice", at(0));
    assert_eq!(query.keys.len(), 5);
    assert!(query.keys.iter().any(|key| key == before.key()));
}

#[test]
fn store_is_not_asked_about_a_token_that_is_refused_anyway() {
    let asked = Asked::new(Revoked::Yes);
    let layer = layer(asked.clone());
    let mut expired = named("1");
    expired["exp"] = json!(NOW - 60);
    assert_eq!(refused(&layer, &expired).map(|(kind, _)| kind), Some(ExpiredToken));
    let forged = format!("{}x", token_of(&named("1")));
    assert_eq!(send(&layer, bearer(&forged)).status(), 401);
    assert_eq!(asked.queries(), []);
}

/// Fails, at once or later.
#[derive(Clone, Debug)]
struct Down {
    is_late: bool,
}

impl RevocationStore for Down {
    fn find(&self, _: &RevocationQuery<'_>) -> RevocationLookup {
        let error = io::Error::other("the connection was lost");
        match self.is_late {
            true => RevocationLookup::pending(ready(Err(error.into()))),
            false => RevocationLookup::ready(Err(error.into())),
        }
    }
}

#[tokio::test]
async fn store_that_fails_is_a_503_and_never_a_pass() {
    for is_late in [false, true] {
        let layer = layer(Down { is_late });
        let response = send_later(&layer, bearer(&token_of(&named("1")))).await;
        assert_eq!(response.status(), 503);
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!(rejection.kind(), Unavailable);
        let source = std::error::Error::source(rejection).unwrap();
        assert_eq!(source.to_string(), "the connection was lost");
        assert_eq!(response.headers()["retry-after"], "5");
    }
}

/// Says later what the other store says.
#[derive(Clone, Debug)]
struct Later<S>(S);

impl<S: RevocationStore> RevocationStore for Later<S> {
    fn find(&self, query: &RevocationQuery<'_>) -> RevocationLookup {
        let found = self.0.find(query);
        RevocationLookup::pending(async move {
            tokio::task::yield_now().await;
            found.wait().await
        })
    }
}

#[tokio::test]
async fn request_waits_for_a_store_that_is_elsewhere() {
    let store = store();
    store.revoke(&Revocation::token(ISSUER, "stolen"), HOUR).unwrap();
    store.revoke(&Revocation::subject_before(ISSUER, "alice", at(NOW - 60)), HOUR).unwrap();
    let layer = layer(Arc::new(Later(store)));
    for (id, expected) in [("stolen", Some(RevokedToken)), ("1", None)] {
        let response = send_later(&layer, bearer(&token_of(&named(id)))).await;
        assert_eq!(refusal(&response), expected, "{id}");
    }
    let mut old = named("1");
    old["iat"] = json!(NOW - 61);
    let response = send_later(&layer, bearer(&token_of(&old))).await;
    assert_eq!(refusal(&response), Some(RevokedToken));
}
