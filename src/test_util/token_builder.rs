use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::claims::{Audience, NumericDate};
use crate::issuer::{SigningKey, compact};

/// Builds a token for a test. [`TestIssuer::token`](super::TestIssuer::token) creates a builder.
///
/// Without further calls, a verifier for the issuer, its key and its audience accepts the token,
/// unless it requires further claims. The token is an access token (RFC 9068): `iss`, `aud`, `sub`
/// (`alice`), `client_id` (`test-client`), `iat` (now), `exp` (in 30 minutes) and `jti`; its header
/// has `alg`, `kid` and `typ` (`at+jwt`). If two calls change the same part, the last one counts.
///
/// # Example: a valid and an invalid token
///
/// ```
/// use tower_jwt_auth::RejectionKind;
/// use tower_jwt_auth::test_util::TestIssuer;
///
/// let issuer = TestIssuer::new();
/// let verifier = issuer.verifier();
///
/// let right = issuer.token().subject("bob").scope("read").claim("tenant", 7).build();
/// assert_eq!(verifier.verify_now(&right).unwrap().sub.as_deref(), Some("bob"));
///
/// let wrong = issuer.token().issuer("https://other.test").build();
/// assert_eq!(verifier.verify_now(&wrong).unwrap_err().kind(), RejectionKind::WrongIssuer);
/// ```
#[must_use]
#[derive(Clone)]
pub struct TokenBuilder {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    key: SigningKey,
    now: NumericDate,
    forged: bool,
}

impl TokenBuilder {
    pub(super) fn new(issuer: &str, audience: &str, key: SigningKey, now: NumericDate) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);

        let token = Self { header: Map::new(), claims: Map::new(), key, now, forged: false };
        let (algorithm, kid) = (token.key.algorithm().name(), token.key.kid().to_owned());
        token
            .header("alg", algorithm)
            .header("kid", kid)
            .header("typ", "at+jwt")
            .issuer(issuer)
            .audience(audience)
            .subject("alice")
            .claim("client_id", "test-client")
            .claim("iat", now.unix_seconds())
            .claim("exp", now.saturating_add(30 * 60).unix_seconds())
            .claim("jti", format!("test-{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
    }

    /// Replaces `sub` (RFC 7519 section 4.1.2); `alice` by default.
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.claim("sub", subject.into())
    }

    /// Replaces `scope`, whose values are separated by spaces (RFC 8693 section 4.2); none by
    /// default.
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.claim("scope", scope.into())
    }

    /// Replaces `iss` (RFC 7519 section 4.1.1); the issuer's name by default. With another name the
    /// token is invalid.
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        self.claim("iss", issuer.into())
    }

    /// Replaces `aud` (RFC 7519 section 4.1.3) with one audience or several; the issuer's audience
    /// by default. Without that audience the token is invalid.
    pub fn audience(self, audience: impl Into<Audience>) -> Self {
        self.claim("aud", audience.into())
    }

    /// Sets or replaces a claim; any JSON value is accepted, valid or invalid.
    ///
    /// # Panics
    ///
    /// When the value cannot be written as JSON.
    pub fn claim(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).expect("a claim that can be written as JSON");
        self.claims.insert(name.to_owned(), value);
        self
    }

    /// Sets or replaces each claim that the value contains. A field that is written as `null` makes
    /// the claim `null`. The value can have the claims type of the handlers.
    ///
    /// # Panics
    ///
    /// When the value cannot be written as a JSON object.
    ///
    /// # Example: the claims type of the handlers
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Claims {
    ///     tenant: u32,
    /// }
    ///
    /// let issuer = TestIssuer::new();
    /// let verifier = issuer.verifier().with_claims::<Claims>();
    /// let token = issuer.token().claims(&Claims { tenant: 7 }).build();
    /// assert_eq!(verifier.verify_now(&token).unwrap().tenant, 7);
    /// ```
    pub fn claims(mut self, claims: &impl Serialize) -> Self {
        match serde_json::to_value(claims) {
            Ok(Value::Object(claims)) => self.claims.extend(claims),
            _ => panic!("the claims cannot be written as a JSON object"),
        }
        self
    }

    /// Removes a claim, if the token has it.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets or replaces a header parameter; any JSON value is accepted, valid or invalid. The key
    /// and the algorithm that sign the token do not change with it.
    ///
    /// # Panics
    ///
    /// When the value cannot be written as JSON.
    pub fn header(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).expect("a parameter that can be written as JSON");
        self.header.insert(name.to_owned(), value);
        self
    }

    /// Removes a header parameter, if the token has it.
    ///
    /// # Example: no `typ`, as in the tokens of many issuers
    ///
    /// ```
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// let token = issuer.token().without_header("typ").build();
    /// assert!(issuer.verifier().verify_now(&token).is_ok());
    /// assert!(issuer.verifier().require_rfc9068().verify_now(&token).is_err());
    /// ```
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Makes the token expired: sets `iat` to two hours ago and `exp` to an hour ago.
    ///
    /// # Panics
    ///
    /// When the issuer's clock is less than two hours after the start of 1970.
    #[track_caller]
    pub fn expired(self) -> Self {
        let (issued_at, expires_at) = (hours_from(self.now, -2), hours_from(self.now, -1));
        self.claim("iat", issued_at).claim("exp", expires_at)
    }

    /// Makes the token not yet valid: sets `nbf` to an hour from now and `exp` to two hours from
    /// now.
    ///
    /// # Panics
    ///
    /// When the issuer's clock is less than two hours before the largest time.
    #[track_caller]
    pub fn not_yet_valid(self) -> Self {
        let (not_before, expires_at) = (hours_from(self.now, 1), hours_from(self.now, 2));
        self.claim("nbf", not_before).claim("exp", expires_at)
    }

    /// The header, the claims, the key and the time.
    pub(super) fn into_parts(
        self,
    ) -> (Map<String, Value>, Map<String, Value>, SigningKey, NumericDate) {
        (self.header, self.claims, self.key, self.now)
    }

    /// Gives the token an invalid signature: that of other claims.
    pub fn forged(mut self) -> Self {
        self.forged = true;
        self
    }

    /// Returns the signed token in the compact serialization (RFC 7515 section 7.1).
    ///
    /// # Panics
    ///
    /// When the crypto backend cannot sign.
    pub fn build(&self) -> String {
        let header = compact::encode_header(self.header.clone());
        let mut claims = self.claims.clone();
        let token = compact::sign(&header, claims.clone(), &self.key).expect("a signature");
        if !self.forged {
            return token;
        }
        // The signature of other claims by the same key: well-formed, but for another message.
        claims.insert("forged".to_owned(), token.as_str().into());
        let other = compact::sign(&header, claims, &self.key).expect("a signature");
        let message = token.rsplit_once('.').map_or("", |(message, _)| message);
        let signature = other.rsplit_once('.').map_or("", |(_, signature)| signature);
        format!("{message}.{signature}")
    }

    /// Returns the value of an `Authorization` header with the token: `Bearer`, a space and the
    /// token (RFC 6750 section 2.1).
    ///
    /// # Panics
    ///
    /// When the crypto backend cannot sign.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.build())
    }
}

impl fmt::Display for TokenBuilder {
    /// The token, as [`build`](TokenBuilder::build) makes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.build())
    }
}

impl From<TokenBuilder> for String {
    fn from(token: TokenBuilder) -> Self {
        token.build()
    }
}

impl fmt::Debug for TokenBuilder {
    /// Without the claims, like every `Debug` of this crate.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBuilder")
            .field("header", &self.header)
            .field("forged", &self.forged)
            .finish_non_exhaustive()
    }
}

/// The time this many whole hours later or earlier.
#[track_caller]
fn hours_from(now: NumericDate, hours: i64) -> i64 {
    let seconds = now.unix_seconds().checked_add(hours.saturating_mul(3600));
    seconds.filter(|seconds| *seconds >= 0).unwrap_or_else(|| {
        panic!("the issuer's clock shows {now}: a time {hours} hours from it cannot be represented")
    })
}
