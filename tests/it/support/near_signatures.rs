//! Signatures of Ed25519 and P-256 that are valid, or nearly: what a signer who knows the curve can
//! make. Whether they hold is for others to say.

use curve25519_dalek::Scalar as EdScalar;
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use p256::elliptic_curve::PrimeField;
use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{FieldBytes, ProjectivePoint, PublicKey, Scalar};
use sha2::{Digest, Sha256, Sha512};

/// `scalar · B` and a point of small order, of which there are eight.
pub(crate) fn edwards(scalar: &EdScalar, torsion: usize) -> [u8; 32] {
    (ED25519_BASEPOINT_POINT * scalar + EIGHT_TORSION[torsion % 8]).compress().to_bytes()
}

/// Any number, modulo the order of Ed25519.
pub(crate) fn ed_scalar(bytes: [u8; 32]) -> EdScalar {
    EdScalar::from_bytes_mod_order(bytes)
}

/// A signature over these encodings of the key and of R, whatever points they are.
pub(crate) fn ed25519(
    secret: &EdScalar,
    nonce: &EdScalar,
    key: &[u8; 32],
    r: &[u8; 32],
    message: &[u8],
) -> [u8; 64] {
    let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(message).finalize();
    let s = nonce + EdScalar::from_bytes_mod_order_wide(&hash.into()) * secret;
    joined(*r, s.to_bytes())
}

/// The order of Ed25519, little-endian.
pub(crate) const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The order of P-256, big-endian.
pub(crate) const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The sum of two little-endian numbers, if it fits.
pub(crate) fn sum(one: &[u8; 32], other: &[u8; 32]) -> Option<[u8; 32]> {
    let mut carry = 0;
    let mut sum = [0; 32];
    for ((place, one), other) in sum.iter_mut().zip(one).zip(other) {
        let digit = u16::from(*one) + u16::from(*other) + carry;
        *place = digit as u8;
        carry = digit >> 8;
    }
    (carry == 0).then_some(sum)
}

pub(crate) fn reversed(mut number: [u8; 32]) -> [u8; 32] {
    number.reverse();
    number
}

pub(crate) fn joined(one: [u8; 32], other: [u8; 32]) -> [u8; 64] {
    let mut both = [0; 64];
    both[..32].copy_from_slice(&one);
    both[32..].copy_from_slice(&other);
    both
}

/// Any number, modulo the order of P-256.
pub(crate) fn scalar(bytes: [u8; 32]) -> Scalar {
    <Scalar as Reduce<FieldBytes>>::reduce(&bytes.into())
}

/// The x coordinate of a point modulo the order: the r that goes with it.
pub(crate) fn r_of(point: &ProjectivePoint) -> Scalar {
    <Scalar as Reduce<FieldBytes>>::reduce(&point.to_affine().x())
}

/// A point with this x coordinate, if there is one.
pub(crate) fn point_at(x: [u8; 32]) -> Option<ProjectivePoint> {
    let compressed = [&[2][..], &x].concat();
    PublicKey::from_sec1_bytes(&compressed).ok().map(|point| point.to_projective())
}

/// What a message is to ECDSA.
pub(crate) fn z_of(message: &[u8]) -> Scalar {
    <Scalar as Reduce<FieldBytes>>::reduce(&Sha256::digest(message))
}

/// The key for which the check of `r` and `s` ends at this point: `(s·R − z·G) / r`. `None` if it
/// is the point at infinity, or r is 0.
pub(crate) fn p256_key(
    point: &ProjectivePoint,
    r: &Scalar,
    s: &Scalar,
    message: &[u8],
) -> Option<Vec<u8>> {
    let inverse = Option::<Scalar>::from(r.invert())?;
    let key = (*point * s - ProjectivePoint::GENERATOR * z_of(message)) * inverse;
    encoded(&key)
}

/// The encoded point, unless it is the one at infinity.
pub(crate) fn encoded(point: &ProjectivePoint) -> Option<Vec<u8>> {
    let bytes = point.to_affine().to_sec1_point(false).as_bytes().to_vec();
    (bytes.len() == 65).then_some(bytes)
}

/// The signature of a secret key with a nonce; `None` if either is 0.
pub(crate) fn p256(secret: &Scalar, nonce: &Scalar, message: &[u8]) -> Option<(Scalar, Scalar)> {
    let inverse = Option::<Scalar>::from(nonce.invert())?;
    let r = r_of(&(ProjectivePoint::GENERATOR * nonce));
    Some((r, (z_of(message) + r * secret) * inverse))
}

/// A key and a signature that holds, for which a sum by digits of six bits, first those of the base point and then those
/// of the key from the lowest, has two points that are equal or opposite. `digit` is the highest one of u2, between 1 and
/// 15, and `low` is the rest of u2. `None` if there is none with this nonce and this digit.
pub(crate) fn p256_special_case(
    nonce: &Scalar,
    digit: u8,
    are_opposite: bool,
    message: &[u8],
) -> Option<(Vec<u8>, Scalar, Scalar)> {
    let inverse = |scalar: Scalar| Option::<Scalar>::from(scalar.invert());
    let top = (0..6 * 42).fold(Scalar::from(u64::from(digit)), |top, _| top.double());
    let (z, r) = (z_of(message), r_of(&(ProjectivePoint::GENERATOR * nonce)));
    // The sum of the base point and of `low` is that of `top`, or it is opposite to the highest multiple in `low`. Then
    // u1 is `(top - low) · secret` or `-low · secret`, and the sum of all is `2 · top · secret` or `top · secret`: the
    // nonce. With `u1 · r = u2 · z`, one equation remains, which is linear in `low`.
    let secret = nonce * &inverse(if are_opposite { top } else { top.double() })?;
    let share = inverse(secret * r + z)?;
    let low = match are_opposite {
        true => -top * z * share,
        false => top * (secret * r - z) * share,
    };
    // Below the highest digit, with one bit to spare, so that nothing is carried.
    if bytes(&low)[0] >= 8 {
        return None;
    }
    let s = r * inverse(low + top)?;
    Some((encoded(&(ProjectivePoint::GENERATOR * secret))?, r, s))
}

pub(crate) fn bytes(scalar: &Scalar) -> [u8; 32] {
    scalar.to_repr().into()
}
