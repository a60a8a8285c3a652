//! One JWK (RFC 7517 section 4), read member by member.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::key::material::{self, KeyMaterial};
use crate::key::secret_check::{self, BOM};
use crate::key::{AlgorithmSet, KeyType, VerificationKey};
use crate::{Algorithm, ConfigError, ConfigErrorKind};

/// The members that only a private key has (RFC 7518 sections 6.2.2 and 6.3.2).
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// Reads a JWK. Its errors name members and never show their values.
pub(crate) fn parse(json: &str) -> Result<VerificationKey, ConfigError> {
    let members = Members::parse(json, "JWK")?;

    let kty = members.required("kty")?;
    if PRIVATE_MEMBERS.into_iter().any(|name| members.has(name))
        || (members.has("k") && kty != "oct")
    {
        return Err(unusable(
            "the JWK holds a private key: remove its private members, and take the key as known \
             to strangers if it was published",
        ));
    }
    check_use(&members)?;

    let key = match members.text("kid")? {
        Some(kid) => material_and_algorithms(&members, &kty)?.with_kid(kid),
        None => material_and_algorithms(&members, &kty)?,
    };
    Ok(key)
}

/// Reads a JWK that everybody can fetch, which is no place for a secret.
#[cfg(feature = "jwks-url")]
pub(crate) fn parse_public(json: &str) -> Result<VerificationKey, ConfigError> {
    if Members::parse(json, "JWK")?.required("kty")? == "oct" {
        return Err(unusable(
            "the JWK is a symmetric key, which is not taken from a URL: whoever can fetch it can \
             sign with it",
        ));
    }
    parse(json)
}

fn material_and_algorithms(
    members: &Members<'_>,
    kty: &str,
) -> Result<VerificationKey, ConfigError> {
    let alg = bound_algorithm(members)?;
    match kty {
        "oct" => {
            let algorithm = alg.ok_or_else(|| {
                ConfigError::new(
                    ConfigErrorKind::Algorithm,
                    "a symmetric JWK needs `alg`: HS256, HS384 or HS512",
                )
            })?;
            let secret = members.octets("k")?;
            secret_check::check(&secret)?;
            VerificationKey::from_material(
                &KeyMaterial::secret(&secret, algorithm)?,
                algorithm.into(),
            )
        }
        "RSA" => {
            let algorithms = algorithms(alg, KeyType::Rsa)?;
            let (n, e) = (members.octets("n")?, members.octets("e")?);
            VerificationKey::from_material(&KeyMaterial::rsa(&n, &e)?, algorithms)
        }
        "EC" => {
            let curve = match members.required("crv")?.as_str() {
                "P-256" => KeyType::P256,
                "P-384" => KeyType::P384,
                "P-521" => KeyType::P521,
                _ => return Err(unusable("the curve is none of P-256, P-384 and P-521")),
            };
            let algorithms = algorithms(alg, curve)?;
            let (x, y) = (members.octets("x")?, members.octets("y")?);
            VerificationKey::from_material(&KeyMaterial::ec(curve, &x, &y)?, algorithms)
        }
        "OKP" => {
            if members.required("crv")? != "Ed25519" {
                return Err(unusable("the curve is not Ed25519"));
            }
            let algorithms = algorithms(alg, KeyType::Ed25519)?;
            let x = members.octets("x")?;
            VerificationKey::from_material(&KeyMaterial::ed25519(&x)?, algorithms)
        }
        _ => Err(unusable("the key type `kty` is none of RSA, EC, OKP and oct")),
    }
}

/// The algorithm that `alg` binds the key to (RFC 7517 section 4.4).
fn bound_algorithm(members: &Members<'_>) -> Result<Option<Algorithm>, ConfigError> {
    let Some(name) = members.text("alg")? else {
        return Ok(None);
    };
    match Algorithm::from_name(&name) {
        Some(algorithm) => Ok(Some(algorithm)),
        None => Err(ConfigError::new(
            ConfigErrorKind::Algorithm,
            "`alg` of the JWK names no signature algorithm that is supported",
        )),
    }
}

/// Those of a public key: the one of its `alg`, or all of its type.
fn algorithms(alg: Option<Algorithm>, key_type: KeyType) -> Result<AlgorithmSet, ConfigError> {
    match alg {
        None => Ok(AlgorithmSet::of_key_type(key_type)),
        Some(algorithm) if algorithm.key_type() == key_type => Ok(algorithm.into()),
        Some(algorithm) => Err(material::mismatch(algorithm, key_type)),
    }
}

/// RFC 7517 sections 4.2 and 4.3: what the key is for, in either way of saying so.
fn check_use(members: &Members<'_>) -> Result<(), ConfigError> {
    let for_signatures = match members.text("use")?.as_deref() {
        Some("sig") => true,
        Some(_) => return Err(unusable("by its `use` the JWK is not for signatures")),
        None => false,
    };

    let Some(raw) = members.get("key_ops") else {
        return Ok(());
    };
    let mut operations = serde_json::from_str::<Vec<String>>(raw)
        .map_err(|_| unusable("`key_ops` of the JWK is not an array of strings"))?;
    let count = operations.len();
    operations.sort_unstable();
    operations.dedup();
    if operations.len() != count {
        return Err(unusable("`key_ops` of the JWK names an operation twice"));
    }
    if !operations.iter().any(|operation| operation == "verify") {
        return Err(unusable("by its `key_ops` the JWK is not for verifying"));
    }
    if for_signatures
        && operations.iter().any(|operation| operation != "verify" && operation != "sign")
    {
        return Err(unusable("`use` and `key_ops` of the JWK contradict each other"));
    }
    Ok(())
}

/// The members of a JSON object: each name once, the values still as JSON.
pub(crate) struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    /// Reads an object, or says that the thing with this name is none.
    pub(crate) fn parse(json: &'a str, what: &str) -> Result<Self, ConfigError> {
        serde_json::from_str(json).map_err(|error| {
            let fault = match error.classify() {
                _ if error.to_string().starts_with(DUPLICATE) => "has two members of one name",
                serde_json::error::Category::Data => "is not a JSON object",
                _ => "is not well-formed JSON",
            };
            unusable(format!("the {what} {fault}"))
        })
    }

    /// The JSON of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|raw| raw.get())
    }

    /// A member that is a string, if it is there.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        match self.get(name) {
            None => Ok(None),
            Some(raw) => serde_json::from_str(raw)
                .map(Some)
                .map_err(|_| unusable(format!("`{name}` of the JWK is not a string"))),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn required(&self, name: &'static str) -> Result<String, ConfigError> {
        self.text(name)?.ok_or_else(|| unusable(format!("the JWK has no `{name}`")))
    }

    /// A member that is strict base64url: no padding, no line breaks, no stray bits at the end.
    fn octets(&self, name: &'static str) -> Result<Vec<u8>, ConfigError> {
        let octets = base64_simd::URL_SAFE_NO_PAD
            .decode_to_vec(self.required(name)?)
            .map_err(|_| unusable(format!("`{name}` of the JWK is not base64url")))?;
        if octets.is_empty() {
            return Err(unusable(format!("`{name}` of the JWK is empty")));
        }
        Ok(octets)
    }
}

/// How the error for a repeated name begins; `serde_json` puts the place behind it.
const DUPLICATE: &str = "duplicate member name";

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    match members.entry(name) {
                        Entry::Vacant(entry) => entry.insert(map.next_value()?),
                        Entry::Occupied(_) => return Err(A::Error::custom(DUPLICATE)),
                    };
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

/// Whether a text is a JWK or a JWK set, or was meant to be one.
pub(crate) fn looks_like_jwk(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(BOM).unwrap_or(text).trim_ascii_start();
    if !matches!(text.first(), Some(b'{' | b'[' | b'"')) {
        return false;
    }
    let contains = |name: &[u8]| memchr::memmem::find(text, name).is_some();
    if contains(b"\"kty") || contains(b"\"keys") {
        return true;
    }
    // The names may be spelled with escapes.
    str::from_utf8(text)
        .ok()
        .and_then(|text| Members::parse(text, "JWK").ok())
        .is_some_and(|members| members.has("kty") || members.has("keys"))
}

fn unusable(message: impl Into<Cow<'static, str>>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Key, message)
}
