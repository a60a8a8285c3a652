//! `axum-jose` 0.2, with `jsonwebtoken` 10 on aws-lc-rs. Its claims are a `serde_json::Value`.

use axum::body::Body;
use axum_jose::AuthorizationLayer;
use axum_jose::authorization::Claims;
use tower_layer::Layer;

use crate::contender::{Contender, Group, Handler};
use crate::fixture::{AUDIENCE, Fixture, ISSUER, Scenario};
use crate::providers;

pub(super) fn new(fixture: &Fixture) -> Option<Contender> {
    let keys = serde_json::from_str(&fixture.jwks).expect("a JWK set");
    let issuer = ISSUER.parse().expect("a URL");
    let layer = AuthorizationLayer::with_local_jwk_set(keys, issuer, AUDIENCE.to_owned());
    let service = layer.layer(Handler::<Body>::finding::<Claims>());
    let contender = Contender::layer::<Body, _>("axum-jose", Group::Peer, service);
    Some(contender.prepared_by(providers::use_aws_lc).not_in(&[Scenario::Immature]))
}
