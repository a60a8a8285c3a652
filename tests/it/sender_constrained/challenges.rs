//! The challenges of layers that accept the scheme `DPoP` (RFC 9449 section 7).

use std::time::Duration;

use http::header::{CONTENT_TYPE, TE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use tower_jwt_auth::{
    Accepted, Algorithm, AuthorizeLayer, EmptyBody, JwtAuthLayer, PresentedToken, Rejection,
    RejectionFn, RejectionKind, RequestSummary, ResponseForRejection, Rule, Scope, TokenScheme,
    Verification, VerifyToken,
};

use super::proofs::{by_dpop, jkt, proven};
use super::{bound, unbound};
use crate::support::challenge::parts;
use crate::support::requests::{Body, bearer, field, refusal, request, send};
use crate::support::{NOW, claims_with, key};

use RejectionKind::*;

const BEARER: &str = r#"Bearer realm="api""#;
const DPOP: &str = r#"DPoP realm="api", algs="ES256 ES384""#;

fn layer() -> JwtAuthLayer {
    JwtAuthLayer::new(by_dpop(key(Algorithm::HS256).verifier()))
}

fn required() -> JwtAuthLayer {
    JwtAuthLayer::new(by_dpop(key(Algorithm::HS256).verifier()).required())
}

fn challenges(response: &Response<Body>) -> Vec<&str> {
    let lines = response.headers().get_all(WWW_AUTHENTICATE).iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

fn error(challenge: &str, error: &str, description: &str) -> String {
    format!(r#"{challenge}, error="{error}", error_description="{description}""#)
}

fn as_grpc(mut request: Request<()>) -> Request<()> {
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    request
}

#[test]
fn request_without_credentials_gets_both_challenges_without_an_error() {
    for request in [|| Request::new(()), || request(["Basic YTpi"])] {
        for request in [request(), as_grpc(request())] {
            let response = send(&layer(), request);
            assert_eq!(challenges(&response), [BEARER, DPOP]);
            assert_eq!(field(&response, "cache-control"), Some("no-store"));
        }
    }
}

#[test]
fn error_is_in_the_challenge_of_the_scheme_that_was_used() {
    let expired = key(Algorithm::HS256).token(&claims_with("exp", NOW - 999));
    let with_error = |challenge| error(challenge, "invalid_token", "the token has expired");
    for grpc in [false, true] {
        let sent = |line: String| {
            let request = request([line]);
            send(&layer(), if grpc { as_grpc(request) } else { request })
        };
        let response = sent(format!("Bearer {expired}"));
        assert_eq!(challenges(&response), [with_error(BEARER).as_str(), DPOP]);
        let response = sent(format!("dpop {expired}"));
        assert_eq!(challenges(&response), [BEARER, with_error(DPOP).as_str()]);
        let response = sent(format!("DPoP {}", bound(jkt())));
        let invalid = error(DPOP, "invalid_dpop_proof", "the request has no DPoP proof");
        assert_eq!(refusal(&response), Some(InvalidDpopProof));
        assert_eq!(challenges(&response), [BEARER, invalid.as_str()]);
        let response = sent(format!("Bearer {}", bound(jkt())));
        let words = "the token is bound to a sender that this request does not confirm";
        let unconfirmed = error(BEARER, "invalid_token", words);
        assert_eq!(challenges(&response), [unconfirmed.as_str(), DPOP]);
    }
}

#[test]
fn ambiguous_request_gets_the_error_in_both_challenges() {
    let words = "more than one set of credentials was given";
    let both = [BEARER, DPOP].map(|challenge| error(challenge, "invalid_request", words));
    for lines in [&["Bearer a", "DPoP b"][..], &["DPoP b", "Bearer a"], &["DPoP a, Bearer b"]] {
        let response = send(&layer(), request(lines));
        assert_eq!(response.status(), 400);
        assert_eq!(challenges(&response), both);
    }
    // Neither of the two schemes.
    let response = send(&layer(), request([";"]));
    assert_eq!(response.status(), 400);
    assert!(challenges(&response).iter().all(|it| it.contains("invalid_request")));
}

#[test]
fn layer_that_requires_dpop_has_its_challenge_alone() {
    assert_eq!(challenges(&send(&required(), Request::new(()))), [DPOP]);
    assert_eq!(challenges(&send(&required(), bearer(&unbound()))), [DPOP]);
    let response = send(&required(), proven(&unbound()));
    let words = "the token is not bound to its sender in the required way";
    assert_eq!(challenges(&response), [error(DPOP, "invalid_token", words)]);
}

#[test]
fn realm_scope_and_step_up_are_in_the_challenge_for_dpop_too() {
    let layer = layer().with_realm("a \"b\"").unwrap();
    let layer = layer.with_scope_in_challenge(Scope::from("read")).unwrap();
    assert_eq!(
        challenges(&send(&layer, Request::new(()))),
        [
            r#"Bearer realm="a \"b\"", scope="read""#,
            r#"DPoP realm="a \"b\"", algs="ES256 ES384", scope="read""#
        ]
    );
    #[cfg(feature = "resource-metadata")]
    {
        let metadata = tower_jwt_auth::ResourceMetadata::new("https://api.example/a").unwrap();
        let layer = self::layer().with_resource_metadata(metadata).unwrap();
        let url = "https://api.example/.well-known/oauth-protected-resource/a";
        assert_eq!(
            challenges(&send(&layer, Request::new(()))),
            [BEARER, DPOP].map(|it| format!(r#"{it}, resource_metadata="{url}""#))
        );
    }
    let refuse =
        |rejection: Rejection| Refusing(rejection, &[TokenScheme::Bearer, TokenScheme::DPoP]);
    let age = Some(Duration::from_secs(300));
    let step_up = Rejection::insufficient_user_authentication(&["gold"], age);
    let response = send(&JwtAuthLayer::new(refuse(step_up)), request(["DPoP abc"]));
    let [bearer, dpop] = challenges(&response)[..] else { panic!("two challenges") };
    assert_eq!(bearer, BEARER);
    assert!(dpop.starts_with(r#"DPoP realm="api", error="insufficient_user_authentication""#));
    assert!(dpop.ends_with(r#", acr_values="gold", max_age="300""#));
    let scope = Rejection::insufficient_scope(Scope::from("write"));
    let response = send(&JwtAuthLayer::new(refuse(scope)), request(["DPoP abc"]));
    assert_eq!(response.status(), 403);
    let [bearer, dpop] = challenges(&response)[..] else { panic!("two challenges") };
    assert_eq!(bearer, r#"Bearer realm="api", scope="write""#);
    assert!(dpop.contains(r#"scope="write", error="insufficient_scope""#));
}

#[tokio::test]
async fn refusal_from_below_has_its_error_in_the_challenge_of_the_scheme_that_was_used() {
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    let inner = service_fn(async |_: Request<()>| {
        Ok::<_, std::convert::Infallible>(Response::new(Body::new()))
    });
    let authorize: AuthorizeLayer = AuthorizeLayer::new(Rule::scope("write").unwrap());
    let service = ServiceBuilder::new().layer(layer()).layer(authorize).service(inner);
    let missing = |challenge: &str| {
        let scoped = format!(r#"{challenge}, scope="write""#);
        error(&scoped, "insufficient_scope", "the token does not permit this request")
    };
    let response = service.clone().oneshot(proven(&bound(jkt()))).await.unwrap();
    assert_eq!(challenges(&response), [format!(r#"{BEARER}, scope="write""#), missing(DPOP)]);
    let response = service.oneshot(bearer(&unbound())).await.unwrap();
    assert_eq!(challenges(&response), [missing(BEARER), format!(r#"{DPOP}, scope="write""#)]);
}

#[tokio::test]
async fn layer_for_dpop_inside_of_a_bearer_layer_writes_its_own_challenges() {
    use tower::{Layer, ServiceExt, service_fn};

    let inner = service_fn(async |_: Request<()>| {
        Ok::<_, std::convert::Infallible>(Response::new(Body::new()))
    });
    let outer = JwtAuthLayer::new(key(Algorithm::HS256).verifier());
    let service = outer.clone().layer(required().layer(inner));
    let response = service.oneshot(bearer(&unbound())).await.unwrap();
    assert_eq!(challenges(&response), [DPOP]);
    let response = outer.optional().layer(layer().layer(inner)).oneshot(Request::new(())).await;
    assert_eq!(challenges(&response.unwrap()), [BEARER, DPOP]);
}

/// Refuses every token of these schemes.
#[derive(Clone)]
struct Refusing(Rejection, &'static [TokenScheme]);

impl VerifyToken<()> for Refusing {
    fn verify_token(&self, _: &PresentedToken, _: &http::request::Parts) -> Verification<()> {
        Verification::ready(Err::<Accepted<()>, _>(self.0.clone()))
    }

    fn schemes(&self) -> &[TokenScheme] {
        self.1
    }
}

#[test]
fn challenges_of_every_reason_can_be_read_back_over_http_and_grpc() {
    let both: &[TokenScheme] = &[TokenScheme::Bearer, TokenScheme::DPoP];
    for kind in RejectionKind::ALL {
        for rejection in [
            Rejection::from(*kind),
            Rejection::from(*kind).with_description("a \"text\""),
            Rejection::from(*kind)
                .with_header(HeaderName::from_static("dpop-nonce"), HeaderValue::from_static("n")),
        ] {
            for (schemes, used) in [(both, "Bearer"), (both, "DPoP"), (&both[1..], "DPoP")] {
                let layer = JwtAuthLayer::new(Refusing(rejection.clone(), schemes));
                for grpc in [false, true] {
                    let request = request([format!("{used} abc")]);
                    let response = send(&layer, if grpc { as_grpc(request) } else { request });
                    let read: Vec<_> = challenges(&response)
                        .iter()
                        .map(|challenge| parts(challenge.as_bytes()).expect(challenge))
                        .collect();
                    if rejection.status() == 503 {
                        assert!(read.is_empty());
                        continue;
                    }
                    let names: Vec<_> = read.iter().map(|(scheme, _)| scheme.as_str()).collect();
                    // A nonce is asked for in one challenge alone.
                    let is_alone = |scheme: &str| *kind == UseDpopNonce && scheme != used;
                    let all: Vec<_> = schemes
                        .iter()
                        .map(|scheme| scheme.as_str())
                        .filter(|scheme| used == "Bearer" || !is_alone(scheme))
                        .collect();
                    assert_eq!(names, all);
                    let with_error = read.iter().filter(|(_, parameters)| {
                        parameters.iter().any(|(name, _)| name == "error")
                    });
                    let in_all = *kind == MultipleCredentials;
                    let expected: Vec<_> = names
                        .iter()
                        .filter(|name| in_all || **name == used)
                        .filter(|_| rejection.error_code().is_some())
                        .collect();
                    let found: Vec<_> = with_error.map(|(scheme, _)| scheme).collect();
                    assert_eq!(found, expected, "{kind:?} {schemes:?} {used}");
                    let nonce = field(&response, "dpop-nonce");
                    assert_eq!(nonce.is_some(), rejection_has_nonce(&rejection), "{kind:?}");
                }
            }
        }
    }
}

fn rejection_has_nonce(rejection: &Rejection) -> bool {
    // Without a layer: the fields of the rejection alone.
    let layer = JwtAuthLayer::new(Refusing(rejection.clone(), &[TokenScheme::Bearer]));
    field(&send(&layer, bearer("abc")), "dpop-nonce").is_some()
}

#[test]
fn responder_can_replace_each_challenge() {
    type Respond = fn(&Rejection, &RequestSummary) -> Response<Body>;

    fn own(name: &'static str) -> impl Fn(&Rejection) -> Response<Body> {
        move |rejection| {
            let mut response = EmptyBody.response_for_rejection(rejection, &());
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(name));
            response
        }
    }
    let bearer: Respond = |rejection, _| own("Bearer realm=\"own\"")(rejection);
    let dpop: Respond = |rejection, _| own("DPoP realm=\"own\"")(rejection);
    let other: Respond = |rejection, _| own("Basic realm=\"own\"")(rejection);
    let sent = |respond: Respond| {
        let layer: JwtAuthLayer<_, RejectionFn<Respond>> = layer().with_rejection_fn(respond);
        let response = send(&layer, Request::new(()));
        challenges(&response).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(sent(bearer), ["Bearer realm=\"own\"", DPOP]);
    assert_eq!(sent(dpop), ["DPoP realm=\"own\"", BEARER]);
    assert_eq!(sent(other), ["Basic realm=\"own\"", BEARER, DPOP]);
}

#[test]
fn layer_for_bearer_tokens_is_unchanged() {
    let layer = JwtAuthLayer::new(key(Algorithm::HS256).verifier());
    assert_eq!(challenges(&send(&layer, Request::new(()))), [BEARER]);
    let response = send(&layer, request(["DPoP abc"]));
    assert_eq!(refusal(&response), Some(UnsupportedScheme));
    assert_eq!(challenges(&response), [BEARER]);
}
