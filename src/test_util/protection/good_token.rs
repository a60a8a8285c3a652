//! The good token of a set-up, from which the bad ones are made.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

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
    jwk: Option<String>,
    /// The number of tokens that were made of it.
    made: Arc<AtomicU64>,
}

impl From<TokenBuilder> for GoodToken {
    fn from(token: TokenBuilder) -> Self {
        let (header, claims, key, now) = token.into_parts();
        let jwk = key.jwk();
        let sign: Signer =
            Arc::new(move |message| compact::signature(message, &key).expect("a signature"));
        Self { header, claims, now, text: None, sign: Some(sign), jwk, made: Arc::default() }
    }
}

impl GoodToken {
    pub(super) fn from_text(text: String) -> Self {
        let mut parts = text.split('.').map(object);
        let header = parts.next().unwrap_or_default();
        let claims = parts.next().unwrap_or_default();
        let now = SystemClock.now();
        Self { header, claims, now, text: Some(text), sign: None, jwk: None, made: Arc::default() }
    }

    pub(super) fn set_signer(&mut self, sign: Signer) {
        self.sign = Some(sign);
    }

    pub(super) fn set_jwk(&mut self, jwk: String) {
        self.jwk = Some(jwk);
    }

    /// A good token: a new one if there is a signer.
    pub(super) fn good(&self) -> String {
        let given = || self.text.clone().unwrap_or_default();
        self.signed(self.header(), self.claims()).unwrap_or_else(given)
    }

    pub(super) fn header(&self) -> Map<String, Value> {
        self.header.clone()
    }

    /// The good claims. Each time they have another `jti`, if they have one.
    pub(super) fn claims(&self) -> Map<String, Value> {
        let mut claims = self.claims.clone();
        if let Some(Value::String(id)) = claims.get_mut("jti") {
            let number = self.made.fetch_add(1, Ordering::Relaxed);
            id.push_str(&format!("-{number}"));
        }
        claims
    }

    pub(super) fn text_of(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// The good audience: the first one of a list.
    pub(super) fn audience(&self) -> Option<&str> {
        match self.claims.get("aud")? {
            Value::Array(all) => all.first()?.as_str(),
            one => one.as_str(),
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

    pub(super) fn public_key(&self) -> Option<PublicKey> {
        PublicKey::from_jwk(self.jwk.as_deref()?)
    }

    /// A token with these parts and a valid signature.
    pub(super) fn signed(
        &self,
        header: Map<String, Value>,
        claims: Map<String, Value>,
    ) -> Option<String> {
        self.signed_bytes(json(header), json(claims))
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
        self.signed_bytes(json(self.header()), change(json(self.claims())))
    }

    /// A signed token whose header is the result of a change of the good one as JSON.
    pub(super) fn with_header_json(&self, change: impl FnOnce(String) -> String) -> Option<String> {
        self.signed_bytes(change(json(self.header())), json(self.claims()))
    }

    /// The good token with another signature.
    pub(super) fn with_signature(
        &self,
        change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>,
    ) -> Option<String> {
        let token = self.good();
        let (message, signature) = token.rsplit_once('.')?;
        let signature = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(signature).ok()?;
        Some(format!("{message}.{}", base64url(change(signature)?)))
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
        let message = format!("{}.{}", base64url(json(header)), base64url(json(self.claims())));
        let signature = base64url(sign(message.as_bytes()));
        Some(format!("{message}.{signature}"))
    }
}

/// A key that no service knows.
pub(super) fn attacker() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| {
        SigningKey::generate(Algorithm::ES256).expect("a new ES256 key").with_kid("attacker")
    })
}

/// The signature of the attacker, with ES256.
pub(super) fn sign_as_attacker(message: &[u8]) -> Vec<u8> {
    compact::signature(message, attacker()).expect("a signature")
}

pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

pub(super) fn json(object: Map<String, Value>) -> String {
    Value::Object(object).to_string()
}

/// The object in a part of a token; an empty one if it has none.
fn object(part: &str) -> Map<String, Value> {
    let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

impl fmt::Debug for GoodToken {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoodToken")
            .field("header", &self.header)
            .field("can_sign", &self.sign.is_some())
            .finish_non_exhaustive()
    }
}
