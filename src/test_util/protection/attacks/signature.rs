//! Wrong signatures, and signatures of keys that the token itself names.

use serde_json::{Value, json};

use crate::issuer::compact;
use crate::test_util::protection::attack::{Attack, token};
use crate::test_util::protection::attacker;
use crate::test_util::protection::good_token::{GoodToken, base64url, text_of as text};
use crate::test_util::protection::public_key;

const WRONG: &str =
    "RFC 7515 section 5.2: the signature covers header and claims, and all of it is verified";
const FORM: &str = "RFC 7518 section 3.4: a signature has exactly one length and form";
const OTHER_KEY: &str = "RFC 8725 section 3.8: the key belongs to the issuer";
const NAMED_KEY: &str =
    "RFC 8725 section 3.10 and CVE-2018-0114: the token does not bring its own key";
const KID: &str =
    "RFC 8725 section 3.10: `kid` is data of the client, not a path, a query or a secret";
const KID_FORM: &str = "RFC 7515 section 4.1.4: `kid` is a string";

pub(super) static ATTACKS: [Attack; 26] = [
    token("signature: empty", WRONG, |good| good.with_signature(|_| Some(Vec::new()))),
    token("signature: truncated", WRONG, |good| {
        good.with_signature(|mut signature| {
            signature.truncate(signature.len() / 2);
            Some(signature)
        })
    }),
    token("signature: a byte less", WRONG, |good| {
        good.with_signature(|mut signature| signature.pop().map(|_| signature))
    }),
    token("signature: a byte more", WRONG, |good| {
        good.with_signature(|mut signature| {
            signature.push(0);
            Some(signature)
        })
    }),
    token("signature: first bit flipped", WRONG, |good| {
        good.with_signature(|mut signature| {
            *signature.first_mut()? ^= 0x80;
            Some(signature)
        })
    }),
    token("signature: last bit flipped", WRONG, |good| {
        good.with_signature(|mut signature| {
            *signature.last_mut()? ^= 1;
            Some(signature)
        })
    }),
    token(
        "signature: zeros",
        "RFC 7518 section 3.4 and CVE-2022-21449: zeros are never a signature",
        |good| good.with_signature(|signature| Some(vec![0; signature.len()])),
    ),
    token("signature: DER", FORM, |good| {
        let is_ecdsa = good.algorithm().starts_with("ES");
        good.with_signature(|signature| public_key::ecdsa_der(&signature)).filter(|_| is_ecdsa)
    }),
    token("signature: of other claims", WRONG, |good| {
        let token = good.good();
        let (_, signature) = token.rsplit_once('.')?;
        let mut claims = good.claims();
        claims.insert("sub".to_owned(), "admin".into());
        Some(format!("{}.{}.{signature}", base64url(text(good.header())), base64url(text(claims))))
    }),
    token("signature: of another header", WRONG, |good| {
        let token = good.good();
        let (message, signature) = token.rsplit_once('.')?;
        let (_, claims) = message.split_once('.')?;
        let mut header = good.header();
        header.insert("x".to_owned(), "changed".into());
        Some(format!("{}.{claims}.{signature}", base64url(text(header))))
    }),
    token("key: another with the same kid", OTHER_KEY, |good| by_attacker(good, json!({}))),
    token("key: another without kid", OTHER_KEY, |good| by_attacker(good, json!({"kid": null}))),
    token("key: another with its own kid", OTHER_KEY, |good| {
        by_attacker(good, json!({"kid": attacker::KID}))
    }),
    token("key: jwk in the header", NAMED_KEY, |good| by_attacker(good, json!({"jwk": jwk(good)}))),
    token("key: jwk in the header, without kid", NAMED_KEY, |good| {
        by_attacker(good, json!({"jwk": jwk(good), "kid": null}))
    }),
    token("key: jku in the header", NAMED_KEY, |good| {
        by_attacker(good, json!({"jku": good.attacker_url()?, "kid": attacker::KID}))
    }),
    token("key: x5c in the header", NAMED_KEY, |good| {
        let certificate = attacker::certificate(good.attacker_algorithm())?;
        let certificate = base64_simd::STANDARD.encode_to_string(certificate);
        by_attacker(good, json!({"x5c": [certificate], "kid": null}))
    }),
    token("kid: an empty file", KID, |good| with_secret(good, "../../../../../../dev/null", b"")),
    token("kid: a file with known content", KID, |good| {
        with_secret(good, "../../../../../../proc/sys/kernel/randomize_va_space", b"2\n")
    }),
    token("kid: SQL", KID, |good| with_secret(good, "' UNION SELECT 'secret' -- ", b"secret")),
    token("kid: a command", KID, |good| with_secret(good, "|echo secret", b"secret\n")),
    token("kid: control characters", KID, |good| {
        by_attacker(good, json!({"kid": "a\r\nSet-Cookie: x\u{0}\u{1b}[31m"}))
    }),
    token("kid: 2,000 characters", KID, |good| by_attacker(good, json!({"kid": "k".repeat(2000)}))),
    token("kid: empty", OTHER_KEY, |good| by_attacker(good, json!({"kid": ""}))),
    token("kid: number", KID_FORM, |good| good.with_header("kid", 1)),
    token("kid: list", KID_FORM, |good| good.with_header("kid", json!(["a"]))),
];

/// Good claims that the attacker has signed with a key of the good algorithm.
fn by_attacker(good: &GoodToken, mut parameters: Value) -> Option<String> {
    let algorithm = good.attacker_algorithm();
    parameters.as_object_mut()?.insert("alg".to_owned(), algorithm.name().into());
    good.forged(parameters, |message| attacker::sign(algorithm, message))
}

/// Good claims with HMAC, where `kid` leads to a secret that the attacker knows.
fn with_secret(good: &GoodToken, kid: &str, secret: &[u8]) -> Option<String> {
    let algorithm = good.hmac_algorithm();
    good.forged(json!({"alg": algorithm.name(), "kid": kid}), |message| {
        compact::hmac(algorithm, secret, message).unwrap_or_default()
    })
}

/// The key of the attacker, without `kid`, so that it does not differ from that of the header.
fn jwk(good: &GoodToken) -> Value {
    let mut jwk = attacker::jwk(good.attacker_algorithm());
    if let Some(members) = jwk.as_object_mut() {
        members.remove("kid");
    }
    jwk
}
