//! Google: ID tokens, the Identity-Aware Proxy, and Firebase.

use serde_json::json;
use tower_jwt_auth::{Algorithm, JwksUrl, JwtVerifier, KnownIssuer, OidcDiscovery, RejectionKind};

use super::{
    MISSING, WRONG_AUDIENCE, WRONG_ISSUER, WRONG_TYPE, Web, kind, rsa_jwk, rsa_token, with,
};
use crate::support::{self, NOW, now};

#[tokio::test(start_paused = true)]
async fn google_id_tokens() {
    const WEB: &str = "1234-web.apps.googleusercontent.com";

    let web = Web::default().issuer(
        "https://accounts.google.com",
        "https://www.googleapis.com/oauth2/v3/certs",
        json!({"device_authorization_endpoint": "https://oauth2.googleapis.com/device/code"}),
        json!([rsa_jwk("08d3245c62f86b63", json!({})), rsa_jwk("other", json!({}))]),
    );
    let issuer =
        KnownIssuer::google_id_tokens([WEB, "1234-app.apps.googleusercontent.com"]).unwrap();
    let verifier = issuer.verifier_with(web.clone()).with_clock(now());
    let claims = json!({
        "iss": "https://accounts.google.com",
        "azp": "1234-app.apps.googleusercontent.com", "aud": WEB,
        "sub": "110169484474386276334", "hd": "acme.example",
        "email": "alice@acme.example", "email_verified": true,
        "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "nonce": "0394852",
        "name": "Alice", "iat": NOW, "exp": NOW + 3600,
    });
    let token = |header, changes| rsa_token("08d3245c62f86b63", header, &with(&claims, changes));
    let logout = "http://schemas.openid.net/event/backchannel-logout";
    let revoked = "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked";
    for (header, changes, expected) in [
        ("JWT", json!({}), None),
        ("JWT", json!({"iss": "accounts.google.com"}), None),
        ("JWT", json!({"iss": "https://accounts.google.com/"}), WRONG_ISSUER),
        ("JWT", json!({"iss": "https://securetoken.google.com/acme-app"}), WRONG_ISSUER),
        ("JWT", json!({"aud": "4321-web.apps.googleusercontent.com"}), WRONG_AUDIENCE),
        // `azp` is whoever asked, and no audience.
        ("JWT", json!({"aud": "https://other.example", "azp": WEB}), WRONG_AUDIENCE),
        // Told to the same client, by the same keys: events are still none of it.
        ("JWT", json!({"events": {logout: {}}}), WRONG_TYPE),
        ("secevent+jwt", json!({"at_hash": null, "events": {revoked: {}}}), WRONG_TYPE),
    ] {
        let token = token(json!({ "typ": header }), changes.clone());
        assert_eq!(kind(&verifier, &token).await, expected, "{changes}");
    }
    let opaque = "ya29.a0AfH6SMBx-Zz";
    assert_eq!(kind(&verifier, opaque).await, Some(RejectionKind::MalformedToken));

    // Without the word for it, an ID token is refused here as everywhere.
    let keys = OidcDiscovery::new_with("https://accounts.google.com", web).unwrap();
    let usual = JwtVerifier::new("https://accounts.google.com", WEB, keys).unwrap();
    let token = token(json!({}), json!({}));
    assert_eq!(kind(&usual.with_clock(now()), &token).await, WRONG_TYPE);
}

#[tokio::test(start_paused = true)]
async fn google_identity_aware_proxy() {
    let (iap, audience) =
        ("https://cloud.google.com/iap", "/projects/1234/global/backendServices/5678");
    let url = "https://www.gstatic.com/iap/verify/public_key-jwk";
    let key = support::key(Algorithm::ES256);
    let keys = json!({"keys": [with(&key.jwk(), json!({"kid": "2nMJtw"}))]});
    let keys = JwksUrl::new_with(url, Web::default().at(url, keys)).unwrap();
    let verifier = JwtVerifier::new(iap, audience, keys).unwrap().with_clock(now());
    let token = |audience: &str| {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": "2nMJtw"});
        let claims = json!({
            "iss": iap, "aud": audience, "sub": "accounts.google.com:1101694", "hd": "acme.example",
            "email": "alice@acme.example", "iat": NOW, "exp": NOW + 600,
            "google": {"access_levels": ["accessPolicies/1/accessLevels/staff"]},
        });
        key.token_of(header.to_string(), claims.to_string())
    };
    assert_eq!(kind(&verifier, &token(audience)).await, None);
    let other = token("/projects/1234/global/backendServices/8765");
    assert_eq!(kind(&verifier, &other).await, WRONG_AUDIENCE);
}

#[tokio::test(start_paused = true)]
async fn firebase() {
    let issuer = "https://securetoken.google.com/acme-app-4711";
    let jwks_uri =
        "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";
    let metadata =
        json!({"response_types_supported": ["id_token"], "subject_types_supported": ["public"]});
    let keys = json!([rsa_jwk("f1c1e5a4", json!({})), rsa_jwk("b7a10", json!({}))]);
    let web = Web::default().issuer(issuer, jwks_uri, metadata, keys);
    let known = KnownIssuer::firebase("acme-app-4711").unwrap();
    let verifier = known.verifier_with(web).with_clock(now());

    let claims = json!({
        "name": "Alice", "iss": issuer, "aud": "acme-app-4711", "auth_time": NOW - 60,
        "user_id": "Zx1Yw2", "sub": "Zx1Yw2", "iat": NOW, "exp": NOW + 3600,
        "email": "alice@acme.example", "email_verified": false,
        "firebase": {"identities": {"email": ["alice@acme.example"]}, "sign_in_provider": "password"},
    });
    for (changes, expected) in [
        (json!({}), None),
        // Another project, by the very keys that they share.
        (
            json!({"iss": "https://securetoken.google.com/evil-app", "aud": "evil-app"}),
            WRONG_ISSUER,
        ),
        (json!({"aud": "evil-app"}), WRONG_AUDIENCE),
        // A session cookie, and a token of Google's own log-in.
        (json!({"iss": "https://session.firebase.google.com/acme-app-4711"}), WRONG_ISSUER),
        (json!({"iss": "https://accounts.google.com", "at_hash": "HK6E_P6Dh8Y93"}), WRONG_ISSUER),
        (json!({"sub": null}), MISSING),
        (json!({"auth_time": null}), MISSING),
    ] {
        let token = rsa_token("f1c1e5a4", json!({"typ": "JWT"}), &with(&claims, changes.clone()));
        assert_eq!(kind(&verifier, &token).await, expected, "{changes}");
    }
    // What the emulator makes is not signed at all.
    let header = support::b64(r#"{"alg":"none","typ":"JWT"}"#);
    let emulated = format!("{header}.{}.", support::b64(claims.to_string()));
    let refused = kind(&verifier, &emulated).await.unwrap();
    assert!(
        [RejectionKind::UnsupportedAlgorithm, RejectionKind::MalformedToken].contains(&refused),
        "{refused:?}"
    );
}
