//! The peers: one module each. `None` where a peer cannot do the algorithm.
//!
//! Each one is set up as its documentation says, for the same issuer, audience, key and checks (`exp`, `nbf`, `iss`,
//! `aud`), with the faster of its backends where it has two, and reads all nine claims where it has typed ones.

pub(crate) mod aliri_tower;
mod axum_jose;
mod axum_jwt_auth;
pub(crate) mod by_hand;
mod huskarl;
mod jwt_authorizer;
mod oauth_resource_server;
mod tower_jwt;
mod tower_oauth2_resource_server;

use crate::contender::Contender;
use crate::fixture::Fixture;

pub fn all(fixture: &Fixture) -> Vec<Contender> {
    [
        by_hand::new(fixture),
        aliri_tower::new(fixture),
        axum_jose::new(fixture),
        axum_jwt_auth::new(fixture),
        huskarl::new(fixture),
        jwt_authorizer::new(fixture),
        oauth_resource_server::new(fixture),
        tower_jwt::new(fixture),
        tower_oauth2_resource_server::new(fixture),
    ]
    .into_iter()
    .flatten()
    .collect()
}
