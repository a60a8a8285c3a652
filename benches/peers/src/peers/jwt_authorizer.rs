//! `jwt-authorizer` 0.15, with `jsonwebtoken` 9 on ring. Its layer is bound to the body of axum 0.7.

use axum07::body::Body;
use futures_executor::block_on;
use jsonwebtoken9::TokenData;
use jwt_authorizer::{IntoLayer, JwtAuthorizer, Validation};
use tower_layer::Layer;

use crate::contender::{Contender, Group, Handler};
use crate::fixture::{AUDIENCE, Algorithm, Claims, Fixture, ISSUER};

pub(super) fn new(fixture: &Fixture) -> Option<Contender> {
    use jsonwebtoken9::Algorithm::{ES256, EdDSA, HS256, RS256};
    let pem = &fixture.public_pem;
    let (algorithm, builder) = match fixture.algorithm {
        Algorithm::Hs256 => (HS256, JwtAuthorizer::<Claims>::from_secret(fixture.secret)),
        Algorithm::Rs256 => (RS256, JwtAuthorizer::from_rsa_pem_text(pem)),
        Algorithm::Es256 => (ES256, JwtAuthorizer::from_ec_pem_text(pem)),
        Algorithm::EdDsa => (EdDSA, JwtAuthorizer::from_ed_pem_text(pem)),
    };
    let validation =
        Validation::new().iss(&[ISSUER]).aud(&[AUDIENCE]).nbf(true).algs(vec![algorithm]);
    let authorizer = block_on(builder.validation(validation).build()).expect("an authorizer");
    let service = authorizer.into_layer().layer(Handler::<Body>::finding::<TokenData<Claims>>());
    Some(Contender::layer::<Body, _>("jwt-authorizer", Group::Peer, service))
}
