//! Points of P-256 in the form whose additions are fast, but have exceptions. The field is that of
//! `fiat-crypto`, whose code is generated together with a proof.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "the operators are those of the field, which has no overflow"
)]

use std::ops::{Add, Mul, Sub};

use fiat_crypto::p256_64::{
    fiat_p256_add, fiat_p256_from_bytes, fiat_p256_montgomery_domain_field_element, fiat_p256_mul,
    fiat_p256_non_montgomery_domain_field_element, fiat_p256_set_one, fiat_p256_square,
    fiat_p256_sub, fiat_p256_to_montgomery,
};

/// A number below the modulus. Each has one representation.
#[derive(Clone, Copy)]
pub(super) struct Field(fiat_p256_montgomery_domain_field_element);

impl Field {
    const ZERO: Self = Self(fiat_p256_montgomery_domain_field_element([0; 4]));
    const ONE: Self = {
        let mut one = Self::ZERO;
        fiat_p256_set_one(&mut one.0);
        one
    };

    /// A number below the modulus, most significant byte first.
    pub(super) fn new(mut number: [u8; 32]) -> Self {
        number.reverse();
        let mut plain = fiat_p256_non_montgomery_domain_field_element([0; 4]);
        fiat_p256_from_bytes(&mut plain.0, &number);
        let mut field = Self::ZERO;
        fiat_p256_to_montgomery(&mut field.0, &plain);
        field
    }

    fn square(self) -> Self {
        let mut square = Self::ZERO;
        fiat_p256_square(&mut square.0, &self.0);
        square
    }

    fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl Add for Field {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let mut sum = Self::ZERO;
        fiat_p256_add(&mut sum.0, &self.0, &other.0);
        sum
    }
}

impl Sub for Field {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let mut difference = Self::ZERO;
        fiat_p256_sub(&mut difference.0, &self.0, &other.0);
        difference
    }
}

impl Mul for Field {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let mut product = Self::ZERO;
        fiat_p256_mul(&mut product.0, &self.0, &other.0);
        product
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.0.0 == other.0.0
    }
}

/// A point other than the one at infinity.
#[derive(Clone, Copy)]
pub(super) struct Affine {
    x: Field,
    y: Field,
}

impl Affine {
    pub(super) fn new(x: Field, y: Field) -> Self {
        Self { x, y }
    }
}

/// A point other than the one at infinity: x is X / Z², and y is Y / Z³.
#[derive(Clone, Copy)]
pub(super) struct Jacobian {
    x: Field,
    y: Field,
    z: Field,
}

impl Jacobian {
    /// The sum of two points with different x coordinates; `None` for equal and for opposite ones. These
    /// are the formulas of the chord, with 8 products and 3 squares ("madd" in the Explicit-Formulas
    /// Database).
    #[inline]
    fn checked_add(&self, other: &Affine) -> Option<Self> {
        let zz = self.z.square();
        let h = other.x * zz - self.x;
        if h.is_zero() {
            return None;
        }
        let r = other.y * (self.z * zz) - self.y;
        let hh = h.square();
        let hhh = h * hh;
        let v = self.x * hh;
        let x = r.square() - hhh - (v + v);
        Some(Self { x, y: r * (v - x) - self.y * hhh, z: self.z * h })
    }

    /// Whether this is the x coordinate.
    pub(super) fn has_x(&self, x: Field) -> bool {
        x * self.z.square() == self.x
    }
}

/// A sum of points.
pub(super) enum Sum {
    /// Of none.
    Zero,
    Point(Jacobian),
    /// It has equal or opposite points.
    SpecialCase,
}

impl Sum {
    #[inline]
    fn and(self, other: Affine) -> Self {
        match self {
            Self::Zero => Self::Point(Jacobian { x: other.x, y: other.y, z: Field::ONE }),
            Self::Point(point) => point.checked_add(&other).map_or(Self::SpecialCase, Self::Point),
            Self::SpecialCase => Self::SpecialCase,
        }
    }
}

impl Add<&Affine> for Sum {
    type Output = Self;

    fn add(self, other: &Affine) -> Self {
        self.and(*other)
    }
}

impl Sub<&Affine> for Sum {
    type Output = Self;

    fn sub(self, other: &Affine) -> Self {
        self.and(Affine { x: other.x, y: Field::ZERO - other.y })
    }
}
