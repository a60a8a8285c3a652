//! Secrets that the service hands out: refresh tokens, codes, cookies, client secrets. The store has only their hashes.

use std::fmt;

use aws_lc_rs::{digest, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A random text of 43 characters, with 256 bits.
pub fn random() -> String {
    let mut bytes = [0; 32];
    // It fails only if the system has no random numbers.
    rand::fill(&mut bytes).expect("the system has random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A random ID of 22 characters, with 128 bits.
pub fn random_id() -> String {
    let mut id = random();
    id.truncate(22);
    id
}

/// The SHA-256 hash in base64url: of a secret with 256 random bits, for the store; of a code verifier (RFC 7636).
pub fn hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, secret.as_bytes()))
}

/// Derives each refresh token from its predecessor. So the same predecessor gives the same successor, on every instance
/// with this key, and only hashes are stored.
#[derive(Clone)]
pub struct Successors(hmac::Key);

impl Successors {
    /// From a secret with 256 random bits.
    pub fn new(secret: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// The refresh token after this one.
    pub fn after(&self, token: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, token.as_bytes()))
    }
}

impl fmt::Debug for Successors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Successors").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_secrets_differ_and_have_their_length() {
        assert_eq!((random().len(), random_id().len()), (43, 22));
        assert_ne!(random(), random());
        assert_ne!(random_id(), random_id());
    }

    #[test]
    fn the_hash_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(hash(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_token_has_one_successor_for_each_key() {
        let (one, other) = (Successors::new("one"), Successors::new("other"));
        assert_eq!(one.after("token"), Successors::new("one").after("token"));
        assert_ne!(one.after("token"), other.after("token"));
        assert_ne!(one.after("token"), one.after("another"));
        assert_eq!(one.after("token").len(), 43);
    }
}
