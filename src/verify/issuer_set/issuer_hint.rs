use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::RejectionKind;
use crate::strict_json::NameSeed;

/// The first top-level `iss` of an unverified payload: a hint that picks a verifier, nothing else.
///
/// Reading stops there, and takes time linear in the payload otherwise. The verifier that is picked
/// reads the payload strictly and compares `iss` again, so a second `iss` never counts.
pub(super) fn issuer_hint(payload: &[u8]) -> Result<Cow<'_, str>, RejectionKind> {
    let mut hint = None;
    let mut json = serde_json::Deserializer::from_slice(payload);
    let read = json.deserialize_map(HintVisitor(&mut hint));
    match (hint, read.and_then(|()| json.end())) {
        // After the hint, the end of the object was not reached: `read` is an error then.
        (Some(issuer), _) => Ok(issuer),
        (None, Ok(())) => Err(RejectionKind::MissingClaim),
        (None, Err(_)) => Err(RejectionKind::MalformedClaims),
    }
}

struct HintVisitor<'a, 'de>(&'a mut Option<Cow<'de, str>>);

impl<'de> Visitor<'de> for HintVisitor<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(NameSeed)? {
            if name == "iss" {
                *self.0 = Some(map.next_value_seed(NameSeed)?);
                break;
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_top_level_iss_is_the_hint() {
        for (payload, hint) in [
            (r#"{"iss":"a"}"#, "a"),
            (r#"{"x":{"iss":"b"},"y":[{"iss":"c"}],"iss":"a"}"#, "a"),
            (r#"{"iss":"a","iss":"b"}"#, "a"),
            (r#" { "\u0069ss" : "https:\/\/a" } "#, "https://a"),
            (r#"{"iss":"a", and no JSON"#, "a"),
        ] {
            assert_eq!(issuer_hint(payload.as_bytes()).unwrap(), hint, "{payload}");
        }
    }

    #[test]
    fn payload_without_a_hint_is_refused() {
        use RejectionKind::{MalformedClaims, MissingClaim};

        for (payload, kind) in [
            ("{}", MissingClaim),
            (r#"{"ISS":"a","x":"iss"}"#, MissingClaim),
            (r#"{"x":1} y"#, MalformedClaims),
            (r#"{"x":1"#, MalformedClaims),
            (r#"{"x":,"iss":"a"}"#, MalformedClaims),
            (r#"{"iss":null}"#, MalformedClaims),
            (r#"{"iss":["a"]}"#, MalformedClaims),
            (r#"["iss","a"]"#, MalformedClaims),
            ("", MalformedClaims),
        ] {
            assert_eq!(issuer_hint(payload.as_bytes()).unwrap_err(), kind, "{payload}");
        }
        let not_utf_8 = b"{\"iss\":\"\xff\"}";
        assert_eq!(issuer_hint(not_utf_8).unwrap_err(), MalformedClaims);
    }
}
