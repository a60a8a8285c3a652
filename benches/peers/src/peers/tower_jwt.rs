//! `tower-jwt` 0.2, with `jsonwebtoken` 9 on ring. It lets a request without a token through, and leaves the refusal to
//! the handler: in that scenario it has no figure.

use axum::body::Body;
use jsonwebtoken9::{DecodingKey, Validation};
use tower_jwt::{JwtLayer, RequestClaim};
use tower_layer::Layer;

use crate::contender::{Contender, Group, Handler};
use crate::fixture::{AUDIENCE, Algorithm, Claims, Fixture, ISSUER, Scenario};

pub(super) fn new(fixture: &Fixture) -> Option<Contender> {
    use jsonwebtoken9::Algorithm::{ES256, EdDSA, HS256, RS256};
    let bytes = &fixture.public_key;
    let (algorithm, key) = match fixture.algorithm {
        Algorithm::Hs256 => (HS256, DecodingKey::from_secret(fixture.secret.as_bytes())),
        Algorithm::Rs256 => (RS256, DecodingKey::from_rsa_der(bytes)),
        Algorithm::Es256 => (ES256, DecodingKey::from_ec_der(bytes)),
        Algorithm::EdDsa => (EdDSA, DecodingKey::from_ed_der(bytes)),
    };
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.validate_nbf = true;
    let layer: JwtLayer<Claims> = JwtLayer::new(validation, key);
    let service = layer.layer(Handler::<Body>::finding::<RequestClaim<Claims>>());
    let contender = Contender::layer::<Body, _>("tower-jwt", Group::Peer, service);
    Some(contender.not_in(&[Scenario::Missing, Scenario::Expired, Scenario::WrongAudience]))
}
