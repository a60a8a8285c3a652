//! The metadata of a protected resource (RFC 9728): where clients get tokens for it.

mod document;
mod future;
mod identifier;
mod language;
mod layer;
mod metadata;
mod service;

pub(crate) use self::document::Configured;
pub use self::future::ResourceMetadataFuture;
pub use self::layer::ResourceMetadataLayer;
pub use self::metadata::ResourceMetadata;
pub use self::service::ResourceMetadataService;
