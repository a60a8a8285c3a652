//! Keycloak.

use serde_json::json;
use tower_jwt_auth::{Algorithm, KnownIssuer, RejectionKind};

use super::{
    MISSING, WRONG_AUDIENCE, WRONG_ISSUER, WRONG_TYPE, Web, kind, rsa_jwk, rsa_token, with,
};
use crate::support::{self, NOW, now};

#[tokio::test(start_paused = true)]
async fn keycloak() {
    let issuer = "https://login.example/realms/shop";
    let certs = format!("{issuer}/protocol/openid-connect/certs");
    let metadata = json!({
        "introspection_endpoint": format!("{issuer}/protocol/openid-connect/token/introspect"),
        "acr_values_supported": ["0", "1"],
        "mtls_endpoint_aliases": {"token_endpoint": format!("{issuer}/protocol/openid-connect/token")},
    });
    // Beside the key that signs stands one that encrypts.
    let keys = json!([
        rsa_jwk("enc", json!({"use": "enc", "alg": "RSA-OAEP"})),
        rsa_jwk(
            "sig",
            json!({"x5c": ["MIICmzCCAYMCBgF"], "x5t#S256": "q83vEjRWeJCrze8SNFZ4kKvN7xI"})
        ),
    ]);
    let web = Web::default().issuer(issuer, &certs, metadata, keys.clone());
    let shop = || KnownIssuer::keycloak("https://login.example", "shop", "orders").unwrap();
    let verifier = shop().verifier_with(web).with_clock(now());

    let claims = json!({
        "exp": NOW + 300, "iat": NOW, "auth_time": NOW - 60,
        "jti": "onrtac:5a4f1c1e-6f3a-4b63-9d58-1f0a8a5b7a10",
        "iss": issuer,
        "aud": ["orders", "account"],
        "sub": "f1c1e5a4-6f3a-4b63-9d58-1f0a8a5b7a10",
        "typ": "Bearer", "azp": "web", "sid": "b7a10", "acr": "1",
        "allowed-origins": ["https://shop.example"],
        "realm_access": {"roles": ["offline_access", "default-roles-shop", "uma_authorization"]},
        "resource_access": {"orders": {"roles": ["clerk"]}, "account": {"roles": ["view-profile"]}},
        "scope": "openid profile email", "email_verified": true, "preferred_username": "alice",
    });
    for (changes, expected) in [
        (json!({}), None),
        (json!({"aud": "orders"}), None),
        // Without an audience mapper, for nobody in particular: another client of the realm.
        (json!({"aud": "account"}), WRONG_AUDIENCE),
        (json!({"aud": null}), MISSING),
        // Its ID tokens, whatever their audience, and its logout tokens.
        (json!({"typ": "ID", "aud": "web", "at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}), WRONG_AUDIENCE),
        (json!({"typ": "ID", "aud": "orders", "at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}), WRONG_TYPE),
        (
            json!({"typ": "Logout", "aud": "orders", "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
            WRONG_TYPE,
        ),
        (json!({"iss": "https://login.example/realms/other"}), WRONG_ISSUER),
        (json!({"iss": "https://login.example/auth/realms/shop"}), WRONG_ISSUER),
        (json!({"iss": "https://keycloak.auth.svc/realms/shop"}), WRONG_ISSUER),
    ] {
        let token = rsa_token("sig", json!({"typ": "JWT"}), &with(&claims, changes.clone()));
        assert_eq!(kind(&verifier, &token).await, expected, "{changes}");
    }
    // The key that encrypts, and the secret of refresh tokens, sign nothing here.
    let token = rsa_token("enc", json!({}), &claims);
    assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::UnknownKey));
    let header = json!({"alg": "HS512", "typ": "JWT", "kid": "hmac"}).to_string();
    let refresh = with(&claims, json!({"typ": "Refresh", "aud": issuer})).to_string();
    let refresh = support::key(Algorithm::HS512).token_of(header, refresh);
    assert_eq!(kind(&verifier, &refresh).await, Some(RejectionKind::UnknownKey));

    // Inside of a cluster the same server has another name, in its metadata too.
    let inside = "https://keycloak.auth.svc/realms/shop";
    let certs = format!("{inside}/protocol/openid-connect/certs");
    let web = Web::default().issuer(inside, &certs, json!({}), keys);
    let by_inner_name = shop().with_jwks_url(&certs).unwrap();
    let verifier = by_inner_name.verifier_with(web.clone()).with_clock(now());
    assert_eq!(kind(&verifier, &rsa_token("sig", json!({}), &claims)).await, None);
    let token = rsa_token("sig", json!({}), &with(&claims, json!({"iss": inside})));
    assert_eq!(kind(&verifier, &token).await, WRONG_ISSUER);
    assert_eq!(web.asked(), [certs]);
}
