//! `aliri_tower` 0.6 on ring. Only HS256 and RS256: ES256 needs OpenSSL, and EdDSA is missing.

use aliri::{Jwk, Jwks, jwa, jwt};
use aliri_clock::UnixTime;
use aliri_oauth2::{Authority, HasScope, Scope};
use aliri_tower::Oauth2Authorizer;
use axum::Router;
use axum::body::Body;
use serde::Deserialize;
use tower_layer::Layer;

use crate::contender::{Contender, Group, Handler};
use crate::fixture::{AUDIENCE, Algorithm, Fixture, ISSUER, LEEWAY};

/// The nine claims, in the types that the traits of this peer ask for.
#[derive(Clone, Deserialize)]
#[allow(dead_code, reason = "deserialized, not read")]
pub(crate) struct AliriClaims {
    iss: jwt::Issuer,
    aud: jwt::Audiences,
    pub(crate) sub: jwt::Subject,
    exp: UnixTime,
    nbf: UnixTime,
    iat: u64,
    jti: String,
    scope: Scope,
    roles: Vec<String>,
}

impl jwt::CoreClaims for AliriClaims {
    fn nbf(&self) -> Option<UnixTime> {
        Some(self.nbf)
    }

    fn exp(&self) -> Option<UnixTime> {
        Some(self.exp)
    }

    fn aud(&self) -> &jwt::Audiences {
        &self.aud
    }

    fn iss(&self) -> Option<&jwt::IssuerRef> {
        Some(&self.iss)
    }

    fn sub(&self) -> Option<&jwt::SubjectRef> {
        Some(&self.sub)
    }
}

impl HasScope for AliriClaims {
    fn scope(&self) -> &Scope {
        &self.scope
    }
}

fn authority(fixture: &Fixture) -> Option<Authority> {
    let algorithm = match fixture.algorithm {
        Algorithm::Hs256 => jwa::Algorithm::HS256,
        Algorithm::Rs256 => jwa::Algorithm::RS256,
        Algorithm::Es256 | Algorithm::EdDsa => return None,
    };
    let set: serde_json::Value = serde_json::from_str(&fixture.jwks).expect("a JWK set");
    let mut keys = Jwks::default();
    // From text: this peer reads a JWK from borrowed strings alone.
    keys.add_key(serde_json::from_str::<Jwk>(&set["keys"][0].to_string()).expect("a JWK"));
    let validator = jwt::CoreValidator::default()
        .add_approved_algorithm(algorithm)
        .add_allowed_audience(jwt::Audience::from_static(AUDIENCE))
        .require_issuer(jwt::Issuer::from_static(ISSUER))
        .check_expiration()
        .check_not_before()
        .with_leeway_secs(LEEWAY);
    Some(Authority::new(keys, validator))
}

pub(super) fn new(fixture: &Fixture) -> Option<Contender> {
    let authorizer = Oauth2Authorizer::new().with_claims::<AliriClaims>();
    let layer = authorizer.with_terse_error_handler::<Body>().jwt_layer(authority(fixture)?);
    let service = layer.layer(Handler::<Body>::finding::<AliriClaims>());
    Some(Contender::layer::<Body, _>("aliri_tower", Group::Peer, service))
}

/// The routes behind the layer, for the loopback run.
pub(crate) fn protect(router: Router, fixture: &Fixture) -> Option<Router> {
    let authorizer = Oauth2Authorizer::new().with_claims::<AliriClaims>();
    let layer = authorizer.with_terse_error_handler::<Body>().jwt_layer(authority(fixture)?);
    Some(router.layer(layer))
}
