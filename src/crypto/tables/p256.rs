//! ECDSA on P-256 with SHA-256 (FIPS 186-5 section 6.4.2).

use std::ops::Add;
use std::sync::LazyLock;

use p256::elliptic_curve::ops::{LinearCombination, Reduce};
use p256::elliptic_curve::point::AffineCoordinates;
use p256::elliptic_curve::{CurveGroup, Field as _, PrimeField};
use p256::{AffinePoint, FieldBytes, ProjectivePoint, PublicKey, Scalar};
use sha2::{Digest, Sha256};

use super::p256_point::{Affine, Field, Sum};
use super::windows::{Table, multiples};

static BASE: LazyLock<Table<Affine>> = LazyLock::new(|| table(ProjectivePoint::GENERATOR));

/// Tables for one P-256 key: 86 KiB.
pub(crate) struct P256Tables {
    table: Table<Affine>,
    key: ProjectivePoint,
}

impl P256Tables {
    /// Computes the tables for an encoded point (SEC 1 section 2.3.3); `None` if it is not one of the
    /// curve, or the point at infinity.
    pub(super) fn new(point: &[u8]) -> Option<Self> {
        let key = PublicKey::from_sec1_bytes(point).ok()?.to_projective();
        LazyLock::force(&BASE);
        Some(Self { table: table(key), key })
    }

    /// Whether the key signed the message. Both numbers of the signature are between 1 and the order
    /// less 1, and a large s is as good as a small one.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = <&[u8; 64]>::try_from(signature) else { return false };
        let Some((r_bytes, s_bytes)) = signature.first_chunk().zip(signature.last_chunk()) else {
            return false;
        };
        let (Some(r), Some(s)) = (scalar(r_bytes), scalar(s_bytes)) else { return false };
        let Some(inverse) = Option::<Scalar>::from(s.invert_vartime()) else { return false };
        let z = <Scalar as Reduce<FieldBytes>>::reduce(&Sha256::digest(message));
        let u1 = Scalar::multiply(&z, &inverse);
        let u2 = Scalar::multiply(&r, &inverse);
        match self.sum(&u1, &u2) {
            Sum::Point(point) => {
                // The coordinate may be above the order.
                let x = Field::new(*r_bytes);
                point.has_x(x)
                    || (*r_bytes < DISTANCE && point.has_x(Field::add(x, Field::new(ORDER))))
            }
            Sum::Zero | Sum::SpecialCase => {
                let halves = [(ProjectivePoint::GENERATOR, u1), (self.key, u2)];
                let point = ProjectivePoint::lincomb(&halves);
                // The coordinate of the point at infinity is 0, which r is not.
                <Scalar as Reduce<FieldBytes>>::reduce(&point.to_affine().x()) == r
            }
        }
    }

    /// The base point times `u1`, and the key times `u2`.
    fn sum(&self, u1: &Scalar, u2: &Scalar) -> Sum {
        let sum = BASE.add_multiple(&little_endian(u1), Sum::Zero);
        self.table.add_multiple(&little_endian(u2), sum)
    }
}

/// The order of the curve.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The modulus of the field, less the order.
const DISTANCE: [u8; 32] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x43, 0x19, 0x05, 0x53, 0x58, 0xe8, 0x61, 0x7b,
    0x0c, 0x46, 0x35, 0x3d, 0x03, 0x9c, 0xda, 0xae,
];

fn table(point: ProjectivePoint) -> Table<Affine> {
    let multiples = multiples(point);
    let mut affine = vec![AffinePoint::IDENTITY; multiples.len()];
    ProjectivePoint::batch_normalize(&multiples, &mut affine);
    let field = |coordinate: FieldBytes| Field::new(coordinate.into());
    let affine = affine.iter().map(|point| Affine::new(field(point.x()), field(point.y())));
    Table::new(&affine.collect::<Vec<_>>())
}

/// A number between 1 and the order less 1.
fn scalar(number: &[u8; 32]) -> Option<Scalar> {
    let scalar = Option::<Scalar>::from(Scalar::from_repr((*number).into()))?;
    (!bool::from(scalar.is_zero())).then_some(scalar)
}

fn little_endian(scalar: &Scalar) -> [u8; 32] {
    let mut bytes: [u8; 32] = scalar.to_repr().into();
    bytes.reverse();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: u64) -> Scalar {
        Scalar::from(value)
    }

    fn tables(key: ProjectivePoint) -> P256Tables {
        P256Tables { table: table(key), key }
    }

    #[test]
    fn sum_by_tables_is_that_of_p256() {
        let key = ProjectivePoint::GENERATOR * number(0x0123_4567_89ab_cdef);
        let tables = tables(key);
        let half = number(2).invert().unwrap();
        let mut numbers =
            vec![number(1), number(32), number(33), number(64), -number(1), half, -half];
        numbers.extend((0..60).scan(number(3), |power, _| {
            *power = Scalar::multiply(power, &(half + number(0xffff_00ff)));
            Some(*power)
        }));
        for (u1, u2) in numbers.iter().zip(numbers.iter().rev()) {
            let expected = (ProjectivePoint::GENERATOR * *u1 + key * *u2).to_affine();
            let Sum::Point(point) = tables.sum(u1, u2) else { panic!("{u1:?} {u2:?}") };
            assert!(point.has_x(Field::new(expected.x().into())), "{u1:?} {u2:?}");
            assert!(!point.has_x(Field::new(expected.y().into())), "{u1:?} {u2:?}");
        }
    }

    #[test]
    fn equal_points_and_opposite_points_are_special_cases() {
        // The key is the base point: both tables are the same.
        let tables = tables(ProjectivePoint::GENERATOR);
        for (u1, u2) in [(number(1), number(1)), (number(7), -number(7)), (-number(5), number(5))] {
            assert!(matches!(tables.sum(&u1, &u2), Sum::SpecialCase));
        }
        assert!(matches!(tables.sum(&number(0), &number(0)), Sum::Zero));
        assert!(matches!(tables.sum(&number(0), &number(9)), Sum::Point(_)));
    }

    #[test]
    fn special_case_is_left_to_p256_whichever_digit_it_comes_at() {
        // The sum of the base point's digits and the key's lower ones is the key's next multiple, or
        // the opposite of it.
        let secret = number(0x0123_4567_89ab_cdef).invert().unwrap();
        let tables = tables(ProjectivePoint::GENERATOR * secret);
        for at in [1, 2, 7, 20, 41] {
            let unit = (0..6 * at).fold(number(1), |unit, _| unit.double());
            for digit in [1, 2, 5, 31] {
                let (middle, low) = (unit * number(digit), unit * number(16).invert().unwrap());
                let low = if at % 2 == 0 { low } else { number(0) };
                for signed in [middle, -middle] {
                    let u1 = (signed - low) * secret;
                    let high = unit * number(64);
                    for u2 in [low + middle, low + middle + high] {
                        assert!(matches!(tables.sum(&u1, &u2), Sum::SpecialCase), "{at} {digit}");
                    }
                }
                // Near it.
                let u1 = (middle - low) * secret + number(1);
                assert!(matches!(tables.sum(&u1, &(low + middle)), Sum::Point(_)), "{at} {digit}");
            }
        }
    }

    #[test]
    fn one_table_alone_meets_no_special_case() {
        let tables = tables(ProjectivePoint::GENERATOR);
        let powers = (0..256).scan(number(1), |power, _| {
            let this = *power;
            *power = power.double();
            Some(this)
        });
        for power in powers {
            for near in [power, power - number(1), -power, number(1) - power] {
                let is_zero = bool::from(near.is_zero());
                let sum = tables.sum(&number(0), &near);
                assert!(matches!(sum, Sum::Point(_)) != is_zero, "{near:?}");
            }
        }
    }
}
