//! What the services behind this one get to know of a verified token.

mod layer;
mod service;

pub use self::layer::ClaimHeadersLayer;
pub use self::service::ClaimHeaders;
