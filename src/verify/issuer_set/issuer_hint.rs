use std::borrow::Cow;
use std::slice::Iter;

use serde::de::DeserializeSeed;

use crate::rejection::RejectionKind;
use crate::strict_json::NameSeed;

/// The first top-level `iss` of an unverified payload: a hint that only selects a verifier.
///
/// It scans the bytes once, up to the hint, and does not check that the payload is valid JSON. The selected
/// verifier reads the payload strictly and compares `iss` again, so a second `iss` has no effect.
pub(in crate::verify) fn issuer_hint(payload: &[u8]) -> Result<Cow<'_, str>, RejectionKind> {
    let payload = payload.trim_ascii();
    if !(payload.starts_with(b"{") && payload.ends_with(b"}")) {
        return Err(RejectionKind::MalformedClaims);
    }
    let (mut rest, mut depth) = (payload.iter(), 0_usize);
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => {
                let text = skip_string(&mut rest).ok_or(RejectionKind::MalformedClaims)?;
                if depth == 1
                    && text.len() >= 3
                    && is_iss(text)
                    && let [b':', value @ ..] = rest.as_slice().trim_ascii_start()
                {
                    return read_string(value).ok_or(RejectionKind::MalformedClaims);
                }
            }
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Err(RejectionKind::MissingClaim)
}

/// The text before the closing quote. Consumes the quote.
fn skip_string<'a>(rest: &mut Iter<'a, u8>) -> Option<&'a [u8]> {
    let from = rest.as_slice();
    loop {
        let before = rest.as_slice().len();
        match rest.next()? {
            b'"' => return from.get(..from.len().checked_sub(before)?),
            b'\\' => drop(rest.next()),
            _ => {}
        }
    }
}

/// Whether the text is `iss`. Each letter may be escaped, and has exactly one escape.
#[inline(never)]
fn is_iss(text: &[u8]) -> bool {
    const I: [&[u8]; 2] = [b"i", br"\u0069"];
    const S: [&[u8]; 2] = [b"s", br"\u0073"];

    let rest = [I, S, S].iter().try_fold(text, |rest, [plain, escaped]| {
        rest.strip_prefix(*plain).or_else(|| rest.strip_prefix(*escaped))
    });
    rest.is_some_and(<[u8]>::is_empty)
}

/// The JSON string at the start of the text.
fn read_string(json: &[u8]) -> Option<Cow<'_, str>> {
    // Without escapes, and without white space before it.
    if let [b'"', text @ ..] = json
        && let (text, [b'"', ..]) = text.split_at_checked(memchr::memchr2(b'"', b'\\', text)?)?
        && text.iter().fold(true, |is_plain, byte| is_plain & (*byte >= b' '))
    {
        return std::str::from_utf8(text).ok().map(Cow::Borrowed);
    }
    NameSeed.deserialize(&mut serde_json::Deserializer::from_slice(json)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn first_top_level_iss_is_the_hint() {
        for (payload, hint) in [
            (r#"{"iss":"a"}"#, "a"),
            (r#"{"x":{"iss":"b"},"y":[{"iss":"c"}],"iss":"a"}"#, "a"),
            (r#"{"x":"iss","y":"\",\"iss\":\"b","z":"\\","iss":"a"}"#, "a"),
            (r#"{"x":"}{","\"iss":"b","iss\\":"b","iss":"a"}"#, "a"),
            (r#"{"iss":"a","iss":"b"}"#, "a"),
            (r#" { "\u0069s\u0073" : "https:\/\/a" } "#, "https://a"),
            (r#"{"\u0069\u0073\u0073":"a","iss":"b"}"#, "a"),
            (
                r#"{"\u0069\u0073":"b","\U0069ss":"c","iss\u0073":"d","i\u0053s":"e","iss":"a"}"#,
                "a",
            ),
            (r#"{"ISS":"b","iss":"a", and no JSON}"#, "a"),
        ] {
            assert_eq!(issuer_hint(payload.as_bytes()).unwrap(), hint, "{payload}");
        }
    }

    #[test]
    fn payload_without_a_hint_is_refused() {
        use RejectionKind::{MalformedClaims, MissingClaim};

        for (payload, kind) in [
            ("{}", MissingClaim),
            (r#"{"ISS":"a","x":"iss","y":{"iss":"a"}}"#, MissingClaim),
            (r#"{"x":1} y"#, MalformedClaims),
            (r#"{"x":1"#, MalformedClaims),
            (r#"{"x":"y}"#, MalformedClaims),
            (r#"{"iss":null}"#, MalformedClaims),
            (r#"{"iss":["a"]}"#, MalformedClaims),
            (r#"{"iss":"a}"#, MalformedClaims),
            (r#"{"iss":"\x"}"#, MalformedClaims),
            (r#"["iss","a"]"#, MalformedClaims),
            ("", MalformedClaims),
        ] {
            assert_eq!(issuer_hint(payload.as_bytes()).unwrap_err(), kind, "{payload}");
        }
        let not_utf_8 = b"{\"iss\":\"\xff\"}";
        assert_eq!(issuer_hint(not_utf_8).unwrap_err(), MalformedClaims);
    }

    /// Compares the hint with the `iss` that `serde_json` reads from the whole payload.
    #[test]
    fn hint_is_the_issuer_of_every_json_object_that_has_one() {
        use proptest::prelude::*;

        let name = prop_oneof!["[a-c\"\\\\ \u{e9}{}\\[\\]:,]{0,4}", Just("iss".to_owned())];
        let leaf =
            prop_oneof![name.clone().prop_map(Value::from), any::<i32>().prop_map(Value::from)];
        let value = leaf.prop_recursive(3, 12, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(name.clone(), inner, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        });
        proptest!(|(value in value, is_pretty in any::<bool>())| {
            let json = match is_pretty {
                true => serde_json::to_string_pretty(&value).unwrap(),
                false => value.to_string(),
            };
            let expected = match value.as_object().map(|claims| claims.get("iss")) {
                Some(Some(Value::String(issuer))) => Ok(issuer.as_str().into()),
                Some(None) => Err(RejectionKind::MissingClaim),
                _ => Err(RejectionKind::MalformedClaims),
            };
            prop_assert_eq!(issuer_hint(json.as_bytes()), expected);
        });
    }
}
