//! The records of the store. `Debug` leaves out hashes and keys.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::{CLOCK_SKEW, Seconds};

/// A user.
#[derive(Clone)]
pub struct User {
    pub name: String,
    /// Argon2id, as a PHC string.
    pub password_hash: String,
    /// The scopes that the user may grant, the least powerful first.
    pub scopes: Vec<String>,
    pub created_at: Seconds,
    pub disabled_at: Option<Seconds>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("scopes", &self.scopes)
            .field("disabled_at", &self.disabled_at)
            .finish_non_exhaustive()
    }
}

/// A registered client.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    /// What the consent page shows.
    pub name: String,
    pub authentication: ClientAuthentication,
    pub grant_types: Vec<GrantType>,
    pub redirect_uris: Vec<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub scopes: Vec<String>,
    pub created_at: Seconds,
}

impl Client {
    /// Whether the client may use the grant.
    pub fn may_use(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }

    /// Whether the client cannot keep a secret.
    pub fn is_public(&self) -> bool {
        matches!(self.authentication, ClientAuthentication::None)
    }
}

/// How a client proves who it is.
#[derive(Clone)]
pub enum ClientAuthentication {
    /// A public client: it has nothing to prove it with.
    None,
    /// `client_secret_basic` or `client_secret_post`, with the SHA-256 hash of the secret.
    Secret { hash: String },
    /// `private_key_jwt`, with the public keys as a JWK set.
    PrivateKeyJwt { jwk_set: String },
}

impl fmt::Debug for ClientAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Secret { .. } => "Secret { .. }",
            Self::PrivateKeyJwt { .. } => "PrivateKeyJwt { .. }",
        })
    }
}

/// A grant of OAuth 2.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    AuthorizationCode,
    ClientCredentials,
    Password,
    RefreshToken,
}

impl GrantType {
    pub const ALL: [Self; 4] =
        [Self::AuthorizationCode, Self::ClientCredentials, Self::Password, Self::RefreshToken];

    /// The value of `grant_type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
        }
    }
}

impl FromStr for GrantType {
    type Err = UnknownGrantType;

    fn from_str(name: &str) -> Result<Self, UnknownGrantType> {
        Self::ALL.into_iter().find(|one| one.as_str() == name).ok_or(UnknownGrantType)
    }
}

/// The name of no grant.
#[derive(Clone, Copy, Debug)]
pub struct UnknownGrantType;

impl fmt::Display for UnknownGrantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a grant type: use ")?;
        let names = GrantType::ALL.map(GrantType::as_str);
        f.write_str(&names.join(", "))
    }
}

impl std::error::Error for UnknownGrantType {}

/// The metadata document of a client that is not registered, as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientDocument {
    /// Where it is: the ID of the client.
    pub url: String,
    pub document: String,
    /// The keys at its `jwks_uri`.
    pub jwk_set: Option<String>,
    pub fetched_at: Seconds,
    /// Until then it is used without another fetch.
    pub fresh_until: Seconds,
    /// Until then it is used while its host cannot be reached. After that, it only says that the client is known here.
    pub expires_at: Seconds,
    /// When it was last used, to about an hour.
    pub used_at: Seconds,
}

impl ClientDocument {
    /// Whether it may be used, at least while its host cannot be reached. One from the future was stored by a clock that
    /// was wrong, so its times mean nothing.
    pub fn is_usable(&self, now: Seconds) -> bool {
        now < self.expires_at && self.fetched_at <= now.saturating_add(CLOCK_SKEW)
    }
}

/// A login at the pages.
#[derive(Clone)]
pub struct Session {
    pub cookie_hash: String,
    /// The `sid` of ID tokens.
    pub id: String,
    pub user: String,
    pub authenticated_at: Seconds,
    pub expires_at: Seconds,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What a user has granted to a client: a family of refresh tokens, and the access tokens that came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: String,
    pub client_id: String,
    pub user: String,
    pub session_id: Option<String>,
    pub scopes: Vec<String>,
    /// The resources that tokens may be asked for (RFC 8707).
    pub resources: Vec<String>,
    pub authenticated_at: Seconds,
    pub created_at: Seconds,
    pub expires_at: Seconds,
    pub revoked_at: Option<Seconds>,
    /// The hash of the document that the user was asked about, if the client is not registered.
    pub client_document: Option<String>,
}

impl Grant {
    /// Whether it is neither revoked nor expired.
    pub fn is_in_force(&self, now: Seconds) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// An authorization code.
#[derive(Clone)]
pub struct Code {
    pub code_hash: String,
    pub client_id: String,
    pub user: String,
    pub session_id: Option<String>,
    pub redirect_uri: String,
    /// S256 of RFC 7636.
    pub code_challenge: String,
    pub scopes: Vec<String>,
    pub resources: Vec<String>,
    pub nonce: Option<String>,
    pub authenticated_at: Seconds,
    pub expires_at: Seconds,
    /// The grant that it was exchanged for.
    pub grant_id: Option<String>,
    /// The hash of the document that the user was asked about, if the client is not registered.
    pub client_document: Option<String>,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code")
            .field("client_id", &self.client_id)
            .field("user", &self.user)
            .field("grant_id", &self.grant_id)
            .finish_non_exhaustive()
    }
}

/// The result of an exchange of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// The grant was added.
    Granted,
    /// The code was exchanged before. The grant of that time is revoked now.
    Reused,
    /// There is no such code, it has expired, or its user is disabled.
    Invalid,
}

/// A refresh token to be stored.
#[derive(Clone)]
pub struct NewRefreshToken {
    pub token_hash: String,
    pub expires_at: Seconds,
}

impl fmt::Debug for NewRefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewRefreshToken")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A stored refresh token.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    pub token_hash: String,
    pub grant_id: String,
    pub expires_at: Seconds,
    pub used_at: Option<Seconds>,
    pub successor_hash: Option<String>,
    /// The place in the family, from 0.
    pub number: i64,
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken")
            .field("grant_id", &self.grant_id)
            .field("expires_at", &self.expires_at)
            .field("used_at", &self.used_at)
            .finish_non_exhaustive()
    }
}

/// The result of a use of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The successor is stored, now or by an earlier use within the grace.
    Successor,
    /// It was used before, and not within the grace or its successor was used too. The grant is revoked now.
    Reused,
    /// There is no such token, it has expired, or its grant is not in force.
    Invalid,
}

/// A signing key.
#[derive(Clone)]
pub struct StoredKey {
    pub kid: String,
    /// The JWS name, such as `ES256`.
    pub algorithm: String,
    /// PKCS#8, in PEM.
    pub private_key: Zeroizing<String>,
    pub created_at: Seconds,
    pub signs_from: Seconds,
    /// The longest lifetime of a token that it may have signed.
    pub token_lifetime: Seconds,
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("signs_from", &self.signs_from)
            .finish_non_exhaustive()
    }
}
