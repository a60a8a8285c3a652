//! Ends the streams of a request when its token expires. The deadline is a plain value, which the two bodies check.

mod body;
mod deadline;
mod ending;
mod future;
mod layer;
mod messages;
mod service;

pub use self::body::ExpiringBody;
pub use self::future::EndAtExpiryFuture;
pub use self::layer::EndAtExpiryLayer;
pub use self::service::EndAtExpiry;
