use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::claims::{Audience, NumericDate};
use crate::clock::{Clock, SystemClock};
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::issuer::issue_error::{IssueError, IssueErrorKind};
use crate::issuer::key_ring::KeyRing;
use crate::issuer::lifetime::whole_seconds;
use crate::issuer::signing_key::SigningKey;
use crate::issuer::{claims, compact, crypto};
use crate::token::Limits;

/// Issues signed tokens (RFC 7519). It takes the application's claims, and adds the claims that every token
/// needs.
///
/// | claim | value |
/// |---|---|
/// | `iss` | the issuer |
/// | `aud` | from [`with_audience`](Self::with_audience), unless the given claims contain `aud` |
/// | `iat` | now, in whole seconds |
/// | `exp` | `iat` plus the lifetime: every token expires |
/// | `jti` | 16 random bytes in base64url, unless the given claims contain `jti` |
///
/// Only the issuer sets `iss`, `iat` and `exp`. Claims that contain one of them are refused, so that no value
/// is dropped silently. Claims with a duplicate name, which `serde(flatten)` can cause, are refused too. An
/// audience is required, from the issuer or the claims (RFC 8725 section 3.9). If a claim of this table, `sub`
/// or `nbf` is `null`, it counts as absent. Other claims that are `null` are written as they are.
///
/// Clones are cheap.
///
/// # Example: a custom claims type
///
/// ```
/// use serde::Serialize;
/// use tower_jwt_auth::{Algorithm, JwtVerifier, SigningKey, TokenIssuer};
///
/// #[derive(Serialize)]
/// struct Claims {
///     sub: String,
///     tenant: u32,
/// }
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let issuer = TokenIssuer::new("https://issuer.example", key)?
///     .with_audience("https://api.example")?;
/// let token = issuer.issue(&Claims { sub: "alice".into(), tenant: 7 }).unwrap();
///
/// let keys = issuer.verification_keys();
/// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", keys)?;
/// assert_eq!(verifier.verify_now(&token).unwrap().sub.as_deref(), Some("alice"));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct TokenIssuer(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    issuer: String,
    audience: Option<Audience>,
    lifetime: Duration,
    typ: String,
    keys: KeyRing,
    clock: Arc<dyn Clock>,
}

impl TokenIssuer {
    /// Creates an issuer with this name (`iss`, RFC 7519 section 4.1.1). It signs its tokens with one
    /// [`SigningKey`](crate::SigningKey), or with the current key of a [`KeyRing`]. By default the tokens have a
    /// lifetime of 30 minutes, or of the [maximum](KeyRing::max_token_lifetime) of the ring if that is shorter, and the
    /// type `JWT`. There is no default audience: call [`with_audience`](Self::with_audience), or put `aud` into the
    /// claims of each token. Otherwise [`issue`](Self::issue) fails.
    ///
    /// # Errors
    ///
    /// When the name is empty; when the `kid` of the key is empty, longer than 1,024 bytes or
    /// contains control characters.
    pub fn new(
        issuer: impl Into<String>,
        keys: impl TryInto<KeyRing, Error: Into<ConfigError>>,
    ) -> Result<Self, ConfigError> {
        const LIFETIME: Duration = Duration::from_secs(30 * 60);
        const TYPE: &str = "JWT";

        let issuer = issuer.into();
        if issuer.is_empty() {
            return Err(ConfigError::new(
                ConfigErrorKind::Issuer,
                "the name of an issuer must not be empty",
            ));
        }
        let keys = keys.try_into().map_err(Into::into)?;
        Ok(Self(Arc::new(Inner {
            issuer,
            audience: None,
            lifetime: LIFETIME.min(keys.max_token_lifetime()),
            typ: TYPE.to_owned(),
            keys,
            clock: Arc::new(SystemClock),
        })))
    }

    /// Replaces the audience of tokens whose claims have no `aud`: one audience, or several (RFC
    /// 7519 section 4.1.3). None by default.
    ///
    /// # Errors
    ///
    /// When the audience is an empty string or an empty list, or contains an empty string.
    ///
    /// # Example: one audience, and another for one token
    ///
    /// ```
    /// use serde_json::json;
    /// use tower_jwt_auth::{Algorithm, SigningKey, TokenIssuer};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// let issuer = TokenIssuer::new("https://issuer.example", key)?
    ///     .with_audience("https://api.example")?;
    /// let usual = issuer.issue(&json!({"sub": "alice"}));
    /// let other = issuer.issue(&json!({"sub": "alice", "aud": "https://other.example"}));
    /// assert!(usual.is_ok() && other.is_ok());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_audience(mut self, audience: impl Into<Audience>) -> Result<Self, ConfigError> {
        let audience = audience.into();
        if !claims::names_somebody(&audience) {
            return Err(ConfigError::new(
                ConfigErrorKind::Audience,
                "an audience must not be empty: name at least one",
            ));
        }
        self.inner_mut().audience = Some(audience);
        Ok(self)
    }

    /// Replaces the lifetime of tokens; 30 minutes by default. A fraction of a second is dropped.
    ///
    /// # Errors
    ///
    /// When the lifetime is less than a second, more than a hundred years, or longer than the
    /// [maximum](KeyRing::with_max_token_lifetime) of the key ring.
    pub fn with_lifetime(mut self, lifetime: Duration) -> Result<Self, ConfigError> {
        let lifetime = self
            .checked_lifetime(lifetime)
            .map_err(|why| ConfigError::new(ConfigErrorKind::Duration, why))?;
        self.inner_mut().lifetime = lifetime;
        Ok(self)
    }

    /// Replaces the type of the tokens, the `typ` of their header (RFC 7515 section 4.1.9); `JWT` by default.
    ///
    /// With `at+jwt` (RFC 9068), a verifier that checks `typ` can distinguish access tokens from other tokens,
    /// such as ID tokens. Section 2.2 of that RFC then also requires `sub` and `client_id`, for which
    /// [`issue`](Self::issue) does not check: [`issue_access_token`](Self::issue_access_token) adds all of this.
    ///
    /// # Errors
    ///
    /// When the type is empty or longer than 127 bytes, or is neither a name (`JWT`, `at+jwt`) nor a media
    /// type without parameters (`application/at+jwt`), in the characters of RFC 6838 section 4.2.
    pub fn with_type(mut self, typ: impl Into<String>) -> Result<Self, ConfigError> {
        let typ = typ.into();
        // A type name, or type and subtype of a media type (RFC 6838 section 4.2).
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(allowed);
        let (name, subtype) = typ.split_once('/').unwrap_or((&typ, &typ));
        if typ.len() > 127 || !is_name(name) || !is_name(subtype) {
            return Err(ConfigError::new(
                ConfigErrorKind::TokenType,
                "the type of a token is a media type such as `JWT` or `at+jwt`",
            ));
        }
        self.inner_mut().typ = typ;
        Ok(self)
    }

    /// Replaces the clock for `iat` and `exp`; [`SystemClock`] by default.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.inner_mut().clock = Arc::new(clock);
        self
    }

    /// Issues a token with the lifetime of this issuer: see [`with_lifetime`](Self::with_lifetime). An `aud` in the
    /// claims replaces the audience of the issuer for this token.
    ///
    /// # Errors
    ///
    /// When the claims are not a JSON object, contain `iss`, `iat` or `exp`, or have `sub`, `jti`,
    /// `nbf` or `aud` in a form that RFC 7519 section 4.1 does not allow; when a name is
    /// duplicated; when the claims are nested more than 64 levels deep; when the token is longer
    /// than 16 KiB, the default limit of a verifier; when there is no audience, or an empty one; when
    /// the backend cannot sign, or has no random bytes for `jti`.
    ///
    /// # Example: a custom expiry is given as a lifetime
    ///
    /// ```
    /// use serde_json::json;
    /// use std::time::Duration;
    /// use tower_jwt_auth::{Algorithm, IssueErrorKind, SigningKey, TokenIssuer};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// let issuer = TokenIssuer::new("https://issuer.example", key)?
    ///     .with_audience("https://api.example")?;
    /// let error = issuer.issue(&json!({"sub": "alice", "exp": 4_102_444_800_u32})).unwrap_err();
    /// assert_eq!(error.kind(), IssueErrorKind::Claims);
    ///
    /// let token = issuer.issue_for(&json!({"sub": "alice"}), Duration::from_secs(60));
    /// assert!(token.is_ok());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn issue<C: Serialize + ?Sized>(&self, claims: &C) -> Result<String, IssueError> {
        self.issue_for(claims, self.lifetime())
    }

    /// Issues a token with this lifetime in place of that of the issuer. A fraction of a second is dropped.
    ///
    /// # Errors
    ///
    /// When [`issue`](Self::issue) would fail, and when the lifetime is less than a second, more than a hundred years,
    /// or longer than the [maximum](KeyRing::with_max_token_lifetime) of the key ring.
    pub fn issue_for<C: Serialize + ?Sized>(
        &self,
        claims: &C,
        lifetime: Duration,
    ) -> Result<String, IssueError> {
        self.sign(&self.0.keys.current(), &self.0.typ, claims::read(claims)?, lifetime)
    }

    /// Completes and signs the claims of a token.
    pub(super) fn sign(
        &self,
        key: &SigningKey,
        typ: &str,
        mut claims: Map<String, Value>,
        lifetime: Duration,
    ) -> Result<String, IssueError> {
        let lifetime = self
            .checked_lifetime(lifetime)
            .map_err(|why| IssueError::new(IssueErrorKind::Lifetime, why))?;
        self.complete(&mut claims, lifetime)?;
        let token = compact::sign(&compact::header_of(key, typ), claims, key)?;
        if token.len() > Limits::DEFAULT.token {
            return Err(IssueError::new(
                IssueErrorKind::Claims,
                "the token is longer than 16 KiB, the default limit of a verifier",
            ));
        }
        Ok(token)
    }

    /// Removes the fraction of a lifetime. The error says why the lifetime is not valid.
    fn checked_lifetime(&self, lifetime: Duration) -> Result<Duration, &'static str> {
        match whole_seconds(lifetime)? {
            lifetime if lifetime > self.0.keys.max_token_lifetime() => Err(
                "the lifetime of a token is at most that of `KeyRing::with_max_token_lifetime`: \
                 longer, and its key may be gone before it expires",
            ),
            lifetime => Ok(lifetime),
        }
    }

    /// Adds the claims that every token needs to the application's claims.
    fn complete(
        &self,
        claims: &mut Map<String, Value>,
        lifetime: Duration,
    ) -> Result<(), IssueError> {
        let issued_at = NumericDate::from_unix_seconds(self.0.clock.now().unix_seconds());
        let expires_at = issued_at.saturating_add(lifetime.as_secs());

        if !claims.contains_key("aud") {
            let audience = self.0.audience.as_ref().ok_or_else(|| {
                IssueError::new(
                    IssueErrorKind::Audience,
                    "the token has no audience: give `aud` in the claims, or `with_audience`",
                )
            })?;
            claims.insert("aud".to_owned(), json!(audience));
        }
        if !claims.contains_key("jti") {
            let jti = crypto::random_name().map_err(|error| {
                IssueError::new(IssueErrorKind::Signing, "the system has no random bytes for `jti`")
                    .with_source(error)
            })?;
            claims.insert("jti".to_owned(), jti.into());
        }
        claims.insert("iss".to_owned(), self.issuer().into());
        claims.insert("iat".to_owned(), issued_at.unix_seconds().into());
        claims.insert("exp".to_owned(), expires_at.unix_seconds().into());
        Ok(())
    }

    /// The name of the issuer: the `iss` of its tokens (RFC 7519 section 4.1.1).
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The lifetime of the tokens of [`issue`](Self::issue), in whole seconds.
    pub fn lifetime(&self) -> Duration {
        self.0.lifetime
    }

    /// The public keys as the JSON of a JWK set (RFC 7517 section 5), to be served as `application/jwk-set+json`. A
    /// secret is left out: an issuer that signs with a secret has an empty set. See [`KeyRing::jwk_set`].
    ///
    /// # Example: another service reads the set
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, JwkSet, SigningKey, TokenIssuer};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// let issuer = TokenIssuer::new("https://issuer.example", key)?;
    /// assert_eq!(JwkSet::from_json(&issuer.jwk_set())?.len(), 1);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn jwk_set(&self) -> String {
        self.0.keys.jwk_set()
    }

    /// The keys that verify the tokens of this issuer in the same process, also if they are secrets: its key ring, which
    /// follows each rotation.
    pub fn verification_keys(&self) -> KeyRing {
        self.0.keys.clone()
    }

    pub(super) fn key_ring(&self) -> &KeyRing {
        &self.0.keys
    }

    fn inner_mut(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuer")
            .field("issuer", &self.0.issuer)
            .field("audience", &self.0.audience)
            .field("lifetime", &self.0.lifetime)
            .field("typ", &self.0.typ)
            .field("keys", &self.0.keys)
            .field("clock", &self.0.clock)
            .finish_non_exhaustive()
    }
}
