//! Kinds of tokens other than access tokens: `with_token_type`.

use http::{HeaderValue, Request};
use serde_json::json;
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, IssuerSet, JwtAuthLayer, JwtVerifier, RejectionKind, Source,
    VerifyToken,
};

use crate::support::requests::{reached, refusal, send};
use crate::support::{AUDIENCE, ISSUER, claims, claims_with, claims_without, key, now};

use RejectionKind::*;

fn verifier() -> JwtVerifier {
    key(Algorithm::ES256).verifier()
}

fn transactions() -> JwtVerifier {
    verifier().with_token_type("txntoken+jwt").unwrap()
}

/// A well-signed token with this `typ`, or without one.
fn typed(typ: Option<&str>) -> String {
    let mut header = json!({"alg": "ES256", "kid": "ES256"});
    if let Some(typ) = typ {
        header["typ"] = typ.into();
    }
    key(Algorithm::ES256).token_of(header.to_string(), claims().to_string())
}

fn kind(verifier: &JwtVerifier, typ: Option<&str>) -> Option<RejectionKind> {
    verifier.verify_now(&typed(typ)).err().map(|rejection| rejection.kind())
}

#[test]
fn only_the_given_type_is_accepted() {
    for typ in
        ["txntoken+jwt", "TXNTOKEN+JWT", "application/txntoken+jwt", "Application/TxnToken+JWT"]
    {
        assert_eq!(kind(&transactions(), Some(typ)), None, "{typ}");
        assert_eq!(kind(&verifier(), Some(typ)), Some(WrongTokenType), "{typ}");
    }
    for typ in [
        "at+jwt",
        "application/at+jwt",
        "JWT",
        "jwt",
        "txntoken",
        "txntoken+jw",
        "xtxntoken+jwt",
        "txntoken+jwt ",
        " txntoken+jwt",
        "txntoken+jwt;v=1",
        "text/txntoken+jwt",
        "application/application/txntoken+jwt",
        "+jwt",
        "",
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
    ] {
        assert_eq!(kind(&transactions(), Some(typ)), Some(WrongTokenType), "{typ:?}");
    }
    assert_eq!(kind(&transactions(), None), Some(WrongTokenType));
}

#[test]
fn refusal_names_the_expected_types_for_the_log() {
    let both = transactions().with_token_type("wit+jwt").unwrap();
    let rejection = both.verify_now(&typed(Some("JWT"))).unwrap_err();
    assert_eq!(rejection.kind(), WrongTokenType);
    assert_eq!(rejection.expected(), Some("txntoken+jwt or wit+jwt"));
}

#[test]
fn repeated_calls_add_types() {
    let both = transactions()
        .with_token_type("application/wit+jwt")
        .unwrap()
        .with_token_type("TXNTOKEN+jwt")
        .unwrap();
    for typ in ["txntoken+jwt", "wit+jwt", "application/wit+jwt"] {
        assert_eq!(kind(&both, Some(typ)), None, "{typ}");
    }
    for typ in [None, Some("JWT"), Some("at+jwt"), Some("x+jwt")] {
        assert_eq!(kind(&both, typ), Some(WrongTokenType), "{typ:?}");
    }
    let summary = both.describe().unwrap();
    assert!(summary.accepts()[0].contains(", typ txntoken+jwt or wit+jwt, "), "{summary:?}");
}

#[test]
fn types_that_are_not_of_a_credential_are_errors() {
    for typ in [
        "",
        "JWT",
        "jwt",
        "+jwt",
        "application/+jwt",
        "txntoken",
        "txntoken+jwt ",
        "txn token+jwt",
        "a/b+jwt",
        "text/txntoken+jwt",
        "txntoken+jwt; v=1",
        "é+jwt",
        "txntoken+json",
        "txntoken-jwt",
        "*",
        "x+jwt\n",
    ] {
        let error = verifier().with_token_type(typ).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::TokenType);
        assert!(error.to_string().contains("ends in `+jwt`"), "{typ:?}: {error}");
    }
    let long = format!("{}+jwt", "a".repeat(124));
    assert!(verifier().with_token_type(&long).is_err());
    assert!(verifier().with_token_type(&long[1..]).is_ok());
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        let error = verifier().with_token_type(typ).unwrap_err();
        assert!(error.to_string().contains("`require_rfc9068`"), "{error}");
    }
    for typ in [
        "dpop+jwt",
        "Logout+JWT",
        "application/secevent+jwt",
        "token-introspection+jwt",
        "kb+jwt",
        "oauth-client-attestation+jwt",
        "oauth-client-attestation-pop+jwt",
        "oauth-id-jag+jwt",
    ] {
        let error = verifier().with_token_type(typ).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::TokenType);
        assert!(error.to_string().contains("never the credential of a request"), "{error}");
    }
}

#[test]
fn access_tokens_of_rfc_9068_are_never_accepted_beside_another_type() {
    let error = verifier().require_rfc9068().with_token_type("txntoken+jwt").unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::TokenType);
    assert!(error.to_string().contains("leave out `require_rfc9068`"), "{error}");
    // This order cannot be an error: access tokens alone are left.
    let replaced = transactions().require_rfc9068();
    assert_eq!(kind(&replaced, Some("txntoken+jwt")), Some(WrongTokenType));
    assert_eq!(kind(&replaced, Some("JWT")), Some(WrongTokenType));
    assert_eq!(kind(&replaced, Some("at+jwt")), Some(MissingClaim));
}

#[test]
fn all_other_rules_stay() {
    let header = json!({"alg": "ES256", "kid": "ES256", "typ": "txntoken+jwt"}).to_string();
    let verifier = transactions().add_required_claim("txn");
    for (claims, expected) in [
        (claims_with("txn", "97053963"), None),
        (claims(), Some(MissingClaim)),
        (claims_without("iss"), Some(MissingClaim)),
        (claims_without("aud"), Some(MissingClaim)),
        (claims_without("exp"), Some(MissingClaim)),
        (claims_with("exp", 1), Some(ExpiredToken)),
        (claims_with("aud", "other"), Some(WrongAudience)),
        (claims_with("cnf", json!({"jkt": "x"})), Some(UnconfirmedSender)),
        (claims_with("events", json!({})), Some(WrongTokenType)),
        (claims_with("token_use", "refresh"), Some(WrongTokenType)),
    ] {
        let token = key(Algorithm::ES256).token_of(&header, claims.to_string());
        let kind = verifier.verify_now(&token).err().map(|rejection| rejection.kind());
        assert_eq!(kind, expected, "{claims}");
    }
}

#[tokio::test]
async fn explanation_shows_the_expected_and_the_found_type() {
    let explanation = transactions().explain(&typed(Some("at+jwt"))).await;
    let failed = explanation.failed().unwrap();
    assert_eq!((failed.name(), failed.expected()), ("typ", Some("txntoken+jwt")));
    assert_eq!(failed.found(), Some("\"at+jwt\""));
    assert!(transactions().explain(&typed(Some("txntoken+jwt"))).await.is_accepted());
}

#[tokio::test]
async fn each_issuer_of_a_set_has_its_own_types() {
    let of = |issuer: &str| {
        let keys = key(Algorithm::ES256).verification_key();
        JwtVerifier::new(issuer, AUDIENCE, keys).unwrap().with_clock(now())
    };
    let issuers = IssuerSet::new();
    issuers.add(of(ISSUER)).unwrap();
    let transactions = of("https://txn.example").with_token_type("txntoken+jwt").unwrap();
    issuers.add(transactions).unwrap();
    for (issuer, typ, expected) in [
        (ISSUER, "at+jwt", None),
        (ISSUER, "txntoken+jwt", Some(WrongTokenType)),
        ("https://txn.example", "txntoken+jwt", None),
        ("https://txn.example", "at+jwt", Some(WrongTokenType)),
    ] {
        let header = json!({"alg": "ES256", "kid": "ES256", "typ": typ}).to_string();
        let claims = claims_with("iss", issuer).to_string();
        let token = key(Algorithm::ES256).token_of(header, claims);
        let kind = issuers.verify(&token).await.err().map(|rejection| rejection.kind());
        assert_eq!(kind, expected, "{typ} of {issuer}");
    }
}

#[cfg(feature = "token-cache")]
#[test]
fn cache_of_access_tokens_is_not_that_of_another_type() {
    let cached = verifier().with_token_cache(8).unwrap();
    assert_eq!(kind(&cached, Some("at+jwt")), None);
    let transactions = cached.clone().with_token_type("txntoken+jwt").unwrap();
    for _ in 0..2 {
        assert_eq!(kind(&transactions, Some("at+jwt")), Some(WrongTokenType));
        assert_eq!(kind(&transactions, Some("txntoken+jwt")), None);
        assert_eq!(kind(&cached, Some("txntoken+jwt")), Some(WrongTokenType));
    }
}

/// The header of draft-ietf-oauth-transaction-tokens.
#[test]
fn transaction_token_is_taken_from_its_own_header_alone() {
    let layer = JwtAuthLayer::new(transactions())
        .with_sources([Source::header("Txn-Token").unwrap()])
        .unwrap();
    let request = |name: &str, value: String| {
        let value = HeaderValue::try_from(value).unwrap();
        Request::builder().header(name, value).body(()).unwrap()
    };
    let token = typed(Some("txntoken+jwt"));
    let accepted = send(&layer, request("Txn-Token", token.clone()));
    assert!(reached(&accepted).is_some());
    let in_authorization = send(&layer, request("Authorization", format!("Bearer {token}")));
    assert_eq!(refusal(&in_authorization), Some(MissingCredentials));
    let access_token = send(&layer, request("Txn-Token", typed(Some("at+jwt"))));
    assert_eq!(refusal(&access_token), Some(WrongTokenType));
}

/// As in the guide: two layers with claims of different types.
#[test]
fn request_with_an_access_token_and_a_transaction_token_needs_both() {
    use std::convert::Infallible;

    use futures_util::FutureExt;
    use http::Response;
    use serde_json::Value;
    use tower::{ServiceBuilder, ServiceExt};
    use tower_jwt_auth::{RegisteredClaims, VerifiedToken};

    let inner = JwtAuthLayer::new(transactions().with_claims::<Value>())
        .with_sources([Source::header("Txn-Token").unwrap()])
        .unwrap();
    let status = |access: Option<&str>, transaction: Option<&str>| {
        let service = ServiceBuilder::new()
            .layer(JwtAuthLayer::new(verifier()))
            .layer(inner.clone())
            .service_fn(async |request: Request<()>| {
                let tokens = request.extensions();
                assert!(VerifiedToken::<RegisteredClaims>::from_extensions(tokens).is_ok());
                assert!(VerifiedToken::<Value>::from_extensions(tokens).is_ok());
                Ok::<_, Infallible>(Response::new(String::new()))
            });
        let mut request = Request::builder();
        if let Some(typ) = access {
            request = request.header("Authorization", format!("Bearer {}", typed(Some(typ))));
        }
        if let Some(typ) = transaction {
            request = request.header("Txn-Token", typed(Some(typ)));
        }
        let request = request.body(()).unwrap();
        service.oneshot(request).now_or_never().unwrap().unwrap().status().as_u16()
    };
    assert_eq!(status(Some("at+jwt"), Some("txntoken+jwt")), 200);
    assert_eq!(status(Some("at+jwt"), None), 401);
    assert_eq!(status(None, Some("txntoken+jwt")), 401);
    assert_eq!(status(Some("txntoken+jwt"), Some("at+jwt")), 401);
}
