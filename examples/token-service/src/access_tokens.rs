//! Access tokens (RFC 9068), and what their `jti` tells the service.

use std::time::Duration;

use serde::Deserialize;
use tower_jwt_auth::{
    Audience, IssueError, JwtVerifier, NewAccessToken, NumericDate, RejectionKind, TokenIssuer,
    VerifiedToken,
};

use crate::store::{Grant, Seconds, Store, StoreError};
use crate::{Service, secret, upkeep};

/// The client of a password grant that names none.
pub const BUILT_IN_CLIENT: &str = "token-service";

/// The client of the page at `/docs`.
pub const DOCS_CLIENT: &str = "token-service-docs";

/// Whether no user and no client of the store may have this name, because a client of the program has it.
pub fn is_reserved(name: &str) -> bool {
    [BUILT_IN_CLIENT, DOCS_CLIENT].contains(&name)
}

/// The claims of an access token, beside those that the issuer sets.
#[derive(Clone, Debug, Deserialize)]
pub struct Claims {
    /// The user's name, or the client's ID for a token of the client itself.
    pub sub: String,
    pub client_id: String,
    /// What the token allows.
    #[serde(default)]
    pub scope: String,
    /// When the user logged in; absent in a token of the client itself.
    #[serde(default)]
    pub auth_time: Option<Seconds>,
}

/// The claims of an access token, as they are read.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Issued {
    pub(crate) sub: String,
    pub(crate) client_id: String,
    #[serde(default)]
    pub(crate) scope: String,
    pub(crate) auth_time: Option<Seconds>,
    pub(crate) aud: Audience,
    pub(crate) iat: Seconds,
    pub(crate) exp: Seconds,
    pub(crate) jti: String,
}

impl Issued {
    /// Whether it has expired, without a leeway.
    pub(crate) fn has_expired(&self, now: Seconds) -> bool {
        now >= self.exp
    }
}

/// Issues an access token for this time. `resources` are its audience: at least one.
///
/// The `jti` of a token that came of a grant begins with the grant's ID and a dot, so that `/introspect` finds the grant
/// without a row for each token.
///
/// # Errors
///
/// If a claim cannot be that of a token, or the system has no random numbers.
pub fn issue(
    issuer: &TokenIssuer,
    claims: &Claims,
    grant: Option<&str>,
    resources: &[String],
    lifetime: Duration,
) -> Result<String, IssueError> {
    let token_id = match grant {
        Some(grant) => format!("{grant}.{}", secret::random_id()),
        None => secret::random_id(),
    };
    let mut token = NewAccessToken::new(&*claims.sub, &*claims.client_id)
        .with_token_id(token_id)
        .with_lifetime(lifetime)
        .with_audience(match resources {
            [one] => Audience::from(&**one),
            several => Audience::from(several.to_vec()),
        })
        .with_scope(&*claims.scope);
    if let Some(auth_time) = claims.auth_time {
        token = token.with_auth_time(NumericDate::from_unix_seconds(auth_time));
    }
    issuer.issue_access_token(&token)
}

/// Verifies a token of this service; `None` if it is not good.
///
/// Before a key counts as unknown, the keys are read: another instance may have begun to sign with it a moment ago, and a
/// token that works there must be revoked here.
pub(crate) async fn verified(
    service: &Service,
    verifier: &JwtVerifier<Issued>,
    token: &str,
) -> Result<Option<VerifiedToken<Issued>>, StoreError> {
    match verifier.verify_now(token) {
        Err(rejection) if rejection.kind() == RejectionKind::UnknownKey => {
            upkeep::follow_keys(service).await.map_err(|error| {
                StoreError::new("the signing keys cannot be read").with_source(error)
            })?;
            Ok(verifier.verify_now(token).ok())
        }
        verified => Ok(verified.ok()),
    }
}

/// What the store knows of a token that this service issued.
#[derive(Debug)]
pub(crate) enum Standing {
    /// In force, and it came of this grant, if any.
    Active(Option<Box<Grant>>),
    /// Revoked, by itself or with its grant, or the user is disabled.
    Revoked,
}

/// Whether a token that was verified is still in force.
pub(crate) async fn standing(
    store: &dyn Store,
    jti: &str,
    now: Seconds,
) -> Result<Standing, StoreError> {
    let Some((grant, _)) = jti.split_once('.') else {
        let is_revoked = store.is_revoked(jti).await?;
        return Ok(if is_revoked { Standing::Revoked } else { Standing::Active(None) });
    };
    // The grant of a token that lives longer than it is gone.
    Ok(match store.grant_of_token(grant, jti).await? {
        Some(grant) if grant.is_in_force(now) => Standing::Active(Some(Box::new(grant))),
        _ => Standing::Revoked,
    })
}
