//! Signatures: the backends.
//!
//! A backend is a module with the type `ParsedKey`. `parse` is called when a key is loaded, with
//! checked material; `verify` is called for each token. What a backend does not support is an error
//! of `parse`, never a failure at the first token. Its `mac` is used to compare secrets. With both
//! backends enabled, `aws_lc` is used.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
// With both backends it is compiled only for the tests, which compare the two.
#[cfg(all(feature = "rust-crypto", any(test, not(feature = "aws-lc-rs"))))]
mod rust_crypto;
#[cfg(test)]
mod vectors;

#[cfg(feature = "aws-lc-rs")]
pub(crate) use self::aws_lc::{ParsedKey, mac};
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
pub(crate) use self::rust_crypto::{ParsedKey, mac};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::algorithm::Algorithm;

fn wrong_kind(algorithm: Algorithm) -> ConfigError {
    ConfigError::new(
        ConfigErrorKind::Algorithm,
        format!("{algorithm} is not an algorithm of this kind of key"),
    )
}

/// Both backends on the same keys and signatures.
#[cfg(all(test, feature = "aws-lc-rs", feature = "rust-crypto"))]
mod tests {
    use crate::crypto::algorithm::{Algorithm, KeyType};
    use crate::crypto::material::KeyMaterial;
    use crate::crypto::signature::{aws_lc, rust_crypto};
    use crate::key::der;
    use crate::key::test_keys::SigningKey;

    const MESSAGE: &[u8] = b"header.payload";

    /// The result of both backends, which must be the same.
    fn verdict(keys: &Keys, message: &[u8], signature: &[u8]) -> bool {
        let verdict = keys.0.verify(message, signature);
        assert_eq!(keys.1.verify(message, signature), verdict, "{signature:02x?}");
        verdict
    }

    type Keys = (aws_lc::ParsedKey, rust_crypto::ParsedKey);

    fn parse(material: &KeyMaterial<'_>, algorithm: Algorithm) -> Keys {
        (
            aws_lc::ParsedKey::parse(material, algorithm).unwrap(),
            rust_crypto::ParsedKey::parse(material, algorithm).unwrap(),
        )
    }

    #[test]
    fn the_mac_of_a_secret_is_the_same_by_both() {
        for &algorithm in Algorithm::ALL {
            let ours = aws_lc::mac(&[7; 64], algorithm, MESSAGE);
            assert_eq!(ours, rust_crypto::mac(&[7; 64], algorithm, MESSAGE), "{algorithm}");
            assert_eq!(ours.is_some(), algorithm.key_type() == KeyType::Secret, "{algorithm}");
        }
    }

    /// Runs for every algorithm that both backends have, with a key and its signer.
    fn each(mut run: impl FnMut(Algorithm, &SigningKey, &KeyMaterial<'_>)) {
        let of_both = |a: &&Algorithm| **a != Algorithm::ES512 && !a.name().starts_with("ML-DSA-");
        for &algorithm in Algorithm::ALL.iter().filter(of_both) {
            let signer = SigningKey::new(algorithm);
            match &signer {
                SigningKey::Secret(secret) => {
                    run(algorithm, &signer, &KeyMaterial::secret(secret, algorithm).unwrap());
                }
                _ => run(algorithm, &signer, &der::public_key(&signer.spki()).unwrap()),
            }
        }
    }

    #[test]
    fn both_backends_agree_on_signatures() {
        each(|algorithm, signer, material| {
            let keys = parse(material, algorithm);
            let good = signer.sign(algorithm, MESSAGE);
            assert!(verdict(&keys, MESSAGE, &good), "{algorithm}");
            assert!(!verdict(&keys, b"header.other", &good), "{algorithm}");
            // Only some of them: this is slow without optimization.
            let step = if good.len() < 256 { 7 } else { 61 };
            for bit in (0..8 * good.len()).step_by(step) {
                let mut changed = good.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(!verdict(&keys, MESSAGE, &changed), "{algorithm}, bit {bit}");
            }
            for byte in [0, 1, 0xff] {
                for length in [0, 1, 31, 32, 33, 64, 65, 96, 256, 257, 10_000] {
                    assert!(!verdict(&keys, MESSAGE, &vec![byte; length]), "{algorithm}");
                }
            }
            for wrong in [&good[1..], &good[..good.len() - 1], &[&[0], &good[..]].concat()] {
                assert!(!verdict(&keys, MESSAGE, wrong), "{algorithm}");
            }
        });
    }

    #[test]
    fn both_backends_refuse_an_algorithm_of_another_key() {
        each(|loaded, _, material| {
            for &algorithm in Algorithm::ALL.iter().filter(|a| a.key_type() != loaded.key_type()) {
                assert!(aws_lc::ParsedKey::parse(material, algorithm).is_err());
                assert!(rust_crypto::ParsedKey::parse(material, algorithm).is_err());
            }
        });
    }

    /// The number `s + n` is another encoding of `s` (RFC 8017 sections 8.1.2 and 8.2.2).
    #[test]
    fn both_backends_refuse_rsa_signatures_above_the_modulus() {
        each(|algorithm, signer, material| {
            let KeyMaterial::Rsa { modulus, .. } = material else { return };
            let keys = parse(material, algorithm);
            assert!(!verdict(&keys, MESSAGE, modulus));
            // Tries other messages until the sum fits.
            let found = (0..1000_u32).find_map(|nonce| {
                let message = nonce.to_be_bytes();
                let good = signer.sign(algorithm, &message);
                sum(&good, modulus).map(|sum| (message, good, sum))
            });
            let (message, good, sum) = found.unwrap();
            assert!(verdict(&keys, &message, &good));
            assert!(!verdict(&keys, &message, &sum), "{algorithm}");
        });
    }

    /// The sum of two big-endian numbers of the same length, if it has that length too.
    fn sum(a: &[u8], b: &[u8]) -> Option<Vec<u8>> {
        let mut carry = 0;
        let mut sum = Vec::new();
        for (a, b) in a.iter().zip(b).rev() {
            let digit: u16 = u16::from(*a) + u16::from(*b) + carry;
            sum.push(digit as u8);
            carry = digit >> 8;
        }
        sum.reverse();
        (carry == 0).then_some(sum)
    }

    #[test]
    fn both_backends_refuse_points_off_the_curve() {
        for (key_type, algorithm, length) in
            [(KeyType::P256, Algorithm::ES256, 32), (KeyType::P384, Algorithm::ES384, 48)]
        {
            for coordinate in [vec![0; length], vec![1; length], vec![0xff; length]] {
                let material = KeyMaterial::ec(key_type, &coordinate, &coordinate).unwrap();
                for error in [
                    aws_lc::ParsedKey::parse(&material, algorithm).unwrap_err(),
                    rust_crypto::ParsedKey::parse(&material, algorithm).unwrap_err(),
                ] {
                    assert_eq!(error.to_string(), "the EC point is not on its curve");
                }
            }
        }
    }
}
