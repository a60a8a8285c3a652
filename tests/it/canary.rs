//! Canaries: no text that the crate writes holds a token, a claim, a key or a secret.

use std::fmt::{Debug, Display};

use http::header::{AUTHORIZATION, CONTENT_TYPE, TE};
use http::{HeaderValue, Method, Request, Response};
use serde_json::{Value, json};
use tower::{Layer, service_fn};
use tower_jwt_auth::{
    Accepted, Algorithm, Clock, ConfigError, EmptyBody, ExpectedAudience, ExpectedIssuer, JwkSet,
    JwtAuthLayer, JwtVerifier, KeyCandidates, KeyLookup, KeyQuery, KeySource, KeySourceError,
    NumericDate, PresentedToken, ProblemJson, Rejection, RequestSummary, SystemClock, Verification,
    VerificationKey, VerifiedToken, VerifyToken, dangerous_any_bearer, verify_async_fn, verify_fn,
};

use crate::support::requests::{Body, bearer, reached, refusal, request, send};
use crate::support::{
    AUDIENCE, ISSUER, TestKey, b64, claims, claims_with, key, now, pem, supported,
};

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

    /// Octets, in all the spellings that a careless `Debug` would give them.
    fn octets(mut self, octets: &[u8]) -> Self {
        use base64::Engine;
        use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

        assert!(octets.len() >= 16, "too short to be told from other things");
        let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        let list = format!("{octets:?}");
        let few = format!("{:?}", &octets[..8]);
        self.0.extend([
            hex[..24].to_owned(),
            hex.to_uppercase()[..24].to_owned(),
            list,
            few.trim_matches(['[', ']']).to_owned(),
            format!("{:#?}", &octets[..8]).lines().skip(1).take(8).collect::<Vec<_>>().join("\n"),
        ]);
        for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            // Octets at the end may be spelled otherwise inside of a longer text.
            self.0.push(engine.encode(&octets[..octets.len() / 3 * 3])[..20].to_owned());
        }
        if let Ok(text) = std::str::from_utf8(octets) {
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
    let octets = || Canaries::new().octets(SECRET);
    assert!(!sings(octets(), "a quiet text".into()));
    assert!(sings(octets(), String::from_utf8(SECRET.to_vec()).unwrap()));
    assert!(sings(octets(), format!("{SECRET:?}")));
    assert!(sings(octets(), format!("{SECRET:#?}")));
    assert!(sings(octets(), format!("{SECRET:02x?}").replace(", ", "")));
    assert!(sings(octets(), b64(SECRET)));
    assert!(sings(octets(), format!("at the end {}", pem("X", SECRET))));
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
        canaries.octets(key.secret())
    } else {
        // The middle of the key: its beginning is the same for all keys of a type.
        let spki = key.spki();
        let body = &spki[spki.len() / 2 / 3 * 3..];
        let mut canaries = canaries.octets(&body[..(body.len() / 3 * 3).min(18)]);
        canaries.0.extend(key.pem().lines().filter(|line| line.len() == 64).map(str::to_owned));
        canaries
    }
}

#[test]
fn no_debug_shows_a_key() {
    for algorithm in supported() {
        let key = key(algorithm);
        let canaries = canaries_of(key);
        let loaded = key.verification_key();
        canaries.debug(&loaded);
        canaries.debug(KeyCandidates::from(loaded.clone()));
        canaries.debug(KeyLookup::ready(Ok(loaded.clone().into())));
        canaries.debug(JwkSet::from_keys([loaded.clone()]).unwrap());
        canaries.debug([loaded.clone()]);
        let set = json!({"keys": [key.jwk()]}).to_string();
        canaries.debug(JwkSet::from_json(&set).unwrap());
        if !algorithm.name().starts_with("HS") {
            canaries.debug(VerificationKey::from_pem(key.pem().as_bytes(), algorithm).unwrap());
            canaries.debug(VerificationKey::from_der(&key.spki(), algorithm).unwrap());
        }
        canaries.debug(key.verifier());
        let layer = JwtAuthLayer::new(key.verifier());
        canaries.debug(&layer);
        canaries.debug(layer.clone().with_rejection_response(ProblemJson::new()));
        canaries.debug(layer.layer("inner"));
    }
}

#[test]
fn no_debug_shows_a_secret() {
    let canaries = Canaries::new().octets(SECRET);
    let loaded = VerificationKey::from_secret(SECRET, Algorithm::HS256).unwrap();
    let base64 = VerificationKey::from_base64_secret(&b64(SECRET), Algorithm::HS256).unwrap();
    let jwk = json!({"kty": "oct", "k": b64(SECRET), "alg": "HS256"}).to_string();
    for loaded in [loaded, base64, VerificationKey::from_jwk(&jwk).unwrap()] {
        canaries.debug(&loaded);
        let verifier = JwtVerifier::new(ISSUER, AUDIENCE, loaded).unwrap();
        canaries.debug(&verifier);
        canaries.debug(JwtAuthLayer::new(verifier));
    }
    // Nor does a rule of one's own, whatever its closure holds.
    let held = SECRET.to_vec();
    canaries.debug(verify_fn({
        let held = held.clone();
        move |_: &PresentedToken| Ok(held.len())
    }));
    let later = held.clone();
    canaries.debug(verify_async_fn(move |_: PresentedToken| std::future::ready(Ok(later.len()))));
    let layer = JwtAuthLayer::new(verify_fn(move |_: &PresentedToken| Ok(held.len())));
    canaries.debug(&layer);
    let text = String::from_utf8(SECRET.to_vec()).unwrap();
    canaries.debug(layer.with_rejection_fn(move |_, _| Response::new(text.clone())));
}

#[test]
fn no_error_shows_a_key() {
    let shows_nothing = |canaries: &Canaries, error: Option<ConfigError>| {
        canaries.error(error.expect("an error"));
    };
    let secret = Canaries::new().octets(SECRET);
    shows_nothing(&secret, VerificationKey::from_secret(SECRET, Algorithm::HS512).err());
    let wrong = format!("{}!", b64(SECRET));
    shows_nothing(&secret, VerificationKey::from_base64_secret(&wrong, Algorithm::HS256).err());
    shows_nothing(&secret, VerificationKey::from_secret(SECRET, Algorithm::RS256).err());
    for member in [
        json!({"alg": "HS512"}),
        json!({"alg": "RS256"}),
        json!({"use": "enc", "alg": "HS256"}),
        json!({"k": format!("{}=", b64(SECRET)), "alg": "HS256"}),
        json!({"k": [SECRET], "alg": "HS256"}),
        json!({"kty": b64(SECRET)}),
        json!({"kty": "RSA", "n": b64(SECRET), "e": "AQAB", "alg": "RS256"}),
        json!({"kty": "EC", "crv": "P-256", "x": b64(SECRET), "y": b64(SECRET)}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": b64(SECRET), "d": b64(SECRET)}),
        json!({"kty": "OKP", "crv": b64(SECRET), "x": b64(SECRET)}),
        json!({"alg": b64(SECRET)}),
        json!({"use": b64(SECRET)}),
        json!({"key_ops": [b64(SECRET)], "alg": "HS256"}),
    ] {
        let mut jwk = json!({"kty": "oct", "k": b64(SECRET)});
        jwk.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
        shows_nothing(&secret, VerificationKey::from_jwk(&jwk.to_string()).err());
        let good = key(Algorithm::ES256).jwk();
        let set = json!({"keys": [jwk.clone(), good]}).to_string();
        let set = JwkSet::from_json(&set).unwrap();
        assert_eq!(set.skipped().len(), 1, "{jwk}");
        secret.debug(&set);
        for skipped in set.skipped() {
            secret.debug(skipped);
            secret.display(skipped);
            secret.check(skipped.reason());
        }
        let alone = json!({"keys": [jwk]}).to_string();
        shows_nothing(&secret, JwkSet::from_json(&alone).err());
        // Cut short, and with the name twice: the text of a JSON error must not quote it.
        shows_nothing(&secret, VerificationKey::from_jwk(&alone[..alone.len() - 9]).err());
    }
    for algorithm in Algorithm::ALL.iter().filter(|a| !a.name().starts_with("HS")) {
        let key = key(*algorithm);
        let canaries = canaries_of(key);
        for other in Algorithm::ALL {
            if let Err(error) = VerificationKey::from_pem(key.pem().as_bytes(), *other) {
                canaries.error(error);
            }
            if let Err(error) = VerificationKey::from_der(&key.spki(), *other) {
                canaries.error(error);
            }
            for text in [key.pem(), key.jwk().to_string()] {
                if let Err(error) = VerificationKey::from_secret(text.as_bytes(), *other) {
                    canaries.error(error);
                }
            }
        }
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "CERTIFICATE", "OPENSSH PRIVATE KEY", "X"] {
            let text = pem(label, &key.spki());
            let error = VerificationKey::from_pem(text.as_bytes(), *algorithm).err();
            shows_nothing(&canaries, error);
        }
        let broken = key.pem().replace("\nM", "\n!");
        let error = VerificationKey::from_pem(broken.as_bytes(), *algorithm).err();
        shows_nothing(&canaries, error);
    }
}

#[test]
fn no_debug_shows_a_token_or_its_claims() {
    let key = key(Algorithm::HS256);
    let token = key.token(&claims_with("sub", CLAIM));
    let canaries = canaries_of(key).token(&token);
    let bearer = PresentedToken::bearer(&token).unwrap();
    canaries.debug(&bearer);
    let verified = key.verifier().verify_now(&token).unwrap();
    assert_eq!(verified.sub.as_deref(), Some(CLAIM), "it is there to be found");
    canaries.debug(&verified);
    canaries.debug(verified.header());
    canaries.debug(verified.expires_at());
    canaries.debug(Some(verified.clone()));
    canaries.debug(Ok::<_, Rejection>(verified));
    canaries.debug(Accepted::new(CLAIM).with_expires_at(NumericDate::from_unix_seconds(1)));
    let with_extras = Accepted::new(CLAIM).with_request_extension(CLAIM).with_response_header(
        http::HeaderName::from_static("dpop-nonce"),
        HeaderValue::from_static(CLAIM),
    );
    canaries.debug(&with_extras);
    canaries.debug(Verification::ready(Ok(with_extras)));
    canaries.debug(Verification::ready(Ok(Accepted::new(CLAIM))));
    canaries.debug(Verification::pending(std::future::ready(Ok(Accepted::new(CLAIM)))));
    let missing = VerifiedToken::<String>::from_extensions(&http::Extensions::new()).unwrap_err();
    canaries.error(missing);
    // And not while it is on its way.
    let (head, ()) = crate::support::requests::bearer(&token).into_parts();
    canaries.debug(key.verifier().verify_token(&bearer, &head));
    canaries.debug(dangerous_any_bearer().verify_token(&bearer, &head));
}

#[test]
fn no_debug_of_a_query_shows_the_kid() {
    #[derive(Debug)]
    struct Printing(std::sync::mpsc::SyncSender<String>, VerificationKey);

    impl KeySource for Printing {
        fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
            assert_eq!(query.kid(), Some(CLAIM));
            self.0.send(format!("{query:?} {query:#?}")).unwrap();
            KeyLookup::ready(Ok(self.1.clone().into()))
        }
    }

    let (sender, printed) = std::sync::mpsc::sync_channel(1);
    let key = key(Algorithm::HS256);
    let keys = Printing(sender, key.verification_key());
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys).unwrap().with_clock(now());
    let header = json!({"alg": "HS256", "kid": CLAIM}).to_string();
    let token = key.token_of(header, claims().to_string());
    assert!(verifier.verify_now(&token).is_ok());
    canaries_of(key).token(&token).check(&printed.recv().unwrap());
}

#[test]
fn the_rest_of_the_public_types_has_nothing_to_hide() {
    let canaries = canaries_of(key(Algorithm::HS256)).octets(SECRET);
    canaries.debug(ExpectedIssuer::from(ISSUER));
    canaries.debug(ExpectedAudience::from([AUDIENCE, "other"]));
    canaries.debug(EmptyBody);
    canaries.debug(ProblemJson::new());
    let (mut head, ()) = Request::new(()).into_parts();
    head.uri = format!("/orders?access_token={CLAIM}").parse().unwrap();
    canaries.debug(RequestSummary::from(&head));
    let secret = HeaderValue::from_static(CLAIM);
    canaries.debug(Rejection::unavailable(CLAIM).with_header(AUTHORIZATION, secret));
    canaries.debug(SystemClock);
    canaries.debug(SystemClock.now());
    canaries.debug(dangerous_any_bearer());
    canaries.error(KeySourceError::new("down").with_source("the cause"));
    let inner = service_fn(async |_: Request<()>| Ok::<_, ()>(Response::new(())));
    let mut service = JwtAuthLayer::new(dangerous_any_bearer()).layer(inner);
    let token = key(Algorithm::HS256).token(&claims());
    for request in [bearer(&token), request([""; 0])] {
        let future = tower::Service::call(&mut service, request);
        Canaries::new().token(&token).debug(future);
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

#[test]
fn no_answer_shows_a_token_a_claim_or_a_key() {
    for algorithm in [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let key = key(algorithm);
        for (token, request) in refused(key) {
            let canaries = canaries_of(key).token(&token);
            for response in answers(&layer(key), &request) {
                assert!(refusal(&response).is_some(), "accepted: {request:?}");
                canaries.response(&response);
            }
        }
    }
}

#[test]
fn a_head_that_an_inner_service_prints_shows_no_token() {
    let key = key(Algorithm::HS256);
    let token = key.token(&claims_with("sub", CLAIM));
    let response = send(&layer(key), bearer(&token));
    let head = reached(&response).unwrap();
    assert!(head.headers[AUTHORIZATION].to_str().unwrap().contains(&token), "it is there");
    canaries_of(key).token(&token).debug(head);
}

#[cfg(feature = "tracing")]
mod log {
    use std::sync::{Arc, Mutex};

    use tower_jwt_auth::{FixedClock, RejectionKind};
    use tracing::field::{Field, Visit};
    use tracing::{Event, Level, Subscriber, span};
    use tracing_subscriber::layer::{Context, SubscriberExt};

    use super::*;
    use crate::support::NOW;

    #[derive(Clone, Debug)]
    struct Line {
        level: Level,
        target: String,
        fields: Vec<(&'static str, String)>,
    }

    impl Line {
        fn field(&self, name: &str) -> Option<&str> {
            self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| &**value)
        }
    }

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.fields.push((field.name(), format!("{value:?}")));
        }

        fn record_str(&mut self, field: &Field, value: &str) {
            self.fields.push((field.name(), value.to_owned()));
        }
    }

    /// Keeps everything, spans and TRACE too.
    #[derive(Clone, Default)]
    struct Capture(Arc<Mutex<Vec<Line>>>);

    impl Capture {
        fn keep(&self, metadata: &tracing::Metadata<'_>, record: impl FnOnce(&mut Line)) {
            let target = metadata.target().to_owned();
            let mut line = Line { level: *metadata.level(), target, fields: Vec::new() };
            record(&mut line);
            self.0.lock().unwrap().push(line);
        }
    }

    impl<S: Subscriber> tracing_subscriber::Layer<S> for Capture {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.keep(event.metadata(), |line| event.record(line));
        }

        fn on_new_span(&self, span: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
            self.keep(span.metadata(), |line| span.record(line));
        }
    }

    /// What is logged while this runs.
    fn logged<T>(run: impl FnOnce() -> T) -> (T, Vec<Line>) {
        let capture = Capture::default();
        let subscriber = tracing_subscriber::registry().with(capture.clone());
        let guard = crate::support::log::subscribe(subscriber);
        let result = run();
        drop(guard);
        let lines = std::mem::take(&mut *capture.0.lock().unwrap());
        (result, lines)
    }

    /// The one event of a refused request.
    fn event_of(layer: &JwtAuthLayer<Claims>, request: Request<()>) -> Line {
        let (response, lines) = logged(|| send(layer, request));
        let kind = refusal(&response).expect("refused");
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(line.level, Level::DEBUG);
        assert_eq!(line.target, "tower_jwt_auth");
        assert_eq!(line.field("reason"), Some(&*format!("{kind:?}")));
        line.clone()
    }

    #[test]
    fn one_debug_event_for_each_refused_request_and_no_canary_in_it() {
        for algorithm in [Algorithm::HS256, Algorithm::ES256] {
            let key = key(algorithm);
            for (token, request) in refused(key) {
                let canaries = canaries_of(key).token(&token);
                canaries.debug(event_of(&layer(key), request.clone()));
                // One each, in whatever form it is answered.
                let (answers, lines) = logged(|| answers(&layer(key), &request));
                assert_eq!(lines.len(), answers.len());
                canaries.debug(lines);
            }
        }
    }

    #[test]
    fn accepted_requests_and_those_that_pass_are_not_logged() {
        let key = key(Algorithm::ES256);
        let good = bearer(&key.token(&claims()));
        let (response, lines) = logged(|| send(&layer(key), good));
        assert_eq!((response.status().as_u16(), lines.len()), (204, 0));
        let (response, lines) = logged(|| send(&layer(key).optional(), request([""; 0])));
        assert_eq!((response.status().as_u16(), lines.len()), (204, 0));
        let (response, lines) = logged(|| send(&layer(key).exempt(|_| true), bearer("bad")));
        assert_eq!((response.status().as_u16(), lines.len()), (204, 0));
    }

    #[test]
    fn the_event_says_what_was_expected_and_never_what_came() {
        let key = key(Algorithm::ES256);
        let verifier = JwtVerifier::new(
            ["https://a.example", "https://b.example"],
            ["orders", "invoices"],
            key.verification_key(),
        );
        let layer = JwtAuthLayer::new(verifier.unwrap().with_claims().with_clock(now()));
        let mut foreign = claims_with("iss", CLAIM);
        let line = event_of(&layer, bearer(&key.token(&foreign)));
        assert_eq!(line.field("reason"), Some("WrongIssuer"));
        assert_eq!(line.field("expected"), Some("https://a.example or https://b.example"));

        foreign["iss"] = "https://a.example".into();
        foreign["aud"] = json!([CLAIM, AUDIENCE]);
        let line = event_of(&layer, bearer(&key.token(&foreign)));
        assert_eq!(line.field("reason"), Some("WrongAudience"));
        assert_eq!(line.field("expected"), Some("orders or invoices"));
        Canaries::new().debug(&line);
        assert!(!format!("{line:?}").contains(AUDIENCE));

        let late = FixedClock(NumericDate::from_unix_seconds(NOW + 10_000));
        let layer = JwtAuthLayer::new(key.verifier().with_claims::<Claims>().with_clock(late));
        let line = event_of(&layer, bearer(&key.token(&claims())));
        assert_eq!(line.field("reason"), Some("ExpiredToken"));
        assert_eq!(line.field("expected"), None);
    }

    #[test]
    fn an_outage_is_one_event_too_and_names_the_cause_for_the_operator() {
        #[derive(Debug)]
        struct Down;

        impl KeySource for Down {
            fn find_key(&self, _: &KeyQuery<'_>) -> KeyLookup {
                KeyLookup::ready(Err(KeySourceError::new("the vault is sealed")))
            }
        }

        let key = key(Algorithm::ES256);
        let token = key.token(&claims());
        let verifier = JwtVerifier::new(ISSUER, AUDIENCE, Down).unwrap().with_claims();
        let layer = JwtAuthLayer::new(verifier.clone());
        let line = event_of(&layer, bearer(&token));
        assert_eq!(line.field("reason"), Some("Unavailable"));
        assert_eq!(line.field("error"), Some("the vault is sealed"));
        canaries_of(key).token(&token).debug(&line);
        // The client is told nothing of it.
        for response in answers(&layer, &bearer(&token)) {
            assert_eq!(refusal(&response), Some(RejectionKind::Unavailable));
            assert!(!format!("{:?}", response.headers()).contains("vault"));
            assert!(!String::from_utf8_lossy(response.body()).contains("vault"));
        }
        // Without a request, the cause is the rejection's source.
        let rejection = verifier.verify_now(&token).map(|_| ()).unwrap_err();
        let cause = std::error::Error::source(&rejection).unwrap();
        assert_eq!(cause.to_string(), "the vault is sealed");
    }

    #[tokio::test]
    async fn a_refusal_after_a_wait_is_one_event() {
        let verify = async |_: PresentedToken| {
            tokio::task::yield_now().await;
            Err::<(), _>(Rejection::invalid_token())
        };
        let layer = JwtAuthLayer::new(verify_async_fn(verify));
        let capture = Capture::default();
        let subscriber = tracing_subscriber::registry().with(capture.clone());
        let guard = crate::support::log::subscribe(subscriber);
        let response = crate::support::requests::send_later(&layer, bearer(CLAIM)).await;
        drop(guard);
        assert_eq!(refusal(&response), Some(RejectionKind::InvalidToken));
        let lines = capture.0.lock().unwrap();
        let ours: Vec<_> = lines.iter().filter(|line| line.target == "tower_jwt_auth").collect();
        assert_eq!(ours.len(), 1);
        Canaries::new().debug(&ours);
    }
}
