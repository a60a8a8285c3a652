//! What `Debug` and `Display` of the public types show.

use std::fmt::Debug;

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use serde_json::json;
use tower::{Layer, service_fn};
use tower_jwt_auth::{
    Accepted, Algorithm, Clock, ConfigError, EmptyBody, ExpectedAudience, ExpectedIssuer, JwkSet,
    JwtAuthLayer, JwtVerifier, KeyCandidates, KeyLookup, KeyQuery, KeySource, KeySourceError,
    NumericDate, PresentedToken, ProblemJson, Rejection, RequestSummary, SystemClock, Verification,
    VerificationKey, VerifiedToken, VerifyToken, dangerous_any_bearer, verify_async_fn, verify_fn,
};

use super::{CLAIM, Canaries, SECRET, canaries_of};
use crate::support::requests::{bearer, request};
use crate::support::{AUDIENCE, ISSUER, b64, claims, claims_with, key, now, pem, supported};

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
    let canaries = Canaries::new().bytes(SECRET);
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
    let secret = Canaries::new().bytes(SECRET);
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
    let canaries = canaries_of(key(Algorithm::HS256)).bytes(SECRET);
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
