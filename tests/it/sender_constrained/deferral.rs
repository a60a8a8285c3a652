//! A verifier accepts a bound token only for a caller that checks the binding.

use std::sync::Arc;

use futures_util::FutureExt;
use http::request::Parts;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Accepted, Algorithm, IssuerSet, JwkSet, JwtAuthLayer, JwtVerifier, KeyLookup, KeyQuery,
    KeySource, KeyStatus, PresentedToken, RegisteredClaims, Rejection, RejectionKind, TokenKinds,
    UnconfirmedToken, Verification, VerifiedToken, VerifyToken,
};

use super::{answer, bound, by_certificate, certificate, over, unbound, x5t};
use crate::support::requests::{bearer, reached, refusal, send, send_later};
use crate::support::{AUDIENCE, ISSUER, key, now};

use RejectionKind::*;

type Shared = Arc<dyn VerifyToken<RegisteredClaims>>;

fn verifier() -> JwtVerifier {
    let verifier = key(Algorithm::HS256).verifier();
    #[cfg(feature = "token-cache")]
    let verifier = verifier.with_token_cache(10).unwrap();
    verifier
}

fn issuers() -> IssuerSet {
    let issuers = IssuerSet::new();
    #[cfg(feature = "token-cache")]
    let issuers = issuers.with_token_cache(10).unwrap();
    issuers.add(verifier()).unwrap();
    issuers
}

/// A verifier of one issuer and one of a set, both with a cache if there is one.
fn both() -> [Shared; 2] {
    [Arc::new(verifier()), Arc::new(issuers())]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Caller {
    Layer,
    Decorator,
}

#[test]
fn bound_token_is_accepted_only_under_the_decorator_in_every_order() {
    use Caller::*;

    for order in [[Layer, Decorator, Layer], [Decorator, Layer, Decorator]] {
        for verifier in both() {
            let token = bound(x5t());
            for caller in order {
                let (response, expected) = match caller {
                    Layer => {
                        (answer(Arc::clone(&verifier), bearer(&token)), Some(UnconfirmedSender))
                    }
                    Decorator => {
                        let decorated = by_certificate(Arc::clone(&verifier));
                        (answer(decorated, over(&certificate(), &token)), None)
                    }
                };
                assert_eq!(refusal(&response), expected, "{order:?}: {caller:?}");
            }
        }
    }
}

#[test]
fn bound_token_from_the_cache_is_compared_with_each_request() {
    let other = tower_jwt_auth::ClientCertificate::from_der("another");
    for verifier in both() {
        let (layer, token) = (JwtAuthLayer::new(by_certificate(verifier)), bound(x5t()));
        for _ in 0..3 {
            assert_eq!(refusal(&send(&layer, over(&certificate(), &token))), None);
            assert_eq!(refusal(&send(&layer, over(&other, &token))), Some(UnconfirmedSender));
            assert_eq!(refusal(&send(&layer, bearer(&token))), Some(UnconfirmedSender));
        }
    }
}

#[test]
fn bound_token_without_a_request_is_refused_after_the_decorator_accepted_it() {
    let (verifier, issuers) = (verifier(), issuers());
    let token = bound(x5t());
    let kind = |result: Result<VerifiedToken, Rejection>| result.map(drop).map_err(|it| it.kind());
    for _ in 0..2 {
        for decorated in [by_certificate(verifier.clone()), by_certificate(issuers.clone())] {
            assert_eq!(refusal(&answer(decorated, over(&certificate(), &token))), None);
        }
        assert_eq!(kind(verifier.verify_now(&token)), Err(UnconfirmedSender));
        let verified = issuers.verify(&token).now_or_never().unwrap();
        assert_eq!(kind(verified), Err(UnconfirmedSender));
    }
}

#[test]
fn binding_that_a_verifier_ignores_is_checked_under_the_decorator_in_every_order() {
    use Caller::*;

    for order in [[Layer, Decorator, Layer], [Decorator, Layer, Decorator]] {
        let ignoring = verifier().dangerous_ignore_confirmation();
        let issuers = IssuerSet::new();
        #[cfg(feature = "token-cache")]
        let issuers = issuers.with_token_cache(10).unwrap();
        issuers.add(ignoring.clone()).unwrap();
        let all: [Shared; 2] = [Arc::new(ignoring), Arc::new(issuers)];
        for verifier in all {
            let token = bound(x5t());
            for caller in order {
                let (response, expected) = match caller {
                    Layer => (answer(Arc::clone(&verifier), bearer(&token)), None),
                    Decorator => {
                        let decorated = by_certificate(Arc::clone(&verifier));
                        (answer(decorated, bearer(&token)), Some(UnconfirmedSender))
                    }
                };
                assert_eq!(refusal(&response), expected, "{order:?}: {caller:?}");
                if expected.is_none() {
                    let token: &VerifiedToken =
                        VerifiedToken::from_extensions(&reached(&response).unwrap().extensions)
                            .unwrap();
                    assert!(VerifiedToken::confirmation(token).is_none(), "it is ignored");
                }
            }
        }
    }
}

#[test]
fn handler_sees_to_what_the_token_is_bound() {
    let response = answer(by_certificate(verifier()), over(&certificate(), &bound(x5t())));
    let extensions = &reached(&response).unwrap().extensions;
    let token: &VerifiedToken = VerifiedToken::from_extensions(extensions).unwrap();
    let confirmation = VerifiedToken::confirmation(token).unwrap();
    assert_eq!(confirmation.x5t_s256(), Some(certificate().x5t_s256()));
    assert_eq!(confirmation.jkt(), None);
}

/// A source whose keys come later.
#[derive(Debug)]
struct Later(JwkSet);

impl KeySource for Later {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        let found = self.0.find_key(query);
        KeyLookup::pending(async move {
            tokio::task::yield_now().await;
            found.wait().await
        })
    }

    fn status(&self) -> KeyStatus {
        KeyStatus::new(true)
    }
}

#[tokio::test]
async fn binding_is_checked_after_the_keys_were_fetched() {
    let later = || {
        let keys = Later(JwkSet::from_keys([key(Algorithm::HS256).verification_key()]).unwrap());
        JwtVerifier::new(ISSUER, AUDIENCE, keys).unwrap().with_clock(now())
    };
    let issuers = IssuerSet::new();
    issuers.add(later()).unwrap();
    let both: [Shared; 2] = [Arc::new(later()), Arc::new(issuers)];
    for verifier in both {
        let plain = JwtAuthLayer::new(Arc::clone(&verifier));
        let layer = JwtAuthLayer::new(by_certificate(verifier));
        let token = bound(x5t());
        let response = send_later(&plain, over(&certificate(), &token)).await;
        assert_eq!(refusal(&response), Some(UnconfirmedSender));
        assert_eq!(refusal(&send_later(&layer, over(&certificate(), &token)).await), None);
        assert_eq!(refusal(&send_later(&layer, bearer(&token)).await), Some(UnconfirmedSender));
        assert_eq!(refusal(&send_later(&layer, bearer(&unbound())).await), None);
    }
}

#[test]
fn confirmation_of_the_wrong_form_is_a_malformed_claim() {
    for cnf in [
        json!({}),
        json!(null),
        json!("x"),
        json!([]),
        json!({"jkt": 7}),
        json!({"x5t#S256": "short"}),
    ] {
        for verifier in both() {
            let response =
                answer(by_certificate(verifier), over(&certificate(), &bound(cnf.clone())));
            assert_eq!(refusal(&response), Some(MalformedClaims), "{cnf}");
        }
    }
}

#[test]
fn several_keys_or_an_unknown_method_confirm_nobody() {
    let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    let x5t = certificate().x5t_s256().to_owned();
    for cnf in [
        json!({"jkt": jkt, "x5t#S256": x5t}),
        json!({"x5t#S256": x5t, "kid": "1"}),
        json!({"kid": "1"}),
        json!({"jwk": {"kty": "EC"}}),
        json!({"unknown": 1}),
        json!({"x5t": x5t}),
        // Not configured.
        json!({"jkt": jkt}),
    ] {
        let response =
            answer(by_certificate(verifier()), over(&certificate(), &bound(cnf.clone())));
        assert_eq!(refusal(&response), Some(UnconfirmedSender), "{cnf}");
    }
    let with_unknown = json!({"x5t#S256": x5t, "unknown": 1});
    let response = answer(by_certificate(verifier()), over(&certificate(), &bound(with_unknown)));
    assert_eq!(refusal(&response), None);
}

/// A custom verifier that makes a new result of the claims, without the binding.
struct Forgetful(Shared);

impl VerifyToken<RegisteredClaims> for Forgetful {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
        forget(self.0.verify_token(token, head))
    }

    fn verify_unconfirmed(
        &self,
        token: &UnconfirmedToken<'_>,
        head: &Parts,
    ) -> Verification<RegisteredClaims> {
        forget(self.0.verify_unconfirmed(token, head))
    }
}

fn forget(verification: Verification<RegisteredClaims>) -> Verification<RegisteredClaims> {
    verification.map(|accepted| Accepted::new(accepted.token().claims().clone()))
}

#[test]
fn bound_token_is_refused_if_a_custom_verifier_loses_the_binding() {
    for verifier in both() {
        let layer = JwtAuthLayer::new(by_certificate(Forgetful(Arc::clone(&verifier))));
        let plain = JwtAuthLayer::new(Forgetful(verifier));
        let (bound, unbound) = (bound(x5t()), unbound());
        // Also when the token is in a cache.
        for _ in 0..3 {
            for response in [
                send(&layer, bearer(&bound)),
                send(&layer, over(&certificate(), &bound)),
                send(&plain, bearer(&bound)),
            ] {
                assert_eq!(refusal(&response), Some(UnconfirmedSender));
            }
            assert_eq!(refusal(&send(&layer, bearer(&unbound))), None);
        }
    }
}

#[tokio::test]
async fn decorator_composes_with_kinds_checks_and_conversions_inside_and_outside() {
    fn kinds(jwt: impl VerifyToken<RegisteredClaims>) -> TokenKinds {
        TokenKinds::new().with_jwt(jwt)
    }
    fn checked(inner: impl VerifyToken<RegisteredClaims>) -> impl VerifyToken<RegisteredClaims> {
        inner.with_check(async |token: VerifiedToken, _| match token.sub.as_deref() {
            Some("alice") => Ok(()),
            _ => Err(Rejection::invalid_token()),
        })
    }
    fn mapped(inner: impl VerifyToken<RegisteredClaims>) -> impl VerifyToken<RegisteredClaims> {
        inner.map_claims(RegisteredClaims::clone)
    }

    let all: Vec<Shared> = vec![
        Arc::new(by_certificate(kinds(verifier()))),
        Arc::new(kinds(by_certificate(verifier()))),
        Arc::new(by_certificate(checked(issuers()))),
        Arc::new(checked(by_certificate(issuers()))),
        Arc::new(by_certificate(mapped(verifier()))),
        Arc::new(mapped(by_certificate(verifier()))),
        Arc::new(checked(kinds(mapped(by_certificate(checked(kinds(mapped(issuers())))))))),
    ];
    for (at, verifier) in all.into_iter().enumerate() {
        let layer = JwtAuthLayer::new(verifier);
        let token = bound(x5t());
        for _ in 0..2 {
            let response = send_later(&layer, over(&certificate(), &token)).await;
            assert_eq!(refusal(&response), None, "{at}");
            let response = send_later(&layer, bearer(&token)).await;
            assert_eq!(refusal(&response), Some(UnconfirmedSender), "{at}");
            assert_eq!(refusal(&send_later(&layer, bearer(&unbound())).await), None, "{at}");
        }
    }
}

#[test]
fn plain_token_is_the_same_with_and_without_the_decorator() {
    let claims = |verifier: Shared| {
        let response = answer(verifier, bearer(&unbound()));
        let extensions = &reached(&response).unwrap().extensions;
        let token: &VerifiedToken = VerifiedToken::from_extensions(extensions).unwrap();
        assert!(VerifiedToken::confirmation(token).is_none());
        serde_json::to_value(token.claims()).unwrap()
    };
    for verifier in both() {
        let plain: Value = claims(Arc::clone(&verifier));
        assert_eq!(claims(Arc::new(by_certificate(verifier))), plain);
    }
}
