//! A self-signed certificate (RFC 5280), as small as it can be.

use spki::ObjectIdentifier;
use spki::der::Encode;

use crate::crypto::{Algorithm, KeyType};
use crate::issuer::{SigningKey, compact};
use crate::test_util::protection::public_key::ecdsa_der;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTF8_STRING: u8 = 0x0c;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// A certificate of a key with this SubjectPublicKeyInfo; `None` for a secret.
pub(super) fn self_signed(key: &SigningKey, public: &[u8]) -> Option<Vec<u8>> {
    let (key, algorithm) = signer(key)?;
    let name = element(
        SEQUENCE,
        &element(
            SET,
            &element(
                SEQUENCE,
                &[oid("2.5.4.3")?, element(UTF8_STRING, b"attacker.invalid")].concat(),
            ),
        ),
    );
    let validity = [
        element(GENERALIZED_TIME, b"20200101000000Z"),
        element(GENERALIZED_TIME, b"99991231235959Z"),
    ];
    let content = [
        element(VERSION, &element(INTEGER, &[2])),
        element(INTEGER, &[1]),
        algorithm.clone(),
        name.clone(),
        element(SEQUENCE, &validity.concat()),
        name,
        public.to_vec(),
    ];
    let content = element(SEQUENCE, &content.concat());
    let mut signature = compact::signature(&content, &key).ok()?;
    if key.algorithm().name().starts_with("ES") {
        signature = ecdsa_der(&signature)?;
    }
    let signature = element(BIT_STRING, &[&[0], &*signature].concat());
    Some(element(SEQUENCE, &[content, algorithm, signature].concat()))
}

/// The key that signs, and its AlgorithmIdentifier. A key for PS256 signs with RS256, which has no parameters.
fn signer(key: &SigningKey) -> Option<(SigningKey, Vec<u8>)> {
    let (oid_of, key) = match key.algorithm().key_type() {
        KeyType::Secret => return None,
        KeyType::Rsa => {
            let pem = key.private_pem().ok()?;
            let key = SigningKey::from_pem(pem.as_str().as_bytes(), Algorithm::RS256).ok()?;
            let null = [0x05, 0];
            let algorithm = [oid("1.2.840.113549.1.1.11")?, null.to_vec()].concat();
            return Some((key, element(SEQUENCE, &algorithm)));
        }
        KeyType::P256 => ("1.2.840.10045.4.3.2", key),
        KeyType::P384 => ("1.2.840.10045.4.3.3", key),
        KeyType::P521 => ("1.2.840.10045.4.3.4", key),
        KeyType::Ed25519 => ("1.3.101.112", key),
        KeyType::MlDsa44 => ("2.16.840.1.101.3.4.3.17", key),
        KeyType::MlDsa65 => ("2.16.840.1.101.3.4.3.18", key),
        KeyType::MlDsa87 => ("2.16.840.1.101.3.4.3.19", key),
    };
    Some((key.clone(), element(SEQUENCE, &oid(oid_of)?)))
}

fn oid(text: &str) -> Option<Vec<u8>> {
    ObjectIdentifier::new(text).ok()?.to_der().ok()
}

/// A tag, the length in DER, and the content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let length: Vec<u8> = length.into_iter().skip(zeros).collect();
    match (content.len(), u8::try_from(length.len())) {
        (0..128, _) => element.push(length.first().copied().unwrap_or_default()),
        (_, count) => {
            element.push(0x80 | count.unwrap_or_default());
            element.extend(length);
        }
    }
    element.extend_from_slice(content);
    element
}
