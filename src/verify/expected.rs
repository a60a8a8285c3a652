//! Whom tokens must be from, and for whom.

use std::sync::Arc;

use crate::{ConfigError, ConfigErrorKind};

macro_rules! expected {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $what:literal, $(#[$any_doc:meta])* ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(Expected);

        impl $name {
            $(#[$any_doc])*
            pub fn dangerous_any() -> Self {
                Self(Expected::Any)
            }

            pub(super) fn checked(self) -> Result<Expected, ConfigError> {
                match &self.0 {
                    Expected::Any => Ok(self.0),
                    Expected::OneOf { values, .. } if values.is_empty() => Err(ConfigError::new(
                        ConfigErrorKind::$kind,
                        concat!("no ", $what, " is expected: name at least one"),
                    )),
                    Expected::OneOf { values, .. } if values.iter().any(String::is_empty) => {
                        Err(ConfigError::new(
                            ConfigErrorKind::$kind,
                            concat!("an expected ", $what, " must not be empty"),
                        ))
                    }
                    Expected::OneOf { .. } => Ok(self.0),
                }
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self(Expected::one_of(vec![value.to_owned()]))
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self(Expected::one_of(vec![value]))
            }
        }

        impl From<&String> for $name {
            fn from(value: &String) -> Self {
                Self(Expected::one_of(vec![value.clone()]))
            }
        }

        impl<const N: usize> From<[&str; N]> for $name {
            fn from(values: [&str; N]) -> Self {
                Self(Expected::one_of(values.map(str::to_owned).into()))
            }
        }

        impl From<Vec<String>> for $name {
            fn from(values: Vec<String>) -> Self {
                Self(Expected::one_of(values))
            }
        }
    };
}

expected! {
    /// Whom tokens must be from: the `iss` claim, required and compared exactly (RFC 7519
    /// section 4.1.1).
    ///
    /// From one string, or from several of which any will do: several spellings of *one* issuer.
    /// Several issuers are several verifiers, so that one's key never vouches for another's token.
    ///
    /// # Example: with and without the slash
    ///
    /// ```
    /// use tower_jwt_auth::ExpectedIssuer;
    ///
    /// let issuer = ExpectedIssuer::from(["https://issuer.example", "https://issuer.example/"]);
    /// # let _ = issuer;
    /// ```
    ExpectedIssuer, Issuer, "issuer",
    /// Any issuer, or none at all.
    ///
    /// Then the key alone says whose token it is (RFC 8725 section 3.8): whoever shares it can
    /// issue tokens that are accepted here. Without it, `iss` is required.
    ///
    /// # Example: tokens that do not name their issuer
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::test_util::TestIssuer;
    /// use tower_jwt_auth::{ExpectedIssuer, JwtVerifier};
    ///
    /// let issuer = TestIssuer::new();
    /// let keys = issuer.verification_keys();
    /// let verifier = JwtVerifier::new(ExpectedIssuer::dangerous_any(), "https://api.test", keys)?;
    /// assert!(verifier.verify_now(&issuer.token().without("iss").build()).is_ok());
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
}

expected! {
    /// Whom tokens must be for: the `aud` claim, required, compared exactly (RFC 7519
    /// section 4.1.3).
    ///
    /// From one string, or from several of which any will do.
    ///
    /// # Example: an API with two names
    ///
    /// ```
    /// use tower_jwt_auth::ExpectedAudience;
    ///
    /// let audience = ExpectedAudience::from(["https://api.example", "orders"]);
    /// # let _ = audience;
    /// ```
    ExpectedAudience, Audience, "audience",
    /// Any audience, or none at all.
    ///
    /// Then a token that the issuer made for another service opens this one too, and that service
    /// can use it here (RFC 8725 section 3.9). Without it, `aud` is required.
    ///
    /// # Example: tokens that do not name their audience
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::test_util::TestIssuer;
    /// use tower_jwt_auth::{ExpectedAudience, JwtVerifier};
    ///
    /// let issuer = TestIssuer::new();
    /// let keys = issuer.verification_keys();
    /// let verifier = JwtVerifier::new("https://issuer.test", ExpectedAudience::dangerous_any(), keys)?;
    /// assert!(verifier.verify_now(&issuer.token().without("aud").build()).is_ok());
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
}

#[derive(Clone, Debug)]
pub(super) enum Expected {
    Any,
    OneOf {
        values: Vec<String>,
        /// The same, for the log.
        display: Arc<str>,
    },
}

impl Expected {
    fn one_of(values: Vec<String>) -> Self {
        let display = values.join(" or ").into();
        Self::OneOf { values, display }
    }
}
