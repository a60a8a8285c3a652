//! The tables of feature `precomputed-tables`: the same answer as aws-lc on every signature, also on
//! those that only somebody who knows the curve can make.

use std::cell::RefCell;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use curve25519_dalek::Scalar as EdScalar;
use p256::{ProjectivePoint, Scalar};
use sha2::{Digest, Sha256};

use crate::precomputed::KeyTables;
use crate::support::near_signatures::{
    self, ED25519_ORDER, P256_ORDER, bytes, ed_scalar, edwards, encoded, joined, p256_key,
    point_at, r_of, reversed, scalar, sum, z_of,
};

const MESSAGE: &[u8] = b"header.payload";

/// The answer of both for an Ed25519 key.
#[track_caller]
fn ed25519(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    let expected = UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok();
    let tables = KeyTables::ed25519(key).unwrap();
    assert_eq!(tables.verify(message, signature), expected, "{key:02x?} {signature:02x?}");
    expected
}

/// The answer of both for a P-256 key.
#[track_caller]
fn p256(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let aws_lc = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key);
    let expected = aws_lc.verify(message, signature).is_ok();
    // The tables of the last key: to compute them takes long without optimisation.
    thread_local!(static LAST: RefCell<Option<(Vec<u8>, KeyTables)>> = const { RefCell::new(None) });
    LAST.with_borrow_mut(|last| {
        let last = match last.take().filter(|(last, _)| last == key) {
            Some(same) => last.insert(same),
            None => last.insert((key.to_vec(), KeyTables::p256(key).unwrap())),
        };
        assert_eq!(last.1.verify(message, signature), expected, "{key:02x?} {signature:02x?}");
    });
    expected
}

fn secrets() -> [EdScalar; 3] {
    [ed_scalar([7; 32]), ed_scalar([0xf1; 32]), EdScalar::ONE]
}

/// The 19 encodings below 2²⁵⁵ that are not canonical, with either sign.
fn non_canonical() -> impl Iterator<Item = [u8; 32]> {
    (0xed..=0xff).flat_map(|low| {
        [0x7f, 0xff].map(|high| {
            let mut encoding = [0xff; 32];
            encoding[0] = low;
            encoding[31] = high;
            encoding
        })
    })
}

#[test]
fn ed25519_signature_holds_until_a_bit_changes() {
    for (secret, message) in secrets().into_iter().zip([MESSAGE, b"", &[0x5a; 1000]]) {
        let key = edwards(&secret, 0);
        let nonce = ed_scalar([9; 32]);
        let good = near_signatures::ed25519(&secret, &nonce, &key, &edwards(&nonce, 0), message);
        assert!(ed25519(&key, message, &good));
        assert!(!ed25519(&key, b"header.other", &good));
        for bit in 0..8 * good.len() {
            let mut changed = good;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!ed25519(&key, message, &changed), "{bit}");
        }
        for wrong in [&good[..63], &[&good[..], &[0]].concat(), &[], &[0; 64], &[0xff; 64]] {
            assert!(!ed25519(&key, message, wrong));
        }
    }
}

#[test]
fn ed25519_s_from_the_order_on_is_refused() {
    for secret in secrets() {
        let key = edwards(&secret, 0);
        let nonce = ed_scalar([3; 32]);
        let r = edwards(&nonce, 0);
        let good = near_signatures::ed25519(&secret, &nonce, &key, &r, MESSAGE);
        let mut s: [u8; 32] = *good.last_chunk().unwrap();
        let mut multiples = 0;
        while let Some(more) = sum(&s, &ED25519_ORDER) {
            assert!(!ed25519(&key, MESSAGE, &joined(r, more)));
            (s, multiples) = (more, multiples + 1);
        }
        assert!(multiples >= 14);
    }
    // S is the order itself: 0 in another encoding, and the order less 1.
    let (key, zero) = (edwards(&EdScalar::ZERO, 3), EdScalar::ZERO);
    for r in (0..8).map(|torsion| edwards(&zero, torsion)) {
        ed25519(&key, MESSAGE, &joined(r, [0; 32]));
        assert!(!ed25519(&key, MESSAGE, &joined(r, ED25519_ORDER)));
    }
    let last = -EdScalar::ONE;
    let key = edwards(&EdScalar::ONE, 0);
    let hash_free = edwards(&last, 0);
    assert!(!ed25519(&key, MESSAGE, &joined(hash_free, last.to_bytes())));
}

/// Without the cofactor: the small-order parts of R and k·A must agree. They do for every key by
/// chance, with one of the eight R.
#[test]
fn ed25519_points_of_small_and_mixed_order_are_neither_refused_nor_cleared() {
    let mut valid = [0; 8];
    for (key_torsion, valid) in valid.iter_mut().enumerate() {
        for secret in secrets().into_iter().chain([EdScalar::ZERO]) {
            for (nonce, message) in [EdScalar::ZERO, ed_scalar([5; 32])]
                .into_iter()
                .flat_map(|nonce| (0..8_u8).map(move |message| (nonce, [message])))
            {
                let key = edwards(&secret, key_torsion);
                for torsion in 0..8 {
                    let r = edwards(&nonce, torsion);
                    let signature = near_signatures::ed25519(&secret, &nonce, &key, &r, &message);
                    *valid += usize::from(ed25519(&key, &message, &signature));
                }
            }
        }
    }
    // All keys without a small-order part hold with R without one; the others for some.
    assert_eq!(valid[0], 4 * 2 * 8);
    assert!(valid.iter().all(|count| (20..200).contains(count)), "{valid:?}");
}

/// The result is always encoded canonically, so no other encoding of R is equal to it.
#[test]
fn ed25519_r_that_is_not_canonical_is_refused() {
    let identity_with_sign = {
        let mut encoding = edwards(&EdScalar::ZERO, 0);
        encoding[31] |= 0x80;
        encoding
    };
    for r in non_canonical().chain([identity_with_sign]) {
        for secret in secrets() {
            let key = edwards(&secret, 0);
            // S·B − k·A is the neutral element, of which some of these are encodings.
            let zero = EdScalar::ZERO;
            let signature = near_signatures::ed25519(&secret, &zero, &key, &r, MESSAGE);
            assert!(!ed25519(&key, MESSAGE, &signature));
        }
    }
    let key = edwards(&EdScalar::ONE, 0);
    let r = edwards(&EdScalar::ZERO, 0);
    let signature = near_signatures::ed25519(&EdScalar::ONE, &EdScalar::ZERO, &key, &r, MESSAGE);
    assert!(ed25519(&key, MESSAGE, &signature), "the canonical one is accepted");
}

#[test]
fn ed25519_key_that_is_not_canonical_or_off_the_curve_has_no_tables() {
    for key in non_canonical() {
        assert!(KeyTables::ed25519(&key).is_none(), "{key:02x?}");
    }
    // The two points with x = 0 have no sign.
    for torsion in 0..8 {
        let mut key = edwards(&EdScalar::ZERO, torsion);
        assert!(KeyTables::ed25519(&key).is_some());
        let has_no_sign = key[1..31].iter().all(|byte| *byte == key[1]) && key[0] != 0;
        key[31] ^= 0x80;
        assert_eq!(KeyTables::ed25519(&key).is_none(), has_no_sign, "{key:02x?}");
    }
    for y in [2, 7, 8, 11] {
        let mut key = [0; 32];
        key[0] = y;
        assert!(KeyTables::ed25519(&key).is_none());
    }
}

/// Partial sums that meet their own table's entries, their opposites, and the neutral element.
#[test]
fn small_multiples_of_the_base_point_are_no_exception() {
    let small: Vec<u64> = (1..=3).chain([31, 32, 33, 63, 64, 65, 4096, 1 << 48]).collect();
    for (secret, nonce) in small.iter().flat_map(|a| small.iter().map(move |b| (*a, *b))) {
        for (secret, nonce) in [
            (EdScalar::from(secret), EdScalar::from(nonce)),
            (-EdScalar::from(secret), EdScalar::from(nonce)),
        ] {
            let (key, r) = (edwards(&secret, 0), edwards(&nonce, 0));
            let good = near_signatures::ed25519(&secret, &nonce, &key, &r, MESSAGE);
            assert!(ed25519(&key, MESSAGE, &good));
        }
        for (secret, nonce) in [
            (Scalar::from(secret), Scalar::from(nonce)),
            (-Scalar::from(secret), Scalar::from(nonce)),
        ] {
            let (r, s) = near_signatures::p256(&secret, &nonce, MESSAGE).unwrap();
            let key = encoded(&(ProjectivePoint::GENERATOR * secret)).unwrap();
            assert!(p256(&key, MESSAGE, &joined(bytes(&r), bytes(&s))));
        }
    }
}

#[test]
fn p256_signature_holds_until_a_bit_changes() {
    for (byte, message) in [7, 0x3c, 0xff].into_iter().zip([MESSAGE, b"", &[0x5a; 1000]]) {
        let secret = scalar([byte; 32]);
        let key = encoded(&(ProjectivePoint::GENERATOR * secret)).unwrap();
        let (r, s) = near_signatures::p256(&secret, &scalar([9; 32]), message).unwrap();
        let good = joined(bytes(&r), bytes(&s));
        assert!(p256(&key, message, &good));
        assert!(p256(&key, message, &joined(bytes(&r), bytes(&-s))), "the other s");
        assert!(!p256(&key, b"header.other", &good));
        for bit in 0..8 * good.len() {
            let mut changed = good;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!p256(&key, message, &changed), "{bit}");
        }
        for wrong in [&good[..63], &[&good[..], &[0]].concat(), &[], &[0; 64], &[0xff; 64]] {
            assert!(!p256(&key, message, wrong));
        }
    }
}

#[test]
fn p256_numbers_outside_of_their_range_are_refused() {
    let secret = scalar([7; 32]);
    let key = encoded(&(ProjectivePoint::GENERATOR * secret)).unwrap();
    let (r, s) = near_signatures::p256(&secret, &scalar([9; 32]), MESSAGE).unwrap();
    let (r, s) = (bytes(&r), bytes(&s));
    let after = |number: [u8; 32], by: u8| {
        let mut more = [0; 32];
        more[0] = by;
        reversed(sum(&reversed(number), &more).unwrap())
    };
    for wrong in [[0; 32], P256_ORDER, after(P256_ORDER, 1), [0xff; 32]] {
        for signature in [joined(wrong, s), joined(r, wrong), joined(wrong, wrong)] {
            assert!(!p256(&key, MESSAGE, &signature));
        }
    }
    // Within the range: 1, and the order less 1.
    let last = bytes(&-Scalar::ONE);
    for edge in [bytes(&Scalar::ONE), last] {
        for signature in [joined(edge, s), joined(r, edge), joined(edge, edge)] {
            p256(&key, MESSAGE, &signature);
        }
    }
}

/// The coordinate is between the order and the prime: r is what remains of it.
#[test]
fn p256_coordinate_above_the_order_wraps_around() {
    let mut found = 0;
    for j in 1..=40_u8 {
        let mut small = [0; 32];
        small[31] = j;
        let above = reversed(sum(&reversed(P256_ORDER), &reversed(small)).unwrap());
        let r = scalar(small);
        for s in [scalar([11; 32]), Scalar::ONE, -Scalar::ONE] {
            for (x, has_wrapped) in [(above, true), (small, false)] {
                let Some(point) = point_at(x) else { continue };
                assert_eq!(r_of(&point), r);
                let Some(key) = p256_key(&point, &r, &s, MESSAGE) else { continue };
                assert!(p256(&key, MESSAGE, &joined(small, bytes(&s))), "{j} {has_wrapped}");
                // r itself above the order.
                assert!(!p256(&key, MESSAGE, &joined(above, bytes(&s))), "{j} {has_wrapped}");
                found += 1;
            }
        }
    }
    assert!(found > 60, "{found}");
}

/// A coordinate that is r after a reduction by the prime, but not by the order.
#[test]
fn p256_r_that_differs_by_the_distance_of_prime_and_order_is_refused() {
    let point = ProjectivePoint::GENERATOR * scalar([13; 32]);
    let r = r_of(&point);
    // p − n.
    let distance = -scalar({
        let mut prime = [0; 32];
        prime[..4].copy_from_slice(&[0xff; 4]);
        prime[7] = 1;
        prime[20..].copy_from_slice(&[0xff; 12]);
        prime
    });
    for wrong in [r + distance, r - distance, -r, r + Scalar::ONE] {
        let s = scalar([17; 32]);
        let key = p256_key(&point, &wrong, &s, MESSAGE).unwrap();
        assert!(!p256(&key, MESSAGE, &joined(bytes(&wrong), bytes(&s))));
    }
}

#[test]
fn p256_point_at_infinity_is_no_result() {
    for byte in 1..=20 {
        let (r, s) = (scalar([byte; 32]), scalar([byte ^ 0x55; 32]));
        for r in [r, Scalar::ONE, -Scalar::ONE, Scalar::from(u64::from(byte))] {
            let key = p256_key(&ProjectivePoint::IDENTITY, &r, &s, MESSAGE).unwrap();
            assert!(!p256(&key, MESSAGE, &joined(bytes(&r), bytes(&s))));
        }
    }
}

/// Both halves of the sum are the same point: `z = r·d`.
#[test]
fn p256_equal_halves_are_doubled() {
    let s = scalar([19; 32]);
    for byte in 1..=10 {
        let nonce = scalar([byte; 32]);
        let point = ProjectivePoint::GENERATOR * nonce;
        let r = r_of(&point);
        // 2·z/s·G is the point if s = 2·z/nonce; then the other half is the same.
        let half = z_of(MESSAGE) * Option::<Scalar>::from(nonce.invert()).unwrap();
        let key = p256_key(&point, &r, &(half + half), MESSAGE).unwrap();
        assert!(p256(&key, MESSAGE, &joined(bytes(&r), bytes(&(half + half)))));
        assert!(!p256(&key, MESSAGE, &joined(bytes(&r), bytes(&s))));
    }
}

/// What the additions by tables cannot do, made by the holder of the private key.
#[test]
fn p256_signature_whose_sum_meets_equal_or_opposite_points_holds() {
    for are_opposite in [false, true] {
        let made = (1..=255_u8).flat_map(|nonce| (1..=6).map(move |digit| (nonce, digit)));
        let made = made.filter_map(|(nonce, digit)| {
            let nonce = scalar([nonce; 32]);
            near_signatures::p256_special_case(&nonce, digit, are_opposite, MESSAGE)
        });
        let mut count = 0;
        for (key, r, s) in made.take(5) {
            let [r, s, opposite] = [r, s, -s].map(|scalar| bytes(&scalar));
            assert!(p256(&key, MESSAGE, &joined(r, s)));
            assert!(p256(&key, MESSAGE, &joined(r, opposite)));
            assert!(!p256(&key, b"header.other", &joined(r, s)));
            for bit in (0..512).step_by(37) {
                let mut changed = joined(r, s);
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(!p256(&key, MESSAGE, &changed), "{bit}");
            }
            count += 1;
        }
        assert_eq!(count, 5);
    }
}

/// Without a pattern: any keys, messages, signatures and changes.
#[test]
fn p256_random_signatures_have_the_same_answer() {
    let mut random = random_bytes();
    for _ in 0..20 {
        let secret = scalar(random());
        let key = encoded(&(ProjectivePoint::GENERATOR * secret)).unwrap();
        for _ in 0..25 {
            let message = random();
            let (r, s) = near_signatures::p256(&secret, &scalar(random()), &message).unwrap();
            assert!(p256(&key, &message, &joined(bytes(&r), bytes(&s))));
            assert!(!p256(&key, &message, &joined(bytes(&s), bytes(&r))));
            assert!(!p256(&key, &message, &joined(bytes(&r), random())));
            assert!(!p256(&key, &message, &joined(random(), bytes(&s))));
            assert!(!p256(&key, &random(), &joined(bytes(&r), bytes(&s))));
        }
    }
}

/// The same ones in each run.
fn random_bytes() -> impl FnMut() -> [u8; 32] {
    let mut count = 0_u64;
    move || {
        count += 1;
        Sha256::digest(count.to_be_bytes()).into()
    }
}

#[test]
fn what_is_no_point_of_p256_has_no_tables() {
    let key = encoded(&(ProjectivePoint::GENERATOR * scalar([7; 32]))).unwrap();
    assert!(KeyTables::p256(&key).is_some());
    for wrong in [&[0][..], &[], &key[1..], &[&[4][..], &[1; 64]].concat(), &[4; 65]] {
        assert!(KeyTables::p256(wrong).is_none());
    }
}
