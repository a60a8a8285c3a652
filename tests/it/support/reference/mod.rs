//! The plain reference: a second verifier, written from the standards and the design record to be
//! read, not to be fast. It shares no code with the crate but the names of the reasons, has its own
//! reader of JSON, and uses other cryptography. Where it was made to follow the crate in something
//! that the standards leave open, the design record lists the choice (section "The plain reference").

pub(crate) mod json;
pub(crate) mod keys;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tower_jwt_auth::RejectionKind::{self, *};

use self::json::Json;
use self::keys::{Hint, Keys};

/// What a verifier is told.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Any, where there is none.
    pub(crate) issuers: Option<Vec<String>>,
    pub(crate) audiences: Option<Vec<String>>,
    pub(crate) algorithms: Option<Vec<String>>,
    pub(crate) leeway: u64,
    pub(crate) max_age: Option<u64>,
    /// Seconds.
    pub(crate) now: i64,
    pub(crate) rfc9068: bool,
    pub(crate) exclusive_audience: bool,
    pub(crate) required: Vec<String>,
    pub(crate) ignore_confirmation: bool,
    pub(crate) allow_at_hash: bool,
    pub(crate) accept_id_tokens: bool,
    /// The claim that is compared in place of `aud`.
    pub(crate) in_place_of_audience: Option<&'static str>,
    /// In bytes.
    pub(crate) max_token: usize,
    pub(crate) max_header: usize,
    pub(crate) claims: ClaimsType,
    /// Nanoseconds by which a time may be off in the token's favour: a fraction is read as a double.
    pub(crate) slack: i128,
}

impl Config {
    /// The defaults.
    pub(crate) fn new(issuer: &str, audience: &str, now: i64) -> Self {
        Self {
            issuers: Some(vec![issuer.to_owned()]),
            audiences: Some(vec![audience.to_owned()]),
            algorithms: None,
            leeway: 30,
            max_age: None,
            now,
            rfc9068: false,
            exclusive_audience: false,
            required: Vec::new(),
            ignore_confirmation: false,
            allow_at_hash: false,
            accept_id_tokens: false,
            in_place_of_audience: None,
            max_token: 16 * 1024,
            max_header: 4 * 1024,
            claims: ClaimsType::Registered,
            slack: 0,
        }
    }
}

/// What the claims are read into.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ClaimsType {
    /// `RegisteredClaims`
    Registered,
    /// `serde_json::Value`
    Value,
}

/// Whether a token is good, or the first reason why not.
pub(crate) fn verify(token: &[u8], keys: &Keys, config: &Config) -> Result<(), RejectionKind> {
    // RFC 7515 section 7.1: three parts.
    if token.len() > config.max_token {
        return Err(TokenTooLong);
    }
    let parts: Vec<&[u8]> = token.split(|byte| *byte == b'.').collect();
    let [header, payload, signature] = parts[..] else { return Err(MalformedToken) };
    if header.len() > config.max_header {
        return Err(TokenTooLong);
    }
    // That of ML-DSA-87, the longest.
    if signature.len() > 4627_usize.div_ceil(3) * 4 - 2 {
        return Err(InvalidSignature);
    }
    let message = &token[..header.len() + 1 + payload.len()];
    let decode = |part: &[u8]| URL_SAFE_NO_PAD.decode(part).map_err(|_| MalformedToken);
    let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);

    let header = Header::read(&header)?;
    let alg = &header.hint.alg;
    if config.algorithms.as_ref().is_some_and(|allowed| !allowed.contains(alg)) {
        return Err(UnsupportedAlgorithm);
    }
    let candidates = keys.candidates(&header.hint);
    if candidates.is_empty() {
        return Err(UnknownKey);
    }
    if !candidates.iter().any(|key| key.verifies(alg, message, &signature)) {
        return Err(InvalidSignature);
    }
    check_claims(&payload, header.typ.as_deref(), config)
}

struct Header {
    hint: Hint,
    typ: Option<String>,
}

impl Header {
    fn read(header: &[u8]) -> Result<Self, RejectionKind> {
        let members = json::object(header, 64).ok_or(MalformedToken)?;
        let text = |name: &str| match members.iter().find(|(n, _)| n == name) {
            None => Ok(None),
            Some((_, value)) => value.text().map(|t| Some(t.to_owned())).ok_or(MalformedToken),
        };
        let (alg, kid, typ, cty) = (text("alg")?, text("kid")?, text("typ")?, text("cty")?);
        let (x5t, x5t_s256) = (text("x5t")?, text("x5t#S256")?);
        let b64 = members.iter().find(|(name, _)| name == "b64");
        if b64.is_some_and(|(_, value)| !matches!(value, Json::Bool(_))) {
            return Err(MalformedToken);
        }
        // What must be understood and is not: the last of several is the reason.
        for (name, value) in members.iter().rev() {
            match name.as_str() {
                "crit" => return Err(UnsupportedCriticalHeader),
                // Of a JWE.
                "zip" | "enc" => return Err(MalformedToken),
                "b64" if *value == Json::Bool(false) => return Err(MalformedToken),
                _ => {}
            }
        }
        if cty.is_some_and(|cty| is_type(&cty, "jwt")) {
            return Err(MalformedToken);
        }
        let alg = alg.ok_or(MalformedToken)?;
        if !keys::is_algorithm(&alg) {
            return Err(UnsupportedAlgorithm);
        }
        Ok(Self { hint: Hint { alg, kid, x5t, x5t_s256 }, typ })
    }
}

/// RFC 7515 section 4.1.9.
fn is_type(value: &str, expected: &str) -> bool {
    let value = value.to_ascii_lowercase();
    value == expected || value == format!("application/{expected}")
}

fn check_claims(payload: &[u8], typ: Option<&str>, config: &Config) -> Result<(), RejectionKind> {
    let claims = json::object(payload, 64).ok_or(MalformedClaims)?;
    let claim = |name: &str| claims.iter().find(|(n, _)| n == name).map(|(_, value)| value);

    // RFC 7519 section 4.1: the registered claims have their types, compared or not.
    let mut texts = vec!["iss", "sub"];
    if config.rfc9068 {
        texts.extend(["jti", "client_id"]);
    }
    texts.extend(config.audiences.as_ref().and(config.in_place_of_audience));
    if texts.iter().any(|name| claim(name).is_some_and(|value| value.text().is_none())) {
        return Err(MalformedClaims);
    }
    let is_scope = |value: &Json| value.text().is_some() || value.texts().is_some();
    if config.rfc9068 && claim("scope").is_some_and(|scope| !is_scope(scope)) {
        return Err(MalformedClaims);
    }
    let audience: Option<Vec<&str>> = match claim("aud") {
        None => None,
        Some(Json::Text(_)) => {
            Some(vec![claim("aud").and_then(Json::text).ok_or(MalformedClaims)?])
        }
        Some(value) => Some(value.texts().ok_or(MalformedClaims)?),
    };
    let date = |name: &str| match claim(name) {
        None => Ok(None),
        Some(Json::Number(digits)) => nanoseconds(digits).map(Some).ok_or(MalformedClaims),
        Some(_) => Err(MalformedClaims),
    };
    let (exp, nbf, iat) = (date("exp")?, date("nbf")?, date("iat")?);

    if let Some(issuers) = &config.issuers {
        let issuer = claim("iss").and_then(Json::text).ok_or(MissingClaim)?;
        if !issuers.iter().any(|one| one == issuer) {
            return Err(WrongIssuer);
        }
    }
    if let (Some(audiences), Some(name)) = (&config.audiences, config.in_place_of_audience) {
        let named = claim(name).and_then(Json::text).ok_or(MissingClaim)?;
        if audience.is_some() || !audiences.iter().any(|one| one == named) {
            return Err(WrongAudience);
        }
    } else if let Some(audiences) = &config.audiences {
        let audience = audience.as_ref().ok_or(MissingClaim)?;
        let ours = |one: &&str| audiences.iter().any(|audience| audience == one);
        if !audience.iter().any(ours) || (config.exclusive_audience && !audience.iter().all(ours)) {
            return Err(WrongAudience);
        }
    }

    const SECOND: i128 = 1_000_000_000;
    let now = i128::from(config.now) * SECOND;
    let leeway = i128::from(config.leeway) * SECOND + config.slack;
    if now >= exp.ok_or(MissingClaim)? + leeway {
        return Err(ExpiredToken);
    }
    if nbf.is_some_and(|nbf| nbf > now + leeway) {
        return Err(ImmatureToken);
    }
    if iat.is_some_and(|iat| iat > now + leeway) {
        return Err(IssuedInFuture);
    }
    if let Some(max_age) = config.max_age {
        let age = now - iat.ok_or(MissingClaim)?;
        if age >= i128::from(max_age) * SECOND + leeway {
            return Err(TooOld);
        }
    }

    // RFC 9068 section 4, RFC 8725 section 3.12.
    let type_fits = match typ {
        Some(typ) => is_type(typ, "at+jwt") || (!config.rfc9068 && is_type(typ, "jwt")),
        None => !config.rfc9068,
    };
    let names = |name: &str, kind: &str| {
        claim(name).and_then(Json::text).is_some_and(|text| text.to_lowercase() == kind)
    };
    let has_hash = claim("at_hash").is_some() || claim("c_hash").is_some();
    let is_id_token = names("token_use", "id")
        || names("typ", "id")
        || (has_hash && !config.allow_at_hash)
        || matches!(claim("events"), Some(Json::Object(_)));
    let is_another = names("token_use", "refresh")
        || ["refresh", "offline", "logout"].iter().any(|kind| names("typ", kind));
    if !type_fits || is_another || (is_id_token && !config.accept_id_tokens) {
        return Err(WrongTokenType);
    }
    if claim("cnf").is_some() && !config.ignore_confirmation {
        return Err(UnconfirmedSender);
    }
    let mut required: Vec<&str> = config.required.iter().map(String::as_str).collect();
    if config.rfc9068 {
        required.extend(["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]);
    }
    let says_nothing = |name: &str| match claim(name) {
        None | Some(Json::Null) => true,
        Some(Json::Text(Some(text))) => {
            text.is_empty() && ["iss", "aud", "sub", "client_id", "azp", "jti"].contains(&name)
        }
        Some(Json::Array(_)) if name == "aud" => audience.iter().flatten().all(|a| a.is_empty()),
        Some(_) => false,
    };
    if required.iter().any(|name| says_nothing(name)) {
        return Err(MissingClaim);
    }

    let fit = match config.claims {
        ClaimsType::Value => claims.iter().all(|(_, value)| value.is_tame()),
        ClaimsType::Registered => {
            let text = |value: &Json| *value == Json::Null || value.text().is_some();
            ["jti", "client_id"].iter().all(|name| claim(name).is_none_or(text))
                && claim("scope").is_none_or(|scope| text(scope) || scope.texts().is_some())
        }
    };
    if fit { Ok(()) } else { Err(UnexpectedClaims) }
}

/// RFC 7519 section 2; from 0 up to what 63 bits hold.
fn nanoseconds(digits: &str) -> Option<i128> {
    const SECOND: f64 = 1e9;
    if let Ok(seconds) = digits.parse::<i128>() {
        return (0..=i128::from(i64::MAX)).contains(&seconds).then(|| seconds * 1_000_000_000);
    }
    let seconds = digits.parse::<f64>().ok()?;
    if !(0.0..2_f64.powi(63)).contains(&seconds) {
        return None;
    }
    Some(seconds.trunc() as i128 * 1_000_000_000 + (seconds.fract() * SECOND) as i128)
}
