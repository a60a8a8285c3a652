//! Signatures made to measure.

use tower_jwt_auth::{Algorithm, RejectionKind};

use super::{refused, verdict};
use crate::support::{TestKey, b64, backend_supports, claims, key};

use RejectionKind::*;

/// `SEQUENCE { INTEGER r, INTEGER s }`.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let mut number = &number[number.iter().take_while(|byte| **byte == 0).count()..];
        let padded;
        if number.first().is_none_or(|first| *first >= 0x80) {
            padded = [&[0][..], number].concat();
            number = &padded;
        }
        [&[2, number.len() as u8][..], number].concat()
    };
    let body = [integer(r), integer(s)].concat();
    match body.len() {
        short @ ..0x80 => [&[0x30, short as u8][..], &body].concat(),
        long => [&[0x30, 0x81, long as u8][..], &body].concat(),
    }
}

/// A token of the usual shape with this signature.
fn with_signature(key: &TestKey, signature: impl AsRef<[u8]>) -> String {
    let token = key.token(&claims());
    let (message, _) = token.rsplit_once('.').unwrap();
    format!("{message}.{}", b64(signature))
}

fn signature_of(key: &TestKey) -> Vec<u8> {
    use base64::Engine;
    let token = key.token(&claims());
    let (_, signature) = token.rsplit_once('.').unwrap();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap()
}

/// The order of each curve's base point, in the length of a coordinate.
fn order(algorithm: Algorithm) -> Vec<u8> {
    let hex = match algorithm {
        Algorithm::ES256 => "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        Algorithm::ES384 => concat!(
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf",
            "581a0db248b0a77aecec196accc52973"
        ),
        _ => concat!(
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa",
            "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"
        ),
    };
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

#[test]
fn signatures_of_ecdsa_are_two_numbers_of_exact_length() {
    for (algorithm, length) in
        [(Algorithm::ES256, 32), (Algorithm::ES384, 48), (Algorithm::ES512, 66)]
    {
        if !backend_supports(algorithm) {
            continue;
        }
        let key = key(algorithm);
        let verifier = key.verifier();
        let good = signature_of(key);
        assert_eq!(good.len(), 2 * length);
        let (r, s) = good.split_at(length);
        let (zero, n) = (vec![0; length], order(algorithm));
        assert_eq!(n.len(), length);
        let one = [vec![0; length - 1], vec![1]].concat();
        let signatures = [
            ("der", der(r, s)),
            ("der of zeros", der(&zero, &zero)),
            ("der of ones", der(&one, &one)),
            ("one byte less", good[..2 * length - 1].to_vec()),
            ("one byte less before", good[1..].to_vec()),
            ("one byte more", [&good[..], &[0]].concat()),
            ("one byte more before", [&[0], &good[..]].concat()),
            ("a zero before each", [&[0], r, &[0], s].concat()),
            ("r alone", r.to_vec()),
            ("none", Vec::new()),
            ("twice", [&good[..], &good[..]].concat()),
            ("r = 0", [&zero[..], s].concat()),
            ("s = 0", [r, &zero].concat()),
            ("r = s = 0", [&zero[..], &zero].concat()),
            ("r = n", [&n[..], s].concat()),
            ("s = n", [r, &n].concat()),
            ("r = s = n", [&n[..], &n].concat()),
            ("r = s = 1", [&one[..], &one].concat()),
            ("r = 0, s = 1", [&zero[..], &one].concat()),
            ("the highest", vec![0xff; 2 * length]),
            ("swapped", [s, r].concat()),
        ];
        for (name, signature) in signatures {
            let kind = verdict(&verifier, &with_signature(key, signature)).err();
            assert_eq!(kind, Some(InvalidSignature), "{algorithm}: {name}");
        }
        for bytes in [65, 66, 96, 132, 133, 256, 1_000, 1_024, 1_025, 5_000, 10_000] {
            if bytes != 2 * length {
                for filling in [0, 1, 0xff] {
                    let token = with_signature(key, vec![filling; bytes]);
                    refused(&verifier, &token, InvalidSignature);
                }
            }
        }
    }
    let literal = key(Algorithm::ES256).token(&claims());
    let (message, _) = literal.rsplit_once('.').unwrap();
    let psychic = format!("{message}.MAYCAQACAQA");
    refused(&key(Algorithm::ES256).verifier(), &psychic, InvalidSignature);
}

#[test]
fn signatures_of_ed25519_are_canonical_and_of_64_bytes() {
    /// The order of the base point, lowest byte first.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let add_l = |s: &mut [u8]| {
        let mut carry = 0;
        for (byte, l) in s.iter_mut().zip(L) {
            let sum = u16::from(*byte) + u16::from(l) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        carry == 0
    };
    for algorithm in [Algorithm::EdDSA, Algorithm::Ed25519] {
        let key = key(algorithm);
        let verifier = key.verifier();
        let good = signature_of(key);
        let mut not_canonical = good.clone();
        let mut multiples = 0;
        // S + L, S + 2 L, …: the same number modulo L.
        while add_l(&mut not_canonical[32..]) {
            multiples += 1;
            refused(&verifier, &with_signature(key, &not_canonical), InvalidSignature);
        }
        assert!(multiples >= 14, "{multiples}");
        for signature in [
            good[..63].to_vec(),
            [&good[..], &[0]].concat(),
            [&good[..], &[0; 32]].concat(),
            good[..32].to_vec(),
            vec![0; 64],
            [&[1][..], &[0; 63]].concat(),
            vec![0xff; 64],
            [&good[32..], &good[..32]].concat(),
            [&good[..32], &L].concat(),
        ] {
            refused(&verifier, &with_signature(key, signature), InvalidSignature);
        }
    }
}

#[test]
fn signatures_of_rsa_are_as_long_as_the_modulus() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256] {
        let key = key(algorithm);
        let good = signature_of(key);
        assert_eq!(good.len(), 256);
        for signature in [
            good[..255].to_vec(),
            good[1..].to_vec(),
            [&good[..], &[0]].concat(),
            [&[0], &good[..]].concat(),
            vec![0; 256],
            [&[0; 255][..], &[1]].concat(),
            vec![0xff; 256],
            vec![0; 1_024],
        ] {
            refused(&key.verifier(), &with_signature(key, signature), InvalidSignature);
        }
    }
}

#[test]
fn a_mac_is_compared_whole() {
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let key = key(algorithm);
        let good = signature_of(key);
        for length in 0..good.len() {
            refused(&key.verifier(), &with_signature(key, &good[..length]), InvalidSignature);
        }
        let longer = [&good[..], &[0]].concat();
        refused(&key.verifier(), &with_signature(key, longer), InvalidSignature);
    }
}
