//! For tonic: a refusal as a status, which the layer outside recognises.

use std::error::Error;
use std::sync::Arc;

use tonic::{Code, Status};

use crate::rejection::Rejection;

impl From<Rejection> for Status {
    /// The gRPC status of the table at [`RejectionKind`](crate::RejectionKind), with the description as its
    /// message and the rejection as its [`source`](Error::source).
    ///
    /// A method that returns it before its response begins is refused as the outermost authentication layer
    /// refuses: see "Refusals from below" at [`JwtAuthLayer`](crate::JwtAuthLayer). An error within a stream
    /// is tonic's to write: it reaches the client with this code and message, and without a log event.
    ///
    /// # Example: a method for some callers
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
    /// # let _ = cancel;
    /// # let status = Status::from(Rejection::invalid_token());
    /// # assert_eq!(status.code(), Code::Unauthenticated);
    /// ```
    fn from(rejection: Rejection) -> Self {
        let mut status = Self::new(rejection.grpc_status().into(), rejection.description());
        status.set_source(Arc::new(rejection));
        status
    }
}

/// The rejection that a status was made from, if it still has the code of that.
pub(crate) fn rejection_of(status: &Status) -> Option<Rejection> {
    let rejection: &Rejection = status.source()?.downcast_ref()?;
    (status.code() == Code::from(rejection.grpc_status())).then(|| rejection.clone())
}
