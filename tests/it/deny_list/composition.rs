//! The deny-list inside and outside of other verifiers, and in front of a cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tower_jwt_auth::{
    ClientCertificate, ClientCertificates, DenyList, IssuerSet, JwtAuthLayer, MemoryReplayStore,
    OneTimeTokens, RegisteredClaims, Rejection, RejectionKind, Revocation, SenderConstrained,
    TokenKinds, VerifyToken,
};

use super::{HOUR, named, store, token_of, verifier};
use crate::support::requests::{bearer, refusal, send, send_later};
use crate::support::{ISSUER, now};

#[tokio::test]
async fn deny_list_is_a_verifier_inside_and_outside_of_others() {
    let store = store();
    store.revoke(&Revocation::token(ISSUER, "stolen"), HOUR).unwrap();
    let issuers = IssuerSet::new();
    issuers.add(verifier()).unwrap();
    let allow = async |_, _| Ok::<_, Rejection>(());
    let layers = [
        JwtAuthLayer::new(DenyList::new(issuers, store.clone())),
        JwtAuthLayer::new(DenyList::new(verifier().with_check(allow), store.clone())),
        JwtAuthLayer::new(DenyList::new(verifier(), store.clone()).with_check(allow)),
        JwtAuthLayer::new(TokenKinds::new().with_jwt(DenyList::new(verifier(), store.clone()))),
        JwtAuthLayer::new(DenyList::new(TokenKinds::new().with_jwt(verifier()), store.clone())),
        JwtAuthLayer::new(DenyList::new(verifier().map_claims(Clone::clone), store.clone())),
        JwtAuthLayer::new(DenyList::new(verifier(), store.clone()).map_claims(Clone::clone)),
        JwtAuthLayer::new(Arc::new(DenyList::new(verifier(), Arc::new(store)).clone())),
    ];
    for layer in layers {
        let response = send_later(&layer, bearer(&token_of(&named("stolen")))).await;
        assert_eq!(refusal(&response), Some(RejectionKind::RevokedToken), "{layer:?}");
        let response = send_later(&layer, bearer(&token_of(&named("1")))).await;
        assert_eq!(response.status(), 204, "{layer:?}");
    }
}

#[tokio::test]
async fn later_check_does_not_see_a_revoked_token() {
    let store = store();
    store.revoke(&Revocation::token(ISSUER, "stolen"), HOUR).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let checked = DenyList::new(verifier(), store).with_check(async move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Rejection>(())
    });
    let layer = JwtAuthLayer::new(checked);
    for id in ["stolen", "1", "stolen"] {
        send_later(&layer, bearer(&token_of(&named(id)))).await;
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[cfg(feature = "token-cache")]
#[test]
fn token_from_a_cache_is_looked_up_again_without_being_decoded_again() {
    use tower_jwt_auth::Revoked;

    use super::Asked;

    let issuers = IssuerSet::new().with_token_cache(10).unwrap();
    issuers.add(verifier()).unwrap();
    let cached = verifier().with_token_cache(10).unwrap();
    let asked = Asked::new(Revoked::No);
    for layer in [
        JwtAuthLayer::new(DenyList::new(cached, asked.clone())),
        JwtAuthLayer::new(DenyList::new(issuers, asked.clone())),
    ] {
        asked.queries.lock().unwrap().clear();
        let token = token_of(&named("1"));
        for _ in 0..3 {
            assert_eq!(send(&layer, bearer(&token)).status(), 204);
        }
        let queries = asked.queries();
        assert_eq!(queries.len(), 3);
        // The texts are those of the cached token.
        assert_eq!(queries[1].address, queries[0].address);
        assert_eq!(queries[2].address, queries[0].address);
    }
}

#[cfg(feature = "token-cache")]
#[test]
fn token_in_a_cache_is_refused_as_soon_as_it_is_revoked() {
    let store = store();
    let cached = verifier().with_token_cache(10).unwrap();
    let layer = JwtAuthLayer::new(DenyList::new(cached, store.clone()));
    let token = token_of(&named("1"));
    for _ in 0..2 {
        assert_eq!(send(&layer, bearer(&token)).status(), 204);
    }
    store.revoke(&Revocation::token(ISSUER, "1"), HOUR).unwrap();
    for _ in 0..2 {
        let response = send(&layer, bearer(&token));
        assert_eq!(refusal(&response), Some(RejectionKind::RevokedToken));
    }
    store.restore(&Revocation::token(ISSUER, "1"));
    assert_eq!(send(&layer, bearer(&token)).status(), 204);
}

#[test]
fn bound_token_is_looked_up_inside_and_outside_of_what_checks_its_binding() {
    let certificate = ClientCertificate::from_der(b"the certificate of the client");
    let bound = |id: &str| {
        let mut claims = named(id);
        claims["cnf"] = json!({"x5t#S256": certificate.x5t_s256()});
        token_of(&claims)
    };
    let by_certificate = |verifier: Arc<dyn VerifyToken<RegisteredClaims>>| {
        SenderConstrained::client_certificates(verifier, ClientCertificates::from_extensions())
    };
    let (revoked, uses) = (store(), MemoryReplayStore::new().with_clock(now()));
    revoked.revoke(&Revocation::token(ISSUER, "stolen"), HOUR).unwrap();
    let issuers = IssuerSet::new();
    #[cfg(feature = "token-cache")]
    let issuers = issuers.with_token_cache(10).unwrap();
    issuers.add(verifier()).unwrap();
    let inside = by_certificate(Arc::new(DenyList::new(issuers.clone(), revoked.clone())));
    let outside = DenyList::new(by_certificate(Arc::new(issuers)), revoked);
    for (id, layer) in [
        ("1", JwtAuthLayer::new(OneTimeTokens::new(inside, uses.clone()))),
        ("2", JwtAuthLayer::new(OneTimeTokens::new(outside, uses.clone()))),
    ] {
        let answer = |token: &str, is_over_the_certificate: bool| {
            let mut request = bearer(token);
            if is_over_the_certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            refusal(&send(&layer, request))
        };
        assert_eq!(answer(&bound("stolen"), true), Some(RejectionKind::RevokedToken));
        // Not used up by somebody without the certificate.
        for _ in 0..2 {
            assert_eq!(answer(&bound(id), false), Some(RejectionKind::UnconfirmedSender));
        }
        assert_eq!(answer(&bound(id), true), None);
        assert_eq!(answer(&bound(id), true), Some(RejectionKind::UsedToken));
    }
    assert_eq!(uses.len(), 2);
}
