//! The one table of refusals, row by row and in every form, and who gets which form.

mod contents;
#[cfg(feature = "grpc-error-info")]
mod error_info;
mod grpc;
mod grpc_fields;
mod responders;
mod table;

use http::header::{CONTENT_TYPE, TE};
use http::{HeaderName, HeaderValue, Method, Request};
use tower_jwt_auth::{JwtAuthLayer, PresentedToken, Rejection, RejectionKind, verify_fn};

use crate::support::requests::bearer;

use RejectionKind as K;

/// A row of the table in the design, written out: reason, HTTP status, challenge, `error` and
/// description for problem details, gRPC status, `grpc-message`, `retry-after`.
struct Row {
    kind: RejectionKind,
    status: u16,
    challenge: Option<&'static str>,
    error: Option<&'static str>,
    grpc_status: &'static str,
    words: &'static str,
    retry_after: Option<&'static str>,
}

const fn row(
    kind: RejectionKind,
    status: u16,
    challenge: &'static str,
    error: &'static str,
    grpc_status: &'static str,
    words: &'static str,
) -> Row {
    Row {
        kind,
        status,
        challenge: Some(challenge),
        error: Some(error),
        grpc_status,
        words,
        retry_after: None,
    }
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    Row { error: None, ..row(K::MissingCredentials, 401,
        r#"Bearer realm="api""#,
        "", "16", "no bearer token was given") },
    Row { error: None, ..row(K::UnsupportedScheme, 401,
        r#"Bearer realm="api""#,
        "", "16", "the credentials are not a bearer token") },
    row(K::MultipleCredentials, 400,
        r#"Bearer realm="api", error="invalid_request", error_description="more than one set of credentials was given""#,
        "invalid_request", "16", "more than one set of credentials was given"),
    row(K::MalformedCredentials, 400,
        r#"Bearer realm="api", error="invalid_request", error_description="the credentials are empty, too long or contain invalid characters""#,
        "invalid_request", "16", "the credentials are empty, too long or contain invalid characters"),
    Row { error: None, ..row(K::ForeignOrigin, 403,
        r#"Bearer realm="api""#,
        "", "7", "the cookie is not accepted from the origin of this request") },
    row(K::MalformedToken, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is malformed""#,
        "invalid_token", "16", "the token is malformed"),
    row(K::TokenTooLong, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is too long""#,
        "invalid_token", "16", "the token is too long"),
    row(K::UnsupportedCriticalHeader, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token has a critical header parameter that is not supported""#,
        "invalid_token", "16", "the token has a critical header parameter that is not supported"),
    row(K::UnsupportedAlgorithm, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the algorithm of the token is not accepted""#,
        "invalid_token", "16", "the algorithm of the token is not accepted"),
    row(K::UnknownKey, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the key of the token is unknown""#,
        "invalid_token", "16", "the key of the token is unknown"),
    row(K::InvalidSignature, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the signature of the token is invalid""#,
        "invalid_token", "16", "the signature of the token is invalid"),
    row(K::MalformedClaims, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the claims of the token are malformed""#,
        "invalid_token", "16", "the claims of the token are malformed"),
    row(K::MissingClaim, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token lacks a required claim""#,
        "invalid_token", "16", "the token lacks a required claim"),
    row(K::WrongIssuer, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is from another issuer""#,
        "invalid_token", "16", "the token is from another issuer"),
    row(K::WrongAudience, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is for another audience""#,
        "invalid_token", "16", "the token is for another audience"),
    row(K::ExpiredToken, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token has expired""#,
        "invalid_token", "16", "the token has expired"),
    row(K::ImmatureToken, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is not valid yet""#,
        "invalid_token", "16", "the token is not valid yet"),
    row(K::IssuedInFuture, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token was issued in the future""#,
        "invalid_token", "16", "the token was issued in the future"),
    row(K::TooOld, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is too old""#,
        "invalid_token", "16", "the token is too old"),
    row(K::WrongTokenType, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is not an access token""#,
        "invalid_token", "16", "the token is not an access token"),
    row(K::UnconfirmedSender, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is bound to a sender that this request does not confirm""#,
        "invalid_token", "16", "the token is bound to a sender that this request does not confirm"),
    row(K::UnboundToken, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is not bound to its sender in the required way""#,
        "invalid_token", "16", "the token is not bound to its sender in the required way"),
    row(K::InvalidDpopProof, 401,
        r#"Bearer realm="api", error="invalid_dpop_proof", error_description="the DPoP proof is missing or invalid""#,
        "invalid_dpop_proof", "16", "the DPoP proof is missing or invalid"),
    row(K::UseDpopNonce, 401,
        r#"Bearer realm="api", error="use_dpop_nonce", error_description="the DPoP proof must contain the nonce of this server""#,
        "use_dpop_nonce", "16", "the DPoP proof must contain the nonce of this server"),
    row(K::WrongWorkload, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is of another workload""#,
        "invalid_token", "16", "the token is of another workload"),
    row(K::UnexpectedClaims, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the claims of the token do not have the expected form""#,
        "invalid_token", "16", "the claims of the token do not have the expected form"),
    row(K::RevokedToken, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token was revoked""#,
        "invalid_token", "16", "the token was revoked"),
    row(K::UsedToken, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token was used before, and can be used only once""#,
        "invalid_token", "16", "the token was used before, and can be used only once"),
    row(K::InactiveToken, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is not active""#,
        "invalid_token", "16", "the token is not active"),
    row(K::InvalidToken, 401,
        r#"Bearer realm="api", error="invalid_token", error_description="the token is invalid""#,
        "invalid_token", "16", "the token is invalid"),
    row(K::InsufficientScope, 403,
        r#"Bearer realm="api", error="insufficient_scope", error_description="the token does not permit this request""#,
        "insufficient_scope", "7", "the token does not permit this request"),
    row(K::InsufficientUserAuthentication, 401,
        r#"Bearer realm="api", error="insufficient_user_authentication", error_description="the user must log in again, or with a stronger method""#,
        "insufficient_user_authentication", "16", "the user must log in again, or with a stronger method"),
    Row { kind: K::Unavailable, status: 503, challenge: None, error: None, grpc_status: "14",
        words: "the token cannot be verified at the moment", retry_after: Some("5") },
];

fn row_of(kind: RejectionKind) -> &'static Row {
    TABLE.iter().find(|row| row.kind == kind).unwrap()
}

/// A layer that refuses every token for this reason.
fn refusing(kind: RejectionKind) -> JwtAuthLayer<()> {
    refusing_with(kind.into())
}

fn refusing_with(rejection: Rejection) -> JwtAuthLayer<()> {
    JwtAuthLayer::new(verify_fn(move |_: &PresentedToken| Err::<(), _>(rejection.clone())))
}

/// A POST with a good-looking token and these fields.
fn post(fields: &[(HeaderName, &str)]) -> Request<()> {
    let mut request = bearer("abc");
    *request.method_mut() = Method::POST;
    for (name, value) in fields {
        request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
    }
    request
}

fn grpc() -> Request<()> {
    post(&[(CONTENT_TYPE, "application/grpc"), (TE, "trailers")])
}
