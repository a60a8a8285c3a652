//! Whether an Ed25519 key is a point on the curve. It is checked here, since no backend checks it
//! when it loads a key (RFC 8032 section 5.1.3).

/// An element of the field of Curve25519, which has 2²⁵⁵ − 19 elements. Least significant limb
/// first, below 2²⁵⁶ and not always reduced.
#[derive(Clone, Copy)]
struct Element([u64; 4]);

/// 2²⁵⁵ − 19.
const PRIME: [u64; 4] = [0xffff_ffff_ffff_ffed, u64::MAX, u64::MAX, 0x7fff_ffff_ffff_ffff];

/// (2²⁵⁵ − 20) / 2: an element raised to it is 1 if the element is a square, −1 if it is not.
const EULER: [u64; 4] = [0xffff_ffff_ffff_fff6, u64::MAX, u64::MAX, 0x3fff_ffff_ffff_ffff];

/// The curve's constant: −121665 / 121666 (RFC 8032 section 5.1).
const D: Element = Element([
    0x75eb_4dca_1359_78a3,
    0x0070_0a4d_4141_d8ab,
    0x8cc7_4079_7779_e898,
    0x5203_6cee_2b6f_fe73,
]);

const ONE: Element = Element([1, 0, 0, 0]);

/// Whether the curve has a point with this y (32 bytes, least significant first, sign bit cleared):
/// whether x² = (y² − 1) / (d·y² + 1) has a solution.
///
/// A quotient is a square if the product is one, and the product needs no division. Keys are
/// public, so the time may depend on them.
pub(super) fn is_on_curve(y: &[u8; 32]) -> bool {
    let y2 = Element::from_bytes(y).square();
    let product = y2.minus(ONE).times(D.times(y2).plus(ONE));
    let symbol = product.power(&EULER).reduced();
    symbol == ONE.0 || symbol == [0; 4]
}

impl Element {
    fn from_bytes(bytes: &[u8; 32]) -> Self {
        let (limbs, _) = bytes.as_chunks::<8>();
        Self(std::array::from_fn(|at| limbs.get(at).map_or(0, |limb| u64::from_le_bytes(*limb))))
    }

    fn plus(self, other: Self) -> Self {
        let mut sum = [0; 4];
        let mut carry = 0_u128;
        for ((limb, one), other) in sum.iter_mut().zip(self.0).zip(other.0) {
            carry = carry.wrapping_add(u128::from(one)).wrapping_add(u128::from(other));
            *limb = carry as u64;
            carry >>= 64;
        }
        Self::folded(sum, carry as u64)
    }

    fn minus(self, other: Self) -> Self {
        // The reduced value is below the prime, so nothing remains to borrow.
        let other = other.reduced();
        let mut negative = [0; 4];
        let mut borrow = false;
        for ((limb, prime), other) in negative.iter_mut().zip(PRIME).zip(other) {
            let (difference, first) = prime.overflowing_sub(other);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = first | second;
        }
        self.plus(Self(negative))
    }

    fn times(self, other: Self) -> Self {
        let mut product = [0_u64; 8];
        for (shift, one) in self.0.into_iter().enumerate() {
            let mut carry = 0_u128;
            let places = product.iter_mut().skip(shift);
            for (place, other) in places.zip(other.0.into_iter().map(Some).chain([None])) {
                // At most (2⁶⁴ − 1)² + 2·(2⁶⁴ − 1), which fits.
                let step = u128::from(one).wrapping_mul(u128::from(other.unwrap_or(0)));
                carry = carry.wrapping_add(step).wrapping_add(u128::from(*place));
                *place = carry as u64;
                carry >>= 64;
            }
        }
        // 2²⁵⁶ is 38 in this field: 38 times the upper half is added to the lower half.
        let [a, b, c, d, high @ ..] = product;
        let mut low = [a, b, c, d];
        let mut carry = 0_u128;
        for (limb, high) in low.iter_mut().zip(high) {
            carry = carry
                .wrapping_add(u128::from(high).wrapping_mul(38))
                .wrapping_add(u128::from(*limb));
            *limb = carry as u64;
            carry >>= 64;
        }
        Self::folded(low, carry as u64)
    }

    fn square(self) -> Self {
        self.times(self)
    }

    fn power(self, exponent: &[u64; 4]) -> Self {
        let bits = exponent.iter().rev().flat_map(|limb| (0..64).rev().map(move |b| limb >> b & 1));
        bits.fold(ONE, |power, bit| match bit {
            0 => power.square(),
            _ => power.square().times(self),
        })
    }

    /// Adds the part above 2²⁵⁶, which is 38 in this field.
    fn folded(mut limbs: [u64; 4], above: u64) -> Self {
        let mut carry = u128::from(above).wrapping_mul(38);
        while carry != 0 {
            for limb in &mut limbs {
                carry = carry.wrapping_add(u128::from(*limb));
                *limb = carry as u64;
                carry >>= 64;
            }
            carry = carry.wrapping_mul(38);
        }
        Self(limbs)
    }

    /// The only representative below the prime.
    fn reduced(self) -> [u64; 4] {
        let mut limbs = self.0;
        // Below 2²⁵⁶, which is twice the prime plus 38.
        for _ in 0..2 {
            let mut difference = [0; 4];
            let mut borrow = false;
            for ((place, limb), prime) in difference.iter_mut().zip(limbs).zip(PRIME) {
                let (rest, first) = limb.overflowing_sub(prime);
                let (rest, second) = rest.overflowing_sub(u64::from(borrow));
                *place = rest;
                borrow = first | second;
            }
            if !borrow {
                limbs = difference;
            }
        }
        limbs
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    fn small(y: u8) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[0] = y;
        bytes
    }

    #[test]
    fn of_the_first_forty_these_are_off_the_curve() {
        let off: Vec<u8> = (0..40).filter(|y| !is_on_curve(&small(*y))).collect();
        assert_eq!(off, [2, 7, 8, 11, 12, 13, 17, 20, 22, 31, 34, 36, 38]);
    }

    #[test]
    fn what_has_a_private_key_is_on_the_curve() {
        for _ in 0..200 {
            let pair = Ed25519KeyPair::generate().unwrap();
            let mut y: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
            y[31] &= 0x7f;
            assert!(is_on_curve(&y), "{y:?}");
        }
    }

    #[test]
    fn arithmetic_wraps_at_the_prime() {
        let last = Element([PRIME[0] - 1, PRIME[1], PRIME[2], PRIME[3]]);
        assert_eq!(last.plus(ONE).reduced(), [0; 4]);
        assert_eq!(last.square().reduced(), ONE.0);
        assert_eq!(Element([0; 4]).minus(ONE).reduced(), last.0);
        // The borrow of the lowest limb is taken from the higher limbs.
        let limb = Element([u64::MAX, 0, 0, 0]);
        assert_eq!(ONE.minus(limb).plus(limb).reduced(), ONE.0);
        let full = Element([u64::MAX; 4]);
        assert_eq!(full.reduced(), [37, 0, 0, 0]);
        assert_eq!(full.square().reduced(), [37 * 37, 0, 0, 0]);
        assert_eq!(full.plus(full).reduced(), [74, 0, 0, 0]);
        // d is not a square, so the denominator d·y² + 1 is never 0.
        assert_eq!(D.power(&EULER).reduced(), last.0);
        let (n, m) = (Element([121_665, 0, 0, 0]), Element([121_666, 0, 0, 0]));
        assert_eq!(D.times(m).plus(n).reduced(), [0; 4]);
    }
}
