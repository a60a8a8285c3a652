//! The forms of a public key that a confused service could use as an HMAC secret.

use pkcs1::{RsaPublicKey, UintRef};
use serde_json::{Map, Value};
use spki::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use spki::der::pem::{self, LineEnding};
use spki::der::{Encode, Tag};
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfo};

/// A public key that was read from a JWK.
pub(super) struct PublicKey {
    jwk: String,
    /// The key itself: an encoded point, or a PKCS#1 key.
    raw: Vec<u8>,
    /// A SubjectPublicKeyInfo.
    der: Vec<u8>,
}

impl PublicKey {
    /// `None` if the JWK is not one of a key pair.
    pub(super) fn from_jwk(jwk: &str) -> Option<Self> {
        let members: Map<String, Value> = serde_json::from_str(jwk).ok()?;
        let text = |name: &str| members.get(name)?.as_str();
        let bytes = |name: &str| base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text(name)?).ok();
        let (algorithm, curve, raw) = match (text("kty")?, text("crv"), text("alg")) {
            ("RSA", ..) => ("1.2.840.113549.1.1.1", None, rsa(&bytes("n")?, &bytes("e")?)?),
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
        let info = SubjectPublicKeyInfo {
            algorithm: AlgorithmIdentifier {
                oid: ObjectIdentifier::new_unwrap(algorithm),
                parameters,
            },
            subject_public_key: BitStringRef::from_bytes(&raw).ok()?,
        };
        let der = info.to_der().ok()?;
        Some(Self { jwk: jwk.to_owned(), raw, der })
    }

    /// As in a PEM file, with a line break at the end.
    pub(super) fn pem(&self) -> Option<String> {
        pem::encode_string("PUBLIC KEY", LineEnding::LF, &self.der).ok()
    }

    pub(super) fn der(self) -> Vec<u8> {
        self.der
    }

    pub(super) fn raw(self) -> Vec<u8> {
        self.raw
    }

    pub(super) fn jwk(self) -> String {
        self.jwk
    }
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
