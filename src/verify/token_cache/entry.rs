use std::hash::{BuildHasher, Hash, Hasher};

use bytes::Bytes;
use foldhash::fast::SeedableRandomState;
use http::HeaderValue;
use quick_cache::{Equivalent, Lifecycle, Weighter};

use crate::extract::PresentedToken;
use crate::hash_seed::random_state;
use crate::verify::by_name::Input;
use crate::verify::token_cache::settings::Settings;
use crate::verify::token_cache::{Bound, Caller, Sought, Validity};
use crate::verify::verified_token::VerifiedToken;

/// All bytes of a token, which are compared one by one: no digest, and no part of the token, stands for it.
#[derive(PartialEq, Eq)]
pub(super) struct Key {
    text: Bytes,
    caller: Caller,
}

impl Key {
    fn sought(&self) -> Sought<'_> {
        Sought { text: &self.text, caller: self.caller }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sought().hash(state);
    }
}

impl Hash for Sought<'_> {
    /// By the text alone, and without its length: there is nothing beside it in a key that a client could choose.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.text);
    }
}

/// The hash of a token, with a seed of its own.
///
/// That of a signed token is the hash of the last 24 bytes of its signature, which are as good as random, and which only
/// the issuer can choose. A signature of ML-DSA ends with hints, of which the last are mostly zeros, so tokens that are
/// long enough for one are hashed whole. All bytes are compared in any case.
#[derive(Clone)]
pub(super) struct TokenHash {
    seed: SeedableRandomState,
    of_signed: bool,
}

impl TokenHash {
    pub(super) fn new(of_signed: bool) -> Self {
        Self { seed: random_state(), of_signed }
    }
}

impl BuildHasher for TokenHash {
    type Hasher = TokenHasher<<SeedableRandomState as BuildHasher>::Hasher>;

    #[inline]
    fn build_hasher(&self) -> Self::Hasher {
        TokenHasher { hasher: self.seed.build_hasher(), of_signed: self.of_signed }
    }
}

/// The length of the shortest signature of ML-DSA, in base64url.
const SHORTEST_OF_ML_DSA: usize = 3227;

pub(super) struct TokenHasher<H> {
    hasher: H,
    of_signed: bool,
}

impl<H: Hasher> Hasher for TokenHasher<H> {
    #[inline]
    fn write(&mut self, token: &[u8]) {
        match token.last_chunk::<32>() {
            // Four bytes of text for three of the signature.
            Some(end) if self.of_signed && token.len() < SHORTEST_OF_ML_DSA => {
                for part in end.as_chunks().0 {
                    self.hasher.write_u64(u64::from_le_bytes(*part));
                }
            }
            _ => self.hasher.write(token),
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.hasher.finish()
    }
}

impl Equivalent<Key> for Sought<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self == key.sought()
    }
}

/// A verified token, and to what it is bound.
pub(super) struct Entry<C, B> {
    pub(super) token: VerifiedToken<C>,
    pub(super) validity: Validity,
    pub(super) bound: B,
}

impl<C, B: Bound> Clone for Entry<C, B> {
    fn clone(&self) -> Self {
        Self { token: self.token.clone(), validity: self.validity, bound: self.bound.clone() }
    }
}

#[derive(Clone)]
pub(super) struct ByLength;

impl<C, B: Bound> Weighter<Key, Entry<C, B>> for ByLength {
    fn weight(&self, key: &Key, entry: &Entry<C, B>) -> u64 {
        Settings::weight(key.text.len().saturating_add(entry.bound.length()))
    }
}

/// Hands out all that an insertion evicts, so that it is dropped after the lock is released: the claims may be of
/// a custom type.
#[derive(Clone)]
pub(super) struct DroppedLater;

impl<K, V> Lifecycle<K, V> for DroppedLater {
    type RequestState = Vec<(K, V)>;

    fn on_evict(&self, evicted: &mut Vec<(K, V)>, key: K, value: V) {
        evicted.push((key, value));
    }
}

/// What a cache has to know of a verification. It records that on the way.
pub(in crate::verify) struct Note {
    /// The greatest length of a token that the cache keeps, in bytes.
    max_length: usize,
    kept: Option<(Key, Validity)>,
}

impl Note {
    pub(super) fn new(max_length: usize) -> Self {
        Self { max_length, kept: None }
    }

    pub(super) fn into_kept(self) -> Option<(Key, Validity)> {
        self.kept
    }

    /// Keeps an accepted token. Returns what the result keeps of its text. The text is copied: that of a request
    /// is a part of a larger buffer, which the cache would keep in memory.
    pub(in crate::verify) fn keep(
        &mut self,
        token: Input<'_>,
        copies_text: bool,
        validity: Validity,
    ) -> Option<PresentedToken> {
        let sought = Sought::from(token);
        if validity.generation.is_none() || sought.text.len() > self.max_length {
            return token.kept(copies_text);
        }
        let text = Bytes::copy_from_slice(sought.text);
        let key = Key { text: text.clone(), caller: sought.caller };
        // It shares the text with the key.
        let kept = match (token.kept(copies_text), HeaderValue::from_maybe_shared(text)) {
            (Some(kept), Ok(value)) => Some(kept.with_text(value)),
            (None, _) => None,
            (kept, Err(_)) => return kept,
        };
        self.kept = Some((key, validity));
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(of: &TokenHash, text: &[u8]) -> u64 {
        of.hash_one(Sought { text, caller: Caller::Layer })
    }

    fn key(text: &[u8]) -> Key {
        Key { text: Bytes::copy_from_slice(text), caller: Caller::Layer }
    }

    #[test]
    fn signed_tokens_with_the_same_end_are_different_keys_with_the_same_hash() {
        let one = [b"header.one.".as_slice(), &[b'a'; 43]].concat();
        let other = [b"header.two.".as_slice(), &[b'a'; 43]].concat();
        let signed = TokenHash::new(true);
        assert_eq!(hash(&signed, &one), hash(&signed, &other));
        assert_eq!(hash(&signed, &one), signed.hash_one(key(&one)));
        let sought = Sought { text: &one, caller: Caller::Layer };
        assert!(sought.equivalent(&key(&one)) && !sought.equivalent(&key(&other)));
    }

    #[test]
    fn every_byte_counts_for_the_hash_of_an_opaque_token_and_of_a_signature() {
        let token = [b'a'; 80];
        let (signed, opaque) = (TokenHash::new(true), TokenHash::new(false));
        for at in 0..token.len() {
            let mut changed = token;
            changed[at] = b'b';
            assert_ne!(hash(&opaque, &token), hash(&opaque, &changed), "{at}");
            let is_in_end = at >= token.len() - 32;
            assert_eq!(hash(&signed, &token) != hash(&signed, &changed), is_in_end, "{at}");
        }
    }

    #[test]
    fn signature_of_ml_dsa_is_hashed_whole() {
        // Its end: no hint in the last places, and the same number of hints for each polynomial.
        let signed = TokenHash::new(true);
        for length in [3227, 4412, 6170] {
            let (mut one, mut other) = (vec![b'A'; length], vec![b'A'; length]);
            (one[0], other[0]) = (b'e', b'f');
            assert_ne!(hash(&signed, &one), hash(&signed, &other), "{length}");
        }
    }

    #[test]
    fn every_cache_has_its_own_hash_seed() {
        let token = [b'a'; 80];
        assert_ne!(hash(&TokenHash::new(true), &token), hash(&TokenHash::new(true), &token));
        assert_ne!(hash(&TokenHash::new(true), b"short"), hash(&TokenHash::new(true), b"short"));
    }
}
