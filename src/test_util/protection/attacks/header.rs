//! Headers that are malformed, or ask for another processing. The signatures are valid.

use serde_json::{Value, json};

use crate::test_util::protection::attack::{Attack, token};
use crate::test_util::protection::good_token::{GoodToken, text_of as text};

const CRIT: &str =
    "RFC 7515 section 4.1.11: an extension that is critical and not known is refused";
const CRIT_FORM: &str = "RFC 7515 section 4.1.11: `crit` is a list of names of extensions in the header, and not \
     empty";
const B64: &str = "RFC 7797 sections 6 and 7: a JWT does not have `b64: false`";
const OBJECT: &str = "RFC 7515 section 5.2: the header is one JSON object in UTF-8";
const TWICE: &str = "RFC 7515 section 4: names are unique. A parser may read the last value, but then another program \
     that reads the first one uses another key";
const FIRST: &str =
    "RFC 7515 section 4: of two parameters with one name, a parser reads the last, or refuses both";

pub(super) static ATTACKS: [Attack; 20] = [
    token("crit: an unknown extension", CRIT, |good| {
        critical(good, json!(["x-unknown"]), "x-unknown", json!(true))
    }),
    token("crit: a name that is not in the header", CRIT_FORM, |good| {
        good.with_header("crit", json!(["x-unknown"]))
    }),
    token("crit: empty list", CRIT_FORM, |good| good.with_header("crit", json!([]))),
    token("crit: a registered name", CRIT_FORM, |good| good.with_header("crit", json!(["alg"]))),
    token("crit: text", CRIT_FORM, |good| good.with_header("crit", "x-unknown")),
    token("crit: b64", B64, |good| critical(good, json!(["b64"]), "b64", json!(false))),
    token("header: b64 that is not critical", B64, |good| good.with_header("b64", false)),
    token(
        "header: zip",
        "RFC 7516 section 4.1.3: only an encrypted token has `zip`. RFC 7515 section 4 ignores what is not known, but \
         some programs would decompress this one",
        |good| good.with_header("zip", "DEF"),
    )
    .strict(),
    token(
        "header: enc",
        "RFC 7516 section 9: a header with `enc` is that of an encrypted token",
        |good| good.with_header("enc", "A256GCM"),
    ),
    token("header: cty JWT", "RFC 7519 section 5.2: the claims would be another token", |good| {
        good.with_header("cty", "JWT")
    }),
    token(
        "header: a token in a token",
        "RFC 7519 sections 5.2 and 7.2: the claims of a nested token are not an object",
        |good| {
            let mut header = good.header();
            header.insert("cty".to_owned(), "JWT".into());
            good.signed_bytes(text(header), good.good())
        },
    ),
    token("header: alg twice", TWICE, |good| {
        good.with_header_json(|header| header.replacen('{', "{\"alg\":\"none\",", 1))
    })
    .strict(),
    token("header: alg twice, the good one first", FIRST, |good| {
        good.with_header_json(|header| {
            let header = header.strip_suffix('}').unwrap_or(&header);
            format!("{header},\"alg\":\"none\"}}")
        })
    }),
    token("header: kid twice", TWICE, |good| {
        let kid = text(good.header().into_iter().filter(|(name, _)| name == "kid").collect());
        let kid = kid.trim_start_matches('{').trim_end_matches('}');
        let first = format!("{{\"kid\":\"other\",{kid},");
        let twice = |header: String| header.replacen('{', &first, 1);
        (!kid.is_empty()).then(|| good.with_header_json(twice))?
    })
    .strict(),
    token("header: list", OBJECT, |good| good.signed_bytes("[]", text(good.claims()))),
    token("header: not JSON", OBJECT, |good| good.signed_bytes("alg: ES256", text(good.claims()))),
    token("header: byte order mark", OBJECT, |good| {
        good.with_header_json(|header| format!("\u{feff}{header}"))
    }),
    token("header: text after the object", OBJECT, |good| {
        good.with_header_json(|header| format!("{header}{{}}"))
    }),
    token("header: not UTF-8", OBJECT, |good| {
        let mut header = text(good.header()).into_bytes();
        header.pop();
        header.extend(b",\"x\":\"\xff\xfe\"}");
        good.signed_bytes(header, text(good.claims()))
    }),
    token("header: typ is a number", "RFC 7515 section 4.1.9: `typ` is a string", |good| {
        good.with_header("typ", 1)
    }),
];

fn critical(good: &GoodToken, crit: Value, name: &str, value: Value) -> Option<String> {
    let mut header = good.header();
    header.insert("crit".to_owned(), crit);
    header.insert(name.to_owned(), value);
    good.signed(header, good.claims())
}
