//! One JWK (RFC 7517 section 4), read member by member.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{Algorithm, AlgorithmSet, KeyMaterial, KeyType, material};
use crate::key::key_hint::Thumbprints;
use crate::key::key_use::KeyUse;
use crate::key::secret_check;
use crate::key::secret_check::BOM;
use crate::key::verification_key::VerificationKey;
use crate::strict_json;
use crate::strict_json::{DUPLICATE_NAME, ObjectError};

/// The members that only a private key has (RFC 7518 sections 6.2.2 and 6.3.2, RFC 9964 section 3).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// The values of `kty` that are supported.
const KEY_TYPES: [&str; 5] = ["RSA", "EC", "OKP", "AKP", "oct"];

/// How a JWK is read. By default it comes from the application: secrets are allowed, and `use` is
/// `sig` or absent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JwkReader<'a> {
    key_use: Option<&'a KeyUse>,
    is_published: bool,
    is_private: bool,
    only: Option<Algorithm>,
}

impl<'a> JwkReader<'a> {
    /// Replaces the `use` that a key must have; a key without `use` is then refused too.
    pub(crate) fn with_key_use(self, key_use: Option<&'a KeyUse>) -> Self {
        Self { key_use, ..self }
    }

    /// Refuses symmetric keys: anyone can fetch a published set.
    #[cfg(any(feature = "dpop", feature = "jwks-url"))]
    pub(crate) fn published(self) -> Self {
        Self { is_published: true, ..self }
    }

    /// Reads the public half of a private key, which may sign.
    #[cfg(feature = "issuer")]
    pub(crate) fn private(self) -> Self {
        Self { is_private: true, ..self }
    }

    /// Prepares the key for this algorithm alone; a key that is bound to another one is refused.
    #[cfg(feature = "dpop")]
    pub(crate) fn only_for(self, algorithm: Algorithm) -> Self {
        Self { only: Some(algorithm), ..self }
    }

    pub(crate) fn is_published(self) -> bool {
        self.is_published
    }

    /// Reads a JWK. The errors name members and never show their values.
    pub(crate) fn parse(self, json: &str) -> Result<VerificationKey, ConfigError> {
        self.read(&Members::parse(json, "JWK")?)
    }

    /// Reads the members of a JWK.
    pub(crate) fn read(self, members: &Members<'_>) -> Result<VerificationKey, ConfigError> {
        if !members.has_name("kty") && members.has_name("keys") {
            return Err(unusable("this is a JWK set, not a JWK: use `JwkSet::from_json`"));
        }
        let kty = members.required("kty")?;
        if self.is_published && kty == "oct" {
            return Err(unusable(
                "the JWK is a symmetric key, which is not accepted from a URL: anyone who can \
                 fetch it can sign tokens",
            ));
        }
        let has_private = PRIVATE_MEMBERS.into_iter().any(|name| members.has_value(name));
        if !self.is_private && (has_private || (kty != "oct" && members.has_value("k"))) {
            return Err(unusable(
                "the JWK holds a private key: remove its private members, and replace the key if \
                 it was published",
            ));
        }
        check_use(members, self.key_use, self.is_private)?;

        let mut key = material_and_algorithms(members, &kty, self.only)?;
        if let Some(kid) = members.text("kid")? {
            key = key.with_kid(kid);
        }
        Ok(key.with_thumbprints(Thumbprints {
            x5t: members.text("x5t").ok().flatten().map(Arc::from),
            x5t_s256: members.text("x5t#S256").ok().flatten().map(Arc::from),
        }))
    }
}

/// The text without the byte order mark that some editors write at its start.
pub(crate) fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn material_and_algorithms(
    members: &Members<'_>,
    kty: &str,
    only: Option<Algorithm>,
) -> Result<VerificationKey, ConfigError> {
    let algorithms = |alg, key_type| algorithms(alg, key_type, only);
    let alg = bound_algorithm(members)?;
    match kty {
        "oct" => {
            let algorithm = alg.ok_or_else(|| {
                ConfigError::new(
                    ConfigErrorKind::Algorithm,
                    "a symmetric JWK needs `alg`: HS256, HS384 or HS512",
                )
            })?;
            let secret = members.bytes("k")?;
            secret_check::check(&secret)?;
            VerificationKey::from_material(
                &KeyMaterial::secret(&secret, algorithm)?,
                algorithm.into(),
            )
        }
        "RSA" => {
            let algorithms = algorithms(alg, KeyType::Rsa)?;
            let (n, e) = (members.bytes("n")?, members.bytes("e")?);
            VerificationKey::from_material(&KeyMaterial::rsa(&n, &e)?, algorithms)
        }
        "EC" => {
            let curve = match members.required("crv")?.as_str() {
                "P-256" => KeyType::P256,
                "P-384" => KeyType::P384,
                "P-521" => KeyType::P521,
                _ => return Err(unusable("the curve is not P-256, P-384 or P-521")),
            };
            let algorithms = algorithms(alg, curve)?;
            let (x, y) = (members.bytes("x")?, members.bytes("y")?);
            VerificationKey::from_material(&KeyMaterial::ec(curve, &x, &y)?, algorithms)
        }
        "OKP" => {
            if members.required("crv")? != "Ed25519" {
                return Err(unusable("the curve is not Ed25519"));
            }
            let algorithms = algorithms(alg, KeyType::Ed25519)?;
            let x = members.bytes("x")?;
            VerificationKey::from_material(&KeyMaterial::ed25519(&x)?, algorithms)
        }
        // The algorithm is part of the key (RFC 9964 section 3).
        "AKP" => {
            let algorithm = alg.filter(|algorithm| is_ml_dsa(*algorithm)).ok_or_else(|| {
                ConfigError::new(
                    ConfigErrorKind::Algorithm,
                    "an AKP key needs `alg`: ML-DSA-44, ML-DSA-65 or ML-DSA-87",
                )
            })?;
            let algorithms = algorithms(alg, algorithm.key_type())?;
            let key = members.bytes("pub")?;
            let key = KeyMaterial::ml_dsa(algorithm.key_type(), &key)?;
            VerificationKey::from_material(&key, algorithms)
        }
        _ if KEY_TYPES.iter().any(|known| kty.eq_ignore_ascii_case(known)) => Err(unusable(
            "the key type `kty` is RSA, EC, OKP, AKP or oct in another case: names are \
             case-sensitive",
        )),
        _ => Err(unusable("the key type `kty` is not RSA, EC, OKP, AKP or oct")),
    }
}

fn is_ml_dsa(algorithm: Algorithm) -> bool {
    matches!(algorithm.key_type(), KeyType::MlDsa44 | KeyType::MlDsa65 | KeyType::MlDsa87)
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
            match Algorithm::ALL.iter().find(|known| known.name().eq_ignore_ascii_case(&name)) {
                Some(known) => Cow::Owned(format!(
                    "`alg` of the JWK is {known} in another case: names are case-sensitive"
                )),
                None => "`alg` of the JWK is not a supported signature algorithm".into(),
            },
        )),
    }
}

/// The algorithms of a public key: the one that `alg` names, or all algorithms of its type; among them only the wanted
/// one, if there is one.
fn algorithms(
    alg: Option<Algorithm>,
    key_type: KeyType,
    only: Option<Algorithm>,
) -> Result<AlgorithmSet, ConfigError> {
    let of_key = match alg {
        None => AlgorithmSet::of_key_type(key_type),
        Some(algorithm) if algorithm.key_type() == key_type => algorithm.into(),
        Some(algorithm) => return Err(material::mismatch(algorithm, key_type)),
    };
    match only {
        None => Ok(of_key),
        Some(only) if of_key.contains(only) => Ok(only.into()),
        Some(_) => Err(ConfigError::new(
            ConfigErrorKind::Algorithm,
            "the JWK is not for the algorithm of the signature",
        )),
    }
}

/// Checks the purpose of the key, by `use` and `key_ops` (RFC 7517 sections 4.2 and 4.3).
fn check_use(
    members: &Members<'_>,
    wanted: Option<&KeyUse>,
    is_private: bool,
) -> Result<(), ConfigError> {
    let for_signatures = match (members.text("use")?.as_deref(), wanted) {
        (Some("sig"), None) => true,
        (None, None) => false,
        (Some(found), Some(wanted)) if found == wanted.as_str() => true,
        (Some(found), None) if found.eq_ignore_ascii_case("sig") => {
            return Err(unusable(
                "`use` of the JWK is `sig` in another case: names are case-sensitive",
            ));
        }
        (Some(_), None) => return Err(unusable("the `use` of the JWK does not allow signatures")),
        (_, Some(_)) => return Err(unusable("the JWK does not have the required `use`")),
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
        return Err(unusable("`key_ops` of the JWK has a duplicate operation"));
    }
    let (needed, fault) = match is_private {
        true => ("sign", "the `key_ops` of the JWK do not allow signing"),
        false => ("verify", "the `key_ops` of the JWK do not allow verifying"),
    };
    if !operations.iter().any(|operation| operation == needed) {
        return Err(unusable(fault));
    }
    if for_signatures
        && operations.iter().any(|operation| operation != "verify" && operation != "sign")
    {
        return Err(unusable("`use` and `key_ops` of the JWK contradict each other"));
    }
    Ok(())
}

/// The members of a JSON object. Names are unique, values are still JSON.
pub(crate) struct Members<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Members<'a> {
    /// Reads an object; `what` names it in the error.
    pub(crate) fn parse(json: &'a str, what: &str) -> Result<Self, ConfigError> {
        let members = strict_json::members(json).map_err(|error| {
            let fault = match error {
                ObjectError::DuplicateName(_) => {
                    return unusable(format!("the {what} has a {DUPLICATE_NAME}"));
                }
                ObjectError::Json(error) if error.is_data() => "is not a JSON object",
                _ if json.trim_start().starts_with("-----BEGIN") => {
                    "is not JSON but PEM: use `VerificationKey::from_pem`"
                }
                ObjectError::Json(_) => "is not well-formed JSON",
            };
            unusable(format!("the {what} {fault}"))
        })?;
        Ok(Self(members.into_iter().collect()))
    }

    /// The JSON of a member. A member that is `null` counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|raw| raw.get()).filter(|raw| *raw != "null")
    }

    /// A member that is a string, if it is present.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        match self.get(name) {
            None => Ok(None),
            Some(raw) => serde_json::from_str(raw)
                .map(Some)
                .map_err(|_| unusable(format!("`{name}` of the JWK is not a string"))),
        }
    }

    /// Whether the name is present, with any value.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether a member has content: an empty string or an empty array has none.
    pub(crate) fn has_value(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|raw| raw != "\"\"" && serde_json::from_str::<[(); 0]>(raw).is_err())
    }

    fn required(&self, name: &'static str) -> Result<String, ConfigError> {
        self.text(name)?.ok_or_else(|| unusable(format!("the JWK has no `{name}`")))
    }

    /// A member in strict base64url: no padding, no line breaks, no non-zero trailing bits.
    pub(crate) fn bytes(&self, name: &'static str) -> Result<Vec<u8>, ConfigError> {
        let text = self.required(name)?;
        let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(&text).map_err(|_| {
            let fault = if text.contains(char::is_whitespace) {
                ": it contains white space"
            } else if text.contains('=') {
                ": it has padding"
            } else if text.contains(['+', '/']) {
                ": it uses the other alphabet, with `+` and `/`"
            } else {
                ""
            };
            unusable(format!("`{name}` of the JWK is not base64url{fault}"))
        })?;
        if bytes.is_empty() {
            return Err(unusable(format!("`{name}` of the JWK is empty")));
        }
        Ok(bytes)
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
    // The names may contain escapes.
    str::from_utf8(text)
        .ok()
        .and_then(|text| Members::parse(text, "JWK").ok())
        .is_some_and(|members| members.has_name("kty") || members.has_name("keys"))
}

fn unusable(message: impl Into<Cow<'static, str>>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Key, message)
}
