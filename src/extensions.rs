//! The markers that a layer puts into a request's extensions, and the error if they are missing.

use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;
#[cfg(feature = "tracing")]
use std::sync::{Mutex, PoisonError};

use http::Extensions;

/// Marks a request that passed an authentication layer. Its size is zero, so it needs no allocation.
#[derive(Clone, Copy)]
pub(crate) struct LayerOutside;

impl LayerOutside {
    /// Marks a request. Returns whether it was marked before.
    #[inline]
    pub(crate) fn mark(extensions: &mut Extensions) -> bool {
        // Those of most requests are empty: a copy of others is made faster than a map that grows.
        static MARKED: LazyLock<Extensions> = LazyLock::new(|| {
            let mut marked = Extensions::new();
            marked.insert(LayerOutside);
            marked
        });
        if extensions.is_empty() {
            extensions.clone_from(&MARKED);
            return false;
        }
        extensions.insert(Self).is_some()
    }
}

/// Marks a request that the innermost authentication layer forwarded without a token.
#[derive(Clone, Copy)]
pub(crate) struct PassedWithoutToken;

/// Marks a request that a layer with this claims type forwarded without a token. So a missing token is
/// distinguished from a missing layer.
pub(crate) struct NoToken<C>(PhantomData<fn() -> C>);

impl<C> NoToken<C> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<C> Clone for NoToken<C> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

/// The error of a request whose extensions contain no verified token with the expected claims type, because no
/// layer with this claims type is around the service. It is a mistake of the developer, not of the client.
///
/// A layer that is [optional](crate::JwtAuthLayer::optional) or [exempts](crate::JwtAuthLayer::exempt) a request
/// forwards it without a token. For such a request the axum extractors refuse with a 401, or extract `None`, and
/// [`AuthorizeLayer`](crate::AuthorizeLayer) refuses with a 401. Only
/// [`VerifiedToken::from_extensions`](crate::VerifiedToken::from_extensions) returns this error for it too.
///
/// [`PresentedToken::from_request`](crate::PresentedToken::from_request) and the axum extractor of `PresentedToken` return
/// this error if no layer, with any claims type, is around the handler.
///
/// The error text contains the Rust path of the claims type. It is for the log, not for clients. As an axum
/// response the error is a 500; only debug builds show the text to the client. With feature `tracing`, the
/// first such response for each claims type writes an `error` event.
#[derive(Clone)]
pub struct MissingLayer {
    expected: Expected,
}

/// The type that is missing in the extensions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A verified token with the claims type of this name.
    Claims(&'static str),
    PresentedToken,
}

impl MissingLayer {
    pub(crate) fn for_claims<C>() -> Self {
        Self { expected: Expected::Claims(std::any::type_name::<C>()) }
    }

    pub(crate) fn for_presented_token() -> Self {
        Self { expected: Expected::PresentedToken }
    }

    /// Writes one `error` event for each missing type. More would let clients fill the log.
    #[cfg(feature = "tracing")]
    pub(crate) fn log(&self) {
        static REPORTED: Mutex<Vec<Expected>> = Mutex::new(Vec::new());

        let is_first = {
            let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
            let is_first = !reported.contains(&self.expected);
            if is_first {
                reported.push(self.expected);
            }
            is_first
        };
        if is_first {
            tracing::error!(target: "tower_jwt_auth", "{self}");
        }
    }

    #[cfg(not(feature = "tracing"))]
    #[allow(clippy::unused_self, reason = "it logs with feature `tracing`")]
    pub(crate) fn log(&self) {}

    /// The body of the 500: the whole text in debug builds, and no Rust path in release builds.
    #[cfg(feature = "axum")]
    pub(crate) fn body(&self, is_debug_build: bool) -> String {
        match (is_debug_build, cfg!(feature = "tracing")) {
            (true, _) => self.to_string(),
            (false, true) => {
                "the authentication layer is missing: see the log of the server".into()
            }
            (false, false) => "the authentication layer is missing".into(),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claims(claims) => write!(f, "VerifiedToken<{claims}>"),
            Self::PresentedToken => f.write_str("PresentedToken"),
        }
    }
}

impl fmt::Display for MissingLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no `{}` in the request's extensions: is a `JwtAuthLayer` for these claims around this \
             service? (`VerifiedToken<C>` needs a verifier from `with_claims::<C>()`)",
            self.expected
        )
    }
}

impl fmt::Debug for MissingLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MissingLayer")
            .field("expected", &format_args!("{}", self.expected))
            .finish()
    }
}

impl std::error::Error for MissingLayer {}

#[cfg(all(test, feature = "axum"))]
mod tests {
    use super::*;

    #[test]
    fn release_builds_show_no_rust_path_to_the_client() {
        struct Claims;

        let missing = [MissingLayer::for_claims::<Claims>(), MissingLayer::for_presented_token()];
        for missing in missing {
            let (debug, release) = (missing.body(true), missing.body(false));
            assert_eq!(debug, missing.to_string());
            assert!(debug.contains("is a `JwtAuthLayer` for these claims around"), "{debug}");
            assert!(release.starts_with("the authentication layer is missing"), "{release}");
            assert_eq!(release.contains("log"), cfg!(feature = "tracing"), "{release}");
            assert!(!release.contains("::") && !release.contains("Claims"), "{release}");
        }
    }
}
