//! No token, other schemes, and a good token in another place.

use crate::test_util::protection::attack::{Attack, credential};
use crate::test_util::protection::credential::Credential;
use crate::test_util::protection::good_token::GoodToken;

const NO_CREDENTIALS: &str =
    "RFC 6750 section 3: a request without a token gets 401 and a challenge";
const OTHER_SCHEME: &str =
    "RFC 6750 section 2.1 and RFC 9110 section 11.4: the scheme of a bearer token is `Bearer`";
const ONE_FIELD: &str = "RFC 9110 section 5.3: `Authorization` occurs once, or two programs could read different \
     tokens";
const OTHER_PLACE: &str = "RFC 6750 section 2 and OAuth 2.1: a token counts only where the service expects it; URLs \
     and cookies are logged, and sent by other pages";
const GARBAGE: &str = "RFC 7519 section 7.2: this is not a JWT";

pub(super) static ATTACKS: [Attack; 26] = [
    credential("no token: no header", NO_CREDENTIALS, |_| Some(Credential::none())),
    credential("no token: empty header", NO_CREDENTIALS, |_| Some(Credential::one(""))),
    credential("no token: scheme alone", NO_CREDENTIALS, |_| Some(Credential::one("Bearer"))),
    credential("no token: scheme and a space", NO_CREDENTIALS, |_| {
        Some(Credential::one("Bearer "))
    }),
    credential("scheme: none", OTHER_SCHEME, |good| Some(Credential::one(good.good()))),
    credential("scheme: Basic", OTHER_SCHEME, |good| with_scheme(good, "Basic ")),
    credential("scheme: Token", OTHER_SCHEME, |good| with_scheme(good, "Token ")),
    credential("scheme: JWT", OTHER_SCHEME, |good| with_scheme(good, "JWT ")),
    credential(
        "scheme: DPoP",
        "RFC 9449 section 7.2: a token that is not bound to a key is not accepted as `DPoP`",
        |good| with_scheme(good, "DPoP "),
    ),
    credential("scheme: a longer name", OTHER_SCHEME, |good| with_scheme(good, "BearerToken ")),
    credential("scheme: with a colon", OTHER_SCHEME, |good| with_scheme(good, "Bearer: ")),
    credential("two tokens: the good one first", ONE_FIELD, |good| {
        Some(Credential::Authorization(vec![bearer(good), b"Bearer a.b.c".to_vec()]))
    }),
    credential("two tokens: the good one last", ONE_FIELD, |good| {
        Some(Credential::Authorization(vec![b"Bearer a.b.c".to_vec(), bearer(good)]))
    }),
    credential("two tokens: another scheme first", ONE_FIELD, |good| {
        Some(Credential::Authorization(vec![b"Basic YTpi".to_vec(), bearer(good)]))
    }),
    credential("two tokens: in one header", ONE_FIELD, |good| {
        Some(Credential::one([bearer(good), bearer(good)].join(&b", "[..])))
    }),
    credential("place: query", OTHER_PLACE, |good| Some(Credential::Query(good.good()))),
    credential("place: form", OTHER_PLACE, |good| Some(Credential::Form(good.good()))),
    credential("place: cookie", OTHER_PLACE, |good| Some(Credential::Cookie(good.good()))),
    credential("place: Authorization", OTHER_PLACE, |good| {
        Some(Credential::BesideThePlace(good.good()))
    }),
    credential(
        "place: cookie of another origin",
        "RFC 6265 section 8.2: a browser sends cookies for pages of other origins too",
        |good| Some(Credential::ForeignOrigin(good.good())),
    ),
    credential("place: Proxy-Authorization", OTHER_PLACE, |good| {
        Some(Credential::ProxyAuthorization(good.good()))
    }),
    credential("garbage: a word", GARBAGE, |_| Some(Credential::Bearer("undefined".to_owned()))),
    credential("garbage: null", GARBAGE, |_| Some(Credential::Bearer("null".to_owned()))),
    credential("garbage: JSON", GARBAGE, |_| {
        Some(Credential::Bearer("{\"sub\":\"admin\"}".to_owned()))
    }),
    credential("garbage: bytes", GARBAGE, |_| Some(Credential::one(&b"Bearer \xff\xfe\x80"[..]))),
    credential("garbage: quoted", GARBAGE, |good| {
        Some(Credential::Bearer(format!("\"{}\"", good.good())))
    }),
];

fn bearer(good: &GoodToken) -> Vec<u8> {
    format!("Bearer {}", good.good()).into_bytes()
}

fn with_scheme(good: &GoodToken, scheme: &str) -> Option<Credential> {
    Some(Credential::one(format!("{scheme}{}", good.good())))
}
