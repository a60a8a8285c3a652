mod memory;
mod server;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::json;
use tokio::task::AbortHandle;

use crate::crypto::Algorithm;
use crate::issuer::SigningKey;
use crate::test_util::test_issuer::TestIssuer;
use crate::test_util::token_builder::TokenBuilder;
use crate::verify::JwtVerifier;

/// An issuer with a JWK set and metadata, whose keys and faults a test controls.
///
/// The issuer is a [`Fetch`](crate::Fetch) in memory, without a network: with `tokio::time` paused,
/// hours pass in milliseconds. It can also [listen](Self::listen) on a local port. Clones share
/// state.
///
/// | | default |
/// |---|---|
/// | issuer, audience | `https://issuer.test`, `https://api.test` |
/// | metadata | at the issuer's path followed by `/.well-known/openid-configuration` |
/// | JWK set | at the issuer's path followed by `/jwks`: one new ES256 key, without `Cache-Control` |
///
/// # Example: a rotation and an outage
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let issuer = MockIssuer::new();
/// let verifier = issuer.verifier();
/// assert!(verifier.verify(&issuer.token().build()).await.is_ok());
///
/// issuer.rotate();
/// assert!(verifier.verify(&issuer.token().build()).await.is_ok());
/// assert_eq!(issuer.key_fetches(), 2);
///
/// issuer.set_answer(MockAnswer::Status(500));
/// assert!(verifier.refresh().await.is_err());
/// assert!(verifier.verify(&issuer.token().build()).await.is_ok());
/// # });
/// ```
#[derive(Clone)]
pub struct MockIssuer(Arc<Inner>);

/// How a [`MockIssuer`] responds.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MockAnswer {
    /// The default: 200 with the requested document.
    #[default]
    Good,
    /// This status, from 100 to 999, without headers and body. With another number the issuer
    /// panics when it responds.
    Status(u16),
    /// 200 with this `Content-Type` and body. An empty string means no `Content-Type`.
    Body(&'static str, Bytes),
    /// A redirect to this URL: 302 with the headers and the body of the good response.
    Redirect(String),
    /// No response: in memory the fetch fails, on a port the connection is closed.
    Refuse,
    /// A response that never comes. The connection stays open.
    Hang,
    /// On a port, the good response with the second half of its body missing, then the end of the
    /// connection. In memory the fetch fails.
    HalfBody,
    /// On a port, the good response, one byte at a time, with this pause after each byte. In
    /// memory, the whole response after a pause for each byte of its body.
    Drip(Duration),
}

struct Inner {
    issuer: TestIssuer,
    name: String,
    state: Mutex<State>,
}

struct State {
    /// The first one signs.
    keys: Vec<SigningKey>,
    answer: MockAnswer,
    metadata_answer: MockAnswer,
    metadata_path: String,
    metadata_issuer: Option<String>,
    jwks_uri: Option<String>,
    headers: HeaderMap,
    /// The requested paths, in order.
    requests: Vec<String>,
    at_once: usize,
    most_at_once: usize,
    server: Option<AbortHandle>,
}

/// A response before the faults are applied.
struct Reply {
    answer: MockAnswer,
    response: Response<Bytes>,
}

impl MockIssuer {
    /// Creates an issuer with the name `https://issuer.test`.
    ///
    /// # Panics
    ///
    /// When no ES256 key can be generated.
    pub fn new() -> Self {
        Self::with_issuer("https://issuer.test")
    }

    /// Creates an issuer with this name: a URL, such as `https://issuer.test/realms/a`.
    ///
    /// # Panics
    ///
    /// When no ES256 key can be generated.
    pub fn with_issuer(name: impl Into<String>) -> Self {
        let name = name.into();
        let path = path_of(&name).trim_end_matches('/').to_owned();
        Self(Arc::new(Inner {
            issuer: TestIssuer::new().with_issuer(name.as_str()),
            name,
            state: Mutex::new(State {
                keys: vec![new_key()],
                answer: MockAnswer::Good,
                metadata_answer: MockAnswer::Good,
                metadata_path: format!("{path}/.well-known/openid-configuration"),
                metadata_issuer: None,
                jwks_uri: None,
                headers: HeaderMap::new(),
                requests: Vec::new(),
                at_once: 0,
                most_at_once: 0,
                server: None,
            }),
        }))
    }

    /// The name of the issuer: the `iss` of the tokens.
    pub fn issuer(&self) -> &str {
        &self.0.name
    }

    /// The URL of the JWK set: the name of the issuer, without a final slash, followed by `/jwks`,
    /// unless [`set_jwks_uri`](Self::set_jwks_uri) replaced it.
    pub fn jwks_url(&self) -> String {
        let jwks_uri = self.state().jwks_uri.clone();
        jwks_uri.unwrap_or_else(|| format!("{}/jwks", self.0.name.trim_end_matches('/')))
    }

    /// Creates a verifier for this issuer's tokens, with the audience `https://api.test`. The
    /// verifier fetches the keys from memory.
    ///
    /// # Panics
    ///
    /// When the URL of the JWK set ([`jwks_url`](Self::jwks_url)) is not https (or http to this
    /// machine), or has a user name, a password or a fragment.
    pub fn verifier(&self) -> JwtVerifier {
        let keys = self.keys();
        JwtVerifier::new(self.issuer(), "https://api.test", keys).expect("names that are not empty")
    }

    /// Creates a source of this issuer's keys, which fetches them from memory.
    ///
    /// # Panics
    ///
    /// When the URL of the JWK set ([`jwks_url`](Self::jwks_url)) is not https (or http to this
    /// machine), or has a user name, a password or a fragment.
    pub fn keys(&self) -> crate::key_source::JwksUrl {
        crate::key_source::JwksUrl::new_with(&self.jwks_url(), self.clone())
            .expect("a URL that is fetched")
    }

    /// Starts a token that is signed with the newest key: see [`TokenBuilder`].
    pub fn token(&self) -> TokenBuilder {
        let key = self.state().keys.first().expect("a key that signs").clone();
        self.0.issuer.clone().with_key(key).token()
    }

    /// Adds a new key, which signs all tokens from the next call of [`token`](Self::token) on. The old
    /// keys remain in the set.
    ///
    /// # Panics
    ///
    /// When no ES256 key can be generated.
    pub fn rotate(&self) {
        self.state().keys.insert(0, new_key());
    }

    /// Replaces all keys of the set with a new key, which signs all tokens from the next call of
    /// [`token`](Self::token) on. A verifier that has loaded the old set accepts old tokens until it
    /// fetches the new one.
    ///
    /// # Panics
    ///
    /// When no ES256 key can be generated.
    pub fn rotate_and_drop(&self) {
        self.state().keys = vec![new_key()];
    }

    /// Replaces the response for the JWK set; [`MockAnswer::Good`] by default.
    pub fn set_answer(&self, answer: MockAnswer) {
        self.state().answer = answer;
    }

    /// Replaces the response for the metadata; [`MockAnswer::Good`] by default.
    pub fn set_metadata_answer(&self, answer: MockAnswer) {
        self.state().metadata_answer = answer;
    }

    /// Replaces the path of the metadata. The new path begins with a slash. The default is the path of
    /// the issuer followed by `/.well-known/openid-configuration`. Paths other than the new one and
    /// that of the JWK set get 404.
    pub fn set_metadata_path(&self, path: impl Into<String>) {
        self.state().metadata_path = path.into();
    }

    /// Replaces the `issuer` in the metadata; the name of the issuer by default.
    pub fn set_metadata_issuer(&self, issuer: impl Into<String>) {
        self.state().metadata_issuer = Some(issuer.into());
    }

    /// Replaces the URL of the JWK set, which is also the `jwks_uri` in the metadata; by default
    /// the name of the issuer followed by `/jwks`.
    pub fn set_jwks_uri(&self, jwks_uri: impl Into<String>) {
        self.state().jwks_uri = Some(jwks_uri.into());
    }

    /// Sets or replaces a header of the good responses, such as `cache-control`. By default they
    /// have only a `content-type` of `application/json`, which this method cannot change: see
    /// [`MockAnswer::Body`].
    ///
    /// # Panics
    ///
    /// When the name or the value is not allowed in a header.
    pub fn set_header(&self, name: &'static str, value: &str) {
        let value = HeaderValue::from_str(value).expect("a valid header value");
        self.state().headers.insert(name, value);
    }

    /// The number of requests for the JWK set, at its current URL, until now.
    pub fn key_fetches(&self) -> usize {
        let jwks = path_of(&self.jwks_url()).to_owned();
        self.requests().iter().filter(|path| **path == jwks).count()
    }

    /// The path and query of each request until now, in order.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// The largest number of requests in memory that ran at the same time. Requests on a port do
    /// not count.
    pub fn most_at_once(&self) -> usize {
        self.state().most_at_once
    }

    /// The JWK set that the issuer serves while no fault is set, as JSON.
    pub fn jwk_set(&self) -> String {
        jwk_set(&self.state().keys)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reply(&self, path: &str) -> Reply {
        let mut state = self.state();
        state.requests.push(path.to_owned());
        let root = self.name.trim_end_matches('/');
        let jwks_uri = state.jwks_uri.clone().unwrap_or_else(|| format!("{root}/jwks"));
        let (answer, body) = if path == path_of(&jwks_uri) {
            (state.answer.clone(), jwk_set(&state.keys))
        } else if path == state.metadata_path {
            let issuer = state.metadata_issuer.as_ref().unwrap_or(&self.name);
            let metadata = json!({"issuer": issuer, "jwks_uri": jwks_uri}).to_string();
            (state.metadata_answer.clone(), metadata)
        } else {
            (MockAnswer::Status(404), String::new())
        };
        let mut response = Response::new(Bytes::from(body));
        *response.headers_mut() = state.headers.clone();
        set(&mut response, header::CONTENT_TYPE, "application/json");
        match &answer {
            MockAnswer::Status(status) => {
                let status = StatusCode::from_u16(*status).expect("an HTTP status");
                response = Response::new(Bytes::new());
                *response.status_mut() = status;
            }
            MockAnswer::Body(content_type, body) => {
                response = Response::new(body.clone());
                if !content_type.is_empty() {
                    set(&mut response, header::CONTENT_TYPE, content_type);
                }
            }
            MockAnswer::Redirect(to) => {
                *response.status_mut() = StatusCode::FOUND;
                set(&mut response, header::LOCATION, to);
            }
            _ => {}
        }
        Reply { answer, response }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(server) = self.state().server.take() {
            server.abort();
        }
    }
}

impl Default for MockIssuer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MockIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockIssuer").field("issuer", &self.0.name).finish_non_exhaustive()
    }
}

fn new_key() -> SigningKey {
    SigningKey::generate(Algorithm::ES256).expect("a new ES256 key")
}

fn jwk_set(keys: &[SigningKey]) -> String {
    let jwks: Vec<String> = keys.iter().filter_map(SigningKey::jwk).collect();
    format!("{{\"keys\":[{}]}}", jwks.join(","))
}

fn set(response: &mut Response<Bytes>, name: header::HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("a valid header value");
    response.headers_mut().insert(name, value);
}

/// The part of a URL after the host.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("")
}
