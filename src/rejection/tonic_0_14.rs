//! tonic: a refusal as a status, which the layer around the service recognizes.

use std::error::Error;
use std::sync::Arc;

use http::StatusCode;
use percent_encoding::percent_decode;
use tonic::{Code, Status};

use crate::rejection::Rejection;
use crate::rejection::grpc::{GRPC_MESSAGE, GRPC_STATUS};

impl From<Rejection> for Status {
    /// Converts the rejection to the gRPC status in the table at [`RejectionKind`](crate::RejectionKind). The
    /// message is the description, and the [`source`](Error::source) is the rejection.
    ///
    /// If a method returns the status before its response begins, the outermost authentication layer writes the
    /// refusal: see [Refusals from below](crate::JwtAuthLayer#refusals-from-below). If an error ends a stream
    /// after the response began, tonic writes it: the client gets this code and message, and there is no log
    /// event.
    ///
    /// # Example: refuse in a method
    ///
    /// ```
    /// use tonic::{Code, Request, Response, Status};
    /// use tower_jwt_auth::{Rejection, Scope, VerifiedToken};
    ///
    /// async fn cancel(request: Request<()>) -> Result<Response<()>, Status> {
    ///     let token = <VerifiedToken>::from_extensions(request.extensions())
    ///         .map_err(|missing| Status::internal(missing.to_string()))?;
    ///     if token.sub.as_deref() != Some("alice") {
    ///         return Err(Rejection::insufficient_scope(Scope::from("orders:write")).into());
    ///     }
    ///     Ok(Response::new(()))
    /// }
    /// # let status = Status::from(Rejection::invalid_token());
    /// # assert_eq!(status.code(), Code::Unauthenticated);
    /// ```
    fn from(rejection: Rejection) -> Self {
        let mut status = Self::new(rejection.grpc_status().into(), rejection.description());
        status.set_source(Arc::new(rejection));
        status
    }
}

/// The rejection in a response that tonic made from its status. `None` if the application or a service in
/// between changed the code or the message.
pub(super) fn rejection_of<B>(response: &http::Response<B>) -> Option<Rejection> {
    let status: &Status = response.extensions().get()?;
    let rejection: &Rejection = status.source()?.downcast_ref()?;
    let (code, message) = (rejection.grpc_status(), rejection.description());
    // Read by hand: `Status::from_header_map` panics if the details are not base64.
    let field = |name| response.headers().get(name).map_or(&b""[..], |value| value.as_bytes());
    let is_unchanged = response.status() == StatusCode::OK
        && status.code() == Code::from(code)
        && status.message() == message
        && field(GRPC_STATUS) == code.to_string().as_bytes()
        && percent_decode(field(GRPC_MESSAGE)).eq(message.bytes());
    is_unchanged.then(|| rejection.clone())
}
