//! What is seen of a layer from outside: observers, metrics, spans, and the line at the start.

mod below;
#[cfg(all(feature = "tracing", feature = "oidc-discovery", feature = "test-util"))]
mod fetch_spans;
#[cfg(all(feature = "metrics", feature = "oidc-discovery", feature = "test-util"))]
mod metrics;
mod outcomes;
#[cfg(feature = "metrics")]
pub(crate) mod recorder;
#[cfg(feature = "tracing")]
mod spans;
mod start;
