//! Access tokens and ID tokens that have all that their standards require.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::claims::{Audience, NumericDate, Scope};
use crate::issuer::issue_error::{IssueError, IssueErrorKind};
use crate::issuer::token_issuer::TokenIssuer;
use crate::issuer::{claims, crypto};

/// The contents of an access token by RFC 9068, for
/// [`TokenIssuer::issue_access_token`].
///
/// The issuer adds `iss`, `iat`, `exp`, `jti` and, unless it is given here, `aud`. Claims that are not given are absent.
///
/// # Example: what a token endpoint issues
///
/// ```
/// use tower_jwt_auth::{
///     AccessTokenClaims, Algorithm, JwtVerifier, NewAccessToken, SigningKey, TokenIssuer,
/// };
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let issuer = TokenIssuer::new("https://issuer.example", key)?
///     .with_audience("https://api.example")?;
/// let contents = NewAccessToken::new("alice", "app").with_scope("orders:read");
/// let token = issuer.issue_access_token(&contents).unwrap();
///
/// let keys = issuer.verification_keys();
/// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", keys)?
///     .require_rfc9068()
///     .with_claims::<AccessTokenClaims>();
/// let verified = verifier.verify_now(&token).unwrap();
/// assert_eq!(verified.client_id, "app");
/// assert!(verified.scope.contains("orders:read"));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct NewAccessToken {
    common: Common,
    audience: Option<Audience>,
    scope: Scope,
    token_id: Option<String>,
}

/// The contents of an ID token (OpenID Connect Core 1.0 section 2), for [`TokenIssuer::issue_id_token`].
///
/// The issuer adds `iss`, `iat`, `exp`, `jti` and `at_hash`. The audience is the client. Claims that are not given are
/// absent.
///
/// # Example: after a login with a nonce
///
/// ```
/// use tower_jwt_auth::{Algorithm, NewAccessToken, NewIdToken, SigningKey, TokenIssuer};
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let issuer = TokenIssuer::new("https://issuer.example", key)?
///     .with_audience("https://api.example")?;
/// let access_token = issuer.issue_access_token(&NewAccessToken::new("alice", "app")).unwrap();
/// let contents = NewIdToken::new("alice", "app").with_nonce("n-0S6_WzA2Mj");
/// assert!(issuer.issue_id_token(&contents, &access_token).is_ok());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct NewIdToken {
    common: Common,
    nonce: Option<String>,
}

/// What both kinds of tokens have.
#[derive(Clone, Debug)]
struct Common {
    subject: String,
    client_id: String,
    lifetime: Option<Duration>,
    auth_time: Option<NumericDate>,
    acr: Option<String>,
    amr: Vec<String>,
    more: Map<String, Value>,
}

/// The setters of what both kinds of tokens have.
macro_rules! common_setters {
    () => {
        /// Replaces the lifetime of the token; by default that of the [issuer](TokenIssuer::lifetime).
        #[must_use]
        pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
            self.common.lifetime = Some(lifetime);
            self
        }

        /// Sets `auth_time`, when the user last authenticated; absent by default. A fraction of a second is dropped.
        #[must_use]
        pub fn with_auth_time(mut self, auth_time: NumericDate) -> Self {
            self.common.auth_time = Some(auth_time);
            self
        }

        /// Sets `acr`, how strongly the user authenticated; absent by default.
        #[must_use]
        pub fn with_acr(mut self, acr: impl Into<String>) -> Self {
            self.common.acr = Some(acr.into());
            self
        }

        /// Sets `amr`, the methods that the user authenticated with (RFC 8176); absent by default, and if empty.
        #[must_use]
        pub fn with_amr<I: IntoIterator<Item: Into<String>>>(mut self, amr: I) -> Self {
            self.common.amr = amr.into_iter().map(Into::into).collect();
            self
        }

        /// Replaces the additional claims; none by default.
        ///
        /// # Errors
        ///
        /// When [`TokenIssuer::issue`] would refuse the claims, or when one of them has its own setter, or is set by
        /// the issuer.
        pub fn with_claims<C: Serialize + ?Sized>(
            mut self,
            claims: &C,
        ) -> Result<Self, IssueError> {
            let more = claims::read(claims)?;
            if let Some(name) = Self::OWN.into_iter().find(|name| more.contains_key(*name)) {
                return Err(unusable(format!(
                    "`{name}` is not an additional claim: it is set apart"
                )));
            }
            self.common.more = more;
            Ok(self)
        }
    };
}

impl NewAccessToken {
    const OWN: [&str; 8] = ["sub", "client_id", "aud", "jti", "scope", "auth_time", "acr", "amr"];

    /// An access token for this user (`sub`), issued to this client (`client_id`).
    pub fn new(subject: impl Into<String>, client_id: impl Into<String>) -> Self {
        let common = Common::new(subject.into(), client_id.into());
        Self { common, audience: None, scope: Scope::default(), token_id: None }
    }

    /// An access token for a client that acts for itself: the client is also the `sub` (RFC 9068 section 2.2).
    pub fn for_client(client_id: impl Into<String>) -> Self {
        let client_id = client_id.into();
        Self::new(client_id.clone(), client_id)
    }

    /// Replaces the audience of this token; by default that of the [issuer](TokenIssuer::with_audience).
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<Audience>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sets `scope`; absent by default, and if empty.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<Scope>) -> Self {
        self.scope = scope.into();
        self
    }

    /// Replaces `jti`; 16 random bytes in base64url by default. Each token needs its own.
    #[must_use]
    pub fn with_token_id(mut self, token_id: impl Into<String>) -> Self {
        self.token_id = Some(token_id.into());
        self
    }

    common_setters!();

    fn to_claims(&self) -> Result<Map<String, Value>, IssueError> {
        let mut claims = self.common.to_claims()?;
        if self.scope.iter().any(|value| !Scope::is_value(value)) {
            return Err(unusable("`scope` contains a character that no scope has"));
        }
        let scope: Vec<&str> = self.scope.iter().collect();
        claims.insert("client_id".to_owned(), self.common.client_id.as_str().into());
        if !scope.is_empty() {
            claims.insert("scope".to_owned(), scope.join(" ").into());
        }
        if let Some(audience) = &self.audience {
            claims::check_audience(audience)?;
            claims.insert("aud".to_owned(), json!(audience));
        }
        match self.token_id.as_deref() {
            Some("") => return Err(unusable("`jti` is empty")),
            Some(token_id) => claims.insert("jti".to_owned(), token_id.into()),
            None => None,
        };
        Ok(claims)
    }
}

impl NewIdToken {
    const OWN: [&str; 8] = ["sub", "aud", "jti", "nonce", "at_hash", "auth_time", "acr", "amr"];

    /// An ID token that tells this client (`aud`) about this user (`sub`).
    pub fn new(subject: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self { common: Common::new(subject.into(), client_id.into()), nonce: None }
    }

    /// Sets `nonce`, unchanged from the authentication request; absent by default.
    #[must_use]
    pub fn with_nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    common_setters!();

    fn to_claims(&self) -> Result<Map<String, Value>, IssueError> {
        const MAX_SUBJECT: usize = 255;

        let mut claims = self.common.to_claims()?;
        if self.common.subject.len() > MAX_SUBJECT || !self.common.subject.is_ascii() {
            return Err(unusable("`sub` of an ID token has at most 255 characters, all of ASCII"));
        }
        claims.insert("aud".to_owned(), self.common.client_id.as_str().into());
        if let Some(nonce) = &self.nonce {
            claims.insert("nonce".to_owned(), nonce.as_str().into());
        }
        Ok(claims)
    }
}

impl Common {
    fn new(subject: String, client_id: String) -> Self {
        let more = Map::new();
        Self { subject, client_id, lifetime: None, auth_time: None, acr: None, amr: vec![], more }
    }

    fn to_claims(&self) -> Result<Map<String, Value>, IssueError> {
        if self.subject.is_empty() || self.client_id.is_empty() {
            return Err(unusable("the subject and the client of a token are not empty"));
        }
        let mut claims = self.more.clone();
        claims.insert("sub".to_owned(), self.subject.as_str().into());
        if let Some(auth_time) = self.auth_time {
            claims.insert("auth_time".to_owned(), auth_time.unix_seconds().into());
        }
        if let Some(acr) = &self.acr {
            claims.insert("acr".to_owned(), acr.as_str().into());
        }
        if !self.amr.is_empty() {
            claims.insert("amr".to_owned(), json!(self.amr));
        }
        Ok(claims)
    }
}

impl TokenIssuer {
    /// Issues an access token by RFC 9068: its type is `at+jwt`, whatever [`with_type`](Self::with_type) says, and it
    /// has all claims that the RFC requires.
    ///
    /// # Errors
    ///
    /// When the subject, the client or `jti` is empty, when a scope contains a character that is not allowed (RFC 6749
    /// section 3.3), or when [`issue_for`](Self::issue_for) would fail.
    pub fn issue_access_token(&self, token: &NewAccessToken) -> Result<String, IssueError> {
        let lifetime = token.common.lifetime.unwrap_or(self.lifetime());
        self.sign(&self.key_ring().current(), "at+jwt", token.to_claims()?, lifetime)
    }

    /// Issues an ID token (OpenID Connect Core 1.0 section 2) beside this access token. Its `at_hash` (section 3.1.3.6)
    /// binds the two, and the verifiers of this crate never take such a token for an access token. Its type is `JWT`.
    ///
    /// # Errors
    ///
    /// When the subject or the client is empty, when the subject has more than 255 characters or is not ASCII, when the
    /// current key is one for ML-DSA, for which no standard defines `at_hash`, or when [`issue_for`](Self::issue_for)
    /// would fail.
    pub fn issue_id_token(
        &self,
        token: &NewIdToken,
        access_token: &str,
    ) -> Result<String, IssueError> {
        let mut claims = token.to_claims()?;
        let key = self.key_ring().current();
        let hash = crypto::hash_of(key.algorithm(), access_token.as_bytes()).ok_or_else(|| {
            IssueError::new(
                IssueErrorKind::Algorithm,
                format!("no standard defines `at_hash` for {}", key.algorithm()),
            )
        })?;
        let hash = hash.as_ref();
        let (left, _) = hash.split_at_checked(hash.len().div_euclid(2)).unwrap_or_default();
        let at_hash = base64_simd::URL_SAFE_NO_PAD.encode_to_string(left);
        claims.insert("at_hash".to_owned(), at_hash.into());
        let lifetime = token.common.lifetime.unwrap_or(self.lifetime());
        self.sign(&key, "JWT", claims, lifetime)
    }
}

fn unusable(message: impl Into<std::borrow::Cow<'static, str>>) -> IssueError {
    IssueError::new(IssueErrorKind::Claims, message)
}
