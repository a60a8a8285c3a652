//! The signature check of aws-lc-rs, with a parsed key; message and signature are split and decoded beforehand.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};

use crate::contender::{Contender, Group};
use crate::fixture::{self, Algorithm, Fixture};

pub enum Key {
    Hmac(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl Key {
    pub fn new(fixture: &Fixture) -> Self {
        let algorithm: &'static dyn VerificationAlgorithm = match fixture.algorithm {
            Algorithm::Hs256 => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, fixture.secret.as_bytes());
                return Self::Hmac(Box::new(key));
            }
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::EdDsa => &signature::ED25519,
        };
        Self::Public(ParsedPublicKey::new(algorithm, &fixture.public_key).unwrap())
    }

    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

pub(super) fn new(fixture: &Fixture) -> Contender {
    let key = Key::new(fixture);
    Contender::function(
        "bare signature check",
        Group::Limit,
        fixture::split,
        move |(message, signature)| key.verify(message, signature),
    )
}
