//! What is not a JWS in the compact serialization, or is too long.

use serde_json::json;

use crate::test_util::protection::attack::{Attack, credential, token};
use crate::test_util::protection::credential::Credential;
use crate::test_util::protection::good_token::{GoodToken, base64url, text_of as text};

const PARTS: &str = "RFC 7515 section 7.1: a signed token has three parts";
const EMPTY: &str = "RFC 7519 section 7.2: header and claims are JSON objects, and not empty";
const ENCODING: &str = "RFC 7515 section 2 and RFC 8725bis section 3.14: base64url without padding, line breaks \
     and other characters, so that a token has one form";
const LENGTH: &str = "CVE-2025-61920 and CVE-2025-30204: the length of a token is bounded before it is read, or \
     everybody can make the service work";

pub(super) static ATTACKS: [Attack; 20] = [
    token("parts: one", PARTS, |good| Some(part(good, 0))),
    token("parts: two", PARTS, |good| {
        good.good().rsplit_once('.').map(|(message, _)| message.to_owned())
    }),
    token("parts: four", PARTS, |good| Some(format!("{}.e30", good.good()))),
    token("parts: a dot first", PARTS, |good| Some(format!(".{}", good.good()))),
    token("parts: a dot last", PARTS, |good| Some(format!("{}.", good.good()))),
    token("parts: empty header", EMPTY, |good| good.signed_bytes("", text(good.claims()))),
    token("parts: empty claims", EMPTY, |good| good.signed_bytes(text(good.header()), "")),
    token("parts: all empty", EMPTY, |_| Some("..".to_owned())),
    token(
        "parts: JWE",
        "RFC 7516 section 9 and RFC 8725bis section 3.3: an encrypted token is not a signed one",
        |good| {
            let header = json!({"alg": "dir", "enc": "A256GCM", "typ": "JWT"}).to_string();
            let claims = base64url(text(good.claims()));
            Some(format!(
                "{}..{}.{claims}.{}",
                base64url(header),
                base64url([7; 12]),
                base64url([7; 16])
            ))
        },
    ),
    token(
        "parts: JSON serialization",
        "RFC 7519 section 1: a JWT has the compact serialization",
        |good| {
            let token = good.good();
            let mut parts = token.split('.');
            let (protected, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
            Some(
                json!({"payload": payload, "protected": protected, "signature": signature})
                    .to_string(),
            )
        },
    ),
    token("encoding: padded signature", ENCODING, |good| {
        let token = good.good();
        let signature = token.rsplit('.').next()?;
        let padding = match signature.len() % 4 {
            2 => "==",
            3 => "=",
            _ => return None,
        };
        Some(format!("{token}{padding}"))
    }),
    token("encoding: other last bits of the signature", ENCODING, |good| {
        let token = good.good();
        let signature = token.rsplit('.').next()?;
        (signature.len() % 4 >= 2).then(|| other_last_character(&token))?
    }),
    token("encoding: padded claims", ENCODING, |good| {
        good.signed_text(&format!(
            "{}.{}==",
            base64url(text(good.header())),
            claims_of_length_1(good)
        ))
    }),
    token("encoding: other last bits", ENCODING, |good| {
        let claims = claims_of_length_1(good);
        let other = other_last_character(&claims)?;
        good.signed_text(&format!("{}.{other}", base64url(text(good.header()))))
    }),
    token("encoding: base64 with + and /", ENCODING, |good| {
        let mut claims = good.claims();
        claims.insert("note".to_owned(), "????????>>>>>>>>".into());
        let claims = base64_simd::STANDARD_NO_PAD.encode_to_string(text(claims));
        good.signed_text(&format!("{}.{claims}", base64url(text(good.header()))))
    }),
    token("encoding: a space before the claims", ENCODING, |good| {
        good.signed_text(&format!(
            "{}. {}",
            base64url(text(good.header())),
            base64url(text(good.claims()))
        ))
    }),
    credential("encoding: percent-encoded dots", ENCODING, |good| {
        Some(Credential::PercentEncoded(good.good().replace('.', "%2E")))
    }),
    token("size: claims of 72 KiB", LENGTH, |good| {
        good.with_claim("padding", "a".repeat(54 * 1024))
    })
    .long(),
    token("size: 20,000 dots", LENGTH, |_| Some(".".repeat(20_000))).long(),
    token(
        "size: claims nested 2,000 levels deep",
        "RFC 8259 section 9 and CVE-2025-53864: nesting is bounded",
        |good| {
            let nested = format!("{{\"x\":{}{},", "[".repeat(2000), "]".repeat(2000));
            good.with_claims_json(|claims| claims.replacen('{', &nested, 1))
        },
    ),
];

fn part(good: &GoodToken, number: usize) -> String {
    good.good().split('.').nth(number).unwrap_or_default().to_owned()
}

/// The claims in base64url, with spaces at the end so that two characters of padding belong to them.
fn claims_of_length_1(good: &GoodToken) -> String {
    let mut claims = text(good.claims());
    while claims.len() % 3 != 1 {
        claims.push(' ');
    }
    base64url(claims)
}

/// The same bytes with another last character, whose unused bits are not zero.
fn other_last_character(encoded: &str) -> Option<String> {
    let mut characters = encoded.to_owned();
    let last = characters.pop()?;
    // The used bits are zero or more of the highest ones, so no character that is last in its row of the alphabet is here.
    characters.push(char::from_u32(u32::from(last).checked_add(1)?)?);
    Some(characters)
}
