//! `resource_metadata` in the challenges of a layer, and whose it is where layers are nested.

use std::time::Duration;

use http::header::{CONTENT_TYPE, FORWARDED, HOST, TE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    AuthorizeLayer, JwtAuthLayer, PresentedToken, ProblemJson, Rejection, RejectionKind,
    ResourceMetadata, Rule, Scope, verify_fn,
};

use super::{URL, layer, metadata, verifier};
use crate::support::challenge as reader;
use crate::support::requests::{Body, bearer, challenge, field, send};
use crate::support::{ISSUER, claims_with, key};

/// A layer that refuses every token for this reason, with metadata.
fn refusing(rejection: Rejection) -> JwtAuthLayer<()> {
    let metadata = metadata().add_authorization_server(ISSUER).unwrap();
    let verifier = verify_fn(move |_: &PresentedToken| Err::<(), _>(rejection.clone()));
    JwtAuthLayer::new(verifier).with_resource_metadata(metadata).unwrap()
}

fn as_grpc(mut request: Request<()>) -> Request<()> {
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    request
}

/// The URL of the metadata in the challenge, which is the only one of its response.
fn named(response: &Response<Body>) -> String {
    let parameters = reader::parse(challenge(response).unwrap()).unwrap();
    parameters["resource_metadata"].clone()
}

/// Every reason that is public.
const KINDS: &[RejectionKind] = &[
    RejectionKind::MissingCredentials,
    RejectionKind::UnsupportedScheme,
    RejectionKind::MultipleCredentials,
    RejectionKind::MalformedCredentials,
    RejectionKind::MalformedToken,
    RejectionKind::TokenTooLong,
    RejectionKind::UnsupportedCriticalHeader,
    RejectionKind::UnsupportedAlgorithm,
    RejectionKind::UnknownKey,
    RejectionKind::InvalidSignature,
    RejectionKind::MalformedClaims,
    RejectionKind::MissingClaim,
    RejectionKind::WrongIssuer,
    RejectionKind::WrongAudience,
    RejectionKind::ExpiredToken,
    RejectionKind::ImmatureToken,
    RejectionKind::IssuedInFuture,
    RejectionKind::TooOld,
    RejectionKind::WrongTokenType,
    RejectionKind::UnconfirmedSender,
    RejectionKind::UnboundToken,
    RejectionKind::InvalidDpopProof,
    RejectionKind::UseDpopNonce,
    RejectionKind::WrongWorkload,
    RejectionKind::UnexpectedClaims,
    RejectionKind::RevokedToken,
    RejectionKind::UsedToken,
    RejectionKind::InactiveToken,
    RejectionKind::InvalidToken,
    RejectionKind::InsufficientScope,
    RejectionKind::InsufficientUserAuthentication,
];

#[test]
fn challenge_of_every_reason_names_the_metadata_over_http_and_grpc() {
    for kind in KINDS {
        for rejection in [
            Rejection::from(*kind),
            Rejection::from(*kind).with_description("a description of the application"),
        ] {
            let layer = refusing(rejection);
            for request in [bearer("abc"), as_grpc(bearer("abc"))] {
                let is_grpc = request.method() == Method::POST;
                let response = send(&layer, request);
                assert_eq!(named(&response), URL, "{kind:?}");
                assert_eq!(field(&response, "grpc-status").is_some(), is_grpc);
                assert_eq!(field(&response, "cache-control"), Some("no-store"));
            }
        }
    }
}

#[test]
fn an_outage_has_no_challenge() {
    let response = send(&refusing(RejectionKind::Unavailable.into()), bearer("abc"));
    assert_eq!((response.status().as_u16(), challenge(&response)), (503, None));
}

#[test]
fn challenge_without_a_token_has_these_bytes() {
    let layer = layer().with_scope_in_challenge(Scope::from("mcp:read")).unwrap();
    assert_eq!(
        challenge(&send(&layer, Request::new(()))),
        Some(
            r#"Bearer realm="api", resource_metadata="https://api.example/.well-known/oauth-protected-resource/mcp", scope="mcp:read""#
        )
    );
}

#[test]
fn url_of_the_challenge_has_the_well_known_path_and_that_of_the_resource() {
    for resource in ["https://api.example", "https://api.example/a/b", "http://localhost:8000/mcp"]
    {
        let metadata = ResourceMetadata::new(resource).unwrap();
        let (url, path) = (metadata.url().to_owned(), metadata.path().to_owned());
        let layer = JwtAuthLayer::new(verifier()).with_resource_metadata(metadata).unwrap();
        let named = named(&send(&layer, Request::new(())));
        assert_eq!(named, url);
        assert!(named.ends_with(&path) && path.contains("/.well-known/oauth-protected-resource"));
    }
}

#[test]
fn scope_and_step_up_stand_beside_the_metadata() {
    let missing = Rejection::insufficient_scope(Scope::from("orders:write"));
    let response = send(&refusing(missing), bearer("abc"));
    let parameters = reader::parse(challenge(&response).unwrap()).unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(parameters["error"], "insufficient_scope");
    assert_eq!((&*parameters["scope"], &*parameters["resource_metadata"]), ("orders:write", URL));

    let age = Some(Duration::from_secs(60));
    let step_up = Rejection::insufficient_user_authentication(&["gold"], age);
    for request in [bearer("abc"), as_grpc(bearer("abc"))] {
        let response = send(&refusing(step_up.clone()), request);
        let parameters = reader::parse(challenge(&response).unwrap()).unwrap();
        assert_eq!((&*parameters["acr_values"], &*parameters["max_age"]), ("gold", "60"));
        assert_eq!(parameters["resource_metadata"], URL);
    }
}

#[test]
fn realm_and_responder_keep_the_metadata() {
    let layers = [
        layer().with_realm("a \"b\"").unwrap(),
        JwtAuthLayer::new(verifier())
            .with_realm("a \"b\"")
            .unwrap()
            .with_resource_metadata(metadata())
            .unwrap(),
    ];
    for layer in layers {
        let response = send(&layer.with_rejection_response(ProblemJson::new()), Request::new(()));
        let parameters = reader::parse(challenge(&response).unwrap()).unwrap();
        assert_eq!((&*parameters["realm"], &*parameters["resource_metadata"]), ("a \"b\"", URL));
    }
}

#[test]
fn bearer_challenge_of_the_application_is_sent_as_it_is_without_the_metadata() {
    let own = HeaderValue::from_static("Bearer realm=\"other\"");
    let by_rejection = Rejection::invalid_token().with_header(WWW_AUTHENTICATE, own.clone());
    let response = send(&refusing(by_rejection), bearer("abc"));
    assert_eq!(challenge(&response), Some("Bearer realm=\"other\""));

    let responder = layer().with_rejection_fn(move |rejection, _| {
        let mut response = Response::new(Body::new());
        *response.status_mut() = rejection.status();
        response.headers_mut().insert(WWW_AUTHENTICATE, own.clone());
        response
    });
    assert_eq!(challenge(&send(&responder, Request::new(()))), Some("Bearer realm=\"other\""));

    // One of another scheme stands beside that of the layer.
    let basic = HeaderValue::from_static("Basic realm=\"other\"");
    let basic = Rejection::invalid_token().with_header(WWW_AUTHENTICATE, basic);
    let response = send(&refusing(basic), bearer("abc"));
    let all: Vec<_> = response.headers().get_all(WWW_AUTHENTICATE).iter().collect();
    assert_eq!(all.len(), 2);
    assert_eq!(reader::parse(all[1].to_str().unwrap()).unwrap()["resource_metadata"], URL);
}

#[test]
fn forwarded_headers_and_host_do_not_change_the_challenge() {
    let plain = send(&layer(), Request::new(()));
    for (name, value) in [
        (HOST, "evil.example"),
        (HeaderName::from_static("x-forwarded-host"), "evil.example"),
        (HeaderName::from_static("x-forwarded-proto"), "http"),
        (HeaderName::from_static("x-forwarded-port"), "8443"),
        (HeaderName::from_static("x-forwarded-prefix"), "/evil"),
        (HeaderName::from_static("x-original-url"), "/evil"),
        (FORWARDED, "host=evil.example;proto=http"),
    ] {
        let mut request = Request::get("https://evil.example/mcp").body(()).unwrap();
        request.headers_mut().insert(name.clone(), HeaderValue::from_static(value));
        let response = send(&layer(), request);
        assert_eq!(response.headers(), plain.headers(), "{name}");
    }
}

/// Sends a good token through two layers to a service that refuses.
fn through_two(outer: &JwtAuthLayer, inner: &JwtAuthLayer, rule: Rule) -> Response<Body> {
    let service = service_fn(async |_: Request<()>| {
        Ok::<_, std::convert::Infallible>(Response::new(Body::new()))
    });
    let stack = outer.layer(inner.layer(AuthorizeLayer::new(rule).layer(service)));
    let token = key(tower_jwt_auth::Algorithm::HS256).token(&claims_with("scope", "read"));
    let answer = stack.oneshot(bearer(&token));
    futures_util::FutureExt::now_or_never(answer).unwrap().unwrap()
}

#[test]
fn refusals_from_below_name_the_metadata_of_the_outermost_layer() {
    let plain = JwtAuthLayer::new(verifier());
    let response = through_two(&layer(), &plain, Rule::scope("write").unwrap());
    let parameters = reader::parse(challenge(&response).unwrap()).unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!((&*parameters["scope"], &*parameters["resource_metadata"]), ("write", URL));

    let response = through_two(&layer(), &plain, Rule::claim("tenant", json!("acme")).unwrap());
    assert_eq!(named(&response), URL);
}

#[test]
fn an_inner_layer_with_metadata_of_its_own_writes_its_own_challenge() {
    let other = ResourceMetadata::new("https://api.example/other").unwrap();
    let outer = JwtAuthLayer::new(verifier()).with_resource_metadata(other.clone()).unwrap();
    let response = through_two(&outer, &layer(), Rule::scope("write").unwrap());
    assert_eq!(named(&response), URL);
    // The last call counts.
    let layer = layer().with_resource_metadata(other.clone()).unwrap();
    assert_eq!(named(&send(&layer, Request::new(()))), other.url());
}
