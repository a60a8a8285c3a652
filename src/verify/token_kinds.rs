use std::fmt;
use std::sync::Arc;

use http::request::Parts;

use crate::claims::RegisteredClaims;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::extract::{PresentedToken, authorization};
use crate::rejection::Rejection;
use crate::scheme::TokenScheme;
use crate::summary::Summary;
use crate::token::{CompactJws, Limits, Scratch};
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::issuer_set::issuer_hint;
use crate::verify::unconfirmed_token::UnconfirmedToken;
use crate::verify::verification::Verification;
use crate::verify::verify_token::VerifyToken;

/// A verifier for several kinds of tokens behind one layer: API keys, JWTs and opaque tokens, each with its own
/// verifier.
///
/// Each token is given to one verifier. If that verifier refuses the token, no other is tried. The choice does
/// not depend on the order in which the kinds were added:
///
/// | the token | verifier |
/// |---|---|
/// | begins with an added prefix | that of [`add_prefix`](Self::add_prefix) |
/// | otherwise: is a JWT whose `iss` was added | that of [`add_issuer`](Self::add_issuer) |
/// | otherwise: is a JWT (three segments of base64url) | that of [`with_jwt`](Self::with_jwt) |
/// | otherwise; also such a JWT if `with_jwt` was not called | that of [`with_otherwise`](Self::with_otherwise) |
///
/// If there is no verifier for a token, or the verifier does not accept the scheme of the token, the token is
/// refused as [`InvalidToken`](crate::RejectionKind::InvalidToken). The choice uses only the text of the token
/// and the added prefixes and issuers, so its duration reveals nothing about a secret. The choice trusts
/// nothing in the token: the chosen verifier verifies the whole token.
///
/// All verifiers must have the same claims type `C`. Use [`map_claims`](VerifyToken::map_claims) to convert the
/// claims of a verifier.
///
/// # Example: users and scripts
///
/// ```
/// use tower_jwt_auth::{
///     ConfigError, JwtAuthLayer, JwtVerifier, PresentedToken, Rejection, TokenKinds, verify_fn,
/// };
///
/// /// The caller of the API.
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
    /// The schemes of all kinds.
    schemes: Vec<TokenScheme>,
}

impl<C: 'static> TokenKinds<C> {
    /// Creates a verifier without kinds, which refuses every token.
    pub fn new() -> Self {
        let (prefixes, issuers, schemes) = (Vec::new(), Vec::new(), Vec::new());
        Self { prefixes, issuers, jwt: None, otherwise: None, schemes }
    }

    /// Adds a verifier for the tokens that begin with this text, such as `sk_`, compared exactly. The verifier
    /// gets the whole token, with the prefix. The prefix need not be secret.
    ///
    /// # Errors
    ///
    /// When the prefix is empty, or contains a character that is not allowed in a token; when it begins with
    /// another prefix, or another prefix begins with it; or when a JWT can begin with it: when it is `e`, or
    /// begins with `e` and one of `w` to `z`, a digit, `-` or `_`, such as `eyJ`.
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
            return Err(ambiguous(format!(
                "tokens that begin with {prefix:?} cannot be distinguished from JWTs"
            )));
        }
        let hides = |other: &&str| other.starts_with(&prefix) || prefix.starts_with(other);
        if let Some(other) = self.prefixes.iter().map(|(other, _)| other.as_str()).find(hides) {
            let message = format!("the prefixes {prefix:?} and {other:?} cannot be distinguished");
            return Err(ambiguous(message));
        }
        self.prefixes.push((prefix, Arc::new(verifier)));
        Ok(self.with_schemes())
    }

    /// Adds a verifier for the JWTs with this `iss`, compared exactly. The `iss` is read before the token is
    /// verified, and only selects the verifier. So the verifier must compare it again, as
    /// [`JwtVerifier`](crate::JwtVerifier) does.
    ///
    /// # Errors
    ///
    /// When the issuer is empty, or was added before.
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

    /// Replaces the verifier for all other JWTs: with an `iss` that was not [added](Self::add_issuer), or without
    /// a readable `iss`; none by default.
    #[must_use]
    pub fn with_jwt(mut self, verifier: impl VerifyToken<C>) -> Self {
        self.jwt = Some(Arc::new(verifier));
        self.with_schemes()
    }

    /// Replaces the verifier for all other tokens; none by default. It also gets the JWTs for which there is no
    /// other verifier.
    #[must_use]
    pub fn with_otherwise(mut self, verifier: impl VerifyToken<C>) -> Self {
        self.otherwise = Some(Arc::new(verifier));
        self.with_schemes()
    }

    fn with_schemes(mut self) -> Self {
        let mut schemes = Vec::new();
        for verifier in self.verifiers() {
            for scheme in verifier.schemes() {
                if !schemes.contains(scheme) {
                    schemes.push(*scheme);
                }
            }
        }
        self.schemes = schemes;
        self
    }

    /// The verifiers of all kinds.
    fn verifiers(&self) -> impl Iterator<Item = &Arc<dyn VerifyToken<C>>> {
        let named = self.prefixes.iter().chain(&self.issuers).map(|(_, verifier)| verifier);
        named.chain(&self.jwt).chain(&self.otherwise)
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

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, head: &Parts) -> Verification<C> {
        let presented = token.token();
        match self.verifier_of(presented.as_bytes()) {
            // A verifier that passes the check of the binding on need not list `DPoP`; others are not called with it.
            Some(verifier)
                if presented.scheme() == TokenScheme::DPoP
                    || verifier.schemes().contains(&presented.scheme()) =>
            {
                verifier.verify_unconfirmed(token, head)
            }
            _ => Verification::ready(Err(Rejection::invalid_token())),
        }
    }

    /// The schemes of all kinds; `Bearer` if there is no kind.
    fn schemes(&self) -> &[TokenScheme] {
        if self.schemes.is_empty() { &[TokenScheme::Bearer] } else { &self.schemes }
    }

    fn confirms_sender(&self) -> bool {
        self.verifiers().any(|verifier| verifier.confirms_sender())
    }

    fn describe(&self) -> Option<Summary> {
        let mut all: Vec<Summary> = Vec::new();
        for verifier in self.verifiers() {
            match verifier.describe() {
                // One verifier can be that of several kinds.
                Some(summary) if all.contains(&summary) => {}
                Some(summary) => all.push(summary),
                None => all.push(Summary::new("tokens by a custom verifier")),
            }
        }
        all.into_iter().reduce(Summary::and)
    }

    fn accepted_tokens(&self) -> AcceptedTokens {
        let all = self.verifiers().map(|verifier| verifier.accepted_tokens());
        all.reduce(AcceptedTokens::and).unwrap_or_default()
    }
}

/// Whether a JWT can begin with this prefix: with `{` in base64url, followed by anything.
fn may_begin_a_jwt(prefix: &[u8]) -> bool {
    match prefix {
        [b'e'] => true,
        [b'e', second, ..] => matches!(second, b'w'..=b'z' | b'0'..=b'9' | b'-' | b'_'),
        _ => false,
    }
}

/// Whether the token consists of three segments of base64url. The last one, the signature, may be empty.
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
