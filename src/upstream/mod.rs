//! Tells the services behind this one the claims of the verified token.

mod layer;
mod service;

pub use self::layer::ClaimHeadersLayer;
pub use self::service::ClaimHeaders;
