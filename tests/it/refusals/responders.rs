//! Responders: problem details and those of the application.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};
use tower_jwt_auth::{EmptyBody, ProblemJson, Rejection, RejectionKind};

use super::{TABLE, grpc, post, refusing, row_of};
use crate::support::requests::{Body, bearer, challenge, field, refusal, send};

use RejectionKind as K;

#[test]
fn problem_details_say_what_the_table_says() {
    for row in TABLE {
        let layer = refusing(row.kind).with_rejection_response(ProblemJson::new());
        let response = send(&layer, bearer("abc"));
        let title = match row.status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            _ => "Service Unavailable",
        };
        assert_eq!(response.status().as_u16(), row.status);
        assert_eq!(field(&response, "content-type"), Some("application/problem+json"));
        let mut expected = json!({"title": title, "status": row.status, "detail": row.words});
        if let Some(error) = row.error {
            expected["error"] = error.into();
        }
        assert_eq!(serde_json::from_slice::<Value>(response.body()).unwrap(), expected);
        assert_eq!(challenge(&response), row.challenge);
        assert_eq!(field(&response, "cache-control"), Some("no-store"));
        assert_eq!(field(&response, "retry-after"), row.retry_after);
        assert_eq!(refusal(&response), Some(row.kind));
        // And not to gRPC.
        let response = send(&layer, grpc());
        assert_eq!(response.body(), b"");
        assert_eq!(field(&response, "content-type"), Some("application/grpc"));
    }
}

/// A layer that refuses with this kind and answers with this status and fields.
fn answering(
    kind: RejectionKind,
    status: u16,
    fields: &'static [(&'static str, &'static str)],
    request: Request<()>,
) -> Response<Body> {
    let layer = refusing(kind).with_grpc_web().with_rejection_fn(move |rejection, request| {
        let body = format!("{} {}: {rejection}", request.method(), request.uri().path());
        let mut response = Response::new(body.into_bytes());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in fields {
            response.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        response
    });
    send(&layer, request)
}

#[test]
fn a_responder_cannot_say_that_all_is_well() {
    for row in TABLE {
        for status in [100, 101, 103, 199, 200, 201, 204, 206, 226, 299] {
            let response = answering(row.kind, status, &[], bearer("abc"));
            assert_eq!(response.status().as_u16(), row.status, "{:?}, {status}", row.kind);
            assert_eq!(response.body(), format!("GET /: {}", row.words).as_bytes());
            assert_eq!(challenge(&response), row.challenge);
        }
        for status in [300, 302, 303, 307, 400, 401, 403, 404, 418, 499, 500, 503, 599, 600, 999] {
            let response = answering(row.kind, status, &[], bearer("abc"));
            assert_eq!(response.status().as_u16(), status, "{:?}", row.kind);
            assert_eq!(challenge(&response), row.challenge);
            assert_eq!(field(&response, "cache-control"), Some("no-store"));
            assert_eq!(field(&response, "retry-after"), row.retry_after);
            assert_eq!(refusal(&response), Some(row.kind));
        }
    }
}

#[test]
fn a_responders_own_fields_are_kept() {
    let response = answering(
        K::Unavailable,
        302,
        &[
            ("www-authenticate", "Negotiate"),
            ("www-authenticate", "Bearer realm=\"other\""),
            ("cache-control", "private"),
            ("retry-after", "120"),
            ("location", "/login"),
        ],
        bearer("abc"),
    );
    let challenges: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, ["Negotiate", "Bearer realm=\"other\""]);
    assert_eq!(field(&response, "cache-control"), Some("private"));
    assert_eq!(field(&response, "retry-after"), Some("120"));
    assert_eq!(field(&response, "location"), Some("/login"));

    let response =
        answering(K::ExpiredToken, 401, &[("www-authenticate", "Custom a=\"b\"")], bearer("abc"));
    let challenges: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, ["Custom a=\"b\"", row_of(K::ExpiredToken).challenge.unwrap()]);
    assert_eq!(field(&response, "cache-control"), Some("no-store"));
}

#[test]
fn challenge_of_another_scheme_by_the_responder_stands_beside_ours() {
    for row in TABLE {
        let basic = &[("www-authenticate", "Basic realm=\"a, Bearer\"")];
        let response = answering(row.kind, 401, basic, bearer("abc"));
        let challenges: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
        let ours = row.challenge.into_iter().collect::<Vec<_>>();
        assert_eq!(challenges, [&["Basic realm=\"a, Bearer\""][..], &ours].concat());

        let both = &[("www-authenticate", "Basic realm=\"a\", bearer realm=\"b\"")];
        let response = answering(row.kind, 401, both, bearer("abc"));
        assert_eq!(challenge(&response), Some("Basic realm=\"a\", bearer realm=\"b\""));
    }
}

#[test]
fn grpc_never_reaches_the_responder() {
    for row in TABLE {
        for request in [grpc(), post(&[(CONTENT_TYPE, "application/grpc-web-text")])] {
            let fields = &[("x-responder", "here"), ("location", "/login")];
            let response = answering(row.kind, 302, fields, request);
            assert_eq!(response.status(), 200);
            assert_eq!(field(&response, "grpc-status"), Some(row.grpc_status));
            assert_eq!(field(&response, "x-responder"), None);
            assert_eq!(response.body(), b"");
        }
    }
}

#[test]
fn responders_of_every_kind_fit_bodies_of_every_kind() {
    use tower_jwt_auth::ResponseForRejection;

    let rejection = Rejection::invalid_token();
    let unit: Response<()> = EmptyBody.response_for_rejection(&rejection, &());
    assert_eq!(unit.status(), 401);
    let bytes: Response<Bytes> = ProblemJson::new().response_for_rejection(&rejection, &());
    let vec: Response<Vec<u8>> = ProblemJson::new().response_for_rejection(&rejection, &());
    assert_eq!(bytes.body(), vec.body());
}
