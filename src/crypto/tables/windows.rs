//! Multiplication of a fixed point by a number, with a table and without doublings.

use std::ops::{Add, Sub};

/// The digits of a number: `Σ digit · 64^at`. A number below 2²⁵⁶ has 43 digits of six bits.
const DIGITS: usize = 43;

/// The largest digit. With negative ones, half as many multiples are stored.
const LARGEST: usize = 32;

/// Multiples of a point: for each digit those from 1 to 32, of the point times 64 to the power of
/// the digit's position.
pub(super) struct Table<E>(Box<[[E; LARGEST]]>);

impl<E: Copy> Table<E> {
    /// The table for a point, of which [`multiples`] are given.
    pub(super) fn new(multiples: &[E]) -> Self {
        Self(multiples.as_chunks().0.into())
    }

    /// Adds to a point the multiple of this table's point. The number is below 2²⁵⁶, least
    /// significant byte first.
    pub(super) fn add_multiple<P>(&self, number: &[u8; 32], to: P) -> P
    where
        P: for<'a> Add<&'a E, Output = P> + for<'a> Sub<&'a E, Output = P>,
    {
        self.0.iter().zip(digits(number)).fold(to, |sum, (multiples, digit)| {
            let at = usize::from(digit.unsigned_abs()).checked_sub(1);
            match at.and_then(|at| multiples.get(at)) {
                // The digit is 0.
                None => sum,
                Some(multiple) if digit > 0 => P::add(sum, multiple),
                Some(multiple) => P::sub(sum, multiple),
            }
        })
    }
}

/// The multiples of a point that its table holds, in the order of the table.
pub(super) fn multiples<P: Copy + Add<Output = P>>(point: P) -> Vec<P> {
    let mut all = Vec::with_capacity(DIGITS.saturating_mul(LARGEST));
    let mut unit = point;
    for _ in 0..DIGITS {
        let mut multiple = unit;
        all.push(multiple);
        for _ in 1..LARGEST {
            multiple = P::add(multiple, unit);
            all.push(multiple);
        }
        // Twice the 32nd multiple.
        unit = P::add(multiple, multiple);
    }
    all
}

/// The digits of a number, between −31 and 32, least significant first. A 44th one is always 0: the
/// number's highest four bits and a carry are below the limit.
fn digits(number: &[u8; 32]) -> impl Iterator<Item = i8> {
    let mut carry = 0;
    let bits_of =
        |bytes: &[u8]| bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
    number.chunks(3).map(bits_of).flat_map(|bits| [bits, bits >> 6, bits >> 12, bits >> 18]).map(
        move |bits| {
            let digit = ((bits & 0x3f) as i8).wrapping_add(carry);
            carry = i8::from(usize::from(digit.unsigned_abs()) > LARGEST);
            digit.wrapping_sub(carry << 6)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers with the carries that matter: none, in every digit, and into the highest one.
    fn numbers() -> impl Iterator<Item = [u8; 32]> {
        let repeated = (0..=255).map(|byte| [byte; 32]);
        let powers = (0..256).map(|bit: usize| {
            let mut number = [0; 32];
            number[bit / 8] = 1 << (bit % 8);
            number
        });
        let mixed = (0..=255_u8).map(|seed| {
            let mut byte = seed;
            std::array::from_fn(|_| {
                byte = byte.wrapping_mul(167).wrapping_add(59);
                byte
            })
        });
        repeated.chain(powers).chain(mixed)
    }

    /// The sum of the digits, by the arithmetic of the tables' entries modulo 2²⁵⁶ alone.
    fn sum_of(digits: &[i8]) -> [u8; 32] {
        let mut sum = [0_u8; 32];
        let mut bits = 0_i32;
        let mut held = 0;
        let mut places = sum.iter_mut();
        for digit in digits {
            bits += i32::from(*digit) << held;
            held += 6;
            while held >= 8 {
                if let Some(place) = places.next() {
                    *place = bits as u8;
                }
                bits >>= 8;
                held -= 8;
            }
        }
        assert_eq!(bits, 0);
        sum
    }

    #[test]
    fn digits_add_up_to_the_number() {
        for number in numbers() {
            let digits: Vec<i8> = digits(&number).collect();
            assert_eq!(digits.len(), DIGITS + 1);
            assert_eq!(digits[DIGITS], 0, "{number:02x?}");
            assert!(digits.iter().all(|digit| (-31..=32).contains(digit)), "{number:02x?}");
            assert_eq!(sum_of(&digits), number);
        }
    }

    #[test]
    fn a_table_multiplies_its_point() {
        // Integers modulo 2¹²⁸ in place of points.
        #[derive(Clone, Copy, Debug, PartialEq)]
        struct Point(u128);
        impl Add for Point {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0.wrapping_add(other.0))
            }
        }
        impl Add<&Self> for Point {
            type Output = Self;
            fn add(self, other: &Self) -> Self {
                Self(self.0.wrapping_add(other.0))
            }
        }
        impl Sub<&Self> for Point {
            type Output = Self;
            fn sub(self, other: &Self) -> Self {
                Self(self.0.wrapping_sub(other.0))
            }
        }

        let point = Point(0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978);
        let table = Table::new(&multiples(point));
        assert_eq!(table.0.len(), DIGITS);
        for number in numbers() {
            let low = u128::from_le_bytes(*number.first_chunk().unwrap());
            let expected = Point(point.0.wrapping_mul(low).wrapping_add(7));
            assert_eq!(table.add_multiple(&number, Point(7)), expected, "{number:02x?}");
        }
    }
}
