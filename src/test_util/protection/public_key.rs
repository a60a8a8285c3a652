//! The forms of a public key that a confused service could use as an HMAC secret.

use pkcs1::{RsaPublicKey, UintRef};
use serde_json::{Map, Value};
use spki::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use spki::der::pem::{self, LineEnding};
use spki::der::{Decode, Encode, Tag};
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};

use crate::config_error::ConfigError;
use crate::key::pem::PublicKeyDer;

const RSA: &str = "1.2.840.113549.1.1.1";

/// A public key that was read from a JWK, a JWK set or a PEM text.
#[derive(Clone)]
pub(super) struct PublicKey {
    /// The text that it was read from.
    text: String,
    /// Not of a PEM text.
    jwk: Option<String>,
    is_rsa: bool,
    /// The key itself: an encoded point, or a PKCS#1 key.
    raw: Vec<u8>,
    /// A SubjectPublicKeyInfo.
    der: Vec<u8>,
}

impl PublicKey {
    /// Reads a JWK, a JWK set or a PEM text. Of a set it takes the key with this `kid`, else the first one for this
    /// `alg`, else the only one.
    pub(super) fn read(text: &str, kid: Option<&str>, alg: &str) -> Result<Self, String> {
        if text.trim_start().starts_with("-----BEGIN") {
            return Self::from_pem(text);
        }
        let unreadable = |error| format!("this is neither JSON nor PEM: {error}");
        let json: Value = serde_json::from_str(text).map_err(unreadable)?;
        let Some(keys) = json.get("keys") else {
            return Self::from_jwk(text)
                .ok_or_else(|| "this JWK is not the public key of a key pair".to_owned());
        };
        let pairs = keys.as_array().into_iter().flatten();
        let pairs: Vec<_> =
            pairs.filter(|key| Self::from_jwk(&key.to_string()).is_some()).collect();
        let has = |name, wanted| move |key: &&&Value| key.get(name) == Some(&Value::from(wanted));
        let of_kid = kid.and_then(|kid| pairs.iter().find(has("kid", kid)));
        let only = pairs.first().filter(|_| pairs.len() == 1);
        let key = of_kid.or_else(|| pairs.iter().find(has("alg", alg))).or(only);
        let key = key.and_then(|key| Self::from_jwk(&key.to_string()));
        let mut key = key.ok_or_else(|| {
            format!("the JWK set has {} public keys, but not that of the good token", pairs.len())
        })?;
        key.text = text.to_owned();
        Ok(key)
    }

    fn from_pem(text: &str) -> Result<Self, String> {
        let unreadable = |error: ConfigError| error.to_string();
        let der = match PublicKeyDer::from_pem(text.as_bytes()).map_err(unreadable)? {
            PublicKeyDer::SubjectPublicKeyInfo(der) => der,
            PublicKeyDer::RsaPublicKey(der) => {
                info(RSA, Some(AnyRef::NULL), &der).ok_or("this RSA key is too long")?
            }
        };
        let parsed = SubjectPublicKeyInfoRef::from_der(&der).map_err(|error| error.to_string())?;
        Ok(Self {
            text: text.to_owned(),
            jwk: None,
            is_rsa: parsed.algorithm.oid == ObjectIdentifier::new_unwrap(RSA),
            raw: parsed.subject_public_key.raw_bytes().to_vec(),
            der,
        })
    }

    /// `None` if the JWK is not one of a key pair.
    pub(super) fn from_jwk(jwk: &str) -> Option<Self> {
        let members: Map<String, Value> = serde_json::from_str(jwk).ok()?;
        let text = |name: &str| members.get(name)?.as_str();
        let bytes = |name: &str| base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text(name)?).ok();
        let (algorithm, curve, raw) = match (text("kty")?, text("crv"), text("alg")) {
            ("RSA", ..) => (RSA, None, rsa(&bytes("n")?, &bytes("e")?)?),
            ("EC", Some(curve), _) => {
                let curve = match curve {
                    "P-256" => "1.2.840.10045.3.1.7",
                    "P-384" => "1.3.132.0.34",
                    _ => "1.3.132.0.35",
                };
                let point = [vec![4], bytes("x")?, bytes("y")?].concat();
                ("1.2.840.10045.2.1", Some(curve), point)
            }
            ("OKP", ..) => ("1.3.101.112", None, bytes("x")?),
            ("AKP", _, Some("ML-DSA-44")) => ("2.16.840.1.101.3.4.3.17", None, bytes("pub")?),
            ("AKP", _, Some("ML-DSA-65")) => ("2.16.840.1.101.3.4.3.18", None, bytes("pub")?),
            ("AKP", ..) => ("2.16.840.1.101.3.4.3.19", None, bytes("pub")?),
            _ => return None,
        };
        let curve = curve.map(ObjectIdentifier::new_unwrap);
        let parameters = match (&curve, text("kty")?) {
            (Some(curve), _) => Some(AnyRef::new(Tag::ObjectIdentifier, curve.as_bytes()).ok()?),
            (None, "RSA") => Some(AnyRef::NULL),
            _ => None,
        };
        Some(Self {
            text: jwk.to_owned(),
            jwk: Some(jwk.to_owned()),
            is_rsa: text("kty")? == "RSA",
            der: info(algorithm, parameters, &raw)?,
            raw,
        })
    }

    /// As in a PEM file, with a line break at the end.
    pub(super) fn pem(&self) -> Option<String> {
        pem::encode_string("PUBLIC KEY", LineEnding::LF, &self.der).ok()
    }

    /// An `RSA PUBLIC KEY`; `None` for other keys.
    pub(super) fn pkcs1_pem(&self) -> Option<String> {
        let pem = || pem::encode_string("RSA PUBLIC KEY", LineEnding::LF, &self.raw).ok();
        self.is_rsa.then(pem)?
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn raw(&self) -> &[u8] {
        &self.raw
    }

    pub(super) fn jwk(&self) -> Option<&str> {
        self.jwk.as_deref()
    }

    /// A JWK set: the one that it was read from, or one of this key alone.
    pub(super) fn jwk_set(&self) -> Option<String> {
        let jwk = self.jwk.as_deref()?;
        let is_set = self.text != jwk;
        Some(if is_set { self.text.clone() } else { format!("{{\"keys\":[{jwk}]}}") })
    }

    /// The text that it was read from.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// A SubjectPublicKeyInfo.
fn info(algorithm: &str, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Option<Vec<u8>> {
    let oid = ObjectIdentifier::new(algorithm).ok()?;
    let subject_public_key = BitStringRef::from_bytes(key).ok()?;
    let algorithm = AlgorithmIdentifier { oid, parameters };
    SubjectPublicKeyInfo { algorithm, subject_public_key }.to_der().ok()
}

/// A key in PKCS#1.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    let modulus = UintRef::new(modulus).ok()?;
    RsaPublicKey { modulus, public_exponent: UintRef::new(exponent).ok()? }.to_der().ok()
}

/// A signature of ECDSA as a DER sequence, as other protocols write it.
pub(super) fn ecdsa_der(signature: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at_checked(signature.len() / 2)?;
    vec![UintRef::new(r).ok()?, UintRef::new(s).ok()?].to_der().ok()
}
