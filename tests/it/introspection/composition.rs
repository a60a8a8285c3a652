//! Introspection together with other verifiers, checks, rules and layers.

use http::Response;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::test_util::TestIssuer;
use tower_jwt_auth::{
    AuthorizeLayer, ClaimHeadersLayer, DenyList, JwtAuthLayer, MemoryReplayStore,
    MemoryRevocationStore, OneTimeTokens, PresentedToken, RegisteredClaims, Rejection,
    RejectionKind, RequestSummary, Revocation, RevokeErrorKind, Rule, TokenKinds, VerifiedToken,
    VerifyToken,
};

use super::{Endpoint, active_with, secs};
use crate::support::requests::{bearer, reached, refusal, send_later};
use crate::support::{ISSUER, NOW, now};

#[tokio::test]
async fn jwts_are_verified_here_and_opaque_tokens_at_the_endpoint() {
    let (endpoint, issuer) = (Endpoint::usual(), TestIssuer::new());
    let kinds = TokenKinds::new().with_jwt(issuer.verifier()).with_otherwise(endpoint.verifier());
    let layer = JwtAuthLayer::new(kinds);
    let jwt = issuer.token().build();
    assert!(reached(&send_later(&layer, bearer(&jwt)).await).is_some());
    assert_eq!(endpoint.count(), 0);
    assert!(reached(&send_later(&layer, bearer("good")).await).is_some());
    let response = send_later(&layer, bearer("bad")).await;
    assert_eq!(refusal(&response), Some(RejectionKind::InactiveToken));
    // A JWT that its verifier refuses is not tried at the endpoint.
    let response = send_later(&layer, bearer(&issuer.token().expired().build())).await;
    assert_eq!(refusal(&response), Some(RejectionKind::ExpiredToken));
    assert_eq!(endpoint.count(), 2);
}

#[tokio::test]
async fn check_runs_for_each_request_also_for_a_token_from_the_cache() {
    async fn refuse_writes(
        _: VerifiedToken<RegisteredClaims>,
        request: RequestSummary,
    ) -> Result<(), Rejection> {
        match request.method() == http::Method::POST {
            true => Err(Rejection::invalid_token()),
            false => Ok(()),
        }
    }
    let endpoint = Endpoint::usual();
    let layer = JwtAuthLayer::new(endpoint.verifier().with_check(refuse_writes));
    assert!(reached(&send_later(&layer, bearer("good")).await).is_some());
    let mut request = bearer("good");
    *request.method_mut() = http::Method::POST;
    let response = send_later(&layer, request).await;
    assert_eq!(refusal(&response), Some(RejectionKind::InvalidToken));
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test]
async fn authorization_and_claim_headers_read_the_answer() {
    let auth = JwtAuthLayer::new(Endpoint::usual().verifier());
    let headers = ClaimHeadersLayer::<RegisteredClaims>::new()
        .with_header("x-user", |token| token.sub.clone())
        .unwrap()
        .with_header("x-scope", |token| VerifiedToken::scope(token).map(ToString::to_string))
        .unwrap();
    for (scope, status) in [("write", 200), ("delete", 403)] {
        let inner = service_fn(async |request: http::Request<()>| {
            let mut response = Response::new(Vec::<u8>::new());
            *response.headers_mut() = request.into_parts().0.headers;
            Ok::<_, std::convert::Infallible>(response)
        });
        let rule = AuthorizeLayer::<RegisteredClaims>::new(Rule::scope(scope).unwrap());
        let service = auth.layer(rule.layer(headers.layer(inner)));
        let response = service.oneshot(bearer("good")).await.unwrap();
        assert_eq!(response.status(), status, "{scope}");
        if status == 200 {
            assert_eq!(response.headers()["x-user"], "alice");
            assert_eq!(response.headers()["x-scope"], "read write");
        }
    }
}

#[tokio::test]
async fn deny_list_reads_the_answer_also_of_a_token_from_the_cache() {
    let endpoint = Endpoint::json(active_with("jti", "t1"));
    let store = MemoryRevocationStore::new(10).unwrap().with_clock(now());
    let layer = JwtAuthLayer::new(DenyList::new(endpoint.verifier(), store.clone()));
    assert!(reached(&send_later(&layer, bearer("opaque")).await).is_some());
    for revocation in [Revocation::token(ISSUER, "t1"), Revocation::subject(ISSUER, "alice")] {
        store.revoke(&revocation, secs(60)).unwrap();
        let response = send_later(&layer, bearer("opaque")).await;
        assert_eq!(refusal(&response), Some(RejectionKind::RevokedToken));
        assert!(store.restore(&revocation));
        assert!(reached(&send_later(&layer, bearer("opaque")).await).is_some());
    }
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test]
async fn token_without_an_expiry_is_not_recorded_or_revoked_for_an_unknown_time() {
    for (exp, expected) in
        [(json!(NOW + 60), None), (serde_json::Value::Null, Some(RejectionKind::MissingClaim))]
    {
        let mut answer = active_with("exp", exp);
        answer["jti"] = json!("t1");
        let endpoint = Endpoint::json(answer);
        let (head, ()) = http::Request::new(()).into_parts();
        let presented = PresentedToken::bearer("opaque").unwrap();
        let accepted = endpoint.verifier().verify_token(&presented, &head).await.unwrap();
        let store = MemoryRevocationStore::new(10).unwrap().with_clock(now());
        let revoked = store.revoke_token(accepted.token()).map_err(|error| error.kind());
        assert_eq!(revoked.err(), expected.map(|_| RevokeErrorKind::NotIdentified));
        store.revoke(&Revocation::of(accepted.token()).unwrap(), secs(60)).unwrap();
        assert_eq!(store.len(), 1);

        let uses = MemoryReplayStore::new().with_clock(now());
        let layer = JwtAuthLayer::new(OneTimeTokens::new(endpoint.verifier(), uses));
        let response = send_later(&layer, bearer("opaque")).await;
        assert_eq!(refusal(&response), expected);
        let response = send_later(&layer, bearer("opaque")).await;
        assert_eq!(refusal(&response), expected.or(Some(RejectionKind::UsedToken)));
    }
}
