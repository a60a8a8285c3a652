//! What an answer of the endpoint says about a token (RFC 7662 section 2.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::claims::NumericDate;
use crate::json_member;
use crate::rejection::{Rejection, RejectionKind};
use crate::strict_json;
use crate::verify::by_name::ByName;
use crate::verify::confirmation::Confirmation;
use crate::verify::jwt::{AnswerClaims, Expected, Rules, read_answer};
use crate::verify::verified_token::VerifiedToken;

/// The rules for the claims of an answer.
#[derive(Clone)]
pub(super) struct AnswerRules {
    pub(super) rules: Rules,
    pub(super) allows_missing_audience: bool,
}

/// A token that the endpoint and the rules accept.
pub(super) struct Active<C> {
    pub(super) token: VerifiedToken<C>,
    /// `exp`, without the leeway.
    pub(super) expires_at: Option<NumericDate>,
    /// By the clock of the verifier.
    pub(super) read_at: NumericDate,
    /// Of the answer, in bytes.
    pub(super) length: usize,
}

/// Why an answer does not accept a token.
#[derive(Debug)]
pub(super) enum Refused {
    /// The token is refused.
    Token(Rejection),
    /// The answer cannot be used, and says nothing about the token.
    Answer(&'static str),
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self::Token(rejection)
    }
}

impl From<RejectionKind> for Refused {
    fn from(kind: RejectionKind) -> Self {
        Self::Token(kind.into())
    }
}

impl AnswerRules {
    /// Reads the JSON of an answer, and checks its claims.
    pub(super) fn read<C: DeserializeOwned>(&self, json: &str) -> Result<Active<C>, Refused> {
        let mut members: Vec<(_, &RawValue)> =
            strict_json::members(json).map_err(|_| Refused::Answer(NOT_AN_OBJECT))?;
        let count = members.len();
        members.retain(|(_, value)| value.get() != "null");
        // Some servers write `null` for what they do not say.
        let written = (members.len() < count).then(|| {
            let members: BTreeMap<&str, _> =
                members.iter().map(|(it, json)| (&**it, json)).collect();
            serde_json::to_string(&members)
        });
        let written = written.transpose().map_err(|_| Refused::Answer(NOT_AN_OBJECT))?;
        let json = written.as_deref().unwrap_or(json);
        let member = |name: &str| members.iter().find(|(it, _)| it == name).map(|(_, it)| it.get());
        match member("active") {
            Some("true") => {}
            Some("false") => return Err(RejectionKind::InactiveToken.into()),
            _ => return Err(Refused::Answer("`active` is not a boolean")),
        }

        let wanted = self.rules.wanted();
        let (claims, registered) = read_answer::<C>(json, wanted)
            .map_err(|_| Refused::Answer("a claim has the wrong type"))?;
        let has_our_audience = self.check_parties(&registered)?;
        let read_at = self.rules.context.clock.now();
        let refused_from = self.check_times(&registered, read_at)?;
        let confirmation = confirmation(member("cnf"))?;
        self.check_type(&registered, member, confirmation.as_ref(), has_our_audience)?;
        if let Some(name) = self.rules.required_claims().find(|name| !registered.has_value(name)) {
            let rejection = Rejection::from(RejectionKind::MissingClaim);
            return Err(rejection.with_expected(&Arc::from(name)).into());
        }
        let claims = claims?;

        let expires_at = registered.expires_at;
        let by_name = ByName::of_answer(json, Arc::clone(&self.rules.context), refused_from);
        let token = VerifiedToken::of_answer(claims, by_name, expires_at);
        let token = match confirmation {
            Some(confirmation) => token.with_confirmation(confirmation),
            None => token,
        };
        Ok(Active { token, expires_at, read_at, length: json.len() })
    }

    /// An answer may lack the issuer: the endpoint itself belongs to it. Returns whether `aud` was compared.
    fn check_parties(&self, claims: &AnswerClaims<'_>) -> Result<bool, Refused> {
        if claims.issuer.is_some() {
            self.rules.check_issuer(claims)?;
        }
        let names_some = claims.audience.as_ref().is_some_and(|all| all.iter().next().is_some());
        let is_of_aud = self.rules.audience_claim().is_none();
        if let Err(rejection) = self.rules.check_audience(claims) {
            let may_lack_it = self.allows_missing_audience && is_of_aud && !names_some;
            return may_lack_it.then_some(false).ok_or(Refused::Token(rejection));
        }
        let is_any = matches!(self.rules.audience(), Expected::Any);
        Ok(names_some && is_of_aud && !is_any)
    }

    /// Returns the first time at which `exp` refuses the token.
    fn check_times(
        &self,
        claims: &AnswerClaims<'_>,
        now: NumericDate,
    ) -> Result<Option<NumericDate>, Refused> {
        let leeway = self.rules.context.leeway;
        let until = claims.expires_at.map(|expires_at| expires_at.saturating_add(leeway));
        if until.is_some_and(|until| now >= until) {
            return Err(RejectionKind::ExpiredToken.into());
        }
        let latest = now.saturating_add(leeway);
        if claims.not_before.is_some_and(|not_before| not_before > latest) {
            return Err(RejectionKind::ImmatureToken.into());
        }
        if claims.issued_at.is_some_and(|issued_at| issued_at > latest) {
            return Err(RejectionKind::IssuedInFuture.into());
        }
        Ok(until)
    }

    /// An endpoint also knows refresh tokens, and says what a token is, if at all, in one of several members.
    fn check_type<'j>(
        &self,
        claims: &AnswerClaims<'_>,
        member: impl Fn(&str) -> Option<&'j str>,
        confirmation: Option<&Confirmation>,
        has_our_audience: bool,
    ) -> Result<(), Refused> {
        let wrong_type = |claim: &str| {
            let rejection = Rejection::from(RejectionKind::WrongTokenType);
            Refused::Token(rejection.with_expected(&Arc::from(claim)))
        };
        let token_type = member("token_type");
        if token_type.is_none() && !has_our_audience {
            // Nothing tells it apart from a refresh token, which is for no audience.
            return Err(wrong_type("token_type"));
        }
        if let Some(json) = token_type {
            let token_type =
                json_member::text(json).ok_or(Refused::Answer("`token_type` is not a string"))?;
            if token_type.eq_ignore_ascii_case("dpop") {
                // The server binds the token, and does not tell to which key.
                let has_key = confirmation.is_some_and(|it| it.jkt().is_some());
                if !has_key && !self.rules.ignore_confirmation {
                    let rejection = Rejection::from(RejectionKind::UnboundToken);
                    return Err(rejection.with_expected(&Arc::from("cnf")).into());
                }
            } else if !token_type.eq_ignore_ascii_case("bearer") {
                return Err(wrong_type("token_type"));
            }
        }
        // Ory Hydra writes `refresh_token`.
        let is_of_another_kind = |json: &str| {
            let name = json_member::text(json);
            name.is_some_and(|name| matches!(&*name, "refresh_token" | "id_token"))
        };
        if member("token_use").is_some_and(is_of_another_kind) {
            return Err(wrong_type("token_use"));
        }
        match self.rules.claim_of_another_kind(claims) {
            Some(claim) => Err(wrong_type(claim)),
            None => Ok(()),
        }
    }
}

/// The binding of the token to its sender. Whether the sender is checked depends on the request, not on the answer.
fn confirmation(cnf: Option<&str>) -> Result<Option<Confirmation>, Refused> {
    let read = cnf.map(Confirmation::from_json).transpose();
    read.map_err(|_| Refused::Answer("`cnf` is malformed"))
}

const NOT_AN_OBJECT: &str = "it is not a JSON object with unique names";
