//! Dex.

use serde_json::json;
use tower_jwt_auth::{JwtVerifier, KnownIssuer, OidcDiscovery};

use super::{
    MISSING, WRONG_AUDIENCE, WRONG_ISSUER, WRONG_TYPE, Web, kind, rsa_jwk, rsa_token, with,
};
use crate::support::{NOW, now};

#[tokio::test(start_paused = true)]
async fn tokens_of_dex_carry_the_hash_of_an_id_token() {
    let issuer = "https://dex.example/dex";
    let keys = json!([rsa_jwk("f1c1e5a4", json!({}))]);
    let web = Web::default().issuer(issuer, "https://dex.example/dex/keys", json!({}), keys);
    let verifier = KnownIssuer::dex(issuer, ["orders-web", "orders-cli"])
        .unwrap()
        .verifier_with(web.clone())
        .with_clock(now());
    let claims = json!({
        "iss": issuer, "aud": "orders-web", "sub": "CgZhbGljZTISBWxvY2Fs",
        "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "c_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "nonce": "n",
        "iat": NOW, "exp": NOW + 86_400, "email": "alice@acme.example",
    });
    for (changes, expected) in [
        (json!({}), None),
        (json!({"aud": ["orders-cli", "other"], "azp": "other"}), None),
        (json!({"aud": "other"}), WRONG_AUDIENCE),
        (json!({"aud": null}), MISSING),
        (json!({"iss": "https://dex.example/dex/"}), WRONG_ISSUER),
        (json!({"typ": "ID"}), WRONG_TYPE),
        (json!({"events": {"a": {}}}), WRONG_TYPE),
    ] {
        let token = rsa_token("f1c1e5a4", json!({}), &with(&claims, changes.clone()));
        assert_eq!(kind(&verifier, &token).await, expected, "{changes}");
    }
    // By discovery alone, they are refused, and the operator is told why.
    let token = rsa_token("f1c1e5a4", json!({}), &claims);
    let keys = OidcDiscovery::new_with(issuer, web).unwrap();
    let plain = JwtVerifier::new(issuer, "orders-web", keys).unwrap().with_clock(now());
    let rejection = plain.verify(&token).await.unwrap_err();
    assert_eq!((Some(rejection.kind()), rejection.expected()), (WRONG_TYPE, Some("at_hash")));
    assert_eq!(kind(&plain.allow_at_hash(), &token).await, None);
}
