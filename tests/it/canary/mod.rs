//! Canaries: no text that the crate writes holds a token, a claim, a key or a secret.

mod answers;
#[cfg(feature = "tracing")]
mod log;
mod observe;
mod sources;
mod values;

use std::fmt::{Debug, Display};

use http::header::{CONTENT_TYPE, TE};
use http::{HeaderValue, Method, Request, Response};
use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, JwtAuthLayer, ProblemJson, Rejection};

use crate::support::requests::{Body, bearer, request, send};
use crate::support::{ISSUER, TestKey, b64, claims, claims_with, key, pem};

/// A secret that is text, to be found in any text.
const SECRET: &[u8] = b"canary-secret-canary-secret-canary-secret";

/// A claim, a name of one, and a value of a header parameter.
const CLAIM: &str = "canary-claim";

/// What must stand nowhere.
pub(crate) struct Canaries(Vec<String>);

impl Canaries {
    pub(crate) fn new() -> Self {
        Self(vec![CLAIM.to_owned()])
    }

    /// Bytes, in all the spellings that a careless `Debug` would give them.
    fn bytes(mut self, bytes: &[u8]) -> Self {
        use base64::Engine;
        use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

        assert!(bytes.len() >= 16, "too short to be told from other things");
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{bytes:?}");
        let few = format!("{:?}", &bytes[..8]);
        self.0.extend([
            hex[..24].to_owned(),
            hex.to_uppercase()[..24].to_owned(),
            list,
            few.trim_matches(['[', ']']).to_owned(),
            format!("{:#?}", &bytes[..8]).lines().skip(1).take(8).collect::<Vec<_>>().join("\n"),
        ]);
        for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            // Bytes at the end may be spelled otherwise inside of a longer text.
            self.0.push(engine.encode(&bytes[..bytes.len() / 3 * 3])[..20].to_owned());
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            self.0.push(text[..16].to_owned());
        }
        self
    }

    /// A token: each of its parts is one, but not the shared beginning of all headers.
    pub(crate) fn token(mut self, token: &str) -> Self {
        let parts: Vec<&str> = token.split('.').collect();
        self.0.extend(parts[1..].iter().filter(|part| part.len() > 8).map(|part| (*part).into()));
        self.0.push(token.to_owned());
        self
    }

    /// The members of a JWK that are the key.
    pub(crate) fn jwk(mut self, jwk: &Value) -> Self {
        for member in ["k", "n", "x", "y", "d"] {
            self.0.extend(jwk[member].as_str().map(|value| value[..20].to_owned()));
        }
        self
    }

    #[track_caller]
    fn check(&self, text: &str) {
        for canary in &self.0 {
            assert!(!text.contains(canary.as_str()), "{canary:?} in {text:?}");
        }
    }

    #[track_caller]
    pub(crate) fn debug(&self, value: impl Debug) {
        self.check(&format!("{value:?}"));
        self.check(&format!("{value:#?}"));
    }

    #[track_caller]
    pub(crate) fn error(&self, error: impl std::error::Error) {
        self.debug(&error);
        self.display(&error);
        let mut cause = error.source();
        while let Some(error) = cause {
            self.debug(error);
            self.display(error);
            cause = error.source();
        }
    }

    #[track_caller]
    pub(crate) fn display(&self, value: impl Display) {
        self.check(&value.to_string());
        self.check(&format!("{value:#}"));
    }

    /// All of a response: its head, its body and its extensions.
    #[track_caller]
    fn response(&self, response: &Response<Body>) {
        self.debug(response.headers());
        self.check(&String::from_utf8_lossy(response.body()));
        for value in response.headers().values() {
            self.check(value.to_str().unwrap());
        }
        if let Some(rejection) = response.extensions().get::<Rejection>() {
            self.error(rejection);
            self.debug(rejection.expected());
            self.display(rejection.description());
            self.debug(rejection.kind());
        }
    }
}

/// A canary that finds nothing because it looks for the wrong thing is no canary.
#[test]
fn the_canaries_sing() {
    let sings = |canaries: Canaries, text: String| {
        std::panic::catch_unwind(|| canaries.check(&text)).is_err()
    };
    let bytes = || Canaries::new().bytes(SECRET);
    assert!(!sings(bytes(), "a quiet text".into()));
    assert!(sings(bytes(), String::from_utf8(SECRET.to_vec()).unwrap()));
    assert!(sings(bytes(), format!("{SECRET:?}")));
    assert!(sings(bytes(), format!("{SECRET:#?}")));
    assert!(sings(bytes(), format!("{SECRET:02x?}").replace(", ", "")));
    assert!(sings(bytes(), b64(SECRET)));
    assert!(sings(bytes(), format!("at the end {}", pem("X", SECRET))));
    let token = key(Algorithm::HS256).token(&claims_with("c", CLAIM));
    assert!(sings(Canaries::new().token(&token), format!("Bearer {token}")));
    assert!(sings(Canaries::new(), format!("{:?}", claims_with("c", CLAIM))));
    let jwk = key(Algorithm::ES256).jwk();
    assert!(sings(Canaries::new().jwk(&jwk), jwk.to_string()));
}

/// The canaries of a test key: its secret or its public half, in every form.
fn canaries_of(key: &TestKey) -> Canaries {
    let canaries = Canaries::new().jwk(&key.jwk());
    if key.algorithm.name().starts_with("HS") {
        canaries.bytes(key.secret())
    } else {
        // The middle of the key: its beginning is the same for all keys of a type.
        let spki = key.spki();
        let body = &spki[spki.len() / 2 / 3 * 3..];
        let mut canaries = canaries.bytes(&body[..(body.len() / 3 * 3).min(18)]);
        canaries.0.extend(key.pem().lines().filter(|line| line.len() == 64).map(str::to_owned));
        canaries
    }
}

/// Requests that are refused, each with a canary in it: token and claims.
fn refused(key: &TestKey) -> Vec<(String, Request<()>)> {
    let good = key.token(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let algorithm = key.algorithm.name();
    let header = |name: &str, value: &Value| {
        let mut header = json!({"alg": algorithm, "kid": key.kid()});
        header[name] = value.clone();
        key.token_of(header.to_string(), claims().to_string())
    };
    let mut tokens = vec![
        format!("canary-claim.{message}"),
        format!("{message}.{}", b64([0; 64])),
        format!("{message}.{}=", signature),
        key.token_of(format!("{{\"alg\":\"{algorithm}\",\"{CLAIM}\""), "{}"),
        key.token_of(json!({"alg": algorithm}).to_string(), format!("{{\"{CLAIM}\":")),
        key.token_of(json!({"alg": algorithm}).to_string(), format!("[\"{CLAIM}\"]")),
        header("alg", &json!(CLAIM)),
        header("typ", &json!(CLAIM)),
        header("crit", &json!([CLAIM])),
        header("cty", &json!("JWT")),
        header("kid", &json!(CLAIM)),
        header("kid", &json!([CLAIM])),
    ];
    for (name, value) in [
        ("iss", json!(CLAIM)),
        ("iss", json!([ISSUER, CLAIM])),
        ("aud", json!(CLAIM)),
        ("aud", json!([CLAIM])),
        ("aud", json!({CLAIM: CLAIM})),
        ("exp", json!(CLAIM)),
        ("exp", json!(1)),
        ("nbf", json!(9_999_999_999_i64)),
        ("iat", json!(9_999_999_999_i64)),
        ("sub", json!([CLAIM])),
        ("cnf", json!({"jkt": CLAIM})),
        ("events", json!({CLAIM: {}})),
        ("at_hash", json!(CLAIM)),
    ] {
        let mut claims = claims_with(CLAIM, CLAIM);
        claims[name] = value;
        tokens.push(key.token(&claims));
    }
    let mut requests: Vec<(String, Request<()>)> =
        tokens.into_iter().map(|token| (token.clone(), bearer(&token))).collect();
    for values in [
        vec![format!("Bearer {good} {CLAIM}")],
        vec![format!("Bearer {good}, Bearer {CLAIM}")],
        vec![format!("Bearer {good}"), format!("Bearer {CLAIM}")],
        vec![format!("{CLAIM} {good}")],
        vec![format!("Bearer {CLAIM}\"")],
    ] {
        requests.push((good.clone(), request(values)));
    }
    requests
}

/// The same request as HTTP, gRPC and gRPC-Web, to a layer that answers with an empty body and to
/// one that answers with problem details.
fn answers(layer: &JwtAuthLayer<Claims>, request: &Request<()>) -> Vec<Response<Body>> {
    let layer = &layer.clone().with_grpc_web();
    let problem = layer.clone().with_rejection_response(ProblemJson::new());
    let forms = [None, Some("application/grpc"), Some("application/grpc-web+proto")];
    forms
        .into_iter()
        .flat_map(|content_type| {
            let mut request = request.clone();
            *request.method_mut() = Method::POST;
            *request.uri_mut() = format!("/{CLAIM}?{CLAIM}").parse().unwrap();
            if let Some(content_type) = content_type {
                let content_type = HeaderValue::from_static(content_type);
                request.headers_mut().insert(CONTENT_TYPE, content_type);
                request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
            }
            [send(layer, request.clone()), send(&problem, request)]
        })
        .collect()
}

/// Claims that do not fit what is sent in one of the requests: there, `sub` is a list.
#[derive(serde::Deserialize)]
struct Claims {
    #[allow(dead_code, reason = "there for its type")]
    sub: String,
}

fn layer(key: &TestKey) -> JwtAuthLayer<Claims> {
    JwtAuthLayer::new(key.verifier().with_claims::<Claims>())
}
