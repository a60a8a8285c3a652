//! Okta.

use serde::Deserialize;
use serde_json::json;
use tower_jwt_auth::{KnownIssuer, RejectionKind, Scope};

use super::{WRONG_AUDIENCE, WRONG_ISSUER, WRONG_TYPE, Web, kind, rsa_jwk, rsa_token, with};
use crate::support::{NOW, now};

#[tokio::test(start_paused = true)]
async fn okta() {
    #[derive(Deserialize)]
    struct Claims {
        uid: String,
        cid: String,
        scp: Scope,
    }

    let issuer = "https://acme.okta.com/oauth2/default";
    let metadata = json!({
        "registration_endpoint": "https://acme.okta.com/oauth2/v1/clients",
        "dpop_signing_alg_values_supported": ["RS256", "ES256"],
    });
    let keys = json!([rsa_jwk("FJA0HGNtsuuda_Pl45J42kvQqcsu_0C4Fg7pbJLXTHY", json!({}))]);
    let web = Web::default().issuer(issuer, &format!("{issuer}/v1/keys"), metadata, keys);
    let known = KnownIssuer::okta("acme.okta.com", "default", "api://default").unwrap();
    let verifier = known.verifier_with(web).with_clock(now()).with_claims::<Claims>();

    let claims = json!({
        "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "iss": issuer,
        "aud": "api://default", "iat": NOW, "exp": NOW + 3600,
        "cid": "0oa1c2d3e4", "uid": "00u5t60iloOHN9pBi0h7", "scp": ["openid", "orders.read"],
        "auth_time": NOW - 9, "sub": "alice@acme.example",
    });
    let kid = "FJA0HGNtsuuda_Pl45J42kvQqcsu_0C4Fg7pbJLXTHY";
    let accepted = verifier.verify(&rsa_token(kid, json!({}), &claims)).await.unwrap();
    assert!(accepted.uid.starts_with("00u") && accepted.cid.starts_with("0oa"));
    assert!(accepted.scp.contains("orders.read"));
    for (header, changes, expected) in [
        // The org authorization server: for Okta itself, of a type that says so.
        (
            json!({"typ": "application/okta-internal-at+jwt"}),
            json!({"iss": "https://acme.okta.com", "aud": "https://acme.okta.com"}),
            WRONG_ISSUER,
        ),
        (json!({"typ": "application/okta-internal-at+jwt"}), json!({}), WRONG_TYPE),
        (json!({}), json!({"iss": "https://acme.okta.com/oauth2/aus1"}), WRONG_ISSUER),
        (json!({}), json!({"aud": "0oa1c2d3e4", "at_hash": "preview_at_hash"}), WRONG_AUDIENCE),
        (json!({}), json!({"at_hash": "preview_at_hash"}), WRONG_TYPE),
        // A client that proves its key, which nothing here checks.
        (json!({}), json!({"cnf": {"jkt": "0ZcOCORZNYy"}}), Some(RejectionKind::UnconfirmedSender)),
    ] {
        let token = rsa_token(kid, header, &with(&claims, changes.clone()));
        assert_eq!(kind(&verifier, &token).await, expected, "{changes}");
    }
}
