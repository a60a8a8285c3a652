//! `tower-oauth2-resource-server` 0.12, with `jsonwebtoken` 11 on aws-lc-rs, which is faster than its default.

use axum::body::Body;
use futures_executor::block_on;
use jsonwebtoken::Algorithm::{ES256, EdDSA, HS256, RS256};
use tower_layer::Layer;
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;
use tower_oauth2_resource_server::validation::ClaimsValidationSpec;

use crate::contender::{Contender, Group, Handler};
use crate::fixture::{AUDIENCE, Claims, Fixture, ISSUER};

pub(super) fn new(fixture: &Fixture) -> Option<Contender> {
    let checks = ClaimsValidationSpec::recommended(ISSUER, &vec![AUDIENCE.to_owned()]);
    let tenant = TenantConfiguration::static_builder(&fixture.jwks)
        .claims_validation(checks)
        .allowed_algorithms(&[HS256, RS256, ES256, EdDSA])
        .build()
        .expect("a tenant");
    let server = OAuth2ResourceServer::<Claims>::builder().add_tenant(tenant).build();
    let layer = block_on(server).expect("a resource server").into_layer();
    let service = layer.layer(Handler::<Body>::finding::<Claims>());
    Some(Contender::layer::<Body, _>("tower-oauth2-resource-server", Group::Peer, service))
}
