//! The expected issuer and audience of tokens.

use std::sync::Arc;

use crate::config_error::{ConfigError, ConfigErrorKind};

/// The expected issuer of tokens: the `iss` claim, required and compared exactly (RFC 7519 section 4.1.1).
///
/// A string converts into this type, and so does a list of several spellings of the *same* issuer, such as
/// `["https://issuer.example", "https://issuer.example/"]`. For several issuers, use an
/// [`IssuerSet`](crate::IssuerSet): then a key of one issuer never verifies a token of another.
#[derive(Clone, Debug)]
pub struct ExpectedIssuer(Expected);

impl ExpectedIssuer {
    /// Accepts any `iss`, and tokens without one. By default `iss` is required.
    ///
    /// Without an expected issuer, only the key identifies the issuer (RFC 8725 section 3.8): every service
    /// that can sign with this key can issue tokens for this verifier.
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

/// The expected audience of tokens: the `aud` claim, required and compared exactly (RFC 7519 section 4.1.3).
///
/// A string converts into this type, and so does a list of several alternatives, such as
/// `["https://api.example", "orders"]`. A token needs one of them, and its `aud` may contain
/// [others](crate::JwtVerifier::exclusive_audience). For an issuer whose access tokens have no `aud`, another
/// claim is compared in its place:
///
/// | claim | constructor | issuers |
/// |---|---|---|
/// | `azp` | [`authorized_parties`](Self::authorized_parties) | Clerk |
/// | `client_id` | [`clients`](Self::clients) | WorkOS |
/// | `client_id`, with `token_use` | [`cognito_clients`](Self::cognito_clients) | Amazon Cognito |
///
/// That claim must then be a string, and is required and compared exactly. A token that also has an `aud` is
/// for another audience. It is refused as [`WrongAudience`](crate::RejectionKind::WrongAudience).
#[derive(Clone, Debug)]
pub struct ExpectedAudience {
    expected: Expected,
    claim: AudienceClaim,
}

impl ExpectedAudience {
    /// Accepts any `aud`, and tokens without one. By default `aud` is required.
    ///
    /// Without an expected audience, tokens for all other services of the issuer are accepted, and each of
    /// these services can use the tokens that it receives here (RFC 8725 section 3.9).
    pub fn dangerous_any() -> Self {
        Self { expected: Expected::Any, claim: AudienceClaim::Aud }
    }

    /// Expects one of these authorized parties (`azp`), for tokens without an `aud`.
    ///
    /// With Clerk, `azp` is the origin of the page that requested the token, such as `https://app.example`,
    /// without a path or a final slash. OpenID Connect defines `azp` as a client ID (Core 1.0 section 2).
    ///
    /// `azp` names the party that requested the token, not the API. If several APIs serve the same party,
    /// compare other claims too.
    ///
    /// # Example: the origins of an application's pages
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
    /// let of_another_page = token.claim("azp", "https://other.example").build();
    /// let rejection = verifier.verify_now(&of_another_page).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::WrongAudience);
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn authorized_parties<T: Into<String>>(parties: impl IntoIterator<Item = T>) -> Self {
        Self::in_place_of_audience(AudienceClaim::AuthorizedParty, parties)
    }

    /// Expects one of these clients (`client_id`, RFC 8693 section 4.3), for tokens without an `aud`, such as
    /// those of WorkOS.
    ///
    /// `client_id` names the client that requested the token, not the API. If several APIs serve the same
    /// client, compare other claims too. For Amazon Cognito, use [`cognito_clients`](Self::cognito_clients),
    /// which checks `token_use` too.
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

    /// Expects one of these app clients of an Amazon Cognito user pool, whose access tokens have no `aud`.
    ///
    /// `token_use` must be `access`, and `client_id` one of these clients. Both claims are required strings
    /// and compared exactly. A token with an `aud` is refused: it is an ID token, or an access token that was
    /// requested for a resource (RFC 8707). For the latter, expect its audience instead.
    ///
    /// `client_id` names the client that requested the token, not the API. If several APIs serve the same
    /// client, compare the `scope` too (Amazon, *Understanding the access token*).
    pub fn cognito_clients<T: Into<String>>(clients: impl IntoIterator<Item = T>) -> Self {
        Self::in_place_of_audience(AudienceClaim::CognitoClient, clients)
    }

    fn one_of(values: Vec<String>) -> Self {
        Self { expected: Expected::one_of(values), claim: AudienceClaim::Aud }
    }

    /// The expected names; none if any audience is accepted.
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

/// The claim that is compared with the expected audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AudienceClaim {
    /// `aud`.
    Aud,
    /// `azp`.
    AuthorizedParty,
    /// `client_id`.
    ClientId,
    /// `client_id`, with a `token_use` of `access`.
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
        /// The values in one text, for the log.
        display: Arc<str>,
    },
}

impl Expected {
    fn one_of(values: Vec<String>) -> Self {
        let display = values.join(" or ").into();
        Self::OneOf { values, display }
    }

    /// All values as one text; `None` if any value is accepted.
    pub(in crate::verify) fn display(&self) -> Option<&Arc<str>> {
        match self {
            Self::Any => None,
            Self::OneOf { display, .. } => Some(display),
        }
    }

    fn checked(self, kind: ConfigErrorKind, what: &str) -> Result<Self, ConfigError> {
        let fault = match &self {
            Self::OneOf { values, .. } if values.is_empty() => {
                format!("no expected {what} was given: name at least one")
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
