//! Is it for us, now? The rules over the registered claims: a plain function of the claims and the
//! time.

use std::fmt;
use std::sync::Arc;

use super::claims_pass::{Registered, Wanted};
use super::expected::{AudienceClaim, Expected};
use super::{ExpectedAudience, ExpectedIssuer};
use crate::key::AlgorithmSet;
use crate::token::is_media_type;
use crate::{Algorithm, Clock, ConfigError, NumericDate, Rejection, RejectionKind, SystemClock};

/// What a verifier asks of a token.
#[derive(Clone)]
pub(super) struct Rules {
    issuer: Expected,
    audience: Expected,
    audience_claim: AudienceClaim,
    pub(super) algorithms: Option<AlgorithmSet>,
    /// Seconds.
    pub(super) leeway: u64,
    /// Seconds.
    pub(super) max_age: Option<u64>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rfc9068: bool,
    pub(super) exclusive_audience: bool,
    pub(super) required: Vec<String>,
    pub(super) ignore_confirmation: bool,
    pub(super) accept_id_tokens: bool,
    pub(super) accept_events: bool,
}

impl Rules {
    const DEFAULT_LEEWAY: u64 = 30;

    pub(super) fn new(
        issuer: ExpectedIssuer,
        audience: ExpectedAudience,
    ) -> Result<Self, ConfigError> {
        let issuer = issuer.checked()?;
        let (audience, audience_claim) = audience.checked()?;
        Ok(Self {
            issuer,
            audience,
            audience_claim,
            algorithms: None,
            leeway: Self::DEFAULT_LEEWAY,
            max_age: None,
            clock: Arc::new(SystemClock),
            rfc9068: false,
            exclusive_audience: false,
            required: Vec::new(),
            ignore_confirmation: false,
            accept_id_tokens: false,
            accept_events: false,
        })
    }

    pub(super) fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.is_none_or(|allowed| allowed.contains(algorithm))
    }

    pub(super) fn issuer(&self) -> &Expected {
        &self.issuer
    }

    /// Which claims have to be written down beside the registered ones.
    pub(super) fn wanted(&self) -> Wanted {
        let cognito = self.audience_claim == AudienceClaim::CognitoClient;
        Wanted { rfc9068: self.rfc9068, cognito }
    }

    /// Checks the claims, and answers when the token expires. The clock is read once.
    pub(super) fn check(
        &self,
        claims: &Registered<'_>,
        typ: Option<&str>,
    ) -> Result<NumericDate, Rejection> {
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        let expires_at = self.check_times(claims, self.clock.now())?;
        self.check_type(claims, typ)?;
        self.check_presence(claims)?;
        Ok(expires_at)
    }

    fn check_issuer(&self, claims: &Registered<'_>) -> Result<(), Rejection> {
        let Expected::OneOf { values, display } = &self.issuer else { return Ok(()) };
        let kind = match &claims.issuer {
            Some(issuer) if values.iter().any(|value| value == issuer) => return Ok(()),
            Some(_) => RejectionKind::WrongIssuer,
            None => RejectionKind::MissingClaim,
        };
        Err(Rejection::from(kind).with_expected(display))
    }

    fn check_audience(&self, claims: &Registered<'_>) -> Result<(), Rejection> {
        let Expected::OneOf { values, display } = &self.audience else { return Ok(()) };
        let is_ours = |audience: &str| values.iter().any(|value| value == audience);
        if self.audience_claim == AudienceClaim::CognitoClient {
            return check_cognito(claims, is_ours)
                .map_err(|kind| Rejection::from(kind).with_expected(display));
        }
        let kind = match &claims.audience {
            Some(audience)
                if audience.texts().any(is_ours)
                    && (!self.exclusive_audience || audience.texts().all(is_ours)) =>
            {
                return Ok(());
            }
            Some(_) => RejectionKind::WrongAudience,
            None => RejectionKind::MissingClaim,
        };
        Err(Rejection::from(kind).with_expected(display))
    }

    fn check_times(
        &self,
        claims: &Registered<'_>,
        now: NumericDate,
    ) -> Result<NumericDate, Rejection> {
        let expires_at = claims.expires_at.ok_or_else(|| missing("exp"))?;
        if now >= expires_at.saturating_add(self.leeway) {
            return Err(RejectionKind::ExpiredToken.into());
        }
        let latest = now.saturating_add(self.leeway);
        if claims.not_before.is_some_and(|not_before| not_before > latest) {
            return Err(RejectionKind::ImmatureToken.into());
        }
        if claims.issued_at.is_some_and(|issued_at| issued_at > latest) {
            return Err(RejectionKind::IssuedInFuture.into());
        }
        if let Some(max_age) = self.max_age {
            let issued_at = claims.issued_at.ok_or_else(|| missing("iat"))?;
            let too_old = issued_at.saturating_add(max_age.saturating_add(self.leeway));
            if now >= too_old {
                return Err(RejectionKind::TooOld.into());
            }
        }
        Ok(expires_at)
    }

    fn check_type(&self, claims: &Registered<'_>, typ: Option<&str>) -> Result<(), RejectionKind> {
        let is_access_token = match typ {
            Some(typ) if is_media_type(typ, "at+jwt") => true,
            Some(typ) => !self.rfc9068 && is_media_type(typ, "JWT"),
            None => !self.rfc9068,
        };
        let is_id_token = !self.accept_id_tokens && (claims.has("at_hash") || claims.has("c_hash"));
        let is_event = !self.accept_events && claims.has("events");
        match is_access_token && !is_id_token && !is_event {
            true => Ok(()),
            false => Err(RejectionKind::WrongTokenType),
        }
    }

    fn check_presence(&self, claims: &Registered<'_>) -> Result<(), Rejection> {
        const RFC_9068: [&str; 7] = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"];

        if claims.has("cnf") && !self.ignore_confirmation {
            return Err(RejectionKind::UnconfirmedSender.into());
        }
        if self.rfc9068 {
            if let Some(name) = RFC_9068.iter().find(|name| !claims.has(name)) {
                return Err(missing(name));
            }
            let audience = claims.audience.as_ref();
            if audience.is_none_or(|audience| audience.texts().next().is_none()) {
                return Err(missing("aud"));
            }
        }
        match self.required.iter().find(|name| !claims.has(name)) {
            None => Ok(()),
            Some(name) => Err(missing(name)),
        }
    }
}

/// The operator is told which claim it is that the token lacks: that is configuration.
fn missing(claim: &str) -> Rejection {
    Rejection::from(RejectionKind::MissingClaim).with_expected(&Arc::from(claim))
}

/// Is it an access token of Amazon Cognito for one of our clients? It has no `aud`: one that does is
/// for whom that names.
fn check_cognito(
    claims: &Registered<'_>,
    is_ours: impl Fn(&str) -> bool,
) -> Result<(), RejectionKind> {
    match claims.token_use.as_deref() {
        Some("access") => {}
        Some(_) => return Err(RejectionKind::WrongTokenType),
        None => return Err(RejectionKind::MissingClaim),
    }
    match claims.client_id.as_deref() {
        Some(client) if claims.audience.is_none() && is_ours(client) => Ok(()),
        Some(_) => Err(RejectionKind::WrongAudience),
        None => Err(RejectionKind::MissingClaim),
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("audience_claim", &self.audience_claim)
            .field("algorithms", &self.algorithms)
            .field("leeway", &self.leeway)
            .field("rfc9068", &self.rfc9068)
            .finish_non_exhaustive()
    }
}
