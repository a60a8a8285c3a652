//! Nonces of the server (RFC 9449 section 8): the time of issue and random bytes, sealed by a MAC. The server stores none.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use http::HeaderValue;

use crate::claims::NumericDate;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{Algorithm, constant_time, mac};

/// What is sealed beside the bytes of a nonce, so that a MAC of another protocol with the same key is none of it.
const CONTEXT: &[u8] = b"tower-jwt-auth DPoP nonce 1\0";

const TIME: usize = 8;
const SEALED: usize = 16;
const TAG: usize = 16;
const NONCE: usize = SEALED + TAG;

/// The least length of a key, in bytes.
const MIN_KEY: usize = 32;

/// Whether a nonce of a client is one of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonceState {
    Valid,
    /// Still valid, but the client should get a new one now.
    NearItsEnd,
    /// Old, from another server, or not a nonce.
    Invalid,
}

/// The keys that seal nonces: new ones with the first key.
#[derive(Clone)]
pub(super) struct Nonces {
    keys: Vec<Arc<[u8]>>,
}

impl Nonces {
    /// Nonces of this process alone.
    pub(super) fn random() -> Result<Self, ConfigError> {
        let mut key = [0; MIN_KEY];
        getrandom::fill(&mut key).map_err(|error| {
            ConfigError::new(ConfigErrorKind::Key, "the system has no random numbers")
                .with_source(error)
        })?;
        Ok(Self { keys: vec![Arc::from(key)] })
    }

    pub(super) fn with_key(key: &[u8]) -> Result<Self, ConfigError> {
        Ok(Self { keys: vec![checked(key)?] })
    }

    /// Replaces the key for new nonces. The previous keys remain.
    pub(super) fn set_key(&mut self, key: &[u8]) -> Result<(), ConfigError> {
        let key = checked(key)?;
        match self.keys.first_mut() {
            Some(first) => *first = key,
            None => self.keys.push(key),
        }
        Ok(())
    }

    /// Accepts nonces that were sealed with this key too.
    pub(super) fn add_previous(&mut self, key: &[u8]) -> Result<(), ConfigError> {
        self.keys.push(checked(key)?);
        Ok(())
    }

    /// A new nonce: 43 characters of base64url, which are NQCHAR (RFC 9449 section 8.1). `None` never happens: the key
    /// fits the algorithm, and the text a header.
    pub(super) fn issue(&self, now: NumericDate) -> Option<HeaderValue> {
        let mut sealed = [0; SEALED];
        let (time, random) = sealed.split_at_mut(TIME);
        time.copy_from_slice(&now.unix_seconds().to_be_bytes());
        // Without random numbers, the nonces of one second are the same. Nobody can guess them either.
        let _ = getrandom::fill(random);
        let tag = tag(self.keys.first()?, &sealed)?;
        let nonce = URL_SAFE_NO_PAD.encode_to_string([&sealed[..], tag.get(..TAG)?].concat());
        HeaderValue::try_from(nonce).ok()
    }

    /// Checks a nonce. One from the future, by less than the leeway, is from another instance.
    pub(super) fn check(
        &self,
        nonce: &str,
        now: NumericDate,
        lifetime: Duration,
        leeway: u64,
    ) -> NonceState {
        let Some((key, issued_at)) = self.open(nonce) else {
            return NonceState::Invalid;
        };
        let lifetime = lifetime.as_secs();
        if now.saturating_add(leeway) < issued_at || issued_at.saturating_add(lifetime) <= now {
            return NonceState::Invalid;
        }
        match key == 0 && now < issued_at.saturating_add(lifetime / 2) {
            true => NonceState::Valid,
            false => NonceState::NearItsEnd,
        }
    }

    /// The number of the key that sealed the nonce, and its time.
    fn open(&self, nonce: &str) -> Option<(usize, NumericDate)> {
        // No longer text is decoded.
        if nonce.len() != NONCE.saturating_mul(8).div_ceil(6) {
            return None;
        }
        let nonce = URL_SAFE_NO_PAD.decode_to_vec(nonce).ok()?;
        let (sealed, given) = nonce.split_at_checked(SEALED)?;
        let key = self.keys.iter().position(|key| {
            tag(key, sealed)
                .as_deref()
                .and_then(|tag| tag.get(..TAG))
                .is_some_and(|tag| constant_time::are_equal(tag, given))
        })?;
        let seconds = i64::from_be_bytes(*sealed.first_chunk::<TIME>()?);
        Some((key, NumericDate::from_unix_seconds(seconds)))
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

fn tag(key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    mac(key, Algorithm::HS256, &[CONTEXT, sealed].concat())
}

fn checked(key: &[u8]) -> Result<Arc<[u8]>, ConfigError> {
    match key.len() {
        MIN_KEY.. => Ok(key.into()),
        length => Err(ConfigError::new(
            ConfigErrorKind::Key,
            format!("a key for nonces needs at least {MIN_KEY} bytes, this one has {length}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(300);
    const NOW: i64 = 1_700_000_000;

    fn at(seconds: i64) -> NumericDate {
        NumericDate::from_unix_seconds(seconds)
    }

    fn issue(nonces: &Nonces) -> String {
        nonces.issue(at(NOW)).unwrap().to_str().unwrap().to_owned()
    }

    fn check(nonces: &Nonces, nonce: &str, now: i64) -> NonceState {
        nonces.check(nonce, at(now), LIFETIME, 30)
    }

    #[test]
    fn nonce_is_valid_for_its_lifetime_and_replaced_in_the_second_half() {
        let nonces = Nonces::random().unwrap();
        let nonce = issue(&nonces);
        for (now, state) in [
            (NOW - 31, NonceState::Invalid),
            (NOW - 30, NonceState::Valid),
            (NOW, NonceState::Valid),
            (NOW + 149, NonceState::Valid),
            (NOW + 150, NonceState::NearItsEnd),
            (NOW + 299, NonceState::NearItsEnd),
            (NOW + 300, NonceState::Invalid),
            (i64::MAX, NonceState::Invalid),
            (0, NonceState::Invalid),
        ] {
            assert_eq!(check(&nonces, &nonce, now), state, "{now}");
        }
    }

    #[test]
    fn nonces_are_43_characters_and_differ_within_a_second() {
        let nonces = Nonces::random().unwrap();
        let (one, other) = (issue(&nonces), issue(&nonces));
        assert_ne!(one, other);
        // 1*NQCHAR (RFC 9449 section 8.1).
        let is_nqchar = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(one.len() == 43 && one.bytes().all(is_nqchar), "{one}");
    }

    #[test]
    fn changed_nonce_and_nonce_of_another_key_are_invalid() {
        let nonces = Nonces::random().unwrap();
        let nonce = issue(&nonces);
        assert_eq!(check(&nonces, &issue(&Nonces::random().unwrap()), NOW), NonceState::Invalid);
        for at in 0..nonce.len() {
            let mut changed = nonce.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(check(&nonces, &changed, NOW), NonceState::Invalid, "{at}");
        }
        for other in ["", "nonce", &nonce[1..], &format!("{nonce}A"), &format!("{nonce}=")] {
            assert_eq!(check(&nonces, other, NOW), NonceState::Invalid, "{other}");
        }
    }

    #[test]
    fn instances_with_one_key_accept_the_nonces_of_each_other() {
        let (one, other) =
            (Nonces::with_key(&[7; 32]).unwrap(), Nonces::with_key(&[7; 32]).unwrap());
        assert_eq!(check(&other, &issue(&one), NOW), NonceState::Valid);
    }

    #[test]
    fn nonce_of_the_previous_key_is_accepted_and_replaced() {
        let old = issue(&Nonces::with_key(&[7; 32]).unwrap());
        let mut nonces = Nonces::with_key(&[8; 32]).unwrap();
        assert_eq!(check(&nonces, &old, NOW), NonceState::Invalid);
        nonces.add_previous(&[7; 32]).unwrap();
        assert_eq!(check(&nonces, &old, NOW), NonceState::NearItsEnd);
        assert_eq!(check(&nonces, &issue(&nonces), NOW), NonceState::Valid);
    }

    #[test]
    fn key_of_less_than_32_bytes_is_refused() {
        let error = Nonces::with_key(&[7; 31]).unwrap_err();
        assert_eq!(error.to_string(), "a key for nonces needs at least 32 bytes, this one has 31");
        assert!(Nonces::random().unwrap().add_previous(&[]).is_err());
    }

    #[test]
    fn debug_does_not_show_a_key() {
        let nonces = Nonces::with_key(&[7; 32]).unwrap();
        assert_eq!(format!("{nonces:?}"), "Nonces { keys: 1, .. }");
    }
}
