//! `Authorization: DPoP` is read as strictly as `Authorization: Bearer`.

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use tower_jwt_auth::{
    Accepted, JwtAuthLayer, PresentedToken, RejectionKind, TokenScheme, TokenSource, Verification,
    VerifyToken, verify_fn,
};

use super::bound;
use super::proofs::{by_dpop, jkt, proven};
use crate::support::key;
use crate::support::requests::{reached, refusal, request, send};

use RejectionKind::*;

/// Accepts every token of these schemes, with the token as its claims.
struct Any(&'static [TokenScheme]);

impl VerifyToken<PresentedToken> for Any {
    fn verify_token(
        &self,
        token: &PresentedToken,
        _: &http::request::Parts,
    ) -> Verification<PresentedToken> {
        Verification::ready(Ok(Accepted::new(token.clone())))
    }

    fn schemes(&self) -> &[TokenScheme] {
        self.0
    }
}

const BOTH: Any = Any(&[TokenScheme::DPoP, TokenScheme::Bearer]);
const DPOP: Any = Any(&[TokenScheme::DPoP]);
const BEARER: Any = Any(&[TokenScheme::Bearer]);

/// The scheme and the text of the token, or the reason.
fn found(verifier: Any, lines: &[&str]) -> Result<(TokenScheme, String), RejectionKind> {
    let response = send(&JwtAuthLayer::new(verifier), request(lines));
    match refusal(&response) {
        Some(kind) => Err(kind),
        None => {
            let head = reached(&response).unwrap();
            assert!(head.headers.get_all(AUTHORIZATION).iter().all(HeaderValue::is_sensitive));
            let token =
                PresentedToken::from_request(&head.headers, &head.extensions).unwrap().unwrap();
            assert_eq!(token.source(), TokenSource::AuthorizationHeader);
            Ok((token.scheme(), token.as_str().to_owned()))
        }
    }
}

#[test]
fn scheme_is_read_in_any_case_if_the_verifier_accepts_it() {
    for spelling in ["DPoP", "dpop", "DPOP", "dPoP"] {
        let line = format!("{spelling} abc");
        let expected = Ok((TokenScheme::DPoP, "abc".to_owned()));
        assert_eq!(found(BOTH, &[&line]), expected);
        assert_eq!(found(DPOP, &[&line]), expected);
        assert_eq!(found(BEARER, &[&line]), Err(UnsupportedScheme));
    }
    assert_eq!(found(BOTH, &["Bearer abc"]), Ok((TokenScheme::Bearer, "abc".to_owned())));
    assert_eq!(found(DPOP, &["Bearer abc"]), Err(UnsupportedScheme));
    assert_eq!(found(BOTH, &["Basic abc"]), Err(UnsupportedScheme));
    assert_eq!(found(BOTH, &["DPoPX abc"]), Err(UnsupportedScheme));
}

#[test]
fn grammar_and_bounds_are_those_of_bearer_tokens() {
    let long = "a".repeat(65 * 1024);
    for rest in [
        "",
        " ",
        " a",
        "  a",
        "   a-._~+/b==",
        "\ta",
        " \ta",
        "=a",
        " a=b",
        " a b",
        " a%b",
        " {}",
        " é",
        " a, Basic b",
        " a, DPoP b",
        ", DPoP a",
        " a,b",
        " \"a\", Bearer b",
        " ",
        &format!(" {long}"),
    ] {
        let both = |scheme: &str| {
            found(BOTH, &[&format!("{scheme}{rest}")]).map(|(scheme, token)| {
                assert!(["a", "a-._~+/b=="].contains(&token.as_str()));
                scheme
            })
        };
        let (bearer, dpop) = (both("Bearer"), both("DPoP"));
        assert_eq!(bearer.err(), dpop.err(), "{rest:?}");
        assert_eq!(bearer.is_ok(), rest.trim_start_matches(' ').starts_with('a') && dpop.is_ok());
    }
}

#[test]
fn both_schemes_in_one_request_are_ambiguous() {
    for lines in [
        &["Bearer a", "DPoP b"][..],
        &["DPoP b", "Bearer a"],
        &["DPoP a", "DPoP a"],
        &["DPoP a, Bearer b"],
        &["Bearer a, DPoP b"],
    ] {
        for verifier in [BOTH, DPOP, BEARER] {
            assert_eq!(found(verifier, lines), Err(MultipleCredentials), "{lines:?}");
        }
    }
}

#[test]
fn optional_layer_forwards_requests_with_a_scheme_that_it_does_not_accept() {
    let layer = |verifier| JwtAuthLayer::new(verifier).optional();
    let passed = |verifier, line: &str| {
        let response = send(&layer(verifier), request([line]));
        let head = reached(&response).expect("not forwarded");
        PresentedToken::from_request(&head.headers, &head.extensions).unwrap()
    };
    assert!(passed(BEARER, "DPoP abc").is_none());
    assert!(passed(DPOP, "Bearer abc").is_none());
    assert_eq!(passed(BOTH, "DPoP abc").unwrap().scheme(), TokenScheme::DPoP);
    let layer = JwtAuthLayer::new(by_dpop(key(tower_jwt_auth::Algorithm::HS256).verifier()));
    let response = send(&layer.optional(), request(["DPoP abc"]));
    assert_eq!(refusal(&response), Some(MalformedToken));
}

#[test]
fn token_of_a_test_can_have_the_scheme() {
    let token = PresentedToken::dpop("abc").unwrap();
    assert_eq!((token.scheme(), token.as_str()), (TokenScheme::DPoP, "abc"));
    assert_eq!(token.scheme().to_string(), "DPoP");
    assert_eq!(PresentedToken::dpop("a b").unwrap_err().kind(), MalformedCredentials);
    let layer = JwtAuthLayer::new(verify_fn(|_: &PresentedToken| Ok(())));
    let request: Request<()> = proven(&bound(jkt()));
    assert_eq!(refusal(&send(&layer, request)), Some(UnsupportedScheme));
}
