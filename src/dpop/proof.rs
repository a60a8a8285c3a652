//! One proof: a JWT with the public key of the client in its header (RFC 9449 section 4.2).

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::claims::NumericDate;
use crate::crypto::Algorithm;
use crate::dpop::fault::Fault;
use crate::json_member;
use crate::strict_json;
use crate::token::{Limits, Scratch, Segments};

/// The longest proof and the longest header. A key of RSA with 8192 bits takes 2 KiB of the header.
const LIMITS: Limits = Limits { token: 8 * 1024, header: 4 * 1024 };

/// The longest `jti`, in bytes. A client needs 16 random bytes; a UUID has 36 characters.
const MAX_JTI: usize = 256;

/// The header of a proof. Nothing is verified yet.
#[derive(Debug)]
pub(super) struct ProofHeader<'a> {
    pub(super) algorithm: Algorithm,
    /// The JSON of the key.
    pub(super) jwk: &'a str,
}

impl<'a> ProofHeader<'a> {
    pub(super) fn parse(header: &'a [u8]) -> Result<Self, Fault> {
        let header = Object::parse(header)?;
        // The exact value (section 4.3): not another spelling of the media type, which no client sends.
        if header.text("typ")?.as_deref() != Some("dpop+jwt") {
            return Err(Fault::WrongType);
        }
        if header.get("crit").is_some() {
            return Err(Fault::CriticalHeader);
        }
        // Parameters that change how a JWS is processed.
        let is_encoded = header.get("b64").is_none_or(|b64| b64 == "true");
        if !is_encoded || header.get("enc").is_some() || header.get("zip").is_some() {
            return Err(Fault::Malformed);
        }
        let alg = header.text("alg")?.ok_or(Fault::Malformed)?;
        let algorithm = Algorithm::from_name(&alg).ok_or(Fault::UnsupportedAlgorithm)?;
        let jwk = header.get("jwk").ok_or(Fault::InvalidKey)?;
        Ok(Self { algorithm, jwk })
    }
}

/// The claims of a proof.
#[derive(Debug)]
pub(super) struct ProofClaims<'a> {
    pub(super) jti: Cow<'a, str>,
    pub(super) htm: Cow<'a, str>,
    pub(super) htu: Cow<'a, str>,
    pub(super) ath: Cow<'a, str>,
    pub(super) iat: NumericDate,
    pub(super) nonce: Option<Cow<'a, str>>,
    /// RFC 9449 does not define them in a proof, but they have their meaning in every JWT (RFC 7519 section 4.1).
    pub(super) exp: Option<NumericDate>,
    pub(super) nbf: Option<NumericDate>,
}

impl<'a> ProofClaims<'a> {
    pub(super) fn parse(payload: &'a [u8]) -> Result<Self, Fault> {
        let claims = Object::parse(payload)?;
        let required = |name| claim(&claims, name, json_member::text)?.ok_or(Fault::MissingClaim);
        let date = |name| claim(&claims, name, |json| serde_json::from_str(json).ok());
        let parsed = Self {
            jti: required("jti")?,
            htm: required("htm")?,
            htu: required("htu")?,
            ath: required("ath")?,
            iat: date("iat")?.ok_or(Fault::MissingClaim)?,
            nonce: claim(&claims, "nonce", json_member::text)?,
            exp: date("exp")?,
            nbf: date("nbf")?,
        };
        match parsed.jti.len() {
            1..=MAX_JTI => Ok(parsed),
            _ => Err(Fault::MalformedClaim),
        }
    }
}

/// A claim, if it is present; then it must have its type.
fn claim<'a, T>(
    claims: &Object<'a>,
    name: &str,
    read: impl FnOnce(&'a str) -> Option<T>,
) -> Result<Option<T>, Fault> {
    match claims.get(name) {
        None => Ok(None),
        Some(json) => read(json).map(Some).ok_or(Fault::MalformedClaim),
    }
}

/// The segments of a proof, decoded.
pub(super) fn segments<'a>(
    proof: &'a [u8],
    scratch: &'a mut Scratch,
) -> Result<Segments<'a>, Fault> {
    Segments::decode(proof, LIMITS, scratch).map_err(|_| match LIMITS.allow(proof) {
        true => Fault::Malformed,
        false => Fault::TooLong,
    })
}

/// A strict JSON object: UTF-8, no name twice, bounded nesting.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    fn parse(json: &'a [u8]) -> Result<Self, Fault> {
        let text = strict_json::text(json).ok_or(Fault::Malformed)?;
        strict_json::members(text).map(Self).map_err(|_| Fault::Malformed)
    }

    /// The JSON of a member.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, json)| json.get())
    }

    /// A parameter of the header that is a string, if it is present.
    fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Fault> {
        match self.get(name) {
            None => Ok(None),
            Some(json) => json_member::text(json).map(Some).ok_or(Fault::Malformed),
        }
    }
}
