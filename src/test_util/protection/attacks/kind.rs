//! Tokens of other kinds than access tokens, and tokens that are bound to a key. The signatures are
//! valid, and issuer and audience are the expected ones.

use serde_json::{Value, json};

use crate::test_util::protection::attack::{Attack, token};
use crate::test_util::protection::good_token::GoodToken;

const TYP: &str = "RFC 8725 sections 3.11 and 3.12 and RFC 9068 section 4: a token of this type is not an \
     access token";
const ID_TOKEN: &str = "RFC 8725 section 3.12 and RFC 9068 section 4: an ID token is for the client, not for an \
     API";
const REFRESH: &str = "RFC 6749 section 1.5 and RFC 8725 section 3.12: a refresh token is for the authorization \
     server alone";
const LOGOUT: &str = "RFC 8417 section 2.2 and RFC 8725 section 3.12: a message about an event is not an access \
     token";
const BOUND: &str = "RFC 9449 section 7.2 and RFC 8705 section 3: a token that is bound to a key needs a proof \
     of it";

pub(super) static ATTACKS: [Attack; 14] = [
    token("typ: dpop+jwt", TYP, |good| good.with_header("typ", "dpop+jwt")),
    token("typ: logout+jwt", TYP, |good| good.with_header("typ", "logout+jwt")),
    token("typ: secevent+jwt", TYP, |good| good.with_header("typ", "secevent+jwt")),
    token("typ: kb+jwt", TYP, |good| good.with_header("typ", "kb+jwt")),
    token("typ: token-introspection+jwt", TYP, |good| {
        good.with_header("typ", "token-introspection+jwt")
    }),
    token("typ: with a prefix", TYP, |good| good.with_header("typ", "application/dpop+jwt")),
    token("kind: ID token with at_hash", ID_TOKEN, |good| {
        of_kind(good, json!({"at_hash": "77QmUPtjPfzWtF2AnpK9RQ", "nonce": "n"}))
    }),
    token("kind: ID token of Cognito", ID_TOKEN, |good| of_kind(good, json!({"token_use": "id"}))),
    token("kind: ID token of Keycloak", ID_TOKEN, |good| of_kind(good, json!({"typ": "ID"}))),
    token("kind: refresh token of Keycloak", REFRESH, |good| {
        of_kind(good, json!({"typ": "Refresh"}))
    }),
    token("kind: logout token", LOGOUT, |good| {
        let event = "http://schemas.openid.net/event/backchannel-logout";
        of_kind(good, json!({"events": {event: {}}, "sid": "1"}))
    }),
    token("cnf: key of DPoP", BOUND, |good| {
        let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        of_kind(good, json!({"cnf": {"jkt": jkt}}))
    }),
    token("cnf: client certificate", BOUND, |good| {
        let thumbprint = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";
        of_kind(good, json!({"cnf": {"x5t#S256": thumbprint}}))
    }),
    token("cnf: an unknown method", BOUND, |good| of_kind(good, json!({"cnf": {"x": "1"}}))),
];

/// The good token with further claims, which mark its kind, and with the `typ` that tokens of all
/// kinds have.
fn of_kind(good: &GoodToken, marks: Value) -> Option<String> {
    let (mut header, mut claims) = (good.header(), good.claims());
    header.insert("typ".to_owned(), "JWT".into());
    if let Value::Object(marks) = marks {
        claims.extend(marks);
    }
    good.signed(header, claims)
}
