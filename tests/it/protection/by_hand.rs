//! A service that is protected by hand, with `jsonwebtoken` in a `from_fn`, as many are.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::get;
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use tower_jwt_auth::test_util::ProtectionFault::MissingChallenge;
use tower_jwt_auth::test_util::{ProtectedRequests, TestIssuer, check_protection};

/// The crypto of `jsonwebtoken`: its own backends are features, which no test turns on.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::ES256 => Ok(Box::new(Es256(key.clone()))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Es256(DecodingKey);

impl Verifier<Vec<u8>> for Es256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        let key = self.0.try_get_as_bytes().map_err(Error::from_source)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
            .verify(message, signature)
            .map_err(|_| Error::new())
    }
}

impl JwtVerifier for Es256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}

#[derive(Deserialize)]
struct Claims {
    #[allow(dead_code)]
    sub: String,
}

#[derive(Clone)]
struct Auth {
    key: DecodingKey,
    validation: Validation,
}

#[allow(clippy::disallowed_methods, reason = "this is the code that is tested")]
async fn authenticate(
    State(auth): State<Auth>,
    request: Request<Body>,
    next: Next,
) -> Result<axum::response::Response, StatusCode> {
    let header = request.headers().get(AUTHORIZATION).ok_or(StatusCode::UNAUTHORIZED)?;
    let header = header.to_str().map_err(|_| StatusCode::UNAUTHORIZED)?;
    let token = header.strip_prefix("Bearer ").ok_or(StatusCode::UNAUTHORIZED)?;
    decode::<Claims>(token, &auth.key, &auth.validation).map_err(|_| StatusCode::UNAUTHORIZED)?;
    Ok(next.run(request).await)
}

fn app(issuer: &TestIssuer) -> Router {
    let _ = CryptoProvider::install_default(&PROVIDER);
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&issuer.jwk_set()).unwrap();
    let jwk: &Jwk = set.keys.first().unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["https://api.test"]);
    let auth = Auth { key: DecodingKey::from_jwk(jwk).unwrap(), validation };
    Router::new()
        .route("/orders", get(async || "[]"))
        .route_layer(from_fn_with_state(auth, authenticate))
}

#[tokio::test]
async fn typical_code_on_jsonwebtoken_lets_tokens_through() {
    let issuer = TestIssuer::new();
    let requests = ProtectedRequests::new(issuer.token()).get("/orders");
    let report = check_protection(app(&issuer), requests).await;
    assert_eq!(
        report.let_through(),
        [
            "two tokens: the good one first",
            "size: claims of 72 KiB",
            "size: claims nested 2,000 levels deep",
            "header: zip",
            "header: enc",
            "header: cty JWT",
            "claims: not UTF-8",
            "claims: a name twice",
            "nbf: in an hour",
            "nbf: text, in an hour",
            "nbf: null",
            "iat: in an hour",
            "iat: text",
            "iss: another",
            "iss: missing",
            "iss: null",
            "iss: number",
            "iss: list with the good one",
            "iss: empty",
            "iss: the beginning",
            "iss: the beginning of a longer one",
            "iss: in upper case",
            "iss: with or without a slash",
            "aud: missing",
            "aud: null",
            "typ: dpop+jwt",
            "typ: logout+jwt",
            "typ: secevent+jwt",
            "typ: kb+jwt",
            "typ: token-introspection+jwt",
            "typ: with a prefix",
            "kind: ID token with at_hash",
            "kind: ID token of Cognito",
            "kind: ID token of Keycloak",
            "kind: refresh token of Keycloak",
            "kind: logout token",
            "cnf: key of DPoP",
            "cnf: client certificate",
            "cnf: an unknown method",
        ]
    );
    let challenges = report.findings().iter().filter(|finding| finding.fault() == MissingChallenge);
    assert_eq!(challenges.count(), 1, "{report}");
}
