//! The key engine against an issuer whose keys and faults are controlled, mostly in paused time.

mod faults;
mod freshness;
mod generations;
mod life_cycle;
mod load;
#[cfg(feature = "tracing")]
mod log;
mod model;
mod no_runtime;
mod rotation;
mod runtimes;
mod schedule;
mod texts;
mod unknown_kids;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{
    Fetch, FetchFuture, FetchRequest, JwksUrl, JwtVerifier, KeyLookup, KeyQuery, KeySource,
    KeyStatus, KeyTask, Rejection, RejectionKind,
};

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) async fn pass(seconds: u64) {
    tokio::time::sleep(secs(seconds)).await;
}

/// The kind of the refusal; `None` when the token is accepted.
pub(crate) async fn kind(verifier: &JwtVerifier, token: &str) -> Option<RejectionKind> {
    verifier.verify(token).await.err().map(|rejection| rejection.kind())
}

/// A token of a key that the issuer does not have.
pub(crate) fn unknown(issuer: &MockIssuer, kid: &str) -> String {
    issuer.token().header("kid", kid).build()
}

/// The seconds of `Retry-After` of a refusal, as the layer sends it.
pub(crate) fn retry_after(rejection: &Rejection) -> u64 {
    use tower_jwt_auth::{Accepted, EmptyBody, JwtAuthLayer, verify_fn};

    let _ = (EmptyBody, Accepted::new(()));
    let rejection = rejection.clone();
    let layer = JwtAuthLayer::new(verify_fn(move |_| Err::<(), _>(rejection.clone())));
    let response = crate::support::requests::send(&layer, crate::support::requests::bearer("x"));
    response.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

/// Counts the look-ups that were ready and those that were not.
#[derive(Clone, Debug)]
pub(crate) struct Spy<K> {
    pub(crate) keys: K,
    pub(crate) ready: Arc<AtomicUsize>,
    pub(crate) pending: Arc<AtomicUsize>,
}

impl<K> Spy<K> {
    pub(crate) fn new(keys: K) -> Self {
        Self { keys, ready: Arc::default(), pending: Arc::default() }
    }
}

impl<K: KeySource> KeySource for Spy<K> {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        let lookup = self.keys.find_key(query);
        let counter = if lookup.is_ready() { &self.ready } else { &self.pending };
        counter.fetch_add(1, Ordering::Relaxed);
        lookup
    }

    fn status(&self) -> KeyStatus {
        self.keys.status()
    }

    fn refresh(&self) -> KeyTask {
        self.keys.refresh()
    }
}

/// Every answer that is none, with a name.
pub(crate) fn bad_answers(issuer: &MockIssuer) -> Vec<(&'static str, MockAnswer)> {
    let json = |body: &str| MockAnswer::Body("application/json", Bytes::from(body.to_owned()));
    let good = issuer.jwk_set();
    let many = vec![good[9..good.len() - 2].to_owned(); 101].join(",");
    vec![
        ("500", MockAnswer::Status(500)),
        ("404", MockAnswer::Status(404)),
        ("204", MockAnswer::Status(204)),
        ("304 unasked", MockAnswer::Status(304)),
        ("html", MockAnswer::Body("text/html", "<html>".into())),
        ("a good set as html", MockAnswer::Body("text/html", good.clone().into())),
        ("nothing", json("")),
        ("no JSON", json("<html>")),
        ("half of the JSON", json(&good[..good.len() / 2])),
        ("an array", json("[]")),
        ("no keys", json("{}")),
        ("keys of another type", json(r#"{"keys": {}}"#)),
        ("keys twice", json(&format!("{{\"keys\":[],{}", &good[1..]))),
        ("an empty set", json(r#"{"keys": []}"#)),
        ("a set of odd keys", json(r#"{"keys": [{"kty": "AKP"}, 7, null]}"#)),
        ("keys that cannot be told apart", json(&ambiguous())),
        (
            "no UTF-8",
            MockAnswer::Body("application/json", Bytes::from_static(b"{\"keys\": \"\xff\"}")),
        ),
        ("deep nesting", json(&"[".repeat(100_000))),
        ("spaces", json(&format!("{}{good}", " ".repeat(256 * 1024)))),
        ("101 keys", json(&format!("{{\"keys\":[{many}]}}"))),
        ("a redirect", MockAnswer::Redirect("https://attacker.test/jwks".into())),
        ("no connection", MockAnswer::Refuse),
        ("a hang", MockAnswer::Hang),
        ("half a body", MockAnswer::HalfBody),
        ("a slow drip", MockAnswer::Drip(secs(1))),
    ]
}

/// A set of two keys under one `kid`, neither of which can be used.
fn ambiguous() -> String {
    let sets = [MockIssuer::new(), MockIssuer::new()].map(|issuer| issuer.jwk_set());
    let keys = sets.map(|set| {
        let mut set: serde_json::Value = serde_json::from_str(&set).unwrap();
        set["keys"][0]["kid"] = "one".into();
        set["keys"][0].take()
    });
    serde_json::json!({ "keys": keys }).to_string()
}

/// Of the number of a request, from 1, and its URL.
type Answer = dyn Fn(usize, &str) -> FetchFuture + Send + Sync;
/// A fetcher that is a closure.
#[derive(Clone)]
pub(crate) struct Scripted(Arc<Answer>, Arc<AtomicUsize>);

impl Scripted {
    pub(crate) fn new(f: impl Fn(usize, &str) -> FetchFuture + Send + Sync + 'static) -> Self {
        Self(Arc::new(f), Arc::default())
    }
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Fetch for Scripted {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let n = self.1.fetch_add(1, Ordering::SeqCst) + 1;
        (self.0)(n, request.url())
    }
}

pub(crate) fn answer(status: u16, headers: &[(&'static str, &str)], body: String) -> FetchFuture {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().append(*name, value.parse().unwrap());
    }
    Box::pin(async move { Ok(response) })
}

/// A verifier by the URL of the set.
pub(crate) fn fetched(issuer: &MockIssuer, fetch: impl Fetch) -> JwtVerifier {
    let keys = JwksUrl::new_with(&issuer.jwks_url(), fetch).unwrap();
    JwtVerifier::new(issuer.issuer(), "https://api.test", keys).unwrap()
}
