use std::fmt;
use std::sync::Arc;

use http::request::Parts;

use crate::claims::RegisteredClaims;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::extract::{PresentedToken, TokenScheme, authorization};
use crate::rejection::Rejection;
use crate::summary::Summary;
use crate::token::{CompactJws, Limits, Scratch};
use crate::verify::issuer_set::issuer_hint;
use crate::verify::verify_token::{Verification, VerifyToken};

/// Several kinds of tokens behind one layer: API keys, JWTs and opaque tokens, each with its own verifier.
///
/// A token goes to one verifier, and to no other when that one refuses it. The choice does not depend on the
/// order of the calls:
///
/// | the token | verifier |
/// |---|---|
/// | begins with a prefix | that of [`add_prefix`](Self::add_prefix) |
/// | else, is a JWT whose `iss` was added | that of [`add_issuer`](Self::add_issuer) |
/// | else, is a JWT: three segments of base64url | that of [`with_jwt`](Self::with_jwt) |
/// | else | that of [`with_otherwise`](Self::with_otherwise) |
///
/// A token that fits no kind is refused as [`InvalidToken`](crate::RejectionKind::InvalidToken), and so is one
/// whose scheme its verifier does not accept. The choice reads what the client sent and the names that were
/// added, so its time tells nothing of a secret. None of these is trusted: the verifier verifies all of it.
///
/// All kinds give claims of one type, which [`map_claims`](VerifyToken::map_claims) makes.
///
/// # Example: users and scripts
///
/// ```
/// use tower_jwt_auth::{
///     ConfigError, JwtAuthLayer, JwtVerifier, PresentedToken, Rejection, TokenKinds, verify_fn,
/// };
///
/// /// Who calls.
/// enum Caller {
///     User(Option<String>),
///     Script(&'static str),
/// }
///
/// fn layer(verifier: JwtVerifier, key: String) -> Result<JwtAuthLayer<Caller>, ConfigError> {
///     let api_keys = verify_fn(move |token: &PresentedToken| match token.matches(&key) {
///         true => Ok(Caller::Script("nightly")),
///         false => Err(Rejection::invalid_token()),
///     });
///     let kinds = TokenKinds::new()
///         .add_prefix("sk_", api_keys)?
///         .with_jwt(verifier.map_claims(|claims| Caller::User(claims.sub.clone())));
///     Ok(JwtAuthLayer::new(kinds))
/// }
/// # let _ = layer;
/// # let _ = |caller| match caller { Caller::User(_) => "", Caller::Script(name) => name };
/// ```
pub struct TokenKinds<C = RegisteredClaims> {
    prefixes: Vec<(String, Arc<dyn VerifyToken<C>>)>,
    issuers: Vec<(String, Arc<dyn VerifyToken<C>>)>,
    jwt: Option<Arc<dyn VerifyToken<C>>>,
    otherwise: Option<Arc<dyn VerifyToken<C>>>,
    /// Those of all kinds.
    schemes: Vec<TokenScheme>,
}

impl<C: 'static> TokenKinds<C> {
    /// No kind: every token is refused.
    pub fn new() -> Self {
        let (prefixes, issuers, schemes) = (Vec::new(), Vec::new(), Vec::new());
        Self { prefixes, issuers, jwt: None, otherwise: None, schemes }
    }

    /// Adds the tokens that begin with this text, such as `sk_`. A prefix is not a secret.
    ///
    /// # Errors
    ///
    /// When it is empty, holds a character that no token has, is the beginning of another prefix, or begins
    /// with one, or when JWTs can begin with it (`eyJ`).
    pub fn add_prefix(
        mut self,
        prefix: impl Into<String>,
        verifier: impl VerifyToken<C>,
    ) -> Result<Self, ConfigError> {
        let prefix = prefix.into();
        if !authorization::is_token68(prefix.as_bytes()) {
            return Err(ambiguous(format!("no token begins with {prefix:?}")));
        }
        if may_begin_a_jwt(prefix.as_bytes()) {
            return Err(ambiguous(format!("tokens of {prefix} cannot be told from JWTs")));
        }
        let hides = |other: &&str| other.starts_with(&prefix) || prefix.starts_with(other);
        if let Some(other) = self.prefixes.iter().map(|(other, _)| other.as_str()).find(hides) {
            let message = format!("tokens of {prefix} cannot be told from those of {other}");
            return Err(ambiguous(message));
        }
        self.prefixes.push((prefix, Arc::new(verifier)));
        Ok(self.with_schemes())
    }

    /// Adds the JWTs whose `iss` is this one, compared exactly. The `iss` is read before the token is verified,
    /// and only chooses the verifier, which has to compare it again, as
    /// [`JwtVerifier`](crate::JwtVerifier) does.
    ///
    /// # Errors
    ///
    /// When it is empty, or was added before.
    pub fn add_issuer(
        mut self,
        issuer: impl Into<String>,
        verifier: impl VerifyToken<C>,
    ) -> Result<Self, ConfigError> {
        let issuer = issuer.into();
        if issuer.is_empty() || self.issuers.iter().any(|(other, _)| *other == issuer) {
            return Err(ambiguous(format!("the issuer {issuer:?} is empty or was added before")));
        }
        self.issuers.push((issuer, Arc::new(verifier)));
        Ok(self.with_schemes())
    }

    /// Replaces the verifier of the JWTs of all other issuers; there is none by default.
    #[must_use]
    pub fn with_jwt(mut self, verifier: impl VerifyToken<C>) -> Self {
        self.jwt = Some(Arc::new(verifier));
        self.with_schemes()
    }

    /// Replaces the verifier of all other tokens; there is none by default. It gets JWTs too, where no
    /// verifier is there for them.
    #[must_use]
    pub fn with_otherwise(mut self, verifier: impl VerifyToken<C>) -> Self {
        self.otherwise = Some(Arc::new(verifier));
        self.with_schemes()
    }

    fn with_schemes(mut self) -> Self {
        let named = self.prefixes.iter().chain(&self.issuers).map(|(_, verifier)| verifier);
        let mut schemes = Vec::new();
        for verifier in named.chain(&self.jwt).chain(&self.otherwise) {
            for scheme in verifier.schemes() {
                if !schemes.contains(scheme) {
                    schemes.push(*scheme);
                }
            }
        }
        self.schemes = schemes;
        self
    }

    fn verifier_of(&self, token: &[u8]) -> Option<&Arc<dyn VerifyToken<C>>> {
        let by_prefix =
            self.prefixes.iter().find(|(prefix, _)| token.starts_with(prefix.as_bytes()));
        if let Some((_, verifier)) = by_prefix {
            return Some(verifier);
        }
        let by_shape =
            if is_jwt(token) { self.verifier_of_issuer(token).or(self.jwt.as_ref()) } else { None };
        by_shape.or(self.otherwise.as_ref())
    }

    fn verifier_of_issuer(&self, token: &[u8]) -> Option<&Arc<dyn VerifyToken<C>>> {
        if self.issuers.is_empty() || !Limits::LARGEST.allow(token) {
            return None;
        }
        let mut scratch = Scratch::new();
        let payload = CompactJws::decode_payload(token, &mut scratch).ok()?;
        let issuer = issuer_hint(payload).ok()?;
        self.issuers.iter().find(|(name, _)| *name == *issuer).map(|(_, verifier)| verifier)
    }
}

impl<C: Send + Sync + 'static> VerifyToken<C> for TokenKinds<C> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<C> {
        match self.verifier_of(token.as_bytes()) {
            Some(verifier) if verifier.schemes().contains(&token.scheme()) => {
                verifier.verify_token(token, head)
            }
            _ => Verification::ready(Err(Rejection::invalid_token())),
        }
    }

    /// Those of all kinds; `Bearer` where there is none.
    fn schemes(&self) -> &[TokenScheme] {
        if self.schemes.is_empty() { &[TokenScheme::Bearer] } else { &self.schemes }
    }

    fn describe(&self) -> Option<Summary> {
        let named = self.prefixes.iter().chain(&self.issuers).map(|(_, verifier)| verifier);
        let all = named.chain(&self.jwt).chain(&self.otherwise);
        let of = |verifier: &Arc<dyn VerifyToken<C>>| {
            let summary = verifier.describe();
            summary.unwrap_or_else(|| Summary::new("tokens by a rule of the application"))
        };
        all.map(of).reduce(Summary::and)
    }
}

/// Whether a JWT can begin so: with `{` in base64url, whatever follows it.
fn may_begin_a_jwt(prefix: &[u8]) -> bool {
    match prefix {
        [b'e'] => true,
        [b'e', second, ..] => matches!(second, b'w'..=b'z' | b'0'..=b'9' | b'-' | b'_'),
        _ => false,
    }
}

/// Three segments of base64url, of which the last, the signature, may be empty.
fn is_jwt(token: &[u8]) -> bool {
    let is_base64url = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut segments = token.split(|byte| *byte == b'.');
    let mut next = || segments.next().filter(|segment| segment.iter().all(is_base64url));
    let (header, payload, signature) = (next(), next(), next());
    header.is_some_and(|header| !header.is_empty())
        && payload.is_some_and(|payload| !payload.is_empty())
        && signature.is_some()
        && segments.next().is_none()
}

fn ambiguous(message: String) -> ConfigError {
    ConfigError::new(ConfigErrorKind::TokenKind, message)
}

impl<C: 'static> Default for TokenKinds<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Clone for TokenKinds<C> {
    fn clone(&self) -> Self {
        Self {
            prefixes: self.prefixes.clone(),
            issuers: self.issuers.clone(),
            jwt: self.jwt.clone(),
            otherwise: self.otherwise.clone(),
            schemes: self.schemes.clone(),
        }
    }
}

impl<C> fmt::Debug for TokenKinds<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |kinds: &[(String, _)]| Vec::from_iter(kinds.iter().map(|(name, _)| name.clone()));
        f.debug_struct("TokenKinds")
            .field("prefixes", &names(&self.prefixes))
            .field("issuers", &names(&self.issuers))
            .finish_non_exhaustive()
    }
}
