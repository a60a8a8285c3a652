//! Auth0.

use serde::Deserialize;
use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, JwtVerifier, KnownIssuer, OidcDiscovery, RejectionKind, Scope};

use super::{
    MISSING, WRONG_AUDIENCE, WRONG_ISSUER, WRONG_TYPE, Web, kind, rsa_jwk, rsa_token, with,
};
use crate::support::{self, NOW, now};

fn auth0_web() -> Web {
    let metadata = json!({
        "authorization_endpoint": "https://acme.eu.auth0.com/authorize",
        "token_endpoint": "https://acme.eu.auth0.com/oauth/token",
        "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
        "request_uri_parameter_supported": false,
        "mfa_challenge_endpoint": "https://acme.eu.auth0.com/mfa/challenge",
    });
    // Each key with its certificate, whose contents are nobody's business.
    let more = json!({"x5t": "mGKQkZ0mDkWbXXdzYTLqXXdzYTL", "x5c": ["MIIDAzCCAeugAwIBAgIJ"]});
    let keys = json!([rsa_jwk("NjVBRjY5MDlC", more.clone()), rsa_jwk("next", more)]);
    let jwks_uri = "https://acme.eu.auth0.com/.well-known/jwks.json";
    Web::default().issuer("https://acme.eu.auth0.com/", jwks_uri, metadata, keys)
}

fn auth0() -> JwtVerifier {
    let issuer = KnownIssuer::auth0("acme.eu.auth0.com", "https://api.example").unwrap();
    issuer.verifier_with(auth0_web()).with_clock(now())
}

fn auth0_claims() -> Value {
    json!({
        "iss": "https://acme.eu.auth0.com/",
        "sub": "auth0|65a1b2c3d4e5f60718293a4b",
        "aud": ["https://api.example", "https://acme.eu.auth0.com/userinfo"],
        "iat": NOW - 10,
        "exp": NOW + 86_390,
        "scope": "openid profile orders:read",
        "azp": "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja",
        "permissions": ["orders:read", "orders:close"],
    })
}

#[tokio::test(start_paused = true)]
async fn tokens_of_auth0() {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
        scope: Scope,
        permissions: Vec<String>,
    }

    let verifier = auth0().with_claims::<Claims>();
    let token =
        |changes| rsa_token("NjVBRjY5MDlC", json!({"typ": "JWT"}), &with(&auth0_claims(), changes));
    let accepted = verifier.verify(&token(json!({}))).await.unwrap();
    assert!(accepted.sub.starts_with("auth0|") && accepted.scope.contains("orders:read"));
    assert_eq!(accepted.permissions, ["orders:read", "orders:close"]);

    for (changes, expected) in [
        // A machine: one audience, and no `permissions` where RBAC is off.
        (json!({"aud": "https://api.example"}), None),
        (json!({"permissions": null}), Some(RejectionKind::UnexpectedClaims)),
        // Another API of the tenant, an ID token, the name without its slash, another tenant.
        (
            json!({"aud": ["https://other.example", "https://acme.eu.auth0.com/userinfo"]}),
            WRONG_AUDIENCE,
        ),
        (json!({"aud": "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja", "nonce": "n"}), WRONG_AUDIENCE),
        (json!({"iss": "https://acme.eu.auth0.com"}), WRONG_ISSUER),
        (json!({"iss": "https://evil.eu.auth0.com/"}), WRONG_ISSUER),
    ] {
        assert_eq!(kind(&verifier, &token(changes.clone())).await, expected, "{changes}");
    }
    // What Auth0 gives to who asks for no audience: an encrypted token, for itself.
    let opaque = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.BBBB.CCCC";
    assert_eq!(kind(&verifier, opaque).await, Some(RejectionKind::MalformedToken));
    // An API that signs with its secret has no key in the set.
    let header = json!({"alg": "HS256", "typ": "JWT"}).to_string();
    let secret = support::key(Algorithm::HS256).token_of(header, auth0_claims().to_string());
    assert_eq!(kind(&verifier, &secret).await, Some(RejectionKind::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn auth0_without_its_slash_has_no_keys() {
    let name = "https://acme.eu.auth0.com";
    let keys = OidcDiscovery::new_with(name, auth0_web()).unwrap();
    let verifier = JwtVerifier::new(name, "https://api.example", keys).unwrap().with_clock(now());
    let token = rsa_token("NjVBRjY5MDlC", json!({}), &auth0_claims());
    assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::Unavailable));
    assert!(verifier.key_status().last_error().unwrap().contains("another issuer"));
}

#[tokio::test(start_paused = true)]
async fn the_profile_of_rfc9068_is_asked_for_and_the_older_one_then_refused() {
    let (older, strict) = (auth0(), auth0().require_rfc9068());
    let profile = with(
        &auth0_claims(),
        json!({"azp": null, "client_id": "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja", "jti": "73WakrfVbNJ"}),
    );
    let kid = "NjVBRjY5MDlC";
    let by_rfc = rsa_token(kid, json!({"typ": "at+jwt"}), &profile);
    assert_eq!(kind(&older, &by_rfc).await, None);
    assert_eq!(kind(&strict, &by_rfc).await, None);
    for header in [json!({"typ": "JWT"}), json!({})] {
        // All of the claims, and not the type.
        let token = rsa_token(kid, header.clone(), &profile);
        assert_eq!(kind(&older, &token).await, None, "{header}");
        assert_eq!(kind(&strict, &token).await, WRONG_TYPE, "{header}");
    }
    // The type, and not all of the claims.
    let token = rsa_token(kid, json!({"typ": "at+jwt"}), &auth0_claims());
    assert_eq!(kind(&strict, &token).await, MISSING);
}
