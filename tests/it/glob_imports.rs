//! Everything of this crate, imported beside the crates that its users have: no name hides another one.

#![allow(unused_imports, reason = "imported for its names")]

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use jsonwebtoken::{DecodingKey, Header, Validation};
use tower::ServiceExt;
use tower_jwt_auth::*;

use crate::support::key;

#[tokio::test]
async fn glob_import_does_not_hide_the_crates_of_its_user() {
    let verifier = key(Algorithm::ES256).verifier();
    let handler = async |token: VerifiedToken| token.sub.clone().unwrap_or_default();
    let app: Router = Router::new().route("/", get(handler)).layer(JwtAuthLayer::new(verifier));
    let request = http::Request::new(axum::body::Body::empty());
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);

    let validation: Validation = Validation::new(jsonwebtoken::Algorithm::ES256);
    assert_eq!(validation.algorithms, [jsonwebtoken::Algorithm::ES256]);
    let _: (Header, DecodingKey) = (Header::default(), DecodingKey::from_rsa_der(&[]));
}
