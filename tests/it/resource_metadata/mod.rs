//! The metadata of the protected resource (RFC 9728): its identifier, the document, the challenges, and the service.

mod challenges;
mod document;
mod identifier;
mod servers;
mod serving;

use http::{Method, Request, Response};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, ExpectedIssuer, JwtAuthLayer, JwtVerifier, ResourceMetadata, ResourceMetadataLayer,
    VerifyToken,
};

use crate::support::requests::Body;
use crate::support::{AUDIENCE, key};

const RESOURCE: &str = "https://api.example/mcp";
const PATH: &str = "/.well-known/oauth-protected-resource/mcp";
const URL: &str = "https://api.example/.well-known/oauth-protected-resource/mcp";

fn metadata() -> ResourceMetadata {
    ResourceMetadata::new(RESOURCE).unwrap()
}

fn verifier() -> JwtVerifier {
    key(Algorithm::HS256).verifier()
}

fn of(issuer: impl Into<ExpectedIssuer>) -> JwtVerifier {
    JwtVerifier::new(issuer, AUDIENCE, key(Algorithm::HS256).verification_key()).unwrap()
}

fn servers<C: Send + Sync + 'static>(verifier: &impl VerifyToken<C>) -> Vec<String> {
    verifier.accepted_tokens().authorization_servers().to_vec()
}

/// A layer with the metadata of [`RESOURCE`] alone.
fn layer() -> JwtAuthLayer {
    JwtAuthLayer::new(verifier()).with_resource_metadata(metadata()).unwrap()
}

/// The document of a layer.
fn document<C: Send + Sync + 'static, R>(layer: &JwtAuthLayer<C, R>) -> Value {
    let document = layer.resource_metadata_layer().unwrap().document().unwrap();
    serde_json::from_slice(&document).unwrap()
}

/// Sends a request through the layer to a service that answers with the path that it was called with.
async fn ask(layer: &ResourceMetadataLayer, request: Request<()>) -> Response<Body> {
    let inner = service_fn(async |request: Request<()>| {
        let path = request.uri().path().as_bytes().to_vec();
        Ok::<_, std::convert::Infallible>(Response::builder().status(418).body(path).unwrap())
    });
    layer.layer(inner).oneshot(request).await.unwrap()
}

fn request(method: Method, uri: &str) -> Request<()> {
    Request::builder().method(method).uri(uri).body(()).unwrap()
}
