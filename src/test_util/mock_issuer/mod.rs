mod memory;
mod server;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::json;
use tokio::task::AbortHandle;

use crate::issuer::SigningKey;
use crate::test_util::test_issuer::TestIssuer;
use crate::test_util::token_builder::TokenBuilder;
use crate::verify::JwtVerifier;

/// An issuer with a JWK set and metadata, whose keys and whose faults a test controls.
///
/// It is a [`Fetch`](crate::Fetch), without a network: with `tokio::time` paused, hours of it pass in milliseconds.
/// Or it [listens](Self::listen) on a port of this machine. Clones are one issuer.
///
/// | | by default |
/// |---|---|
/// | issuer, audience | `https://issuer.test`, `https://api.test` |
/// | metadata | at `/.well-known/openid-configuration` |
/// | JWK set | at `/jwks`: one ES256 key, without `Cache-Control` |
///
/// # Example: a rotation, and an outage
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

/// What a [`MockIssuer`] answers.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MockAnswer {
    /// What was asked for.
    #[default]
    Good,
    /// This status, without a body.
    Status(u16),
    /// 200 with this type and body, and an empty type is none.
    Body(&'static str, Bytes),
    /// A redirect to this URL, which would have the good answer.
    Redirect(String),
    /// No connection.
    Refuse,
    /// A connection, and never a word.
    Hang,
    /// Half of the good answer, and then the end.
    HalfBody,
    /// The good answer, one octet after each of these.
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
    /// The paths that were asked for, in order.
    requests: Vec<String>,
    at_once: usize,
    most_at_once: usize,
    server: Option<AbortHandle>,
}

/// A reply before its faults.
struct Reply {
    answer: MockAnswer,
    response: Response<Bytes>,
}

impl MockIssuer {
    /// The issuer `https://issuer.test`.
    ///
    /// # Panics
    ///
    /// When no key can be made.
    pub fn new() -> Self {
        Self::with_issuer("https://issuer.test")
    }

    /// An issuer of this name; a path in it is good.
    ///
    /// # Panics
    ///
    /// When no key can be made.
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

    /// Its name, the `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        &self.0.name
    }

    /// The URL of its JWK set.
    pub fn jwks_url(&self) -> String {
        let jwks_uri = self.state().jwks_uri.clone();
        jwks_uri.unwrap_or_else(|| format!("{}/jwks", self.0.name.trim_end_matches('/')))
    }

    /// A verifier of its tokens, which fetches its keys from memory.
    ///
    /// # Panics
    ///
    /// When its name is no URL that is fetched.
    pub fn verifier(&self) -> JwtVerifier {
        let keys = self.keys();
        JwtVerifier::new(self.issuer(), "https://api.test", keys).expect("names that are not empty")
    }

    /// Its keys as a source, fetched from memory.
    ///
    /// # Panics
    ///
    /// When its name is no URL that is fetched.
    pub fn keys(&self) -> crate::key_source::JwksUrl {
        crate::key_source::JwksUrl::new_with(&self.jwks_url(), self.clone())
            .expect("a URL that is fetched")
    }

    /// Begins a token, signed with the newest key: see [`TokenBuilder`].
    pub fn token(&self) -> TokenBuilder {
        let key = self.state().keys.first().expect("a key that signs").clone();
        self.0.issuer.clone().with_key(key).token()
    }

    /// Makes a new key that signs from now on; the old ones stay in the set.
    ///
    /// # Panics
    ///
    /// When no key can be made.
    pub fn rotate(&self) {
        self.state().keys.insert(0, new_key());
    }

    /// Makes a new key, and takes all others out of the set.
    ///
    /// # Panics
    ///
    /// When no key can be made.
    pub fn rotate_and_drop(&self) {
        self.state().keys = vec![new_key()];
    }

    /// Replaces what it answers to who asks for the JWK set.
    pub fn set_answer(&self, answer: MockAnswer) {
        self.state().answer = answer;
    }

    /// Replaces what it answers to who asks for its metadata.
    pub fn set_metadata_answer(&self, answer: MockAnswer) {
        self.state().metadata_answer = answer;
    }

    /// Replaces where its metadata lie; elsewhere is 404.
    pub fn set_metadata_path(&self, path: impl Into<String>) {
        self.state().metadata_path = path.into();
    }

    /// Replaces the issuer that its metadata name.
    pub fn set_metadata_issuer(&self, issuer: impl Into<String>) {
        self.state().metadata_issuer = Some(issuer.into());
    }

    /// Replaces the URL of the JWK set, which its metadata name.
    pub fn set_jwks_uri(&self, jwks_uri: impl Into<String>) {
        self.state().jwks_uri = Some(jwks_uri.into());
    }

    /// Sets a header of its good answers, such as `cache-control`.
    ///
    /// # Panics
    ///
    /// When the value cannot stand in a header.
    pub fn set_header(&self, name: &'static str, value: &str) {
        let value = HeaderValue::from_str(value).expect("a value of a header");
        self.state().headers.insert(name, value);
    }

    /// How often it was asked for the JWK set.
    pub fn key_fetches(&self) -> usize {
        let jwks = path_of(&self.jwks_url()).to_owned();
        self.requests().iter().filter(|path| **path == jwks).count()
    }

    /// What it was asked for, path and query, in order.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// How many requests it had at one time at most.
    pub fn most_at_once(&self) -> usize {
        self.state().most_at_once
    }

    /// The good JWK set.
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
                let status = StatusCode::from_u16(*status).expect("a status of HTTP");
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
    SigningKey::generate_es256().expect("a new ES256 key")
}

fn jwk_set(keys: &[SigningKey]) -> String {
    let jwks: Vec<String> = keys.iter().filter_map(SigningKey::jwk).collect();
    format!("{{\"keys\":[{}]}}", jwks.join(","))
}

fn set(response: &mut Response<Bytes>, name: header::HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("a value of a header");
    response.headers_mut().insert(name, value);
}

/// What stands behind the host of a URL.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("")
}
