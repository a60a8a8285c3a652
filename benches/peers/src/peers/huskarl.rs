//! `huskarl-resource-server` 0.11 behind `huskarl-axum` 0.1, on RustCrypto: its `CustomValidator`, with a JWK set that
//! an HTTP client inside the process returns, or with one secret for HS256.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts;
use bytes::Bytes;
use futures_executor::block_on;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use huskarl_axum::extractors::ValidatedToken;
use huskarl_axum::layers::ValidatorLayer;
use huskarl_crypto_native::symmetric::SymmetricKey;
use huskarl_resource_server::core::crypto::verifier::{
    JwsVerifier, JwsVerifierFactory, JwsVerifierPlatform,
};
use huskarl_resource_server::core::http::{HttpClient, HttpResponse, Idempotency};
use huskarl_resource_server::core::jwk::{JwksSource, OctBytes};
use huskarl_resource_server::core::jwt::validator::ClaimCheck;
use huskarl_resource_server::core::platform::MaybeSendBoxFuture;
use huskarl_resource_server::core::secrets::{ProvidedSecret, Secret, SecretBytes};
use huskarl_resource_server::core::{EndpointUrl, Error};
use huskarl_resource_server::validator::custom::CustomValidator;
use serde::Deserialize;
use tower_layer::Layer;
use tower_service::Service;

use crate::contender::{Contender, Group, answer};
use crate::fixture::{AUDIENCE, Algorithm, Fixture, ISSUER, LEEWAY};

/// Answers each fetch with this JWK set.
struct StaticSet(String);

impl HttpClient for StaticSet {
    fn execute(
        &self,
        _: Request<Bytes>,
        _: Idempotency,
    ) -> MaybeSendBoxFuture<'_, Result<HttpResponse, Error>> {
        let body = self.0.clone().into();
        Box::pin(ready(Ok(HttpResponse {
            status: StatusCode::OK,
            headers: Default::default(),
            body,
        })))
    }
}

/// One secret.
struct Hmac(&'static str);

impl JwsVerifierFactory for Hmac {
    fn build(
        &self,
        _: Option<&EndpointUrl>,
        _: Arc<dyn JwsVerifierPlatform>,
    ) -> MaybeSendBoxFuture<'static, Result<Arc<dyn JwsVerifier>, Error>> {
        let secret = self.0.as_bytes().to_vec();
        Box::pin(async move {
            let secret = ProvidedSecret::new(SecretBytes::new(secret));
            let key = SymmetricKey::from_secret(secret.mapped(OctBytes::new("HS256"))).await?;
            Ok(Arc::new(key) as Arc<dyn JwsVerifier>)
        })
    }
}

/// The claims that the validator does not read itself.
#[derive(Clone, Deserialize)]
#[allow(dead_code, reason = "deserialized, not read")]
struct OtherClaims {
    scope: String,
    roles: Vec<String>,
}

/// As the other handlers, but only the extractor of this peer finds its claims.
struct Extracting<C>(PhantomData<fn() -> C>);

impl<C> Clone for Extracting<C> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<C: Send + Sync + 'static> Service<Request<Body>> for Extracting<C> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (mut parts, _body) = request.into_parts();
        let token = ValidatedToken::<C>::from_request_parts(&mut parts, &()).now_or_never();
        let found = black_box(token).is_some_and(|token| token.is_ok());
        ready(Ok(answer(found)))
    }
}

pub(super) fn new(fixture: &Fixture) -> Option<Contender> {
    let keys: Arc<dyn JwsVerifierFactory> = match fixture.algorithm {
        Algorithm::Hs256 => Arc::new(Hmac(fixture.secret)),
        _ => Arc::new(JwksSource::builder().http_client(StaticSet(fixture.jwks.clone())).build()),
    };
    let validator = CustomValidator::builder()
        .with_claims::<OtherClaims>()
        .iss(ClaimCheck::required_value(ISSUER))
        .aud(ClaimCheck::required_value(AUDIENCE))
        .require_jti(false)
        .require_iat(false)
        .clock_leeway(Duration::from_secs(LEEWAY))
        .allowed_signing_algorithms(vec![fixture.algorithm.name().to_owned()])
        .jwks_uri("https://auth.example.com/jwks".parse::<EndpointUrl>().expect("a URL"))
        .jws_verifier_factory(keys)
        .build();
    let validator = block_on(validator).expect("a validator");
    let layer = ValidatorLayer::builder().validator(validator).build();
    let service = layer.authenticated().layer(Extracting::<OtherClaims>(PhantomData));
    Some(Contender::layer::<Body, _>("huskarl-resource-server", Group::Peer, service))
}
