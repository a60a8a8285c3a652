//! The good token of a set-up, from which the bad ones are made.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};

use crate::claims::NumericDate;
use crate::clock::{Clock, SystemClock};
use crate::crypto::Algorithm;
use crate::issuer::{SigningKey, compact};
use crate::test_util::protection::public_key::PublicKey;
use crate::test_util::token_builder::TokenBuilder;

pub(super) type Signer = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// A good token, and a signer of others if there is one.
#[derive(Clone)]
pub(super) struct GoodToken {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    now: NumericDate,
    /// The token as it was given.
    text: Option<String>,
    sign: Option<Signer>,
    /// The key of the signer, if it is known.
    key: Option<SigningKey>,
    public_key: Option<PublicKey>,
    accepted_issuers: Vec<String>,
    /// Where a test serves the keys of the attacker.
    attacker_url: Option<String>,
    /// Whether each token keeps the `jti`.
    has_fixed_jti: bool,
    /// The number of tokens that were made of it.
    made: Arc<AtomicU64>,
}

impl From<TokenBuilder> for GoodToken {
    fn from(token: TokenBuilder) -> Self {
        let (header, claims, key, now) = token.into_parts();
        let mut good = Self::of_parts(header, claims, now);
        good.public_key = key.jwk().as_deref().and_then(PublicKey::from_jwk);
        good.key = Some(key.clone());
        good.sign =
            Some(Arc::new(move |message| compact::signature(message, &key).expect("a signature")));
        good
    }
}

impl GoodToken {
    #[track_caller]
    pub(super) fn from_text(text: String) -> Self {
        let has_scheme = text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer "));
        assert!(!has_scheme, "the token begins with `Bearer `: give the token alone");
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        assert!(is_plain, "the token is empty, or has a line break, a space or another character");
        let mut parts = text.split('.').map(object);
        let header = parts.next().unwrap_or_default();
        let claims = parts.next().unwrap_or_default();
        let mut good = Self::of_parts(header, claims, SystemClock.now());
        good.text = Some(text);
        good
    }

    fn of_parts(header: Map<String, Value>, claims: Map<String, Value>, now: NumericDate) -> Self {
        Self {
            header,
            claims,
            now,
            text: None,
            sign: None,
            key: None,
            public_key: None,
            accepted_issuers: Vec::new(),
            attacker_url: None,
            has_fixed_jti: false,
            made: Arc::default(),
        }
    }

    pub(super) fn set_signer(&mut self, sign: Signer) {
        self.sign = Some(sign);
        self.key = None;
    }

    pub(super) fn set_public_key(&mut self, text: &str) -> Result<(), String> {
        let kid = self.header.get("kid").and_then(Value::as_str);
        self.public_key = Some(PublicKey::read(text, kid, self.algorithm())?);
        Ok(())
    }

    pub(super) fn set_fixed_jti(&mut self) {
        self.has_fixed_jti = true;
    }

    pub(super) fn set_attacker_url(&mut self, url: String) {
        self.attacker_url = Some(url);
    }

    pub(super) fn attacker_url(&self) -> Option<&str> {
        self.attacker_url.as_deref()
    }

    pub(super) fn add_accepted_issuer(&mut self, issuer: String) {
        self.accepted_issuers.push(issuer);
    }

    pub(super) fn can_sign(&self) -> bool {
        self.sign.is_some()
    }

    /// The same token with a signer that makes no valid signature, to learn whether an attack needs one.
    pub(super) fn with_any_signer(&self) -> Self {
        let mut good = self.clone();
        good.sign = Some(Arc::new(|_| vec![7; 64]));
        good
    }

    /// Whether the key is a secret.
    pub(super) fn is_symmetric(&self) -> bool {
        self.algorithm().starts_with("HS")
    }

    /// A good token: a new one if there is a signer.
    pub(super) fn good(&self) -> String {
        let given = || self.text.clone().unwrap_or_default();
        self.signed(self.header(), self.claims()).unwrap_or_else(given)
    }

    pub(super) fn header(&self) -> Map<String, Value> {
        self.header.clone()
    }

    /// The good claims. Each time they have another `jti`, if they have one and it is not fixed.
    pub(super) fn claims(&self) -> Map<String, Value> {
        let mut claims = self.claims.clone();
        if self.has_fixed_jti {
            return claims;
        }
        if let Some(Value::String(id)) = claims.get_mut("jti") {
            let number = self.made.fetch_add(1, Ordering::Relaxed);
            id.push_str(&format!("-{number}"));
        }
        claims
    }

    pub(super) fn claim_text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// The good audiences.
    pub(super) fn audiences(&self) -> Vec<&str> {
        match self.claims.get("aud") {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            Some(one) => one.as_str().into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// A signed token with this issuer; `None` if the service accepts it.
    pub(super) fn with_issuer(&self, issuer: &str) -> Option<String> {
        let is_good = self.accepted_issuers.iter().any(|accepted| accepted == issuer);
        (!is_good).then(|| self.with_claim("iss", issuer))?
    }

    /// A signed token whose audiences are changed ones of the good token; `None` if none can be changed.
    pub(super) fn with_audiences(&self, change: fn(&str) -> Option<String>) -> Option<String> {
        let good = self.audiences();
        let mut changed: Vec<String> = good.iter().filter_map(|name| change(name)).collect();
        changed.retain(|name| !good.contains(&name.as_str()));
        match changed.len() {
            0 => None,
            1 => self.with_claim("aud", changed.pop()?),
            _ => self.with_claim("aud", changed),
        }
    }

    /// The time by the clock of the issuer, moved by some hours.
    pub(super) fn hours_from_now(&self, hours: i64) -> i64 {
        self.now.unix_seconds().saturating_add(hours.saturating_mul(3600))
    }

    /// `alg` of the good token.
    pub(super) fn algorithm(&self) -> &str {
        self.header.get("alg").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn public_key(&self) -> Option<&PublicKey> {
        self.public_key.as_ref()
    }

    /// The algorithm of the attacker's keys: that of the good token, or ES256 if it has none.
    pub(super) fn attacker_algorithm(&self) -> Algorithm {
        Algorithm::from_name(self.algorithm()).unwrap_or(Algorithm::ES256)
    }

    /// The algorithm of tokens that are signed with a known secret: that of the good token, or HS256.
    pub(super) fn hmac_algorithm(&self) -> Algorithm {
        let good = Algorithm::from_name(self.algorithm());
        good.filter(|_| self.is_symmetric()).unwrap_or(Algorithm::HS256)
    }

    /// A token that the key of the good one has really signed, with another algorithm for RSA.
    pub(super) fn signed_with(&self, algorithm: Algorithm) -> Option<String> {
        let pem = self.key.as_ref()?.private_pem().ok()?;
        let key = SigningKey::from_pem(pem.as_str().as_bytes(), algorithm).ok()?;
        self.forged(json!({"alg": algorithm.name()}), |message| {
            compact::signature(message, &key).expect("a signature")
        })
    }

    /// A token with these parts and a valid signature.
    pub(super) fn signed(
        &self,
        header: Map<String, Value>,
        claims: Map<String, Value>,
    ) -> Option<String> {
        self.signed_bytes(text_of(header), text_of(claims))
    }

    pub(super) fn signed_bytes(
        &self,
        header: impl AsRef<[u8]>,
        claims: impl AsRef<[u8]>,
    ) -> Option<String> {
        self.signed_text(&format!("{}.{}", base64url(header), base64url(claims)))
    }

    /// A valid signature of these characters.
    pub(super) fn signed_text(&self, message: &str) -> Option<String> {
        let signature = base64url(self.sign.as_ref()?(message.as_bytes()));
        Some(format!("{message}.{signature}"))
    }

    /// A signed token whose header has this parameter.
    pub(super) fn with_header(&self, name: &str, value: impl Into<Value>) -> Option<String> {
        let mut header = self.header();
        header.insert(name.to_owned(), value.into());
        self.signed(header, self.claims())
    }

    /// A signed token with this claim.
    pub(super) fn with_claim(&self, name: &str, value: impl Into<Value>) -> Option<String> {
        let mut claims = self.claims();
        claims.insert(name.to_owned(), value.into());
        self.signed(self.header(), claims)
    }

    /// A signed token without this claim; `None` if the good one has no such claim.
    pub(super) fn without_claim(&self, name: &str) -> Option<String> {
        let mut claims = self.claims();
        claims.remove(name)?;
        self.signed(self.header(), claims)
    }

    /// A signed token whose claims are the result of a change of the good ones as JSON.
    pub(super) fn with_claims_json(&self, change: impl FnOnce(String) -> String) -> Option<String> {
        self.signed_bytes(text_of(self.header()), change(text_of(self.claims())))
    }

    /// A signed token whose header is the result of a change of the good one as JSON.
    pub(super) fn with_header_json(&self, change: impl FnOnce(String) -> String) -> Option<String> {
        self.signed_bytes(change(text_of(self.header())), text_of(self.claims()))
    }

    /// The good token with another signature.
    pub(super) fn with_signature(
        &self,
        change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>,
    ) -> Option<String> {
        resigned(&self.good(), change)
    }

    /// The good claims under a header with these parameters in place of the good ones, with the
    /// signature that the function makes.
    pub(super) fn forged(
        &self,
        parameters: Value,
        sign: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Option<String> {
        let mut header = self.header();
        if let Value::Object(parameters) = parameters {
            header.extend(parameters);
        }
        header.retain(|_, value| !value.is_null());
        let message =
            format!("{}.{}", base64url(text_of(header)), base64url(text_of(self.claims())));
        let signature = base64url(sign(message.as_bytes()));
        Some(format!("{message}.{signature}"))
    }
}

/// A token with another signature.
pub(super) fn resigned(
    token: &str,
    change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>,
) -> Option<String> {
    let (message, signature) = token.rsplit_once('.')?;
    let signature = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(signature).ok()?;
    Some(format!("{message}.{}", base64url(change(signature)?)))
}

pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

pub(super) fn text_of(object: Map<String, Value>) -> String {
    Value::Object(object).to_string()
}

/// The object in a part of a token; an empty one if it has none.
pub(super) fn object(part: &str) -> Map<String, Value> {
    let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

impl fmt::Debug for GoodToken {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoodToken")
            .field("header", &self.header)
            .field("can_sign", &self.can_sign())
            .finish_non_exhaustive()
    }
}
