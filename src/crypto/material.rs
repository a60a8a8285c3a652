//! Key material. It is checked when it is loaded, since no backend checks all of it.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::algorithm::{Algorithm, KeyType};
use crate::crypto::ed25519;

/// The minimum and maximum bits of an RSA modulus.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// Checked key material, not yet bound to an algorithm.
///
/// Only the constructors here build it, so its key has passed their checks. The backend checks that
/// a point is on its curve.
pub(crate) enum KeyMaterial<'a> {
    /// An HMAC secret, as long as its algorithm needs.
    Secret(&'a [u8]),
    /// Both big-endian, without leading zero bytes.
    Rsa { modulus: &'a [u8], exponent: &'a [u8] },
    /// The uncompressed point: 4, x, y, each coordinate of exactly the field's length.
    Ec { key_type: KeyType, point: Cow<'a, [u8]> },
    /// The encoded point of RFC 8032.
    Ed25519([u8; 32]),
    /// The encoded key of FIPS 204 section 7.2, of the length of its type.
    MlDsa { key_type: KeyType, key: &'a [u8] },
}

impl<'a> KeyMaterial<'a> {
    /// Checks that the secret is at least as long as the hash (RFC 7518 section 3.2).
    pub(crate) fn secret(secret: &'a [u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        let least = match algorithm {
            Algorithm::HS256 => 32,
            Algorithm::HS384 => 48,
            Algorithm::HS512 => 64,
            _ => return Err(mismatch(algorithm, KeyType::Secret)),
        };
        if secret.len() < least {
            return Err(ConfigError::new(
                ConfigErrorKind::Key,
                format!(
                    "an {algorithm} secret needs at least {least} bytes, this one has {}",
                    secret.len()
                ),
            ));
        }
        Ok(Self::Secret(secret))
    }

    /// Checks that the modulus has at least 2048 bits (RFC 7518 section 3.3). With an even modulus,
    /// or an exponent that is even or 1, it is not an RSA key.
    pub(crate) fn rsa(modulus: &'a [u8], exponent: &'a [u8]) -> Result<Self, ConfigError> {
        let modulus = without_leading_zeros(modulus);
        let exponent = without_leading_zeros(exponent);

        let bits = bit_length(modulus);
        if !RSA_BITS.contains(&bits) {
            return Err(ConfigError::new(
                ConfigErrorKind::Key,
                format!(
                    "an RSA modulus has {} to {} bits, this one has {bits}",
                    RSA_BITS.start(),
                    RSA_BITS.end()
                ),
            ));
        }
        if !is_odd(modulus) {
            return Err(ConfigError::new(
                ConfigErrorKind::Key,
                "an RSA modulus is odd, this one is even",
            ));
        }
        // Odd, at least 3 and below 2^33: two to 33 bits.
        if !is_odd(exponent) || !(2..=33).contains(&bit_length(exponent)) {
            return Err(ConfigError::new(
                ConfigErrorKind::Key,
                "an RSA exponent is odd, at least 3 and below 2^33, this one is not",
            ));
        }
        Ok(Self::Rsa { modulus, exponent })
    }

    /// Checks that both coordinates have exactly the length of the field (RFC 7518 section 6.2.1).
    pub(crate) fn ec(key_type: KeyType, x: &[u8], y: &[u8]) -> Result<Self, ConfigError> {
        let wanted = field_length(key_type)?;
        if x.len() != wanted || y.len() != wanted {
            return Err(ConfigError::new(
                ConfigErrorKind::Key,
                format!(
                    "a coordinate of {key_type} has exactly {wanted} bytes, these have {} and {}",
                    x.len(),
                    y.len()
                ),
            ));
        }
        let point = [&[UNCOMPRESSED][..], x, y].concat();
        Ok(Self::Ec { key_type, point: Cow::Owned(point) })
    }

    /// Reads an encoded point, as in a SubjectPublicKeyInfo (RFC 5480 section 2.2).
    pub(crate) fn ec_point(key_type: KeyType, point: &'a [u8]) -> Result<Self, ConfigError> {
        let wanted = field_length(key_type)?;
        match point.split_first() {
            Some((&UNCOMPRESSED, coordinates)) if coordinates.len() == wanted.saturating_mul(2) => {
                Ok(Self::Ec { key_type, point: Cow::Borrowed(point) })
            }
            Some((2 | 3, _)) => Err(ConfigError::new(
                ConfigErrorKind::Key,
                "the EC point is compressed: convert the key with \
                 `openssl ec -pubin -conv_form uncompressed`",
            )),
            _ => Err(ConfigError::new(
                ConfigErrorKind::Key,
                format!(
                    "an uncompressed point of {key_type} has {} bytes and begins with 4, \
                     this one does not",
                    wanted.saturating_mul(2).saturating_add(1)
                ),
            )),
        }
    }

    /// Checks that the key has 32 bytes, a canonical y and a point on the curve (RFC 8032 section
    /// 5.1.3), and that the point is not of small order: for such a key one signature matches many
    /// messages.
    pub(crate) fn ed25519(key: &[u8]) -> Result<Self, ConfigError> {
        let key = <[u8; 32]>::try_from(key).map_err(|_| {
            ConfigError::new(
                ConfigErrorKind::Key,
                format!("an Ed25519 key has exactly 32 bytes, this one has {}", key.len()),
            )
        })?;
        let y = without_sign(key);
        if !is_canonical(&y) {
            return Err(ConfigError::new(
                ConfigErrorKind::Key,
                "the Ed25519 key is not canonically encoded",
            ));
        }
        if !ed25519::is_on_curve(&y) {
            return Err(ConfigError::new(
                ConfigErrorKind::Key,
                "the Ed25519 key is not a point on the curve",
            ));
        }
        if SMALL_ORDER.contains(&y) {
            return Err(ConfigError::new(
                ConfigErrorKind::Key,
                "the Ed25519 key is of small order: anyone could forge its signatures",
            ));
        }
        Ok(Self::Ed25519(key))
    }

    /// Checks the length of the key (RFC 9964 section 4). Any bytes of that length are an encoded key (FIPS 204
    /// section 7.2).
    pub(crate) fn ml_dsa(key_type: KeyType, key: &'a [u8]) -> Result<Self, ConfigError> {
        let wanted = match key_type {
            KeyType::MlDsa44 => 1312,
            KeyType::MlDsa65 => 1952,
            KeyType::MlDsa87 => 2592,
            _ => {
                return Err(ConfigError::new(ConfigErrorKind::Key, "this is not an ML-DSA key"));
            }
        };
        if key.len() != wanted {
            return Err(ConfigError::new(
                ConfigErrorKind::Key,
                format!("an {key_type} key has exactly {wanted} bytes, this one has {}", key.len()),
            ));
        }
        Ok(Self::MlDsa { key_type, key })
    }

    pub(crate) fn key_type(&self) -> KeyType {
        match self {
            Self::Secret(_) => KeyType::Secret,
            Self::Rsa { .. } => KeyType::Rsa,
            Self::Ec { key_type, .. } | Self::MlDsa { key_type, .. } => *key_type,
            Self::Ed25519(_) => KeyType::Ed25519,
        }
    }
}

impl fmt::Debug for KeyMaterial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyMaterial").field("key_type", &self.key_type()).finish_non_exhaustive()
    }
}

/// The error for an algorithm that does not match the type of key.
pub(crate) fn mismatch(algorithm: Algorithm, found: KeyType) -> ConfigError {
    ConfigError::new(
        ConfigErrorKind::Algorithm,
        format!(
            "{algorithm} needs {}, but this is {}",
            article(algorithm.key_type()),
            article(found)
        ),
    )
}

fn article(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::Secret => "a secret",
        KeyType::Rsa => "an RSA key",
        KeyType::P256 => "an EC key on P-256",
        KeyType::P384 => "an EC key on P-384",
        KeyType::P521 => "an EC key on P-521",
        KeyType::Ed25519 => "an Ed25519 key",
        KeyType::MlDsa44 => "an ML-DSA-44 key",
        KeyType::MlDsa65 => "an ML-DSA-65 key",
        KeyType::MlDsa87 => "an ML-DSA-87 key",
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "secret",
            Self::Rsa => "RSA",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        })
    }
}

/// The first byte of an uncompressed point (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

fn field_length(key_type: KeyType) -> Result<usize, ConfigError> {
    match key_type {
        KeyType::P256 => Ok(32),
        KeyType::P384 => Ok(48),
        KeyType::P521 => Ok(66),
        _ => Err(ConfigError::new(ConfigErrorKind::Key, "this is not an EC key")),
    }
}

fn without_leading_zeros(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}

/// The number of bits of a big-endian number without leading zero bytes.
pub(crate) fn bit_length(number: &[u8]) -> usize {
    match number.split_first() {
        Some((first, rest)) => {
            let first = u8::BITS.saturating_sub(first.leading_zeros()) as usize;
            rest.len().saturating_mul(8).saturating_add(first)
        }
        None => 0,
    }
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|last| last & 1 == 1)
}

/// The y coordinate: the highest bit of the encoding is the sign of x.
fn without_sign(mut key: [u8; 32]) -> [u8; 32] {
    if let Some(last) = key.last_mut() {
        *last &= 0x7f;
    }
    key
}

/// Whether y < p = 2^255 - 19.
fn is_canonical(y: &[u8; 32]) -> bool {
    // Compared from the most significant byte, which is the last one.
    y.iter().rev().lt(P.iter().rev())
}

/// p = 2^255 - 19, little-endian.
const P: [u8; 32] = [
    0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
];

/// The y coordinates of the eight points whose order divides 8, little-endian.
const SMALL_ORDER: [[u8; 32]; 5] = [
    // 0: the two points of order 4.
    [0; 32],
    // 1: the neutral element.
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ],
    // p - 1: the point of order 2.
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
    // The four points of order 8, in pairs.
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    /// `a + b` in little-endian bytes.
    fn add(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
        let mut sum = [0; 32];
        let mut carry = 0;
        for (to, (a, b)) in sum.iter_mut().zip(a.iter().zip(b)) {
            let digit = u16::from(*a) + u16::from(*b) + carry;
            *to = digit as u8;
            carry = digit >> 8;
        }
        assert_eq!(carry, 0);
        sum
    }

    #[test]
    fn the_table_of_small_orders_is_symmetric() {
        let [zero, one, minus_one, eighth, minus_eighth] = SMALL_ORDER;
        assert_eq!(add(&one, &minus_one), P);
        assert_eq!(add(&eighth, &minus_eighth), P);
        assert_eq!(add(&zero, &P), P);
    }

    #[test]
    fn small_order_and_non_canonical_keys_are_refused() {
        for y in SMALL_ORDER {
            let mut negative = y;
            negative[31] |= 0x80;
            for key in [y, negative] {
                let error = KeyMaterial::ed25519(&key).unwrap_err();
                assert!(error.to_string().contains("small order"), "{error}");
            }
        }
        // p + 0 … p + 18, with either sign: all values that fit into 255 bits and are not below p.
        for low in 0xed..=0xff {
            for high in [0x7f, 0xff] {
                let mut key = P;
                key[0] = low;
                key[31] = high;
                let error = KeyMaterial::ed25519(&key).unwrap_err();
                assert!(error.to_string().contains("canonically"), "{error}");
            }
        }
        let mut below = P;
        below[0] = 0xea; // −3, which is on the curve as 3 is.
        assert!(KeyMaterial::ed25519(&below).is_ok());
    }

    #[test]
    fn an_encoded_point_has_one_form_and_one_length() {
        for (key_type, length) in [(KeyType::P256, 65), (KeyType::P384, 97), (KeyType::P521, 133)] {
            assert!(KeyMaterial::ec_point(key_type, &vec![4; length]).is_ok());
            let refusal =
                |point: &[u8]| KeyMaterial::ec_point(key_type, point).unwrap_err().to_string();
            for wrong in [0, 1, length - 1, length + 1, 2 * length] {
                let wanted = format!("an uncompressed point of {key_type} has {length} bytes");
                assert!(refusal(&vec![4; wrong]).starts_with(&wanted), "{wrong}");
            }
            for form in [0, 1, 5, 6, 7] {
                assert!(refusal(&vec![form; length]).contains("begins with 4"), "{form}");
            }
            for form in [2, 3] {
                assert!(refusal(&vec![form; length]).contains("is compressed"), "{form}");
            }
        }
    }

    #[test]
    fn bounds_of_rsa_numbers() {
        fn number(bits: usize) -> Vec<u8> {
            let mut number = vec![0xff; bits.div_ceil(8)];
            number[0] = 0xff >> ((8 - bits % 8) % 8);
            number
        }
        for (bits, fits) in [(2047, false), (2048, true), (2049, true), (8192, true), (8193, false)]
        {
            assert_eq!(bit_length(&number(bits)), bits);
            assert_eq!(KeyMaterial::rsa(&number(bits), &[1, 0, 1]).is_ok(), fits, "{bits}");
        }

        let modulus = number(2048);
        let fits = |exponent: &[u8]| KeyMaterial::rsa(&modulus, exponent).is_ok();
        assert!(fits(&[3]) && fits(&[0, 0, 3]) && fits(&[1, 0, 1]));
        assert!(fits(&[1, 0xff, 0xff, 0xff, 0xff]));
        for exponent in
            [&[][..], &[0], &[1], &[0, 1], &[2], &[1, 0, 0], &[2, 0, 0, 0, 1], &[0xff; 6]]
        {
            assert!(!fits(exponent), "{exponent:?}");
        }

        let mut even = modulus.clone();
        even[255] = 0xfe;
        assert!(KeyMaterial::rsa(&even, &[3]).is_err());
        let padded = [&[0, 0][..], &modulus].concat();
        assert!(KeyMaterial::rsa(&padded, &[3]).is_ok());
        assert!(KeyMaterial::rsa(&[0; 300], &[3]).is_err());
    }
}
