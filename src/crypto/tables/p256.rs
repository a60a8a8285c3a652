//! ECDSA on P-256 with SHA-256 (FIPS 186-5 section 6.4.2).

use std::sync::LazyLock;

use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::elliptic_curve::{CurveGroup, Field, PrimeField};
use p256::{AffinePoint, FieldBytes, ProjectivePoint, PublicKey, Scalar};
use sha2::{Digest, Sha256};

use super::windows::{Table, multiples};

static BASE: LazyLock<Table<AffinePoint>> = LazyLock::new(|| table(ProjectivePoint::GENERATOR));

/// Tables for one P-256 key: 97 KiB.
pub(crate) struct P256Tables(Table<AffinePoint>);

impl P256Tables {
    /// Computes the tables for an encoded point (SEC 1 section 2.3.3); `None` if it is not one of the
    /// curve, or the point at infinity.
    pub(super) fn new(point: &[u8]) -> Option<Self> {
        let key = PublicKey::from_sec1_bytes(point).ok()?;
        LazyLock::force(&BASE);
        Some(Self(table(key.to_projective())))
    }

    /// Whether the key signed the message. Both numbers of the signature are between 1 and the order
    /// less 1, and a large s is as good as a small one.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = <&[u8; 64]>::try_from(signature) else { return false };
        let (Some(r), Some(s)) = (scalar(signature.first_chunk()), scalar(signature.last_chunk()))
        else {
            return false;
        };
        let Some(inverse) = Option::<Scalar>::from(s.invert_vartime()) else { return false };
        let z = <Scalar as Reduce<FieldBytes>>::reduce(&Sha256::digest(message));
        let u1 = Scalar::multiply(&z, &inverse);
        let u2 = Scalar::multiply(&r, &inverse);
        let point = BASE.add_multiple(&little_endian(&u1), ProjectivePoint::IDENTITY);
        let point = self.0.add_multiple(&little_endian(&u2), point).to_affine();
        // The coordinate may be above the order. That of the point at infinity is 0, which r is not.
        <Scalar as Reduce<FieldBytes>>::reduce(&point.x()) == r
    }
}

fn table(point: ProjectivePoint) -> Table<AffinePoint> {
    let multiples = multiples(point);
    let mut affine = vec![AffinePoint::IDENTITY; multiples.len()];
    ProjectivePoint::batch_normalize(&multiples, &mut affine);
    Table::new(&affine)
}

/// A number between 1 and the order less 1.
fn scalar(number: Option<&[u8; 32]>) -> Option<Scalar> {
    let scalar = Option::<Scalar>::from(Scalar::from_repr((*number?).into()))?;
    (!bool::from(scalar.is_zero())).then_some(scalar)
}

fn little_endian(scalar: &Scalar) -> [u8; 32] {
    let mut bytes: [u8; 32] = scalar.to_repr().into();
    bytes.reverse();
    bytes
}
