//! A token that the service has accepted a moment ago, with one change.

use crate::test_util::protection::attack::{Attack, accepted};
use crate::test_util::protection::attacker;
use crate::test_util::protection::good_token::{base64url, object, resigned, text_of};

const WHOLE: &str = "RFC 7515 section 5.2: what was verified before is the whole token, so a memory of verified tokens \
     compares all of it";

pub(super) static ATTACKS: [Attack; 3] = [
    accepted("cache: an accepted token with another signature", WHOLE, |_, token| {
        resigned(token, |mut signature| {
            *signature.first_mut()? ^= 0x80;
            Some(signature)
        })
    }),
    accepted("cache: an accepted token with other claims", WHOLE, |_, token| {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let mut claims = object(claims);
        claims.insert("sub".to_owned(), "admin".into());
        Some(format!("{header}.{}.{signature}", base64url(text_of(claims))))
    }),
    accepted("cache: the jti of an accepted token, of another key", WHOLE, |good, token| {
        let (message, _) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let mut claims = object(claims);
        claims.get("jti")?;
        claims.insert("sub".to_owned(), "admin".into());
        let message = format!("{header}.{}", base64url(text_of(claims)));
        let signature = attacker::sign(good.attacker_algorithm(), message.as_bytes());
        Some(format!("{message}.{}", base64url(signature)))
    }),
];
