//! The metadata of the protected resource (RFC 9728): its identifier, the document, the challenges, and the service.

mod challenges;
mod document;
mod identifier;
mod serving;

use http::{Method, Request, Response};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, JwtVerifier, ResourceMetadata, ResourceMetadataLayer,
};

use crate::support::key;
use crate::support::requests::Body;

const RESOURCE: &str = "https://api.example/mcp";
const PATH: &str = "/.well-known/oauth-protected-resource/mcp";
const URL: &str = "https://api.example/.well-known/oauth-protected-resource/mcp";

fn metadata() -> ResourceMetadata {
    ResourceMetadata::new(RESOURCE).unwrap()
}

fn verifier() -> JwtVerifier {
    key(Algorithm::HS256).verifier()
}

/// A layer with the metadata of [`RESOURCE`] alone.
fn layer() -> JwtAuthLayer {
    JwtAuthLayer::new(verifier()).with_resource_metadata(metadata()).unwrap()
}

/// The document of a layer.
fn document<C: Send + Sync + 'static, R>(layer: &JwtAuthLayer<C, R>) -> Value {
    let document = layer.resource_metadata_layer().unwrap().document();
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
