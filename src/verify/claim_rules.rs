//! Is it for us, now? The rules over the registered claims: a plain function of the claims and the
//! time.

use std::fmt;
use std::sync::Arc;

use super::claims_pass::Registered;
use super::expected::Expected;
use super::{ExpectedAudience, ExpectedIssuer};
use crate::key::AlgorithmSet;
use crate::token::is_media_type;
use crate::{Algorithm, Clock, ConfigError, NumericDate, Rejection, RejectionKind, SystemClock};

/// What a verifier asks of a token.
#[derive(Clone)]
pub(super) struct Rules {
    issuer: Expected,
    audience: Expected,
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
}

impl Rules {
    const DEFAULT_LEEWAY: u64 = 30;

    pub(super) fn new(
        issuer: ExpectedIssuer,
        audience: ExpectedAudience,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            issuer: issuer.checked()?,
            audience: audience.checked()?,
            algorithms: None,
            leeway: Self::DEFAULT_LEEWAY,
            max_age: None,
            clock: Arc::new(SystemClock),
            rfc9068: false,
            exclusive_audience: false,
            required: Vec::new(),
            ignore_confirmation: false,
            accept_id_tokens: false,
        })
    }

    pub(super) fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.is_none_or(|allowed| allowed.contains(algorithm))
    }

    pub(super) fn issuer(&self) -> &Expected {
        &self.issuer
    }

    pub(super) fn is_rfc9068(&self) -> bool {
        self.rfc9068
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
    ) -> Result<NumericDate, RejectionKind> {
        let expires_at = claims.expires_at.ok_or(RejectionKind::MissingClaim)?;
        if now >= expires_at.saturating_add(self.leeway) {
            return Err(RejectionKind::ExpiredToken);
        }
        let latest = now.saturating_add(self.leeway);
        if claims.not_before.is_some_and(|not_before| not_before > latest) {
            return Err(RejectionKind::ImmatureToken);
        }
        if claims.issued_at.is_some_and(|issued_at| issued_at > latest) {
            return Err(RejectionKind::IssuedInFuture);
        }
        if let Some(max_age) = self.max_age {
            let issued_at = claims.issued_at.ok_or(RejectionKind::MissingClaim)?;
            let too_old = issued_at.saturating_add(max_age.saturating_add(self.leeway));
            if now >= too_old {
                return Err(RejectionKind::TooOld);
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
        let is_other_kind = !self.accept_id_tokens
            && ["at_hash", "c_hash", "events"].iter().any(|name| claims.has(name));
        match is_access_token && !is_other_kind {
            true => Ok(()),
            false => Err(RejectionKind::WrongTokenType),
        }
    }

    fn check_presence(&self, claims: &Registered<'_>) -> Result<(), RejectionKind> {
        const RFC_9068: [&str; 7] = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"];

        if claims.has("cnf") && !self.ignore_confirmation {
            return Err(RejectionKind::UnconfirmedSender);
        }
        let is_for_somebody =
            claims.audience.as_ref().is_some_and(|audience| audience.texts().next().is_some());
        let fits_profile =
            !self.rfc9068 || (RFC_9068.iter().all(|name| claims.has(name)) && is_for_somebody);
        let complete = fits_profile && self.required.iter().all(|name| claims.has(name));
        match complete {
            true => Ok(()),
            false => Err(RejectionKind::MissingClaim),
        }
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("algorithms", &self.algorithms)
            .field("leeway", &self.leeway)
            .field("rfc9068", &self.rfc9068)
            .finish_non_exhaustive()
    }
}
