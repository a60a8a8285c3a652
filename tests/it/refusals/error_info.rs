//! `google.rpc.ErrorInfo` on request, as a client of another library reads it.

use std::collections::HashMap;
use std::time::Duration;

use http::Response;
use http::header::CONTENT_TYPE;
use tonic::{Code, Status};
use tonic_types::{ErrorInfo, StatusExt};
use tower_jwt_auth::{ConfigErrorKind, JwtAuthLayer, Rejection, RejectionKind, Scope};

use super::{TABLE, grpc, post, refusing, refusing_with};
use crate::support::requests::{Body, bearer, field, send};

use RejectionKind as K;

const DETAILS: &str = "grpc-status-details-bin";

fn informing(layer: JwtAuthLayer<()>) -> JwtAuthLayer<()> {
    layer.with_grpc_error_info("orders.example").unwrap()
}

fn status(response: &Response<Body>) -> Status {
    Status::from_header_map(response.headers()).unwrap()
}

fn info(response: &Response<Body>) -> ErrorInfo {
    status(response).get_details_error_info().unwrap()
}

fn upper_snake_case(kind: RejectionKind) -> String {
    let name = kind.as_str().chars().enumerate();
    name.flat_map(|(at, c)| {
        let gap = (at > 0 && c.is_uppercase()).then_some('_');
        gap.into_iter().chain([c.to_ascii_uppercase()])
    })
    .collect()
}

#[test]
fn every_refusal_has_its_reason_domain_and_error_code() {
    for row in TABLE {
        let kind = row.kind;
        let web = post(&[(CONTENT_TYPE, "application/grpc-web")]);
        for request in [grpc(), web] {
            let response = send(&informing(refusing(kind)).with_grpc_web(), request);
            let info = info(&response);
            assert_eq!(info.reason, upper_snake_case(kind));
            assert_eq!(info.domain, "orders.example");
            let error = row.error.filter(|_| kind != K::Unavailable);
            let error = error.map(|error| ("error".to_owned(), error.to_owned()));
            assert_eq!(info.metadata, HashMap::from_iter(error), "{kind:?}");
        }
    }
}

#[test]
fn details_are_off_by_default_and_never_over_http() {
    for kind in [K::ExpiredToken, K::Unavailable] {
        assert_eq!(field(&send(&refusing(kind), grpc()), DETAILS), None);
        assert_eq!(field(&send(&informing(refusing(kind)), bearer("abc")), DETAILS), None);
        let without_grpc = informing(refusing(kind)).without_grpc();
        assert_eq!(field(&send(&without_grpc, grpc()), DETAILS), None);
    }
}

#[test]
fn details_are_base64_without_padding() {
    for row in TABLE {
        let response = send(&informing(refusing(row.kind)), grpc());
        let details = field(&response, DETAILS).unwrap();
        assert!(!details.contains('='), "{details}");
    }
}

#[test]
fn details_tell_what_the_rejection_tells() {
    let scope = Rejection::insufficient_scope(Scope::from("orders:read orders:write"));
    let five_minutes = Some(Duration::from_secs(300));
    let step_up = Rejection::insufficient_user_authentication(&["gold", "silver"], five_minutes);
    for (rejection, expected) in [
        (scope, &[("error", "insufficient_scope"), ("scope", "orders:read orders:write")][..]),
        (
            step_up,
            &[
                ("error", "insufficient_user_authentication"),
                ("acr_values", "gold silver"),
                ("max_age", "300"),
            ],
        ),
        (Rejection::unavailable("the password is hunter2"), &[]),
    ] {
        let response = send(&informing(refusing_with(rejection)), grpc());
        let expected = expected.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        assert_eq!(info(&response).metadata, expected.collect());
    }
}

#[test]
fn scope_that_the_layer_adds_is_in_the_challenge_alone() {
    let layer = informing(refusing(K::ExpiredToken));
    let layer = layer.with_scope_in_challenge(Scope::from("orders:read")).unwrap();
    let response = send(&layer, grpc());
    assert!(field(&response, "www-authenticate").unwrap().contains("scope=\"orders:read\""));
    assert_eq!(info(&response).metadata.keys().collect::<Vec<_>>(), ["error"]);
}

/// Clients discard details of another code or message.
#[test]
fn details_have_the_code_and_the_message_of_the_status() {
    for text in ["the key was revoked", "100 % ü", &"ü".repeat(300)] {
        let rejection = Rejection::invalid_token().with_description(text.to_owned());
        let response = send(&informing(refusing_with(rejection)), grpc());
        let status = status(&response);
        assert_eq!(status.code(), Code::Unauthenticated);
        let details =
            <tonic_types::pb::Status as prost::Message>::decode(status.details()).unwrap();
        assert_eq!((details.code, &*details.message), (16, status.message()));
    }
}

#[test]
fn domain_is_checked() {
    for domain in ["orders", "https://orders.example/v1", &"d".repeat(253)] {
        assert!(refusing(K::ExpiredToken).with_grpc_error_info(domain).is_ok(), "{domain}");
    }
    for domain in ["", "a b", "a\nb", "é", "a\u{7f}", &"d".repeat(254)] {
        let error = refusing(K::ExpiredToken).with_grpc_error_info(domain).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::ErrorInfo, "{domain:?}");
    }
}
