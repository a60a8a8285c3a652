//! The rules for the registered claims: a plain function of the claims and the time.

use std::fmt;
use std::sync::Arc;

use crate::claims::NumericDate;
use crate::clock;
use crate::config_error::ConfigError;
use crate::crypto::{Algorithm, AlgorithmSet};
use crate::rejection::{Rejection, RejectionKind};
use crate::token::{CompactJws, Limits};
#[cfg(feature = "oidc-discovery")]
use crate::verify::claim_values::ClaimValues;
use crate::verify::jwt::expected::{AudienceClaim, Expected, ExpectedAudience, ExpectedIssuer};
use crate::verify::jwt::registered::{Claim, Kind, Registered, Wanted};
use crate::verify::jwt::stage::{Recorder, Stage};
use crate::verify::jwt::token_types::TokenTypes;
use crate::verify::rule_context::RuleContext;
use crate::verify::token_cache::Validity;

/// The configured rules of a verifier.
#[derive(Clone)]
pub(in crate::verify) struct Rules {
    issuer: Expected,
    pub(super) audience: Expected,
    pub(super) audience_claim: AudienceClaim,
    pub(in crate::verify) algorithms: Option<AlgorithmSet>,
    /// With the clock and the leeway.
    pub(in crate::verify) context: Arc<RuleContext>,
    /// In seconds.
    pub(super) max_age: Option<u64>,
    /// Whether a copy of the text is kept for a token without a request.
    pub(super) copies_text: bool,
    pub(super) types: TokenTypes,
    pub(super) exclusive_audience: bool,
    pub(in crate::verify) required: Vec<String>,
    /// Compared besides the registered claims.
    #[cfg(feature = "oidc-discovery")]
    pub(in crate::verify) values: ClaimValues,
    pub(in crate::verify) ignore_confirmation: bool,
    pub(in crate::verify) allow_at_hash: bool,
    pub(in crate::verify) accept_id_tokens: bool,
    pub(super) accept_events: bool,
    pub(in crate::verify) limits: Limits,
}

impl Rules {
    pub(in crate::verify) fn new(
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
            context: Arc::default(),
            max_age: None,
            copies_text: false,
            types: TokenTypes::AccessTokens,
            exclusive_audience: false,
            required: Vec::new(),
            #[cfg(feature = "oidc-discovery")]
            values: ClaimValues::default(),
            ignore_confirmation: false,
            allow_at_hash: false,
            accept_id_tokens: false,
            accept_events: false,
            limits: Limits::DEFAULT,
        })
    }

    pub(super) fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.is_none_or(|allowed| allowed.contains(algorithm))
    }

    pub(in crate::verify) fn issuer(&self) -> &Expected {
        &self.issuer
    }

    pub(in crate::verify) fn audience(&self) -> &Expected {
        &self.audience
    }

    /// The claim that is compared in place of the audience.
    pub(in crate::verify) fn audience_claim(&self) -> Option<&'static str> {
        self.audience_claim.in_place_of_audience()
    }

    /// The claims that the rules need besides the registered ones.
    pub(in crate::verify) fn wanted(&self) -> Wanted {
        Wanted {
            rfc9068: self.types.is_rfc9068(),
            in_place_of_audience: self.audience_claim.in_place_of_audience(),
            token_use: self.audience_claim == AudienceClaim::CognitoClient,
            presence: self.types.is_rfc9068() || !self.required.is_empty(),
        }
    }

    /// Checks the claims, and returns the times that matter later. One time decides. `defers_confirmation`: the
    /// caller checks to whom the token is bound.
    pub(super) fn check(
        &self,
        claims: &Registered<'_>,
        jws: &CompactJws<'_>,
        defers_confirmation: bool,
        recorder: &mut impl Recorder,
    ) -> Result<Times, Rejection> {
        self.check_issuer(claims)?;
        recorder.passed(Stage::Issuer);
        self.check_audience(claims)?;
        recorder.passed(Stage::Audience);
        let times = self.check_times(claims, self.time_for(claims), recorder)?;
        self.check_type(claims, jws.header.typ.as_deref(), recorder)?;
        self.check_presence(claims, defers_confirmation, recorder)?;
        #[cfg(feature = "oidc-discovery")]
        self.values.check(jws.payload)?;
        recorder.passed(Stage::Required);
        Ok(times)
    }

    pub(in crate::verify) fn check_issuer(&self, claims: &Registered<'_>) -> Result<(), Rejection> {
        let Expected::OneOf { values, display } = &self.issuer else { return Ok(()) };
        let kind = match &claims.issuer {
            Some(issuer) if values.iter().any(|value| value == issuer) => return Ok(()),
            Some(_) => RejectionKind::WrongIssuer,
            None => RejectionKind::MissingClaim,
        };
        Err(Rejection::from(kind).with_expected(display))
    }

    pub(in crate::verify) fn check_audience(
        &self,
        claims: &Registered<'_>,
    ) -> Result<(), Rejection> {
        let Expected::OneOf { values, display } = &self.audience else { return Ok(()) };
        let is_ours = |audience: &str| values.iter().any(|value| value == audience);
        if let Some(claim) = self.audience_claim.in_place_of_audience() {
            if self.audience_claim == AudienceClaim::CognitoClient {
                check_token_use(claims)?;
            }
            return match &claims.in_place_of_audience {
                // A token with an `aud` is for that audience.
                Some(name) if claims.audience.is_none() && is_ours(name) => Ok(()),
                Some(_) => {
                    Err(Rejection::from(RejectionKind::WrongAudience).with_expected(display))
                }
                None => Err(missing(claim)),
            };
        }
        let kind = match &claims.audience {
            Some(audience)
                if audience.iter().any(is_ours)
                    && (!self.exclusive_audience || audience.iter().all(is_ours)) =>
            {
                return Ok(());
            }
            Some(_) => RejectionKind::WrongAudience,
            None => RejectionKind::MissingClaim,
        };
        Err(Rejection::from(kind).with_expected(display))
    }

    /// The time to compare the claims with: a recent one if the current one would decide the same, as for nearly all
    /// tokens.
    fn time_for(&self, claims: &Registered<'_>) -> NumericDate {
        let decides = |recent: &NumericDate| {
            claims.expires_at.is_some_and(|at| clock::latest_now(*recent) < at)
                && claims.not_before.is_none_or(|at| at <= *recent)
                && claims.issued_at.is_none_or(|at| at <= *recent)
        };
        let clock = &self.context.clock;
        let recent = if self.max_age.is_none() { clock.recent() } else { None };
        recent.filter(decides).unwrap_or_else(|| clock.now())
    }

    fn check_times(
        &self,
        claims: &Registered<'_>,
        now: NumericDate,
        recorder: &mut impl Recorder,
    ) -> Result<Times, Rejection> {
        let expires_at = claims.expires_at.ok_or_else(|| missing("exp"))?;
        let mut until = expires_at.saturating_add(self.context.leeway);
        if now >= until {
            return Err(RejectionKind::ExpiredToken.into());
        }
        recorder.passed(Stage::Expiry);
        let latest = now.saturating_add(self.context.leeway);
        if claims.not_before.is_some_and(|not_before| not_before > latest) {
            return Err(RejectionKind::ImmatureToken.into());
        }
        recorder.passed(Stage::NotBefore);
        if claims.issued_at.is_some_and(|issued_at| issued_at > latest) {
            return Err(RejectionKind::IssuedInFuture.into());
        }
        recorder.passed(Stage::IssuedAt);
        if let Some(max_age) = self.max_age {
            let issued_at = claims.issued_at.ok_or_else(|| missing("iat"))?;
            let too_old = issued_at.saturating_add(max_age.saturating_add(self.context.leeway));
            if now >= too_old {
                return Err(RejectionKind::TooOld.into());
            }
            until = until.min(too_old);
        }
        recorder.passed(Stage::Age);
        Ok(Times { expires_at, now, until })
    }

    fn check_type(
        &self,
        claims: &Registered<'_>,
        typ: Option<&str>,
        recorder: &mut impl Recorder,
    ) -> Result<(), Rejection> {
        if !self.types.allow(typ) {
            return Err(wrong_type(self.types.expected()));
        }
        recorder.passed(Stage::Type);
        if let Some(claim) = self.claim_of_another_kind(claims) {
            return Err(wrong_type(claim));
        }
        recorder.passed(Stage::Kind);
        Ok(())
    }

    /// The claim that marks a token as another kind than an access token.
    pub(in crate::verify) fn claim_of_another_kind(
        &self,
        claims: &Registered<'_>,
    ) -> Option<&'static str> {
        let id_tokens = self.accept_id_tokens;
        let hashes = id_tokens || self.allow_at_hash;
        // Amazon Cognito writes `token_use`, Keycloak `typ`.
        match claims.token_use {
            Some(Kind::Refresh) => return Some("token_use"),
            Some(Kind::Id) if !id_tokens => return Some("token_use"),
            _ => {}
        }
        match claims.kind {
            Some(Kind::Refresh | Kind::Offline | Kind::Logout) => return Some("typ"),
            Some(Kind::Id) if !id_tokens => return Some("typ"),
            _ => {}
        }
        match () {
            () if claims.has_known(Claim::AccessTokenHash) && !hashes => Some("at_hash"),
            () if claims.has_known(Claim::CodeHash) && !hashes => Some("c_hash"),
            () if claims.is_event && !self.accept_events => Some("events"),
            () => None,
        }
    }

    fn check_presence(
        &self,
        claims: &Registered<'_>,
        defers_confirmation: bool,
        recorder: &mut impl Recorder,
    ) -> Result<(), Rejection> {
        let refuses = || !self.ignore_confirmation && !defers_confirmation;
        if claims.has_known(Claim::Confirmation) && refuses() {
            let cnf = &Arc::from("cnf");
            return Err(Rejection::from(RejectionKind::UnconfirmedSender).with_expected(cnf));
        }
        recorder.passed(Stage::Confirmation);
        if let Some(name) = self.required_claims().find(|name| !claims.has_value(name)) {
            return Err(missing(name));
        }
        Ok(())
    }

    /// The claims whose values are compared besides the registered claims, each with its values.
    pub(super) fn value_displays(&self) -> impl Iterator<Item = &str> {
        #[cfg(feature = "oidc-discovery")]
        return self.values.displays();
        #[cfg(not(feature = "oidc-discovery"))]
        std::iter::empty()
    }

    /// Whether a claim beside `iss` says who issued a token.
    pub(super) fn knows_issuer_otherwise(&self) -> bool {
        #[cfg(feature = "oidc-discovery")]
        return self.values.name_the_issuer();
        #[cfg(not(feature = "oidc-discovery"))]
        false
    }

    /// Accepts the types of JWT-SVIDs, and no others.
    #[cfg(feature = "oidc-discovery")]
    pub(in crate::verify) fn restrict_to_jwt_svids(&mut self) {
        self.types = TokenTypes::of_jwt_svids();
    }

    /// The claims that must be present, besides those that are compared.
    pub(in crate::verify) fn required_claims(&self) -> impl Iterator<Item = &str> {
        const RFC_9068: [&str; 7] = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"];

        let rfc9068 = if self.types.is_rfc9068() { RFC_9068.as_slice() } else { &[] };
        rfc9068.iter().copied().chain(self.required.iter().map(String::as_str))
    }
}

/// The times of a token that the rules accept.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// `exp`, without the leeway.
    pub(super) expires_at: NumericDate,
    /// The time that decided: the current one by the verifier's clock, or a recent one.
    now: NumericDate,
    /// The first time at which `exp` or the maximum age would refuse it.
    pub(super) until: NumericDate,
}

impl Times {
    /// A token is verified again after this time, whatever its claims say, in seconds.
    const LONGEST: u64 = 300;

    /// When the result may be used again, with keys of this generation.
    pub(super) fn validity(self, generation: Option<u64>) -> Validity {
        let until = self.until.min(self.now.saturating_add(Self::LONGEST));
        Validity { generation, from: self.now, until }
    }
}

/// The refusal of a token without a required claim, with the name of the claim for the log.
fn missing(claim: &str) -> Rejection {
    Rejection::from(RejectionKind::MissingClaim).with_expected(&Arc::from(claim))
}

/// The refusal of another type of token. For the log it names the claim that marks the token, or the expected
/// `typ` of the header.
fn wrong_type(what: &str) -> Rejection {
    Rejection::from(RejectionKind::WrongTokenType).with_expected(&Arc::from(what))
}

/// Checks that the token is an access token of Amazon Cognito.
fn check_token_use(claims: &Registered<'_>) -> Result<(), Rejection> {
    match claims.token_use {
        Some(Kind::Access) => Ok(()),
        Some(_) => Err(wrong_type("token_use")),
        None => Err(missing("token_use")),
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("audience_claim", &self.audience_claim)
            .field("algorithms", &self.algorithms)
            .field("leeway", &self.context.leeway)
            .field("types", &self.types)
            .finish_non_exhaustive()
    }
}
