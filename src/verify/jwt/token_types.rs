//! The types of tokens that a verifier accepts, by the `typ` of their header.

use std::sync::Arc;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::token::is_media_type;
use crate::verify::jwt::JwtVerifier;

/// The accepted values of `typ` (RFC 7515 section 4.1.9).
#[derive(Clone, Debug)]
pub(super) enum TokenTypes {
    /// Access tokens: `at+jwt`, `JWT`, or absent.
    AccessTokens,
    /// Access tokens of RFC 9068: `at+jwt`.
    Rfc9068,
    /// Only other kinds of tokens.
    Others {
        /// Without `application/`, at least one.
        names: Vec<String>,
        /// The names in one text, for the log.
        display: Arc<str>,
        /// Whether the type may be absent.
        or_absent: bool,
    },
}

impl TokenTypes {
    #[inline]
    pub(super) fn allow(&self, typ: Option<&str>) -> bool {
        match (self, typ) {
            // As nearly all issuers write it.
            (Self::AccessTokens, None | Some("JWT")) => true,
            (Self::AccessTokens, Some(typ)) => {
                is_media_type(typ, "at+jwt") || is_media_type(typ, "JWT")
            }
            (Self::Rfc9068, Some(typ)) => is_media_type(typ, "at+jwt"),
            (Self::Others { names, .. }, Some(typ)) => {
                names.iter().any(|name| is_media_type(typ, name))
            }
            (Self::Others { or_absent, .. }, None) => *or_absent,
            (Self::Rfc9068, None) => false,
        }
    }

    /// The types of JWT-SVIDs: `JWT`, `JOSE`, or absent (JWT-SVID section 2.3).
    #[cfg(feature = "oidc-discovery")]
    pub(super) fn of_jwt_svids() -> Self {
        let names = ["JWT", "JOSE"].map(str::to_owned).into();
        Self::Others { names, display: "JWT or JOSE".into(), or_absent: true }
    }

    /// Whether a token without a type is accepted.
    pub(super) fn allow_absence(&self) -> bool {
        self.allow(None)
    }

    pub(super) fn is_rfc9068(&self) -> bool {
        matches!(self, Self::Rfc9068)
    }

    /// The expected types in one text. An absent type is not in it.
    pub(super) fn expected(&self) -> &str {
        match self {
            Self::AccessTokens => "at+jwt or JWT",
            Self::Rfc9068 => "at+jwt",
            Self::Others { display, .. } => display,
        }
    }

    /// Adds a type. The first one replaces the access tokens.
    fn add(&mut self, name: String) {
        let mut names = match self {
            Self::Others { names, or_absent: false, .. } => std::mem::take(names),
            Self::AccessTokens | Self::Rfc9068 | Self::Others { .. } => Vec::new(),
        };
        if !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
        *self = Self::Others { display: names.join(" or ").into(), names, or_absent: false };
    }
}

/// Known types of JWTs that are never the credential of a request: proofs, grants and requests that a client signs or
/// presents to an authorization server, and messages that an issuer sends.
const NOT_CREDENTIALS: [&str; 15] = [
    "client-authentication+jwt",
    "dpop+jwt",
    "entity-statement+jwt",
    "kb+jwt",
    "logout+jwt",
    "oauth-authz-req+jwt",
    "oauth-client-attestation+jwt",
    "oauth-client-attestation-pop+jwt",
    "oauth-id-jag+jwt",
    "openid4vci-proof+jwt",
    "secevent+jwt",
    "statuslist+jwt",
    "token-introspection+jwt",
    "trust-mark+jwt",
    "wpt+jwt",
];

impl<C> JwtVerifier<C> {
    /// Accepts tokens of another kind than access tokens, by the `typ` of their header (RFC 7515 section 4.1.9), such
    /// as `txntoken+jwt` for transaction tokens. By default a verifier accepts access tokens: `at+jwt`, `JWT`, or no
    /// `typ`.
    ///
    /// With this setting, **access tokens are refused**. Each further call adds a type to those of the earlier calls.
    /// The comparison is exact, except that case does not matter and `application/` may precede the type in the token.
    /// All other rules stay as they are: `iss`, `aud` and `exp` are required; other claims can be, with
    /// [`add_required_claim`](Self::add_required_claim).
    ///
    /// For a service that accepts both access tokens and such tokens, make one verifier for each kind, and give them
    /// to the layers of different routes. See [the guide to kinds of tokens](crate::docs::token_types).
    ///
    /// # Errors
    ///
    /// When the type does not end in `+jwt` or is not a media type; when it is `at+jwt`, which
    /// [`require_rfc9068`](Self::require_rfc9068) accepts; when it is a known type of JWTs that are never the credential
    /// of a request, such as `dpop+jwt` or `logout+jwt`; or after `require_rfc9068`, which no such token fulfils.
    ///
    /// # Example: transaction tokens
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::RejectionKind;
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// let verifier = issuer.verifier().with_token_type("txntoken+jwt")?;
    /// let token = issuer.token().header("typ", "txntoken+jwt").build();
    /// assert!(verifier.verify_now(&token).is_ok());
    ///
    /// let access_token = issuer.token().build();
    /// let rejection = verifier.verify_now(&access_token).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::WrongTokenType);
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_token_type(mut self, typ: &str) -> Result<Self, ConfigError> {
        let name = name_of(typ)?;
        if self.rules.types.is_rfc9068() {
            return Err(refused(format!(
                "no token of the type `{name}` is an access token of RFC 9068: leave out `require_rfc9068`"
            )));
        }
        self.rules_mut().types.add(name);
        Ok(self)
    }
}

/// The name of a type that may be accepted, without `application/`.
fn name_of(typ: &str) -> Result<String, ConfigError> {
    const PREFIX: &str = "application/";
    const SUFFIX: &str = "+jwt";
    /// The longest name of RFC 6838 section 4.2.
    const LONGEST: usize = 127;

    let name = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, name)) if prefix.eq_ignore_ascii_case(PREFIX) => name,
        _ => typ,
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    let is_jwt = name
        .len()
        .checked_sub(SUFFIX.len())
        .and_then(|length| name.split_at_checked(length))
        .is_some_and(|(kind, suffix)| !kind.is_empty() && suffix.eq_ignore_ascii_case(SUFFIX));
    if !is_jwt || name.len() > LONGEST || !name.bytes().all(allowed) {
        return Err(refused(
            "the type of a token is a media type that ends in `+jwt`, such as `txntoken+jwt`",
        ));
    }
    if name.eq_ignore_ascii_case("at+jwt") {
        return Err(refused(
            "`at+jwt` is the type of access tokens, which are accepted by default: to accept nothing else, call \
             `require_rfc9068`",
        ));
    }
    if NOT_CREDENTIALS.iter().any(|other| name.eq_ignore_ascii_case(other)) {
        return Err(refused(format!(
            "a JWT of the type `{name}` is never the credential of a request"
        )));
    }
    Ok(name.to_owned())
}

fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::TokenType, message)
}
