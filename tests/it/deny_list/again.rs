//! Tokens that are looked up without a request, and by another claim than `jti`.

use http::Request;
use http::request::Parts;
use serde_json::{Value, json};
use tower_jwt_auth::{
    DenyList, JwtAuthLayer, RejectionKind, Revocation, RevocationQuery, RevocationStore, Revoked,
};

use super::{Down, HOUR, Later, named, refused, store, token_of, verified, verifier};
use crate::support::{ISSUER, claims};

use RejectionKind::*;

fn head() -> Parts {
    Request::new(()).into_parts().0
}

#[tokio::test]
async fn token_without_a_request_is_looked_up() {
    let store = store();
    store.revoke(&Revocation::token(ISSUER, "stolen"), HOUR).unwrap();
    let deny_list = DenyList::new(verifier(), Later(store));
    let verify =
        async |token: &str| deny_list.verify(token, &head()).await.map_err(|error| error.kind());
    assert_eq!(verify(&token_of(&named("stolen"))).await.unwrap_err(), RevokedToken);
    assert_eq!(verify(&token_of(&claims())).await.unwrap_err(), MissingClaim);
    let token = verify(&token_of(&named("1"))).await.unwrap();
    assert_eq!(token.sub.as_deref(), Some("alice"));
    let prefixed = format!("Bearer {}", token_of(&named("1")));
    assert!(verify(&prefixed).await.is_err());
}

#[tokio::test]
async fn token_of_an_open_connection_is_refused_as_soon_as_it_is_revoked() {
    let store = store();
    let token = verified(verifier(), &named("1")).await;
    for deny_list in
        [DenyList::new(verifier(), store.clone()), DenyList::new(verifier(), Later(store.clone()))]
    {
        assert!(deny_list.check(&token).await.is_ok());
        store.revoke_token(&token).unwrap();
        assert_eq!(deny_list.check(&token).await.unwrap_err().kind(), RevokedToken);
        store.restore(&Revocation::of(&token).unwrap());
    }
    let down = DenyList::new(verifier(), Down { is_late: true });
    assert_eq!(down.check(&token).await.unwrap_err().kind(), Unavailable);
}

#[tokio::test]
async fn token_whose_text_was_not_kept_is_refused_with_the_reason() {
    let deny_list = DenyList::new(verifier(), store());
    let unread = verifier().verify_now(&token_of(&named("1"))).unwrap();
    let rejection = deny_list.check(&unread).await.unwrap_err();
    assert_eq!(rejection.kind(), MissingClaim);
    assert_eq!(rejection.expected(), Some("claims that can be read by name"));
    let read = verifier().with_claims_by_name().verify_now(&token_of(&named("1"))).unwrap();
    assert!(deny_list.check(&read).await.is_ok());
}

#[tokio::test]
async fn query_can_be_made_for_the_test_of_a_store() {
    let store = store();
    let token = verified(verifier(), &named("1")).await;
    let query = RevocationQuery::of(&token).unwrap();
    assert_eq!((query.token_id(), query.subject()), (Some("1"), Some("alice")));
    assert_eq!(store.find(&query).wait().await.unwrap(), Revoked::No);
    store.revoke_token(&token).unwrap();
    assert_eq!(store.find(&query).wait().await.unwrap(), Revoked::Yes);

    let unread = verifier().verify_now(&token_of(&named("1"))).unwrap();
    assert!(RevocationQuery::of(&unread).is_none());
    let mut nameless = claims();
    nameless.as_object_mut().unwrap().remove("sub");
    let nameless = verified(verifier(), &nameless).await;
    assert!(RevocationQuery::of(&nameless).is_none());
}

fn with_uti(uti: Value) -> Value {
    let mut claims = claims();
    claims["uti"] = uti;
    claims
}

#[tokio::test]
async fn another_claim_can_identify_tokens() {
    let store = store();
    let deny_list = DenyList::new(verifier(), store.clone()).with_token_id_claim("uti");
    let layer = JwtAuthLayer::new(deny_list);
    let refusal_of = |claims: &Value| refused(&layer, claims);
    assert_eq!(refusal_of(&with_uti(json!("stolen"))), None);
    let token = verified(verifier(), &with_uti(json!("stolen"))).await;
    assert_eq!(Revocation::of(&token), None);
    let stolen = Revocation::of_claim(&token, "uti").unwrap();
    assert_eq!(stolen, Revocation::token(ISSUER, "stolen"));
    store.revoke(&stolen, HOUR).unwrap();
    assert_eq!(refusal_of(&with_uti(json!("stolen"))), Some((RevokedToken, None)));
    assert_eq!(refusal_of(&with_uti(json!("1"))), None);
    // Somebody may have revoked it by its `jti`.
    let mut both = with_uti(json!("2"));
    both["jti"] = json!("of the same token");
    assert_eq!(refusal_of(&both), None);
    store.revoke_token(&verified(verifier(), &both).await).unwrap();
    assert_eq!(refusal_of(&both), Some((RevokedToken, None)));
    // `jti` does not replace it.
    let missing = Some((MissingClaim, Some("uti".to_owned())));
    assert_eq!(refusal_of(&named("1")), missing);
    assert_eq!(refusal_of(&with_uti(json!(""))), missing);
    assert_eq!(refusal_of(&with_uti(json!(7))), Some((MalformedClaims, Some("uti".to_owned()))));
}
