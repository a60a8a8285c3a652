use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::RejectionKind;
use crate::strict_json::{self, NameSeed, NameSet};

/// The `iss` of claims that nobody has verified, to pick a verifier by and for nothing else. Read as
/// strictly as the verifier will: one JSON object, no name twice, a string.
pub(super) fn claimed_issuer(payload: &[u8]) -> Result<Cow<'_, str>, RejectionKind> {
    let text = strict_json::text(payload).ok_or(RejectionKind::MalformedClaims)?;
    let Ok(ClaimedIssuer(issuer)) = serde_json::from_str(text) else {
        return Err(RejectionKind::MalformedClaims);
    };
    issuer.ok_or(RejectionKind::MissingClaim)
}

struct ClaimedIssuer<'a>(Option<Cow<'a, str>>);

impl<'de> Deserialize<'de> for ClaimedIssuer<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ClaimedIssuerVisitor)
    }
}

struct ClaimedIssuerVisitor;

impl<'de> Visitor<'de> for ClaimedIssuerVisitor {
    type Value = ClaimedIssuer<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut issuer, mut names) = (None, NameSet::default());
        while let Some(name) = map.next_key_seed(NameSeed)? {
            match &*name {
                "iss" => issuer = Some(map.next_value_seed(NameSeed)?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
            if !names.insert(name) {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(ClaimedIssuer(issuer))
    }
}
