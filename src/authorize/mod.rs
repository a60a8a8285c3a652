//! Authorization: rules that decide what a verified token permits, and the layer that applies them.

mod claim_path;
#[cfg(feature = "axum")]
mod extractor;
mod future;
mod grpc_rules;
mod layer;
mod leaf;
#[cfg(feature = "mcp")]
mod mcp_rules;
mod refusal;
mod rule;
mod service;
mod tree;

use std::sync::Arc;

use http::request::Parts;

pub use self::claim_path::ClaimPath;
#[cfg(feature = "axum")]
pub use self::extractor::{Authorized, RequiredScopes};
pub use self::future::AuthorizeFuture;
pub use self::grpc_rules::GrpcRules;
pub use self::layer::AuthorizeLayer;
#[cfg(feature = "mcp")]
pub use self::mcp_rules::McpRules;
pub use self::rule::Rule;
pub use self::service::AuthorizeService;
use crate::claims::Scope;
use crate::rejection::Rejection;
use crate::verify::VerifiedToken;

/// Decides whether a verified token permits a request. [`Rule`], [`GrpcRules`] and closures implement this
/// trait; implement it for a custom type.
///
/// Refuse with [`Rejection::insufficient_scope`] (403, gRPC status 7). If a new or stronger login of the user
/// would be enough, refuse with [`Rejection::insufficient_user_authentication`] (401, RFC 9470).
///
/// # Example: a closure that looks at the request
///
/// ```
/// use http::request::Parts;
/// use serde::Deserialize;
/// use tower_jwt_auth::{AuthorizeLayer, Rejection, RejectionKind, VerifiedToken};
///
/// #[derive(Deserialize)]
/// struct Claims {
///     tenant: String,
/// }
///
/// let own_tenant = |token: &VerifiedToken<Claims>, head: &Parts| {
///     match head.headers.get("x-tenant") {
///         Some(tenant) if *tenant == *token.tenant => Ok(()),
///         _ => Err(Rejection::from(RejectionKind::InsufficientScope)),
///     }
/// };
/// let layer = AuthorizeLayer::<Claims>::new(own_tenant);
/// # let _ = layer;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot authorize tokens with claims of type `{C}`",
    label = "not an `Authorize<{C}>`",
    note = "give a `Rule<{C}>`, a `GrpcRules<{C}>`, or a closure \
            `|token: &VerifiedToken<{C}>, head: &Parts| -> Result<(), Rejection>` with the types of its \
            arguments written down"
)]
pub trait Authorize<C>: Send + Sync + 'static {
    /// Decides whether the token permits the request with this head. It is called for each request with a verified
    /// token, and must not block.
    ///
    /// # Errors
    ///
    /// When the token does not permit the request.
    fn authorize(&self, token: &VerifiedToken<C>, head: &Parts) -> Result<(), Rejection>;

    /// The scope that a client should request for its token. `None` by default; return `None` if no scope is
    /// required, or if the scope depends on the request.
    ///
    /// [`AuthorizeLayer::new`] reads it once, for the challenge of the 401 for a request without a token. If
    /// [`authorize`](Self::authorize) refuses, the challenge names the scope of its [`Rejection`] instead.
    fn required_scope(&self) -> Option<Scope> {
        None
    }

    /// Whether a request without a verified token is permitted; `false` by default. [`AuthorizeLayer`] calls it
    /// for such requests only. The authentication layer must forward them too: see
    /// [`JwtAuthLayer::exempt`](crate::JwtAuthLayer::exempt) and
    /// [`JwtAuthLayer::optional`](crate::JwtAuthLayer::optional).
    fn permits_without_token(&self, head: &Parts) -> bool {
        let _ = head;
        false
    }
}

#[diagnostic::do_not_recommend]
impl<C, F> Authorize<C> for F
where
    F: Fn(&VerifiedToken<C>, &Parts) -> Result<(), Rejection> + Send + Sync + 'static,
{
    fn authorize(&self, token: &VerifiedToken<C>, head: &Parts) -> Result<(), Rejection> {
        self(token, head)
    }
}

impl<C, A: Authorize<C> + ?Sized> Authorize<C> for Arc<A> {
    fn authorize(&self, token: &VerifiedToken<C>, head: &Parts) -> Result<(), Rejection> {
        (**self).authorize(token, head)
    }

    fn required_scope(&self) -> Option<Scope> {
        (**self).required_scope()
    }

    fn permits_without_token(&self, head: &Parts) -> bool {
        (**self).permits_without_token(head)
    }
}
