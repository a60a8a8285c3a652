//! Signed responses (RFC 9701).

use std::sync::Arc;

use http::HeaderValue;
use serde::de::IgnoredAny;

use crate::claims::NumericDate;
use crate::json_member;
use crate::key::{KeyCandidates, VerificationKey};
use crate::key_source::{KeyLookup, KeyQuery, KeySource, KeySourceError};
use crate::strict_json;
use crate::token::{CompactJws, Limits, Scratch, is_media_type};
use crate::verify::jwt::{Expected, Rules, Wanted, read_answer};

const TYPE: &str = "token-introspection+jwt";

/// Opens responses that the authorization server signed.
#[derive(Clone, Debug)]
pub(super) struct SignedResponses {
    pub(super) keys: Arc<dyn KeySource>,
}

impl SignedResponses {
    pub(super) const ACCEPT: HeaderValue =
        HeaderValue::from_static("application/token-introspection+jwt");

    /// Verifies a response for this client to a request that was sent at this time, and returns the JSON of the answer
    /// in it.
    pub(super) async fn open(
        &self,
        response: &str,
        sent_at: NumericDate,
        rules: &Rules,
        client_id: &str,
    ) -> Result<String, KeySourceError> {
        let candidates = self.find_keys(response)?.wait().await?;
        conclude(response, &candidates, sent_at, rules, client_id).map_err(unusable)
    }

    fn find_keys(&self, response: &str) -> Result<KeyLookup, KeySourceError> {
        let mut scratch = Scratch::new();
        let jws = parse(response, &mut scratch).map_err(unusable)?;
        Ok(self.keys.find_key(&KeyQuery::new(jws.header.key_hint())))
    }
}

fn parse<'a>(response: &'a str, scratch: &'a mut Scratch) -> Result<CompactJws<'a>, &'static str> {
    CompactJws::parse(response.trim_ascii().as_bytes(), Limits::LARGEST, scratch)
        .map_err(|_| "it is not a signed JWT")
}

fn conclude(
    response: &str,
    candidates: &KeyCandidates,
    sent_at: NumericDate,
    rules: &Rules,
    client_id: &str,
) -> Result<String, &'static str> {
    let mut scratch = Scratch::new();
    let jws = parse(response, &mut scratch)?;
    let verifies =
        |key: &VerificationKey| key.verify(jws.header.algorithm, jws.message, jws.signature);
    if !candidates.iter().any(verifies) {
        return Err("no key verifies its signature");
    }
    if !jws.header.typ.as_deref().is_some_and(|typ| is_media_type(typ, TYPE)) {
        return Err("its `typ` is not `token-introspection+jwt`");
    }
    let payload = strict_json::text(jws.payload).ok_or("its claims are not UTF-8 or too deep")?;
    let (_, claims) = read_answer::<IgnoredAny>(payload, Wanted::default())
        .map_err(|_| "its claims are malformed")?;

    let Expected::OneOf { values, .. } = rules.issuer() else {
        return Err("no issuer is expected");
    };
    if !claims.issuer.as_ref().is_some_and(|issuer| values.iter().any(|value| value == issuer)) {
        return Err("its `iss` is not the expected issuer");
    }
    if !claims.audience.as_ref().is_some_and(|all| all.iter().any(|one| one == client_id)) {
        return Err("its `aud` is not this client");
    }
    let (now, leeway) = (rules.context.clock.now(), rules.context.leeway);
    // Nothing in a response names the token. One from before the request is about another token, or is old.
    let is_fresh = claims
        .issued_at
        .is_some_and(|at| at <= now.saturating_add(leeway) && sent_at <= at.saturating_add(leeway));
    if !is_fresh {
        return Err("its `iat` is missing, in the future or before the request");
    }
    if claims.expires_at.is_some_and(|at| now >= at.saturating_add(leeway)) {
        return Err("it has expired");
    }
    match json_member::member(payload, "token_introspection") {
        Ok(Some(answer)) if answer.starts_with('{') => Ok(answer.to_owned()),
        _ => Err("its `token_introspection` is missing or not an object"),
    }
}

fn unusable(reason: &'static str) -> KeySourceError {
    KeySourceError::new("the signed response of the introspection endpoint cannot be used")
        .with_source(reason)
}
