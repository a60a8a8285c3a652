//! JWKs and signatures, on the crates of RustCrypto.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Verifier as _;
use hmac::{Hmac, KeyInit, Mac};
use rsa::{BoxedUint, PublicKey, pkcs1v15, pss};
use sha2::{Sha256, Sha384, Sha512};

use super::json::{self, Json};

/// Whether the crate has that backend alone, which has neither P-521 nor ML-DSA: a listed choice.
const RUST_CRYPTO: bool = cfg!(all(feature = "rust-crypto", not(feature = "aws-lc-rs")));

pub(crate) const SECRETS: [(&str, usize); 3] = [("HS256", 32), ("HS384", 48), ("HS512", 64)];
const RSA: [&str; 6] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
/// With the length of the key.
const ML_DSA: [(&str, usize); 3] = [("ML-DSA-44", 1312), ("ML-DSA-65", 1952), ("ML-DSA-87", 2592)];
const EDWARDS: [&str; 2] = ["EdDSA", "Ed25519"];

pub(crate) fn is_algorithm(name: &str) -> bool {
    SECRETS.iter().any(|(secret, _)| *secret == name)
        || RSA.contains(&name)
        || EDWARDS.contains(&name)
        || ["ES256", "ES384", "ES512"].contains(&name)
        || ML_DSA.iter().any(|(ml_dsa, _)| *ml_dsa == name)
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) kid: Option<String>,
    pub(crate) algorithms: Vec<String>,
    x5t: Option<String>,
    x5t_s256: Option<String>,
    material: Material,
}

/// What a token says of its key.
pub(crate) struct Hint {
    pub(crate) alg: String,
    pub(crate) kid: Option<String>,
    pub(crate) x5t: Option<String>,
    pub(crate) x5t_s256: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Material {
    Secret(Vec<u8>),
    Rsa(Box<PublicKey>),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
    /// Its signatures are not checked here.
    MlDsa(Vec<u8>),
}

/// The keys to choose from.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) keys: Vec<Key>,
    /// Given one by one, not as a JWK set: when none of them has a `kid`, that of a token is ignored.
    pub(crate) one_by_one: bool,
}

impl Keys {
    /// The keys of a JWK set that are good for something; `None` when the set is refused.
    pub(crate) fn from_json(set: &str) -> Option<Self> {
        let set = set.strip_prefix('\u{feff}').unwrap_or(set);
        let members = json::object(set.as_bytes(), 100)?;
        let (_, Json::Array(entries)) = members.into_iter().find(|(name, _)| name == "keys")?
        else {
            return None;
        };
        let keys: Vec<Key> = entries.iter().filter_map(Key::from_jwk).collect();
        (!keys.is_empty()).then(|| Self::of_set(&keys, false))
    }

    /// Keys that were given by themselves; `None` when one of them is of no use.
    pub(crate) fn one_by_one(keys: &[Key]) -> Option<Self> {
        let merged = Self::without_copies(keys);
        let set = Self::of_set(keys, true);
        (!merged.is_empty() && set.keys == merged).then_some(set)
    }

    fn of_set(keys: &[Key], one_by_one: bool) -> Self {
        let mut limited: Vec<Key> = Vec::new();
        for key in Self::without_copies(keys) {
            // No token without `kid` costs more than four checks.
            let like_it = |algorithm: &String| {
                let fits =
                    |other: &&Key| other.kid.is_none() && other.algorithms.contains(algorithm);
                limited.iter().filter(fits).count()
            };
            if key.kid.is_some() || key.algorithms.iter().all(|a| like_it(a) < 4) {
                limited.push(key);
            }
        }
        // What different keys of one `kid` have in common is nobody's.
        let mut keys = limited.clone();
        for key in &mut keys {
            key.algorithms.retain(|algorithm| {
                let fits = |other: &&Key| {
                    other.kid.is_some()
                        && other.kid == key.kid
                        && other.algorithms.contains(algorithm)
                };
                limited.iter().filter(fits).count() < 2
            });
        }
        keys.retain(|key| !key.algorithms.is_empty());
        Self { keys, one_by_one }
    }

    /// The same key under the same `kid` once for each `alg`; without `alg` only where no copy has
    /// one.
    fn without_copies(keys: &[Key]) -> Vec<Key> {
        let is_copy = |key: &Key, other: &Key| {
            key.kid == other.kid
                && key.material == other.material
                && key.algorithms.iter().all(|algorithm| other.algorithms.contains(algorithm))
        };
        let mut kept: Vec<Key> = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            let fewer = |other: &&Key| is_copy(other, key) && !is_copy(key, other);
            let bound: Vec<&Key> = keys.iter().filter(fewer).collect();
            let is_there = keys[..place].iter().any(|other| is_copy(other, key));
            if bound.is_empty() && !is_there {
                let mut merged = key.clone();
                for other in keys.iter().filter(|other| is_copy(key, other)) {
                    merged.x5t = merged.x5t.or_else(|| other.x5t.clone());
                    merged.x5t_s256 = merged.x5t_s256.or_else(|| other.x5t_s256.clone());
                }
                kept.push(merged);
            }
        }
        kept
    }

    /// Those to try for a token.
    pub(crate) fn candidates(&self, hint: &Hint) -> Vec<&Key> {
        let fitting: Vec<&Key> =
            self.keys.iter().filter(|key| key.algorithms.contains(&hint.alg)).collect();
        let ignores_kid = self.one_by_one && self.keys.iter().all(|key| key.kid.is_none());
        let ignores_x5t = self.one_by_one
            && self.keys.iter().all(|key| key.x5t.is_none() && key.x5t_s256.is_none());
        let named = match &hint.kid {
            Some(kid) if !ignores_kid => {
                fitting.into_iter().filter(|key| key.kid.as_ref() == Some(kid)).collect()
            }
            None if !ignores_x5t && (hint.x5t.is_some() || hint.x5t_s256.is_some()) => {
                self.by_thumbprint(hint)
            }
            _ if fitting.len() == 1 || fitting.iter().all(|key| key.kid.is_none()) => {
                return fitting;
            }
            _ => Vec::new(),
        };
        // The same key under two names is one.
        match named[..] {
            [one, ..] if named.iter().all(|key| key.material == one.material) => vec![one],
            _ => Vec::new(),
        }
    }

    /// Those with the `x5t#S256`, whatever their algorithm, or else those with the `x5t`; then only
    /// the ones that fit.
    fn by_thumbprint(&self, hint: &Hint) -> Vec<&Key> {
        let same =
            |ours: &Option<String>, theirs: &Option<String>| theirs.is_some() && ours == theirs;
        let mut named: Vec<&Key> =
            self.keys.iter().filter(|key| same(&key.x5t_s256, &hint.x5t_s256)).collect();
        if named.is_empty() {
            named = self.keys.iter().filter(|key| same(&key.x5t, &hint.x5t)).collect();
        }
        named.retain(|key| key.algorithms.contains(&hint.alg));
        if named.iter().any(|key| key.material != named[0].material) {
            return Vec::new();
        }
        let agree = |ours: &Option<String>, theirs: &Option<String>| {
            ours.is_none() || theirs.is_none() || ours == theirs
        };
        named.truncate(1);
        named.retain(|key| agree(&key.x5t, &hint.x5t) && agree(&key.x5t_s256, &hint.x5t_s256));
        named
    }
}

impl Key {
    /// A JWK that may verify signatures; `None` for every other.
    pub(crate) fn from_jwk(jwk: &Json) -> Option<Self> {
        let Json::Object(members) = jwk else { return None };
        let count = |name: &str| members.iter().filter(|(n, _)| n.as_deref() == Some(name)).count();
        if !members.iter().all(|(name, _)| name.as_deref().is_some_and(|name| count(name) == 1)) {
            return None;
        }
        let member = |name: &str| {
            let found = members.iter().find(|(n, _)| n.as_deref() == Some(name));
            // `null` is absent.
            found.map(|(_, value)| value).filter(|value| **value != Json::Null)
        };
        // A string, or absent; `None` for anything else.
        let text = |name: &str| match member(name) {
            None => Some(None),
            Some(value) => value.text().map(Some),
        };
        let bytes = |name: &str| {
            URL_SAFE_NO_PAD.decode(text(name)??).ok().filter(|bytes| !bytes.is_empty())
        };

        let kty = text("kty")??;
        let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];
        let says = |name: &str| match member(name) {
            None => false,
            Some(Json::Array(values)) => !values.is_empty(),
            Some(value) => value.text() != Some(""),
        };
        if private.iter().any(|name| says(name)) || (kty != "oct" && says("k")) {
            return None;
        }
        let sig = text("use")?;
        if sig.is_some_and(|sig| sig != "sig") {
            return None;
        }
        if let Some(operations) = member("key_ops") {
            let operations = operations.texts()?;
            let twice = |op: &&str| operations.iter().filter(|other| *other == op).count() > 1;
            let others = |op: &&str| *op != "verify" && *op != "sign";
            if operations.iter().any(twice)
                || !operations.contains(&"verify")
                || (sig.is_some() && operations.iter().any(others))
            {
                return None;
            }
        }
        let alg = text("alg")?;
        let (all, material): (Vec<&str>, _) = match (kty, text("crv")) {
            ("oct", _) => {
                let secret = bytes("k")?;
                let (alg, least) = SECRETS.into_iter().find(|(name, _)| Some(*name) == alg)?;
                if secret.len() < least {
                    return None;
                }
                (vec![alg], Material::Secret(secret))
            }
            ("RSA", _) => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
                let [n_bits, e_bits] = [&n, &e].map(|number| bit_length(number));
                if !(2048..=8192).contains(&n_bits) || !odd(&n) || e_bits < 2 || !odd(&e) {
                    return None;
                }
                let [n, e] = [n, e].map(|number| BoxedUint::from_be_slice_vartime(&number));
                let key = PublicKey::new(n, e).ok()?;
                (RSA.to_vec(), Material::Rsa(Box::new(key)))
            }
            ("EC", Some(Some(curve))) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                let length = |length| (x.len() == length && y.len() == length).then_some(());
                let point = [&[4], &x[..], &y[..]].concat();
                match curve {
                    "P-256" => {
                        length(32)?;
                        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
                        (vec!["ES256"], Material::P256(key))
                    }
                    "P-384" => {
                        length(48)?;
                        let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
                        (vec!["ES384"], Material::P384(key))
                    }
                    "P-521" if !RUST_CRYPTO => {
                        length(66)?;
                        let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
                        (vec!["ES512"], Material::P521(key))
                    }
                    _ => return None,
                }
            }
            ("OKP", Some(Some("Ed25519"))) => {
                let x = <[u8; 32]>::try_from(bytes("x")?).ok()?;
                let point = curve_point(&x)?;
                (EDWARDS.to_vec(), Material::Ed25519(point))
            }
            ("AKP", _) if !RUST_CRYPTO => {
                let key = bytes("pub")?;
                let (alg, length) = ML_DSA.into_iter().find(|(name, _)| Some(*name) == alg)?;
                if key.len() != length {
                    return None;
                }
                (vec![alg], Material::MlDsa(key))
            }
            _ => return None,
        };
        let algorithms = match alg {
            None => all,
            Some(alg) if all.contains(&alg) => vec![alg],
            Some(_) => return None,
        };
        Some(Self {
            kid: text("kid")?.map(str::to_owned),
            // Of another type they name nothing.
            x5t: text("x5t").flatten().map(str::to_owned),
            x5t_s256: text("x5t#S256").flatten().map(str::to_owned),
            algorithms: algorithms.into_iter().map(str::to_owned).collect(),
            material,
        })
    }

    pub(crate) fn verifies(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Secret(secret) => match algorithm {
                "HS256" => mac::<Hmac<Sha256>>(secret, message, signature),
                "HS384" => mac::<Hmac<Sha384>>(secret, message, signature),
                _ => mac::<Hmac<Sha512>>(secret, message, signature),
            },
            Material::Rsa(key) => rsa_verifies(key, algorithm, message, signature),
            Material::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Material::P384(key) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Material::P521(key) => p521::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Material::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Material::MlDsa(_) => panic!("a signature of ML-DSA came to the reference"),
        }
    }
}

/// The point, if it is one on the curve, written as RFC 8032 says and not of small order.
fn curve_point(x: &[u8; 32]) -> Option<ed25519_dalek::VerifyingKey> {
    let mut y = *x;
    y[31] &= 0x7f;
    // From here on the most significant byte comes first, so that the order is that of the numbers.
    y.reverse();
    // 2^255 - 19
    let mut p = [0xff; 32];
    (p[0], p[31]) = (0x7f, 0xed);
    let (mut one, mut minus_one) = ([0; 32], p);
    (one[31], minus_one[31]) = (1, 0xec);
    // 0 and ±1 also where x has a sign that it cannot have.
    if y >= p || y <= one || y == minus_one {
        return None;
    }
    ed25519_dalek::VerifyingKey::from_bytes(x).ok().filter(|key| !key.is_weak())
}

fn bit_length(number: &[u8]) -> usize {
    let Some(first) = number.iter().position(|byte| *byte != 0) else { return 0 };
    (number.len() - first) * 8 - number[first].leading_zeros() as usize
}

fn mac<M: Mac + KeyInit>(secret: &[u8], message: &[u8], tag: &[u8]) -> bool {
    let mut mac = <M as KeyInit>::new_from_slice(secret).unwrap();
    mac.update(message);
    mac.verify_slice(tag).is_ok()
}

fn rsa_verifies(key: &PublicKey, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
    use rsa::traits::PublicKeyParts;
    // RFC 8017 sections 8.1.2 and 8.2.2: exactly as long as the modulus.
    if signature.len() != key.size() {
        return false;
    }
    let key = key.clone();
    let v15 = pkcs1v15::Signature::try_from(signature);
    let pss = pss::Signature::try_from(signature);
    match algorithm {
        "RS256" => v15
            .is_ok_and(|s| pkcs1v15::VerifyingKey::<Sha256>::new(key).verify(message, &s).is_ok()),
        "RS384" => v15
            .is_ok_and(|s| pkcs1v15::VerifyingKey::<Sha384>::new(key).verify(message, &s).is_ok()),
        "RS512" => v15
            .is_ok_and(|s| pkcs1v15::VerifyingKey::<Sha512>::new(key).verify(message, &s).is_ok()),
        "PS256" => {
            pss.is_ok_and(|s| pss::VerifyingKey::<Sha256>::new(key).verify(message, &s).is_ok())
        }
        "PS384" => {
            pss.is_ok_and(|s| pss::VerifyingKey::<Sha384>::new(key).verify(message, &s).is_ok())
        }
        _ => pss.is_ok_and(|s| pss::VerifyingKey::<Sha512>::new(key).verify(message, &s).is_ok()),
    }
}
