//! Custom verifiers beside, inside and outside of the decorator: none of them makes a bound token a bearer token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use http::Request;
use http::request::Parts;
use tower_jwt_auth::{
    Accepted, Algorithm, Confirmation, DenyList, JwtAuthLayer, JwtVerifier, MemoryRevocationStore,
    PresentedToken, RegisteredClaims, Rejection, RejectionKind, SenderConstrained, TokenKinds,
    TokenScheme, Verification, VerifyToken,
};

use super::{answer, bound, by_certificate, certificate, over, unbound, x5t};
use crate::support::requests::{bearer, refusal, send, send_later};
use crate::support::{key, now};

use RejectionKind::*;

fn verifier() -> JwtVerifier {
    key(Algorithm::HS256).verifier()
}

/// A custom verifier of opaque tokens, which are all bound to the client's certificate.
#[derive(Clone)]
struct Opaque {
    waits: bool,
    schemes: &'static [TokenScheme],
}

const OPAQUE: Opaque = Opaque { waits: false, schemes: &[TokenScheme::Bearer] };

impl VerifyToken<RegisteredClaims> for Opaque {
    fn verify_token(&self, token: &PresentedToken, _: &Parts) -> Verification<RegisteredClaims> {
        assert!(self.schemes.contains(&token.scheme()), "called with another scheme");
        let confirmation = Confirmation::from_json(&x5t().to_string()).unwrap();
        let accepted = Accepted::new(RegisteredClaims::default()).with_confirmation(confirmation);
        match self.waits {
            true => Verification::pending(async { Ok(accepted) }),
            false => Verification::ready(Ok(accepted)),
        }
    }

    fn schemes(&self) -> &[TokenScheme] {
        self.schemes
    }
}

#[tokio::test]
async fn binding_that_nobody_has_checked_is_refused_by_the_layer() {
    for waits in [false, true] {
        let opaque = Opaque { waits, ..OPAQUE };
        let beside = TokenKinds::new().with_jwt(by_certificate(verifier()));
        let all: [Arc<dyn VerifyToken<RegisteredClaims>>; 4] = [
            Arc::new(opaque.clone()),
            Arc::new(beside.with_otherwise(opaque.clone())),
            Arc::new(opaque.clone().with_check(async |_, _| Ok(()))),
            Arc::new(opaque.clone().map_claims(RegisteredClaims::clone)),
        ];
        for verifier in all {
            let layer = JwtAuthLayer::new(verifier);
            let with_cookie = layer.clone().remove_credential();
            for layer in [layer.clone(), layer.optional(), with_cookie] {
                for request in [bearer("opaque"), over(&certificate(), "opaque")] {
                    let response = send_later(&layer, request).await;
                    assert_eq!(refusal(&response), Some(UnconfirmedSender));
                }
            }
        }
        let layer = JwtAuthLayer::new(by_certificate(opaque));
        assert_eq!(refusal(&send_later(&layer, over(&certificate(), "opaque")).await), None);
        let response = send_later(&layer, bearer("opaque")).await;
        assert_eq!(refusal(&response), Some(UnconfirmedSender));
    }
}

#[test]
fn binding_that_nobody_has_checked_is_refused_without_a_layer() {
    let head = over(&certificate(), "opaque").into_parts().0;
    let checked = OPAQUE.with_check(async |_, _| Ok(()));
    let refused = checked.verify("opaque", &head).now_or_never().unwrap().unwrap_err();
    assert_eq!(refused.kind(), UnconfirmedSender);
    let checked = by_certificate(OPAQUE).with_check(async |_, _| Ok(()));
    assert!(checked.verify("opaque", &head).now_or_never().unwrap().is_ok());
    let store = MemoryRevocationStore::new(10).unwrap().with_clock(now());
    let listed = DenyList::new(Bound(verifier()), store).dangerous_allow_missing_jti();
    let refused = listed.verify(&unbound(), &head).now_or_never().unwrap().unwrap_err();
    assert_eq!(refused.kind(), UnconfirmedSender);
}

/// Binds each token to the client's certificate.
struct Bound(JwtVerifier);

impl VerifyToken<RegisteredClaims> for Bound {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
        self.0.verify_token(token, head).map(|accepted| {
            accepted.with_confirmation(Confirmation::from_json(&x5t().to_string()).unwrap())
        })
    }
}

/// Adds another binding to what the decorator has confirmed.
struct Rebound(SenderConstrained);

impl VerifyToken<RegisteredClaims> for Rebound {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
        self.0.verify_token(token, head).map(|accepted| {
            accepted.with_confirmation(Confirmation::from_json(&x5t().to_string()).unwrap())
        })
    }
}

/// Accepts what it has accepted before, for any request.
struct Again(SenderConstrained, Mutex<Option<Accepted<RegisteredClaims>>>);

impl VerifyToken<RegisteredClaims> for Again {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
        if let Some(accepted) = &*self.1.lock().unwrap() {
            return Verification::ready(Ok(accepted.clone()));
        }
        let accepted = self.0.verify_token(token, head).now_or_never().unwrap();
        if let Ok(accepted) = &accepted {
            *self.1.lock().unwrap() = Some(accepted.clone());
        }
        Verification::ready(accepted)
    }
}

#[test]
fn confirmed_sender_counts_for_one_request_and_one_binding() {
    let response = answer(Rebound(by_certificate(verifier())), over(&certificate(), &bound(x5t())));
    assert_eq!(refusal(&response), Some(UnconfirmedSender));
    let layer = JwtAuthLayer::new(Again(by_certificate(verifier()), Mutex::default()));
    assert_eq!(refusal(&send(&layer, over(&certificate(), &bound(x5t())))), None);
    assert_eq!(refusal(&send(&layer, bearer(&bound(x5t())))), Some(UnconfirmedSender));
}

/// Keeps the claims by the text of the token.
struct Caching(JwtVerifier, Mutex<HashMap<String, RegisteredClaims>>);

impl VerifyToken<RegisteredClaims> for Caching {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
        if let Some(claims) = self.1.lock().unwrap().get(token.as_str()) {
            return Verification::ready(Ok(Accepted::new(claims.clone())));
        }
        let accepted = self.0.verify_token(token, head).now_or_never().unwrap();
        if let Ok(accepted) = &accepted {
            let claims = accepted.token().claims().clone();
            self.1.lock().unwrap().insert(token.as_str().to_owned(), claims);
        }
        Verification::ready(accepted)
    }
}

#[test]
fn custom_verifier_that_caches_claims_accepts_no_bound_token() {
    let layer = JwtAuthLayer::new(by_certificate(Caching(verifier(), Mutex::default())));
    let (bound, unbound) = (bound(x5t()), unbound());
    for _ in 0..3 {
        for request in [over(&certificate(), &bound), bearer(&bound)] {
            assert_eq!(refusal(&send(&layer, request)), Some(UnconfirmedSender));
        }
        assert_eq!(refusal(&send(&layer, bearer(&unbound))), None);
    }
}

/// Keeps the token of its last call.
#[derive(Clone)]
struct Keeping(JwtVerifier, Arc<Mutex<Option<PresentedToken>>>);

impl VerifyToken<RegisteredClaims> for Keeping {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
        *self.1.lock().unwrap() = Some(token.clone());
        self.0.verify_token(token, head)
    }
}

#[test]
fn token_that_a_custom_verifier_keeps_permits_nothing() {
    let keeping = Keeping(verifier(), Arc::default());
    let _ = answer(by_certificate(keeping.clone()), over(&certificate(), &bound(x5t())));
    let kept = keeping.1.lock().unwrap().clone().unwrap();
    let head = Request::new(()).into_parts().0;
    let refused = verifier().verify_token(&kept, &head).now_or_never().unwrap().unwrap_err();
    assert_eq!(refused.kind(), UnconfirmedSender);
}

#[test]
fn decorator_inside_of_another_one_refuses_bound_tokens() {
    let twice = || by_certificate(by_certificate(verifier()));
    let response = answer(twice(), over(&certificate(), &bound(x5t())));
    assert_eq!(refusal(&response), Some(UnconfirmedSender));
    let challenge = crate::support::requests::challenge(&response).unwrap();
    assert!(challenge.contains("more than one SenderConstrained"), "{challenge}");
    assert_eq!(refusal(&answer(twice(), bearer(&unbound()))), None);
    let required = by_certificate(by_certificate(verifier()).required());
    assert_eq!(refusal(&answer(required, bearer(&unbound()))), Some(UnboundToken));
}

#[cfg(feature = "dpop")]
#[test]
fn decorators_of_two_kinds_inside_of_each_other_refuse_bound_tokens() {
    use super::proofs::{by_dpop, jkt, proven};

    let certificates = tower_jwt_auth::ClientCertificates::from_extensions;
    let nested: [fn() -> SenderConstrained; 3] = [
        || by_certificate(by_dpop(verifier())),
        || by_dpop(by_certificate(verifier())),
        || by_dpop(by_dpop(verifier())),
    ];
    for nested in nested {
        for request in [proven(&bound(jkt())), over(&certificate(), &bound(x5t()))] {
            assert!(refusal(&answer(nested(), request)).is_some());
        }
        assert_eq!(refusal(&answer(nested(), bearer(&unbound()))), None);
    }
    // Both in one.
    let both = || by_dpop(verifier()).with_client_certificates(certificates());
    for request in [proven(&bound(jkt())), over(&certificate(), &bound(x5t()))] {
        assert_eq!(refusal(&answer(both(), request)), None);
    }
}

#[cfg(feature = "dpop")]
mod schemes {
    use http::header::AUTHORIZATION;
    use tower_jwt_auth::RegisteredClaims;

    use super::super::proofs::{by_dpop, jkt, proven};
    use super::*;

    const DPOP: &[TokenScheme] = &[TokenScheme::DPoP];
    const BOTH: &[TokenScheme] = &[TokenScheme::Bearer, TokenScheme::DPoP];

    /// Accepts every token of these schemes, and is called with no other one.
    struct Any(&'static [TokenScheme]);

    impl VerifyToken<RegisteredClaims> for Any {
        fn verify_token(
            &self,
            token: &PresentedToken,
            _: &Parts,
        ) -> Verification<RegisteredClaims> {
            assert!(self.0.contains(&token.scheme()), "called with another scheme");
            let jkt = Confirmation::from_json(&jkt().to_string()).unwrap();
            let accepted = Accepted::new(RegisteredClaims::default());
            Verification::ready(Ok(match token.scheme() {
                TokenScheme::DPoP => accepted.with_confirmation(jkt),
                _ => accepted,
            }))
        }

        fn schemes(&self) -> &[TokenScheme] {
            self.0
        }
    }

    fn dpop(token: &str) -> Request<()> {
        proven(token)
    }

    #[test]
    fn custom_verifier_gets_only_tokens_of_its_schemes_under_the_decorator() {
        let kinds = |any| TokenKinds::new().with_jwt(verifier()).with_otherwise(any);
        for (schemes, of_bearer, of_dpop) in [
            (DPOP, Some(UnsupportedScheme), None),
            (BOTH, None, None),
            (&BOTH[..1], None, Some(InvalidToken)),
        ] {
            let decorated = by_dpop(Any(schemes));
            let expected: Vec<_> = BOTH
                .iter()
                .filter(|it| schemes.contains(it) || **it == TokenScheme::DPoP)
                .collect();
            assert_eq!(VerifyToken::schemes(&decorated).iter().collect::<Vec<_>>(), expected);
            assert_eq!(refusal(&answer(decorated.clone(), bearer("opaque"))), of_bearer);
            assert_eq!(refusal(&answer(decorated, dpop("opaque"))), of_dpop);

            // The other kind accepts both.
            let of_bearer = of_bearer.map(|_| InvalidToken);
            let decorated = by_dpop(kinds(Any(schemes)));
            assert_eq!(VerifyToken::schemes(&decorated), BOTH);
            assert_eq!(refusal(&answer(decorated.clone(), bearer("opaque"))), of_bearer);
            assert_eq!(refusal(&answer(decorated.clone(), dpop("opaque"))), of_dpop);
            assert_eq!(refusal(&answer(decorated.clone(), proven(&bound(jkt())))), None);
            assert_eq!(refusal(&answer(decorated, bearer(&unbound()))), None);
        }
    }

    /// A wrapper that forgets the schemes of what it wraps.
    struct Forgets(SenderConstrained);

    impl VerifyToken<RegisteredClaims> for Forgets {
        fn verify_token(
            &self,
            token: &PresentedToken,
            head: &Parts,
        ) -> Verification<RegisteredClaims> {
            self.0.verify_token(token, head)
        }
    }

    #[test]
    fn decorator_refuses_bearer_tokens_that_its_verifier_does_not_accept() {
        let response = answer(Forgets(by_dpop(Any(DPOP))), bearer("opaque"));
        assert_eq!(refusal(&response), Some(InvalidToken));
    }

    #[test]
    fn verifier_without_schemes_refuses_all_with_a_challenge_for_bearer_tokens() {
        let all = [Request::new(()), bearer("opaque"), dpop("opaque")];
        for request in all {
            let has_credentials = request.headers().contains_key(AUTHORIZATION);
            let response = answer(Any(&[]), request);
            let expected = if has_credentials { UnsupportedScheme } else { MissingCredentials };
            assert_eq!(refusal(&response), Some(expected));
            let challenge = crate::support::requests::challenge(&response).unwrap();
            assert_eq!(challenge, r#"Bearer realm="api""#);
        }
        let nothing = by_certificate(Any(DPOP));
        assert_eq!(VerifyToken::schemes(&nothing), []);
    }
}

/// A wrapper that passes on the deferred check, as the documentation says.
struct Passing<V>(V);

impl<V: VerifyToken<RegisteredClaims>> VerifyToken<RegisteredClaims> for Passing<V> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
        self.0.verify_token(token, head).and_then(alice)
    }

    fn verify_unconfirmed(
        &self,
        token: &tower_jwt_auth::UnconfirmedToken<'_>,
        head: &Parts,
    ) -> Verification<RegisteredClaims> {
        self.0.verify_unconfirmed(token, head).and_then(alice)
    }
}

fn alice(accepted: Accepted<RegisteredClaims>) -> Result<Accepted<RegisteredClaims>, Rejection> {
    match accepted.token().sub.as_deref() {
        Some("alice") => Ok(accepted),
        _ => Err(Rejection::invalid_token()),
    }
}

#[test]
fn custom_verifier_can_pass_the_deferred_check_on() {
    let layer = JwtAuthLayer::new(by_certificate(Passing(Passing(verifier()))));
    let token = bound(x5t());
    assert_eq!(refusal(&send(&layer, over(&certificate(), &token))), None);
    assert_eq!(refusal(&send(&layer, bearer(&token))), Some(UnconfirmedSender));
    assert_eq!(refusal(&send(&layer, bearer(&unbound()))), None);
    let layer = JwtAuthLayer::new(Passing(verifier()));
    assert_eq!(refusal(&send(&layer, over(&certificate(), &token))), Some(UnconfirmedSender));
}

#[test]
fn one_time_token_can_be_bound() {
    use tower_jwt_auth::{MemoryReplayStore, OneTimeTokens};

    let mut claims = crate::support::claims_with("cnf", x5t());
    claims["jti"] = "1".into();
    let token = key(Algorithm::HS256).token(&claims);
    let once = || OneTimeTokens::new(verifier(), MemoryReplayStore::new().with_clock(now()));
    let layer = JwtAuthLayer::new(by_certificate(once()));
    assert_eq!(refusal(&send(&layer, over(&certificate(), &token))), None);
    assert_eq!(refusal(&send(&layer, over(&certificate(), &token))), Some(UsedToken));
    let layer = JwtAuthLayer::new(once());
    assert_eq!(refusal(&send(&layer, over(&certificate(), &token))), Some(UnconfirmedSender));
}
