//! The numbers and points of a key.

use aws_lc_rs::signature::KeyPair;
use serde_json::json;
use tower_jwt_auth::{Algorithm, VerificationKey};

use super::{assert_refused, family, from_jwk};
use crate::test_keys::{SigningKey, backend_supports, base64url};

/// The most bits of an RSA modulus that the backend takes.
const MOST_RSA_BITS: usize = 8192;

#[test]
fn weak_rsa_is_refused() {
    let rsa =
        |n: &[u8], e: &[u8]| from_jwk(&json!({"kty": "RSA", "n": base64url(n), "e": base64url(e)}));
    let good = [0xff; 256];
    assert!(rsa(&good, &[1, 0, 1]).is_ok());
    assert!(rsa(&[&[0], &good[..]].concat(), &[0, 1, 0, 1]).is_ok(), "leading zeros are stripped");
    assert!(rsa(&[0xff; MOST_RSA_BITS / 8], &[3]).is_ok());

    for bits in [512, 1024, 2040, MOST_RSA_BITS + 8, 8200] {
        assert_refused(rsa(&vec![0xff; bits / 8], &[1, 0, 1]), &format!("this one has {bits}"));
    }
    assert_refused(rsa(&[&[0x7f], &good[1..]].concat(), &[1, 0, 1]), "this one has 2047");
    assert_refused(rsa(&[&good[1..], &[0xfe]].concat(), &[1, 0, 1]), "this one is even");
    for e in [&[0][..], &[1], &[2], &[1, 0, 0], &[2, 0, 0, 0, 1], &[0xff; 9]] {
        assert_refused(rsa(&good, e), "an RSA exponent is odd");
    }
}

#[test]
fn points_off_the_curve_are_refused() {
    for (algorithm, length) in
        [(Algorithm::ES256, 32), (Algorithm::ES384, 48), (Algorithm::ES512, 66)]
    {
        let good = SigningKey::new(algorithm);
        let SigningKey::Ec(_, pair) = &good else { panic!("not EC") };
        let (x, y) = pair.public_key().as_ref()[1..].split_at(length);
        let with = |x: &[u8], y: &[u8]| {
            from_jwk(&good.jwk_with(&json!({"x": base64url(x), "y": base64url(y)})))
        };
        if !backend_supports(algorithm) {
            assert_refused(with(x, y), "not available with the backend");
            continue;
        }
        assert!(with(x, y).is_ok());

        let mut other = y.to_vec();
        other[length - 1] ^= 1;
        assert_refused(with(x, &other), "not on its curve");
        assert_refused(with(&vec![0; length], &vec![0; length]), "not on its curve");
        assert_refused(with(&vec![0xff; length], y), "not on its curve");

        let padded = [&[0], x].concat();
        for (x, y) in [(&x[1..], y), (x, &y[..length - 1]), (&padded[..], y)] {
            assert_refused(
                with(x, y),
                &format!("a coordinate of {} has exactly {length} bytes", family(algorithm)),
            );
        }

        let mut der = good.spki();
        *der.last_mut().unwrap() ^= 1;
        assert_refused(VerificationKey::from_der(&der, algorithm), "not on its curve");
    }
}

#[test]
fn coordinates_are_below_the_prime() {
    // (0, sqrt(b)) is a point of P-256; its x is 0 and not the prime itself.
    let y = "ZkhceA4vg9ckM71dhKBrtlQcKvMdrocXKL-FahdPk_Q";
    let prime = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    ];
    let with =
        |x: &[u8]| from_jwk(&json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": y}));
    assert!(with(&[0; 32]).is_ok());
    assert_refused(with(&prime), "not on its curve");
}

#[test]
fn compressed_points_are_refused() {
    let der = SigningKey::new(Algorithm::ES256).spki();
    // Two lengths, the count of unused bits, and the form of the point change.
    let mut compressed = der[..der.len() - 32].to_vec();
    let start = compressed.len() - 33;
    compressed[start] = 2;
    compressed[start - 2] -= 32;
    compressed[1] -= 32;
    assert_refused(VerificationKey::from_der(&compressed, Algorithm::ES256), "point is compressed");
}

#[test]
fn bad_ed25519_keys_are_refused() {
    let okp = |x: &[u8]| from_jwk(&json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(x)}));
    let mut one = [0; 32];
    one[0] = 1;
    assert_refused(okp(&[0; 32]), "small order");
    assert_refused(okp(&one), "small order");
    assert_refused(okp(&[0xff; 32]), "canonically");
    assert_refused(okp(&[7; 31]), "exactly 32 bytes, this one has 31");
    assert_refused(okp(&[7; 33]), "exactly 32 bytes, this one has 33");

    let mut der = SigningKey::new(Algorithm::Ed25519).spki();
    der.truncate(12);
    der.extend([0; 32]);
    assert_refused(VerificationKey::from_der(&der, Algorithm::Ed25519), "small order");
}
