//! Whom tokens must be from, and for whom.

use std::sync::Arc;

use crate::config_error::{ConfigError, ConfigErrorKind};

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
#[derive(Clone, Debug)]
pub struct ExpectedIssuer(Expected);

impl ExpectedIssuer {
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
    pub fn dangerous_any() -> Self {
        Self(Expected::Any)
    }

    fn one_of(values: Vec<String>) -> Self {
        Self(Expected::one_of(values))
    }

    pub(super) fn checked(self) -> Result<Expected, ConfigError> {
        self.0.checked(ConfigErrorKind::Issuer, "issuer")
    }
}

/// Whom tokens must be for: the `aud` claim, required, compared exactly (RFC 7519
/// section 4.1.3).
///
/// From one string, or from several of which any will do. Where an issuer's access tokens have no
/// `aud`, another claim is compared in its place:
///
/// | claim | constructor | issuers |
/// |---|---|---|
/// | `azp` | [`authorized_parties`](Self::authorized_parties) | Clerk |
/// | `client_id` | [`clients`](Self::clients) | WorkOS |
/// | `client_id`, beside `token_use` | [`cognito_clients`](Self::cognito_clients) | Amazon Cognito |
///
/// That claim is then required, a string, and compared exactly. A token that has an `aud` as well is
/// for that audience, and is refused as [`WrongAudience`](crate::RejectionKind::WrongAudience).
///
/// # Example: an API with two names
///
/// ```
/// use tower_jwt_auth::ExpectedAudience;
///
/// let audience = ExpectedAudience::from(["https://api.example", "orders"]);
/// # let _ = audience;
/// ```
#[derive(Clone, Debug)]
pub struct ExpectedAudience {
    expected: Expected,
    claim: AudienceClaim,
}

impl ExpectedAudience {
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
    pub fn dangerous_any() -> Self {
        Self { expected: Expected::Any, claim: AudienceClaim::Aud }
    }

    /// These authorized parties (`azp`), for tokens without an audience.
    ///
    /// With Clerk, `azp` is the origin of the page that got the token, such as
    /// `https://app.example`: without a path, and without a slash at its end. With other issuers it
    /// is the client.
    ///
    /// An authorized party says who got a token, and not for which API. Where several APIs serve one
    /// party, tell them apart by other claims.
    ///
    /// # Example: the pages of an application
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::test_util::TestIssuer;
    /// use tower_jwt_auth::{ExpectedAudience, JwtVerifier, RejectionKind};
    ///
    /// let issuer = TestIssuer::new();
    /// let pages = ExpectedAudience::authorized_parties(["https://app.example"]);
    /// let verifier = JwtVerifier::new("https://issuer.test", pages, issuer.verification_keys())?;
    ///
    /// let token = issuer.token().without("aud").claim("azp", "https://app.example");
    /// assert!(verifier.verify_now(&token.clone().build()).is_ok());
    ///
    /// let elsewhere = token.claim("azp", "https://other.example").build();
    /// let rejection = verifier.verify_now(&elsewhere).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::WrongAudience);
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn authorized_parties<T: Into<String>>(parties: impl IntoIterator<Item = T>) -> Self {
        Self::in_place_of_audience(AudienceClaim::AuthorizedParty, parties)
    }

    /// These clients (`client_id`, RFC 8693 section 4.3), for tokens without an audience, such as
    /// those of WorkOS.
    ///
    /// A client says who asked for a token, and not for which API. Where several APIs serve one
    /// client, tell them apart by other claims. For Amazon Cognito, use
    /// [`cognito_clients`](Self::cognito_clients), which checks `token_use` too.
    pub fn clients<T: Into<String>>(clients: impl IntoIterator<Item = T>) -> Self {
        Self::in_place_of_audience(AudienceClaim::ClientId, clients)
    }

    fn in_place_of_audience<T: Into<String>>(
        claim: AudienceClaim,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        Self { expected: Expected::one_of(values), claim }
    }

    /// These app clients of an Amazon Cognito user pool, in place of an audience: its access tokens
    /// have no `aud`.
    ///
    /// `token_use` must be `access` and `client_id` one of these; both are then required, strings,
    /// and compared exactly. A token that has an `aud` as well is for whom that names, and refused:
    /// an ID token, or an access token that was asked for by the name of a resource (RFC 8707), for
    /// which the usual audience is right.
    ///
    /// A client says who asked for a token, and not for which API. Where several APIs serve one
    /// client, tell them apart by `scope`. Of no client, and of one without a name, no verifier can be
    /// made (Amazon, *Understanding the access token*).
    ///
    /// # Example: an access token of a user pool
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::test_util::TestIssuer;
    /// use tower_jwt_auth::{ExpectedAudience, JwtVerifier, RejectionKind};
    ///
    /// let pool = TestIssuer::new();
    /// let clients = ExpectedAudience::cognito_clients(["web", "app"]);
    /// let verifier = JwtVerifier::new("https://issuer.test", clients, pool.verification_keys())?;
    ///
    /// let token = pool.token().without("aud").claim("token_use", "access").claim("client_id", "app");
    /// assert!(verifier.verify_now(&token.clone().build()).is_ok());
    ///
    /// let rejection = verifier.verify_now(&token.claim("client_id", "other").build()).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::WrongAudience);
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn cognito_clients<T: Into<String>>(clients: impl IntoIterator<Item = T>) -> Self {
        Self::in_place_of_audience(AudienceClaim::CognitoClient, clients)
    }

    fn one_of(values: Vec<String>) -> Self {
        Self { expected: Expected::one_of(values), claim: AudienceClaim::Aud }
    }

    /// The names that will do; none where any will.
    #[cfg(feature = "oidc-discovery")]
    pub(in crate::verify) fn names(&self) -> &[String] {
        match &self.expected {
            Expected::Any => &[],
            Expected::OneOf { values, .. } => values,
        }
    }

    pub(super) fn checked(self) -> Result<(Expected, AudienceClaim), ConfigError> {
        let expected = self.expected.checked(ConfigErrorKind::Audience, "audience")?;
        Ok((expected, self.claim))
    }
}

/// By which claim a token says whom it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AudienceClaim {
    /// `aud`.
    Aud,
    /// `azp`.
    AuthorizedParty,
    /// `client_id`.
    ClientId,
    /// `client_id`, beside a `token_use` of `access`.
    CognitoClient,
}

impl AudienceClaim {
    /// The claim that is compared in place of `aud`.
    pub(super) fn in_place_of_audience(self) -> Option<&'static str> {
        match self {
            Self::Aud => None,
            Self::AuthorizedParty => Some("azp"),
            Self::ClientId | Self::CognitoClient => Some("client_id"),
        }
    }
}

#[derive(Clone, Debug)]
pub(in crate::verify) enum Expected {
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

    fn checked(self, kind: ConfigErrorKind, what: &str) -> Result<Self, ConfigError> {
        let fault = match &self {
            Self::OneOf { values, .. } if values.is_empty() => {
                format!("no {what} is expected: name at least one")
            }
            Self::OneOf { values, .. } if values.iter().any(String::is_empty) => {
                format!("an expected {what} must not be empty")
            }
            Self::Any | Self::OneOf { .. } => return Ok(self),
        };
        Err(ConfigError::new(kind, fault))
    }
}

macro_rules! from_values {
    ($($name:ident)+) => {$(
        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self::one_of(vec![value.to_owned()])
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self::one_of(vec![value])
            }
        }

        impl From<&String> for $name {
            fn from(value: &String) -> Self {
                Self::one_of(vec![value.clone()])
            }
        }

        impl<const N: usize> From<[&str; N]> for $name {
            fn from(values: [&str; N]) -> Self {
                Self::one_of(values.map(str::to_owned).into())
            }
        }

        impl From<Vec<String>> for $name {
            fn from(values: Vec<String>) -> Self {
                Self::one_of(values)
            }
        }
    )+};
}

from_values! { ExpectedIssuer ExpectedAudience }
