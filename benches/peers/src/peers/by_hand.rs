//! What a user writes by hand: `validate_request` of tower-http, and `decode` of `jsonwebtoken` 11 on aws-lc-rs.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use jsonwebtoken::{DecodingKey, Validation, decode};
use tower_http::validate_request::{ValidateRequest, ValidateRequestHeaderLayer};
use tower_layer::Layer;

use crate::contender::{Contender, Group, Handler};
use crate::fixture::{AUDIENCE, Algorithm, Claims, Fixture, ISSUER};

#[derive(Clone)]
struct Check(Arc<(DecodingKey, Validation)>);

impl<B> ValidateRequest<B> for Check {
    type ResponseBody = Body;

    fn validate(&mut self, request: &mut Request<B>) -> Result<(), Response<Body>> {
        let token = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(unauthorized)?;
        let (key, validation) = &*self.0;
        let token = decode::<Claims>(token, key, validation).map_err(|_| unauthorized())?;
        request.extensions_mut().insert(token.claims);
        Ok(())
    }
}

fn unauthorized() -> Response<Body> {
    Response::builder()
        .status(StatusCode::UNAUTHORIZED)
        .header(WWW_AUTHENTICATE, "Bearer")
        .body(Body::empty())
        .expect("a response")
}

fn layer(fixture: &Fixture) -> ValidateRequestHeaderLayer<Check> {
    use jsonwebtoken::Algorithm::{ES256, EdDSA, HS256, RS256};
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
    ValidateRequestHeaderLayer::custom(Check(Arc::new((key, validation))))
}

pub(super) fn new(fixture: &Fixture) -> Option<Contender> {
    let service = layer(fixture).layer(Handler::<Body>::finding::<Claims>());
    Some(Contender::layer::<Body, _>("by hand: tower-http, jsonwebtoken 11", Group::Peer, service))
}

/// The routes behind the layer, for the loopback run.
pub(crate) fn protect(router: Router, fixture: &Fixture) -> Router {
    router.layer(layer(fixture))
}
