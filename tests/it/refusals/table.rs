//! The table over HTTP, gRPC and gRPC-Web.

use std::collections::HashSet;

use http::HeaderName;
use http::header::{AUTHORIZATION, CONTENT_TYPE, TE};
use tower_jwt_auth::{
    JwtAuthLayer, PresentedToken, ProblemJson, Rejection, RejectionKind, cors_exposed_headers,
    verify_async_fn,
};

use super::{TABLE, grpc, post, refusing};
use crate::support::requests::{
    bearer, challenge, field, reached, refusal, request, send, send_later,
};

use RejectionKind as K;

#[test]
fn the_table_has_every_kind_once() {
    let kinds: Vec<_> = TABLE.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, RejectionKind::ALL);
}

#[test]
fn the_table_over_http() {
    for row in TABLE {
        let response = send(&refusing(row.kind), bearer("abc"));
        let kind = row.kind;
        assert_eq!(response.status().as_u16(), row.status, "{kind:?}");
        assert_eq!(challenge(&response), row.challenge, "{kind:?}");
        assert_eq!(field(&response, "cache-control"), Some("no-store"), "{kind:?}");
        assert_eq!(field(&response, "retry-after"), row.retry_after, "{kind:?}");
        assert_eq!(response.body(), b"", "{kind:?}");
        assert_eq!(refusal(&response), Some(kind));
        for absent in ["content-type", "grpc-status", "grpc-message"] {
            assert_eq!(field(&response, absent), None, "{kind:?}");
        }
        let expected =
            2 + usize::from(row.retry_after.is_some()) - usize::from(row.challenge.is_none());
        assert_eq!(response.headers().len(), expected, "{kind:?}: nothing else");
        assert!(reached(&response).is_none());
        // B7, H4: never a bare `Bearer`, and never a 401 without one.
        if let Some(challenge) = challenge(&response) {
            assert!(challenge.starts_with("Bearer realm=\""), "{kind:?}");
        }
        assert!(response.status() != 401 || challenge(&response).is_some(), "{kind:?}");
    }
}

#[test]
fn the_table_over_grpc_and_grpc_web() {
    let plain: [(&str, &str); 5] = [
        ("application/grpc", "application/grpc"),
        ("application/grpc+proto", "application/grpc+proto"),
        ("application/grpc+json", "application/grpc+json"),
        ("application/grpc; charset=utf-8", "application/grpc"),
        ("application/grpc+proto ;a=b;c=d", "application/grpc+proto"),
    ];
    let web = [
        ("application/grpc-web", "application/grpc-web"),
        ("application/grpc-web+proto", "application/grpc-web+proto"),
        ("application/grpc-web-text", "application/grpc-web-text"),
        ("application/grpc-web-text+proto", "application/grpc-web-text+proto"),
        ("application/grpc-web+json;charset=utf-8", "application/grpc-web+json"),
    ];
    let requests = plain
        .map(|(sent, echoed)| (post(&[(CONTENT_TYPE, sent), (TE, "trailers")]), echoed))
        .into_iter()
        .chain(web.map(|(sent, echoed)| (post(&[(CONTENT_TYPE, sent)]), echoed)));
    for (request, content_type) in requests {
        for row in TABLE {
            let kind = row.kind;
            let response = send(&refusing(kind).with_grpc_web(), request.clone());
            assert_eq!(response.status(), 200, "{kind:?}");
            assert_eq!(field(&response, "content-type"), Some(content_type), "{kind:?}");
            assert_eq!(field(&response, "grpc-status"), Some(row.grpc_status), "{kind:?}");
            assert_eq!(field(&response, "grpc-message"), Some(row.words), "{kind:?}");
            assert_eq!(challenge(&response), row.challenge, "{kind:?}");
            assert_eq!(field(&response, "cache-control"), Some("no-store"), "{kind:?}");
            assert_eq!(field(&response, "retry-after"), row.retry_after, "{kind:?}");
            assert_eq!(response.body(), b"", "{kind:?}: trailers only");
            assert_eq!(refusal(&response), Some(kind));
            assert!(reached(&response).is_none());
        }
    }
}

#[test]
fn page_of_another_origin_can_read_every_header_of_a_refusal() {
    // Those that a browser shows in any case (Fetch, "CORS-safelisted response-header name").
    let safelisted = [
        "cache-control",
        "content-language",
        "content-length",
        "content-type",
        "expires",
        "last-modified",
        "pragma",
    ];
    let exposed = cors_exposed_headers();
    // A check of DPoP adds this one.
    let mut needed = HashSet::from([HeaderName::from_static("dpop-nonce")]);
    for row in TABLE {
        let layer = refusing(row.kind).with_grpc_web();
        #[cfg(feature = "grpc-error-info")]
        let layer = layer.with_grpc_error_info("orders.example").unwrap();
        let problem = layer.clone().with_rejection_response(ProblemJson::new());
        let web = post(&[(CONTENT_TYPE, "application/grpc-web")]);
        for response in [
            send(&layer, bearer("abc")),
            send(&problem, bearer("abc")),
            send(&layer, grpc()),
            send(&layer, web),
        ] {
            assert_eq!(refusal(&response), Some(row.kind));
            for name in response.headers().keys() {
                if !safelisted.contains(&name.as_str()) {
                    assert!(exposed.contains(name), "{:?}: {name}", row.kind);
                    needed.insert(name.clone());
                }
            }
        }
    }
    // And no other one.
    let superfluous: Vec<_> = exposed.iter().filter(|name| !needed.contains(*name)).collect();
    match cfg!(feature = "grpc-error-info") {
        true => assert_eq!(superfluous, [""; 0]),
        false => assert_eq!(superfluous, ["grpc-status-details-bin"]),
    }
}

#[test]
fn every_row_answers_by_the_methods_of_the_rejection_too() {
    for row in TABLE {
        let rejection = Rejection::from(row.kind);
        assert_eq!(rejection.status().as_u16(), row.status);
        assert_eq!(rejection.error_code(), row.error);
        assert_eq!(rejection.grpc_status().to_string(), row.grpc_status);
        assert_eq!(rejection.description(), row.words);
        assert_eq!(rejection.to_string(), row.words);
        assert_eq!(rejection.is_invalid_token(), row.error == Some("invalid_token"));
        assert_eq!(rejection.expected(), None);
    }
}

#[tokio::test]
async fn a_verdict_that_takes_time_is_answered_alike() {
    for row in TABLE {
        let kind = row.kind;
        let layer = JwtAuthLayer::new(verify_async_fn(move |_: PresentedToken| async move {
            tokio::task::yield_now().await;
            Err::<(), Rejection>(kind.into())
        }));
        for request in [bearer("abc"), grpc()] {
            let now = send(&refusing(kind), request.clone());
            let later = send_later(&layer, request).await;
            assert_eq!(now.status(), later.status(), "{kind:?}");
            assert_eq!(now.headers(), later.headers(), "{kind:?}");
            assert_eq!(refusal(&later), Some(kind));
        }
    }
}

#[test]
fn refusals_before_the_verifier_have_the_forms_of_the_table() {
    let layer = JwtAuthLayer::new(tower_jwt_auth::dangerous_any_bearer());
    for (authorization, kind) in [
        (&[][..], K::MissingCredentials),
        (&["Basic YTpi"], K::UnsupportedScheme),
        (&["Bearer a", "Bearer a"], K::MultipleCredentials),
        (&["Bearer"], K::MalformedCredentials),
    ] {
        let row = TABLE.iter().find(|row| row.kind == kind).unwrap();
        let response = send(&layer, request(authorization));
        assert_eq!(response.status().as_u16(), row.status);
        assert_eq!(challenge(&response), row.challenge);
        assert_eq!(refusal(&response), Some(kind));

        let mut grpc = grpc();
        grpc.headers_mut().remove(AUTHORIZATION);
        grpc.headers_mut().extend(request(authorization).headers().clone());
        let response = send(&layer, grpc);
        assert_eq!(response.status(), 200);
        assert_eq!(field(&response, "grpc-status"), Some(row.grpc_status));
        assert_eq!(challenge(&response), row.challenge);
    }
}
