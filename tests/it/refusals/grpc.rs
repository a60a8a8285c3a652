//! Which requests get a gRPC answer, which is an HTTP 200.

use http::header::{CONTENT_TYPE, TE};
use http::{HeaderValue, Method, Response, Version};
use proptest::prelude::*;
use tower_jwt_auth::{JwtAuthLayer, RejectionKind};

use super::{TABLE, grpc, post, refusing};
use crate::support::requests::{Body, challenge, field, reached, refusal, request, send};

use RejectionKind as K;

#[test]
fn without_grpc_everybody_gets_http() {
    for row in TABLE {
        for layer in [refusing(row.kind), refusing(row.kind).with_grpc_web()] {
            let layer = layer.without_grpc();
            for request in [grpc(), post(&[(CONTENT_TYPE, "application/grpc-web")])] {
                let response = send(&layer, request);
                assert_eq!(response.status().as_u16(), row.status, "{:?}", row.kind);
                assert_eq!(field(&response, "grpc-status"), None);
                assert_eq!(challenge(&response), row.challenge);
            }
        }
    }
}

#[test]
fn grpc_web_gets_http_unless_the_layer_answers_it() {
    let requests =
        ["application/grpc-web", "application/grpc-web+proto", "application/grpc-web-text"]
            .map(|content_type| post(&[(CONTENT_TYPE, content_type)]));
    for row in TABLE {
        for request in &requests {
            let response = send(&refusing(row.kind), request.clone());
            assert_eq!(response.status().as_u16(), row.status, "{:?}", row.kind);
            assert_eq!(field(&response, "grpc-status"), None);
            assert_eq!(field(&response, "content-type"), None);
            // The last call holds.
            let layer = refusing(row.kind).without_grpc().with_grpc_web();
            for request in [request.clone(), grpc()] {
                let response = send(&layer, request);
                assert_eq!(field(&response, "grpc-status"), Some(row.grpc_status));
            }
        }
    }
}

/// What a content type makes of a request, given that all else is right.
#[derive(Clone, Copy, PartialEq)]
enum Family {
    Grpc,
    Web,
    No,
}

const CONTENT_TYPES: &[(&[&str], Family)] = &[
    (&[], Family::No),
    (&["application/grpc"], Family::Grpc),
    (&["APPLICATION/gRPC"], Family::Grpc),
    (&["application/grpc+proto"], Family::Grpc),
    (&["application/grpc+json"], Family::Grpc),
    (&["application/grpc+vnd.x-y_z"], Family::Grpc),
    (&["application/grpc;a=b"], Family::Grpc),
    (&["application/grpc ; a=b"], Family::Grpc),
    (&["application/grpc-web"], Family::Web),
    (&["application/grpc-web+proto"], Family::Web),
    (&["application/grpc-web-text"], Family::Web),
    (&["application/grpc-web-text+proto"], Family::Web),
    (&["application/grpc-web;charset=utf-8"], Family::Web),
    (&[""], Family::No),
    (&["application/json"], Family::No),
    (&["application/grpcx"], Family::No),
    (&["application/grpc+"], Family::No),
    (&["application/grpc+ proto"], Family::No),
    (&["application/grpc proto"], Family::No),
    (&["application/grpc-"], Family::No),
    (&["application/grpc-webx"], Family::No),
    (&["application/grpc-web-"], Family::No),
    (&["application/grpc-web+"], Family::No),
    (&["application/grpc-web-textual"], Family::No),
    (&["application/grpc-web-text+"], Family::No),
    (&["application/grpc-status"], Family::No),
    (&["application/grpc.proto"], Family::No),
    (&["application/grpc/x"], Family::No),
    (&["application /grpc"], Family::No),
    (&["application"], Family::No),
    (&["text/grpc"], Family::No),
    (&["xapplication/grpc"], Family::No),
    (&["application/json+grpc"], Family::No),
    (&["text/plain;x=application/grpc"], Family::No),
    (&["application/grpc, application/json"], Family::No),
    (&["application/grpc,application/grpc"], Family::No),
    (&["application/json, application/grpc"], Family::No),
    (&["application/grpc", "application/grpc"], Family::No),
    (&["application/grpc", "application/json"], Family::No),
    (&["application/json", "application/grpc"], Family::No),
    (&["application/grpc-web", "text/plain"], Family::No),
    (&["\"application/grpc\""], Family::No),
];

const TES: &[(&[&str], bool)] = &[
    (&[], false),
    (&["trailers"], true),
    (&["Trailers"], true),
    (&[""], false),
    (&["trailer"], false),
    (&["trailersx"], false),
    (&["trailers;q=0"], false),
    (&["trailers, deflate"], false),
    (&["deflate"], false),
    (&["trailers", "trailers"], false),
    (&["trailers", "deflate"], false),
];

/// Whether the layer answers gRPC-Web too.
const WEB: [bool; 2] = [false, true];

fn answering_web(layer: JwtAuthLayer<()>, web: bool) -> JwtAuthLayer<()> {
    if web { layer.with_grpc_web() } else { layer }
}

/// Refused before the verifier, by it, at once and for want of keys.
fn no_token() -> impl Iterator<Item = (JwtAuthLayer<()>, Vec<&'static str>)> {
    [K::ExpiredToken, K::InsufficientScope, K::Unavailable]
        .into_iter()
        .map(|kind| (refusing(kind), vec!["Bearer abc"]))
        .chain([
            (JwtAuthLayer::new(tower_jwt_auth::dangerous_any_bearer()), vec![]),
            (JwtAuthLayer::new(tower_jwt_auth::dangerous_any_bearer()), vec!["Basic YTpi"]),
            (
                JwtAuthLayer::new(tower_jwt_auth::dangerous_any_bearer()),
                vec!["Bearer a", "Bearer a"],
            ),
        ])
}

#[test]
fn only_a_strictly_grpc_request_can_get_a_2xx_without_a_token() {
    let methods = ["POST", "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"]
        .into_iter()
        .chain(["post", "POSTX", "PRI"]);
    let versions = [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2, Version::HTTP_3];
    let cases = WEB.map(|web| -> Vec<_> {
        no_token().map(|(layer, value)| (answering_web(layer, web), value)).collect()
    });
    let mut answers_of_grpc = 0;
    for method in methods {
        for (content_types, family) in CONTENT_TYPES {
            for ((tes, trailers), web) in TES.iter().flat_map(|te| WEB.map(|web| (te, web))) {
                for version in versions {
                    let is_grpc = method == "POST"
                        && match family {
                            Family::Grpc => *trailers,
                            Family::Web => web,
                            Family::No => false,
                        };
                    let cases = &cases[usize::from(web)];
                    // One case each, or this takes long; all of them where it matters.
                    let cases = if is_grpc { &cases[..] } else { &cases[..1] };
                    for (layer, authorization) in cases {
                        let mut request = request(authorization);
                        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
                        *request.version_mut() = version;
                        for value in *content_types {
                            let value = HeaderValue::from_static(value);
                            request.headers_mut().append(CONTENT_TYPE, value);
                        }
                        for value in *tes {
                            request.headers_mut().append(TE, HeaderValue::from_static(value));
                        }
                        let response = send(layer, request);
                        let what = format!("{method} {content_types:?} {tes:?} {version:?}");
                        assert_is_refusal(&response, is_grpc, &what);
                        answers_of_grpc += usize::from(is_grpc);
                    }
                }
            }
        }
    }
    // 7 content types with the 2 good values of TE, by either layer; 5 of gRPC-Web with any of the 11, by
    // the layer that answers it.
    assert_eq!(answers_of_grpc, (2 * 7 * 2 + 5 * 11) * 4 * 6);
}

#[test]
fn a_media_type_longer_than_any_name_gets_http() {
    for (length, status) in [(255, 200), (256, 401), (60_000, 401)] {
        let content_type = format!("{:x<length$}", "application/grpc+");
        let request = post(&[(CONTENT_TYPE, &content_type), (TE, "trailers")]);
        let response = send(&refusing(K::ExpiredToken), request);
        assert_eq!(response.status(), status, "{length}");
    }
}

/// A gRPC answer that says no, or an HTTP one, as the case may be.
fn assert_is_refusal(response: &Response<Body>, is_grpc: bool, what: &str) {
    assert!(refusal(response).is_some(), "{what}");
    assert!(reached(response).is_none(), "{what}");
    if is_grpc {
        assert_eq!(response.status(), 200, "{what}");
        assert!(matches!(field(response, "grpc-status"), Some("7" | "14" | "16")), "{what}");
        assert_eq!(response.body(), b"", "{what}");
    } else {
        let status = response.status().as_u16();
        assert!(matches!(status, 400 | 401 | 403 | 503), "{what}: {status}");
        assert_eq!(field(response, "grpc-status"), None, "{what}");
    }
}

/// The test of the design once more, by way of text.
fn is_strictly_grpc(web: bool, method: &str, content_types: &[String], tes: &[String]) -> bool {
    let ([content_type], "POST") = (content_types, method) else { return false };
    let media_type = content_type.split(';').next().unwrap_or_default();
    let media_type = media_type.trim_matches([' ', '\t']).to_ascii_lowercase();
    let (base, suffix) = match media_type.split_once('+') {
        Some((base, suffix)) => (base, Some(suffix)),
        None => (&*media_type, None),
    };
    let is_name = |suffix: &str| {
        !suffix.is_empty() && suffix.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
    };
    suffix.is_none_or(is_name)
        && match base {
            "application/grpc" => {
                matches!(tes, [te] if te.eq_ignore_ascii_case("trailers"))
            }
            "application/grpc-web" | "application/grpc-web-text" => web,
            _ => false,
        }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_made_up_request_gets_a_2xx_without_a_token(
        method in "POST|POST|POST|GET|PUT|post",
        content_types in prop::collection::vec(
            "[ \t]{0,1}(application/grpc|Application/GRPC|application/grpc-web|application/grpc-web-text|application/json|[a-z/+-]{0,9})(\\+proto|\\+[ -~]{0,4}|[ -~]{0,3}|[ \t]?;[ -~]{0,6})",
            0..3,
        ),
        tes in prop::collection::vec("trailers|trailers|TRAILERS|[ -~]{0,9}|trailers[ -~]{1,2}", 0..3),
    ) {
        let cases = no_token().flat_map(|case| WEB.map(|web| (case.clone(), web)));
        for ((layer, authorization), web) in cases {
            let layer = answering_web(layer, web);
            let mut request = request(authorization);
            *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
            for (name, values) in [(CONTENT_TYPE, &content_types), (TE, &tes)] {
                for value in values {
                    request.headers_mut().append(&name, HeaderValue::from_str(value).unwrap());
                }
            }
            let response = send(&layer, request);
            let is_grpc = is_strictly_grpc(web, &method, &content_types, &tes);
            assert_is_refusal(&response, is_grpc, &format!("{method} {content_types:?} {tes:?}"));
        }
    }
}
