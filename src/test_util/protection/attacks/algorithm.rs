//! Another algorithm than that of the key.

use serde_json::json;

use crate::crypto::Algorithm;
use crate::issuer::compact;
use crate::test_util::protection::attack::{Attack, token};
use crate::test_util::protection::good_token::GoodToken;
use crate::test_util::protection::public_key::PublicKey;

const NONE: &str = "RFC 7519 section 6 and RFC 8725 section 3.1: `none` is never accepted";
const MALFORMED: &str = "RFC 7515 section 4.1.1: `alg` is required, a string, and case-sensitive";
const BOUND: &str = "RFC 8725 section 3.1: each key is used with one algorithm";
const CONFUSION: &str =
    "RFC 8725 sections 2.1 and 3.1: a public key is not an HMAC secret, everybody knows it";
const KNOWN_SECRET: &str =
    "RFC 7518 section 3.2 and RFC 8725 section 3.5: a secret is random, and as long as the hash";

pub(super) static ATTACKS: [Attack; 30] = [
    token("alg: none", NONE, |good| unsigned(good, "none")),
    token("alg: None", NONE, |good| unsigned(good, "None")),
    token("alg: NONE", NONE, |good| unsigned(good, "NONE")),
    token("alg: nOnE", NONE, |good| unsigned(good, "nOnE")),
    token("alg: none with a signature", NONE, |good| {
        good.forged(json!({"alg": "none"}), |_| vec![7; 64])
    }),
    token("alg: missing", MALFORMED, |good| {
        let mut header = good.header();
        header.remove("alg")?;
        good.signed(header, good.claims())
    }),
    token("alg: number", MALFORMED, |good| good.with_header("alg", 256)),
    token("alg: list", MALFORMED, |good| good.with_header("alg", json!([good.algorithm()]))),
    token("alg: empty", MALFORMED, |good| good.with_header("alg", "")),
    token("alg: in lower case", MALFORMED, |good| {
        let lower = good.algorithm().to_lowercase();
        (lower != good.algorithm()).then(|| good.with_header("alg", lower))?
    }),
    token(
        "alg: unknown, without a signature",
        "RFC 7515 section 5.2: an algorithm that is not known verifies nothing",
        |good| unsigned(good, "XS256"),
    ),
    token("alg: another of its family", BOUND, |good| {
        good.with_header(
            "alg",
            match good.algorithm() {
                "HS256" => "HS512",
                "HS384" | "HS512" => "HS256",
                "RS256" => "PS256",
                "RS384" | "RS512" => "RS256",
                "PS256" => "RS256",
                "PS384" | "PS512" => "PS256",
                "ES256" => "ES384",
                _ => "ES256",
            },
        )
    }),
    token("alg: signed with another of its family", BOUND, |good| {
        good.signed_with(match good.algorithm() {
            "RS256" => Algorithm::PS256,
            "RS384" => Algorithm::PS384,
            "RS512" => Algorithm::PS512,
            "PS256" => Algorithm::RS256,
            "PS384" => Algorithm::RS384,
            "PS512" => Algorithm::RS512,
            _ => return None,
        })
    }),
    token("public key: PEM as a secret", CONFUSION, |good| confused(good, key(good)?.pem()?)),
    token("public key: PEM as a secret of HS384", CONFUSION, |good| {
        keyed(good, Algorithm::HS384, key(good)?.pem()?)
    }),
    token("public key: PEM as a secret of HS512", CONFUSION, |good| {
        keyed(good, Algorithm::HS512, key(good)?.pem()?)
    }),
    token("public key: PEM without the last line break", CONFUSION, |good| {
        confused(good, key(good)?.pem()?.trim_end())
    }),
    token("public key: PEM with CRLF", CONFUSION, |good| {
        confused(good, key(good)?.pem()?.replace('\n', "\r\n"))
    }),
    token("public key: base64 without the lines of PEM", CONFUSION, |good| {
        confused(good, base64_simd::STANDARD.encode_to_string(key(good)?.der()))
    }),
    token("public key: PEM of PKCS#1", CONFUSION, |good| confused(good, key(good)?.pkcs1_pem()?)),
    token("public key: PEM of PKCS#1, without the last line break", CONFUSION, |good| {
        confused(good, key(good)?.pkcs1_pem()?.trim_end())
    }),
    token("public key: DER as a secret", CONFUSION, |good| confused(good, key(good)?.der())),
    token("public key: raw bytes as a secret", CONFUSION, |good| confused(good, key(good)?.raw())),
    token("public key: JWK as a secret", CONFUSION, |good| confused(good, key(good)?.jwk()?)),
    token("public key: JWK set as a secret", CONFUSION, |good| {
        confused(good, key(good)?.jwk_set()?)
    }),
    token("public key: the text of the file as a secret", CONFUSION, |good| {
        confused(good, key(good)?.text())
    }),
    token("weak secret: empty", KNOWN_SECRET, |good| weak(good, "")),
    token("weak secret: secret", KNOWN_SECRET, |good| weak(good, "secret")),
    token("weak secret: your-256-bit-secret", KNOWN_SECRET, |good| {
        weak(good, "your-256-bit-secret")
    }),
    token("weak secret: a-string-secret-at-least-256-bits-long", KNOWN_SECRET, |good| {
        weak(good, "a-string-secret-at-least-256-bits-long")
    }),
];

fn unsigned(good: &GoodToken, algorithm: &str) -> Option<String> {
    good.forged(json!({"alg": algorithm}), |_| Vec::new())
}

/// The public key, which is not that of a service with a secret.
fn key(good: &GoodToken) -> Option<&PublicKey> {
    good.public_key().filter(|_| !good.is_symmetric())
}

/// A token with HS256 and this secret, under the `kid` of the good key.
fn confused(good: &GoodToken, secret: impl AsRef<[u8]>) -> Option<String> {
    keyed(good, Algorithm::HS256, secret)
}

/// A token with this secret, with the algorithm of the good token if it is one for secrets.
fn weak(good: &GoodToken, secret: &str) -> Option<String> {
    keyed(good, good.hmac_algorithm(), secret)
}

fn keyed(good: &GoodToken, algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Option<String> {
    good.forged(json!({"alg": algorithm.name()}), |message| {
        compact::hmac(algorithm, secret.as_ref(), message).unwrap_or_default()
    })
}
