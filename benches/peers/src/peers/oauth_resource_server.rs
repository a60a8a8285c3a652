//! `oauth-resource-server` 0.4, with `jsonwebtoken` 9 on ring. It has no HMAC. The keys are given, and never fetched.

use std::sync::Arc;

use axum::body::Body;
use oauth_resource_server::http_layer::HttpAuthLayer;
use oauth_resource_server::{AuthorizedToken, KeyNaming, OAuthConfig, OAuthValidator};
use tower_layer::Layer;

use crate::contender::{Contender, Group, Handler};
use crate::fixture::{AUDIENCE, Algorithm, Fixture, ISSUER, LEEWAY};

pub(super) fn new(fixture: &Fixture) -> Option<Contender> {
    if fixture.algorithm == Algorithm::Hs256 {
        return None;
    }
    let config = OAuthConfig {
        enabled: true,
        issuer: ISSUER.into(),
        jwks_uri: Some("http://127.0.0.1:9/jwks".into()),
        audience: AUDIENCE.into(),
        resource: AUDIENCE.into(),
        leeway_secs: LEEWAY,
        allow_unscoped_tokens: true,
        ..OAuthConfig::default()
    };
    let config = config.resolve(KeyNaming::Dotted("oauth")).expect("a configuration");
    let validator = OAuthValidator::builder(&config.expect("one that is enabled"))
        .initial_jwks(&fixture.jwks)
        .build()
        .expect("a validator");
    let layer = HttpAuthLayer::builder().oauth(Arc::new(validator)).build().expect("a layer");
    let service = layer.layer(Handler::<Body>::finding::<AuthorizedToken>());
    Some(Contender::layer::<Body, _>("oauth-resource-server", Group::Peer, service))
}
