//! Token introspection against an endpoint that the tests control, mostly in paused time.

mod answers;
mod authentication;
mod bound;
mod caching;
mod claims;
mod composition;
mod configuration;
mod flights;
#[cfg(feature = "tracing")]
mod log;
mod outages;
mod signed;
#[cfg(feature = "reqwest-0_13")]
mod wire;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use serde_json::{Value, json};
use tower_jwt_auth::{
    ClientAuthentication, Fetch, FetchFuture, FetchRequest, Introspection, KeySourceError,
    RegisteredClaims, RejectionKind, VerifiedToken,
};
use url::form_urlencoded;

use crate::support::{AUDIENCE, ISSUER, NOW, now};

pub(crate) const URL: &str = "https://issuer.example/introspect?tenant=7";

/// A request that the endpoint got.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) url: String,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) form: Vec<(String, String)>,
}

impl Asked {
    pub(crate) fn token(&self) -> &str {
        self.member("token").unwrap()
    }

    pub(crate) fn member(&self, name: &str) -> Option<&str> {
        let mut values = self.form.iter().filter(|(it, _)| it == name).map(|(_, value)| &**value);
        let value = values.next();
        assert_eq!(values.next(), None, "{name} twice");
        value
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

type Reply = Result<Response<Bytes>, KeySourceError>;
type Answer = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A mock endpoint. It answers after a time, by default at once.
#[derive(Clone)]
pub(crate) struct Endpoint {
    answer: Arc<Mutex<Arc<Answer>>>,
    delay: Arc<Mutex<Duration>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// How many requests are under way, and how many there were at most.
    at_once: Arc<Mutex<(usize, usize)>>,
}

impl Endpoint {
    pub(crate) fn new(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let answer: Arc<Answer> = Arc::new(answer);
        let (answer, delay) = (Arc::new(Mutex::new(answer)), Arc::default());
        Self { answer, delay, asked: Arc::default(), at_once: Arc::default() }
    }

    /// Always answers with this JSON.
    pub(crate) fn json(answer: Value) -> Self {
        Self::new(move |_| ok(answer.to_string()))
    }

    /// Says that tokens which end in `good` are active, those of `alice`.
    pub(crate) fn usual() -> Self {
        Self::new(|asked| match asked.token().ends_with("good") {
            true => ok(active().to_string()),
            false => ok(r#"{"active": false}"#),
        })
    }

    pub(crate) fn set(&self, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    pub(crate) fn set_json(&self, answer: Value) {
        self.set(move |_| ok(answer.to_string()));
    }

    pub(crate) fn set_delay(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.at_once.lock().unwrap().1
    }

    pub(crate) fn verifier(&self) -> Introspection {
        let verifier = Introspection::new_with(ISSUER, AUDIENCE, URL, client(), self.clone());
        verifier.unwrap().with_clock(now())
    }
}

/// Counts a request until it is dropped.
struct UnderWay(Arc<Mutex<(usize, usize)>>);

impl UnderWay {
    fn begin(at_once: &Arc<Mutex<(usize, usize)>>) -> Self {
        let (now, most) = &mut *at_once.lock().unwrap();
        *now += 1;
        *most = (*most).max(*now);
        Self(Arc::clone(at_once))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}

impl Fetch for Endpoint {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let form = form_urlencoded::parse(request.body()).into_owned().collect();
        let asked = Asked {
            url: request.url().to_owned(),
            method: request.method().clone(),
            headers: request.headers().clone(),
            form,
        };
        self.asked.lock().unwrap().push(asked.clone());
        let (answer, delay) =
            (Arc::clone(&self.answer.lock().unwrap()), *self.delay.lock().unwrap());
        let under_way = UnderWay::begin(&self.at_once);
        Box::pin(async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            drop(under_way);
            answer(&asked)
        })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").finish_non_exhaustive()
    }
}

pub(crate) fn ok(body: impl Into<String>) -> Reply {
    Ok(Response::new(Bytes::from(body.into())))
}

pub(crate) fn status(status: u16) -> Reply {
    Ok(Response::builder().status(status).body(Bytes::from_static(b"{}")).unwrap())
}

/// A usual answer about an active token.
pub(crate) fn active() -> Value {
    json!({
        "active": true, "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "scope": "read write",
        "client_id": "app", "token_type": "Bearer", "exp": NOW + 3600, "iat": NOW - 60,
    })
}

/// The usual answer with one member changed.
pub(crate) fn active_with(name: &str, value: impl Into<Value>) -> Value {
    let mut answer = active();
    answer[name] = value.into();
    answer
}

/// The usual answer without one member.
pub(crate) fn active_without(name: &str) -> Value {
    let mut answer = active();
    answer.as_object_mut().unwrap().remove(name).expect("a member");
    answer
}

pub(crate) fn client() -> ClientAuthentication {
    ClientAuthentication::client_secret_basic("orders-api", "s3cret").unwrap()
}

/// The claims, or why the token is refused.
pub(crate) async fn outcome(
    verifier: &Introspection,
    token: &str,
) -> Result<VerifiedToken<RegisteredClaims>, RejectionKind> {
    verifier.verify(token).await.map_err(|rejection| rejection.kind())
}

/// Why a token is refused; `None` if it is accepted.
pub(crate) async fn kind(verifier: &Introspection, token: &str) -> Option<RejectionKind> {
    outcome(verifier, token).await.err()
}

/// Why a token with this answer is refused; `None` if it is accepted.
pub(crate) async fn kind_of(answer: Value) -> Option<RejectionKind> {
    kind(&Endpoint::json(answer).verifier(), "a").await
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
