//! The text of the file: a line with a digest of the rest, and a line of JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::crypto::digest::sha256;
use crate::key_source::remote::cache_headers::Lifetime;

/// The start of each file, with the version of its format.
pub(super) const START: &str = "tower-jwt-auth keys 1 sha256:";

/// A set and when its issuer confirmed it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    /// The name of the source, for the reader of the file.
    source: String,
    /// What the set belongs to: see `LoadKeys::identity`.
    identity: String,
    /// In seconds since 1970.
    confirmed_at: u64,
    fresh_seconds: u64,
    stale_seconds: u64,
    /// The set as the issuer sent it.
    jwks: String,
}

impl Saved {
    pub(super) fn new(
        source: &str,
        identity: &str,
        confirmed_at: Duration,
        lifetime: Lifetime,
        jwks: &str,
    ) -> Self {
        Self {
            source: source.to_owned(),
            identity: identity.to_owned(),
            confirmed_at: confirmed_at.as_secs(),
            fresh_seconds: lifetime.fresh.as_secs(),
            stale_seconds: lifetime.stale.as_secs(),
            jwks: jwks.to_owned(),
        }
    }

    pub(super) fn to_text(&self) -> Result<String, serde_json::Error> {
        let json = serde_json::to_string(self)?;
        let digest = digest(&json);
        Ok(format!("{START}{digest}\n{json}\n"))
    }

    /// Reads a file that belongs to this source.
    ///
    /// # Errors
    ///
    /// The reason, which contains no part of the file.
    pub(super) fn from_text(text: &[u8], identity: &str) -> Result<Self, &'static str> {
        const DAMAGED: &str = "it is damaged";

        let text = std::str::from_utf8(text).map_err(|_| DAMAGED)?;
        let rest = text.strip_prefix(START).ok_or("this crate has not written it")?;
        let (expected, json) = rest.split_once('\n').ok_or(DAMAGED)?;
        let json = json.strip_suffix('\n').ok_or(DAMAGED)?;
        if expected != digest(json) {
            return Err(DAMAGED);
        }
        let saved: Self = serde_json::from_str(json).map_err(|_| DAMAGED)?;
        match saved.identity == identity {
            true => Ok(saved),
            false => Err("it has the keys of another source"),
        }
    }

    pub(super) fn jwks(&self) -> &str {
        &self.jwks
    }

    pub(super) fn confirmed_at(&self) -> Duration {
        Duration::from_secs(self.confirmed_at)
    }

    pub(super) fn lifetime(&self) -> Lifetime {
        let (fresh, stale) = (self.fresh_seconds, self.stale_seconds);
        Lifetime { fresh: Duration::from_secs(fresh), stale: Duration::from_secs(stale) }.bounded()
    }
}

/// It finds damage. It is not a signature: whoever can write the file can compute it.
fn digest(json: &str) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(sha256(&[json.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> String {
        let (at, jwks) = (Duration::from_secs(1_700_000_000), "{\"keys\":\t[\"\u{e9}\"]}");
        Saved::new("the source", "id", at, Lifetime::default(), jwks).to_text().unwrap()
    }

    #[test]
    fn text_is_read_as_it_was_written() {
        let saved = Saved::from_text(text().as_bytes(), "id").unwrap();
        assert_eq!(saved.jwks(), "{\"keys\":\t[\"\u{e9}\"]}");
        assert_eq!(saved.confirmed_at(), Duration::from_secs(1_700_000_000));
        assert_eq!(saved.lifetime(), Lifetime::default());
    }

    #[test]
    fn every_shorter_text_and_every_changed_byte_is_refused() {
        let text = text().into_bytes();
        for length in 0..text.len() {
            assert!(Saved::from_text(&text[..length], "id").is_err(), "{length}");
        }
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                assert!(Saved::from_text(&changed, "id").is_err(), "{at} {bit}");
            }
        }
        let longer = [&text[..], b"\n"].concat();
        assert!(Saved::from_text(&longer, "id").is_err());
    }

    #[test]
    fn text_of_another_source_is_refused() {
        let error = Saved::from_text(text().as_bytes(), "other").unwrap_err();
        assert_eq!(error, "it has the keys of another source");
    }

    #[test]
    fn lifetime_in_the_text_is_bounded_like_that_of_a_response() {
        let days = Duration::from_secs(400 * 24 * 60 * 60);
        let lifetime = Lifetime { fresh: days, stale: days };
        let saved = Saved::new("", "", Duration::ZERO, lifetime, "");
        assert_eq!(saved.lifetime().fresh, Duration::from_secs(24 * 60 * 60));
        assert_eq!(saved.lifetime().stale, Duration::from_secs(24 * 60 * 60));
    }
}
