//! The bodies of the fuzz targets: each takes any bytes, and panics when something does not hold.
//! `cargo fuzz` runs them on what it thinks of, `tests/it/corpus.rs` on what is kept in `corpus/`.

#[cfg(feature = "dpop")]
#[path = "dpop.rs"]
mod proofs;

use std::convert::Infallible;
use std::sync::LazyLock;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use hmac::{KeyInit, Mac};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    AccessTokenClaims, ExpectedAudience, ExpectedIssuer, FixedClock, JwkSet, JwtAuthLayer,
    JwtVerifier, NumericDate, PresentedToken, RegisteredClaims, Rejection, RejectionKind, Scope,
    VerificationKey, VerifiedToken, verify_fn,
};

use crate::precomputed::KeyTables;
use crate::support::challenge;
use crate::support::near_signatures as near;
use crate::support::reference::json::{self, Json};
use crate::support::reference::keys::{Key, Keys};
use crate::support::reference::{self, ClaimsType, Config};

pub type Target = fn(&[u8]);

/// Name and body; the corpus of each is the folder of its name.
pub const TARGETS: [(&str, Target); 8] = [
    ("header_extraction", header_extraction),
    ("compact_jws", compact_jws),
    ("claims", claims),
    ("jwk", jwk),
    ("challenge", challenge_writer),
    ("layer", layer),
    ("tables", tables),
    ("dpop", dpop),
];

/// The time: a second before the tokens of RFC 7515 expire.
const NOW: i64 = 1_300_819_379;
const AUDIENCE: &str = "https://api.example";

/// The keys of the published examples that have no `kid`, one of each kind; the secret is known.
static KEYS: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../tests/conformance/vectors/jws.json")).unwrap();
    let keys: Vec<&Value> =
        vectors.iter().map(|v| &v["jwk"]).filter(|jwk| jwk.get("kid").is_none()).collect();
    let secret = URL_SAFE_NO_PAD.decode(keys[0]["k"].as_str().unwrap()).unwrap();
    (json!({"keys": keys}).to_string(), secret)
});

/// The same verifier twice: ours, and the plain reference's keys and configuration.
struct Pair {
    ours: JwtVerifier,
    keys: Keys,
    config: Config,
}

/// By the rules of RFC 9068 or by the defaults, for one audience or for any.
static PAIRS: LazyLock<[Pair; 4]> = LazyLock::new(|| {
    [(false, false), (false, true), (true, false), (true, true)].map(|(rfc9068, any)| {
        let mut config = Config::new("joe", AUDIENCE, NOW);
        config.rfc9068 = rfc9068;
        let audience = if any {
            config.audiences = None;
            ExpectedAudience::dangerous_any()
        } else {
            AUDIENCE.into()
        };
        let set = JwkSet::from_json(&KEYS.0).unwrap();
        let issuer = ExpectedIssuer::from("joe");
        let mut ours = JwtVerifier::new(issuer, audience, set)
            .unwrap()
            .with_clock(FixedClock(NumericDate::from_unix_seconds(NOW)));
        if rfc9068 {
            ours = ours.require_rfc9068();
        }
        Pair { ours, keys: Keys::from_json(&KEYS.0).unwrap(), config }
    })
});

impl Pair {
    fn of(choice: u8) -> &'static Self {
        &PAIRS[usize::from(choice) % PAIRS.len()]
    }

    fn reference(
        &self,
        claims: ClaimsType,
        slack: i128,
        token: &[u8],
    ) -> Result<(), RejectionKind> {
        // A fraction of a second is read as a double, by either side in its own way.
        reference::verify(token, &self.keys, &Config { claims, slack, ..self.config.clone() })
    }

    /// Never accepted unless the reference accepts; never refused where it would in any case.
    fn compare(&self, claims: ClaimsType, ours: Result<(), RejectionKind>, token: &[u8]) {
        const MICROSECOND: i128 = 1_000;
        let lenient = self.reference(claims, MICROSECOND, token);
        let strict = self.reference(claims, -MICROSECOND, token);
        assert!(ours.is_err() || lenient.is_ok(), "accepted, but: {lenient:?}");
        assert!(ours.is_ok() || strict.is_err(), "refused: {ours:?}");
        if lenient == strict {
            assert_eq!(ours, strict);
        }
    }
}

fn verdict<C: serde::de::DeserializeOwned>(
    verifier: &JwtVerifier<C>,
    token: &str,
) -> Result<(), RejectionKind> {
    verifier.verify_now(token).map(|_| ()).map_err(|rejection| rejection.kind())
}

/// A token with these bytes as header and claims, signed with the known secret.
fn signed(header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&KEYS.1).unwrap();
    mac.update(message.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("{message}.{signature}")
}

/// Sends the head through the layer; the inner service answers 204.
fn send<C: Send + Sync + 'static>(
    layer: &JwtAuthLayer<C>,
    lines: &[&[u8]],
) -> Option<Response<()>> {
    let mut request = Request::new(());
    for line in lines {
        request.headers_mut().append(AUTHORIZATION, HeaderValue::from_bytes(line).ok()?);
    }
    let inner = service_fn(async |request: Request<()>| {
        let mut response = Response::new(());
        *response.status_mut() = http::StatusCode::NO_CONTENT;
        *response.extensions_mut() = request.extensions().clone();
        Ok::<_, Infallible>(response)
    });
    Some(layer.layer(inner).oneshot(request).now_or_never().unwrap().unwrap())
}

/// What every refusal is like: one challenge by the grammar, and nothing of it but printable ASCII.
fn check_refusal(response: &Response<()>, realm: &str) -> RejectionKind {
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert_eq!(response.status(), rejection.status());
    let challenges: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
    let [value] = challenges[..] else { panic!("{} challenges", challenges.len()) };
    let text = value.to_str().unwrap();
    let params = challenge::parse(text).unwrap();
    assert_eq!(params["realm"], realm);
    assert_eq!(params.get("error").map(String::as_str), rejection.error_code());
    assert_eq!(params.contains_key("error"), params.contains_key("error_description"));
    for (name, value) in &params {
        let fits = |c: char| matches!(c, ' '..='~') && (name == "realm" || !"\"\\".contains(c));
        assert!(value.chars().all(fits), "{text}");
    }
    rejection.kind()
}

/// Lines of `Authorization`, split at line feeds.
pub fn header_extraction(data: &[u8]) {
    static LAYER: LazyLock<JwtAuthLayer<String>> = LazyLock::new(|| {
        JwtAuthLayer::new(verify_fn(|token: &PresentedToken| Ok(token.as_str().to_owned())))
    });

    let lines: Vec<&[u8]> = match data {
        [] => Vec::new(),
        _ => data.split(|byte| *byte == b'\n').take(4).collect(),
    };
    let Some(response) = send(&LAYER, &lines) else { return };

    // RFC 6750 section 2.1, read once more.
    let token = match lines[..] {
        [line] => bearer(line),
        _ => None,
    };
    match token {
        Some(token) => {
            assert_eq!(response.status(), 204);
            let found = VerifiedToken::<String>::from_extensions(response.extensions()).unwrap();
            assert_eq!(found.claims().as_bytes(), token);
            let text = std::str::from_utf8(token).unwrap();
            assert_eq!(PresentedToken::bearer(text).unwrap().as_str(), text);
        }
        None => {
            let kind = check_refusal(&response, "api");
            match lines.len() {
                0 => assert_eq!(kind, RejectionKind::MissingCredentials),
                1 => assert_ne!(kind, RejectionKind::MissingCredentials),
                _ => assert_eq!(kind, RejectionKind::MultipleCredentials),
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(PresentedToken::bearer(text).is_ok(), is_token68(data));
    }
}

fn bearer(line: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = line.split_at_checked(6)?;
    let token = rest.iter().position(|byte| *byte != b' ').map(|start| &rest[start..])?;
    let is_readable = line.len() <= 65 * 1024;
    let fits = is_readable && scheme.eq_ignore_ascii_case(b"bearer") && token.len() < rest.len();
    (fits && is_token68(token)).then_some(token)
}

fn is_token68(token: &[u8]) -> bool {
    let mut rest = token;
    while let [before @ .., b'='] = rest {
        rest = before;
    }
    let in_alphabet = |o: &u8| o.is_ascii_alphanumeric() || b"-._~+/".contains(o);
    !rest.is_empty() && rest.iter().all(in_alphabet)
}

/// A whole token; and the same bytes as the header of a token that is well signed.
pub fn compact_jws(data: &[u8]) {
    let pair = Pair::of(1);
    if let Ok(text) = std::str::from_utf8(data) {
        pair.compare(ClaimsType::Registered, verdict(&pair.ours, text), data);
    }
    let claims = json!({"iss": "joe", "exp": NOW + 60}).to_string();
    let token = signed(data, claims.as_bytes());
    pair.compare(ClaimsType::Registered, verdict(&pair.ours, &token), token.as_bytes());
}

/// The claims of a token that is well signed, into types of every kind.
pub fn claims(data: &[u8]) {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "deserialized, and not looked at")]
    struct Flattened {
        sub: Option<String>,
        #[serde(flatten)]
        rest: Map<String, Value>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase", tag = "iss")]
    #[allow(dead_code, reason = "deserialized, and not looked at")]
    enum Tagged {
        Joe { exp: NumericDate, aud: Option<tower_jwt_auth::Audience>, scope: Option<Scope> },
    }

    let Some((choice, data)) = data.split_first() else { return };
    let pair = Pair::of(*choice);
    let header = if pair.config.rfc9068 {
        r#"{"alg":"HS256","typ":"at+jwt"}"#
    } else {
        r#"{"alg":"HS256"}"#
    };
    let token = signed(header.as_bytes(), data);

    let ours = verdict(&pair.ours, &token);
    pair.compare(ClaimsType::Registered, ours, token.as_bytes());
    let value = verdict(&pair.ours.clone().with_claims::<Value>(), &token);
    pair.compare(ClaimsType::Value, value, token.as_bytes());

    /// Swallows every error.
    struct Careless;

    impl<'de> Deserialize<'de> for Careless {
        fn deserialize<D: serde::Deserializer<'de>>(claims: D) -> Result<Self, D::Error> {
            let _ = Map::<String, Value>::deserialize(claims);
            Ok(Self)
        }
    }

    // Whatever the type, the same verdict or a mismatch.
    let others = [
        verdict(&pair.ours.clone().with_claims::<AccessTokenClaims>(), &token),
        verdict(&pair.ours.clone().with_claims::<Flattened>(), &token),
        verdict(&pair.ours.clone().with_claims::<Tagged>(), &token),
        verdict(&pair.ours.clone().with_claims::<serde::de::IgnoredAny>(), &token),
        verdict(&pair.ours.clone().with_claims::<Careless>(), &token),
    ];
    let mismatch = Err(RejectionKind::UnexpectedClaims);
    for other in others {
        assert!(other == ours || other == mismatch || ours == mismatch, "{other:?} {ours:?}");
    }
}

/// A JWK, and a JWK set.
pub fn jwk(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Deeper than the reference goes: keys come from the issuer, whom we trust so far.
    if data.iter().filter(|byte| b"[{".contains(byte)).count() > 90 {
        drop((VerificationKey::from_jwk(text), JwkSet::from_json(text)));
        return;
    }
    let ours = VerificationKey::from_jwk(text);
    let members = json::object(text.strip_prefix('\u{feff}').unwrap_or(text).as_bytes(), 100);
    let symmetric = members.as_ref().is_some_and(|m| m.iter().any(|(name, _)| name == "k"));
    let plain = members.and_then(|members| {
        let members = members.into_iter().map(|(name, value)| (Some(name), value)).collect();
        Key::from_jwk(&Json::Object(members))
    });
    // A secret that is a public key in truth is refused; the reference does not know one when it
    // sees it.
    assert!(ours.is_err() || plain.is_some(), "loaded, but not by the reference");
    assert!(ours.is_ok() || plain.is_none() || symmetric, "{ours:?}");
    if let (Ok(ours), Some(plain)) = (&ours, &plain) {
        assert_eq!(ours.kid(), plain.kid.as_deref());
        assert!(
            ours.algorithms().map(|a| a.name()).eq(plain.algorithms.iter().map(String::as_str))
        );
    }
    if let Err(error) = &ours {
        assert!(error.to_string().len() < 300);
    }

    if let Ok(set) = JwkSet::from_json(text) {
        let plain = Keys::from_json(text).unwrap();
        // The reference may find a secret that we refused, and take it for the double of another one.
        let may_be_symmetric = text.contains("oct") || text.contains('\\');
        assert!(set.len() <= plain.keys.len() || may_be_symmetric);
        assert!(!set.is_empty() || set.skipped().len() > 1);
        for skipped in set.skipped() {
            assert!(skipped.to_string().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}

/// What the challenge says, against a reader of challenges.
pub fn challenge_writer(data: &[u8]) {
    const DESCRIPTIONS: [&str; 4] =
        ["plain words", "a \"quote\"", "back\\slash\r\n", "\u{e9}\0\u{7f}"];

    let Some((choice, data)) = data.split_first() else { return };
    let mut parts = data.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let realm = parts.next().unwrap_or_default();
    let text = parts.next().unwrap_or_default();
    let other = parts.next().unwrap_or_default();

    let scope = Scope::from(&*text);
    let mut rejection = match choice % 3 {
        0 => Rejection::invalid_token(),
        1 => Rejection::insufficient_scope(scope.clone()),
        _ => {
            let age = u64::from(*choice);
            let age = Some(std::time::Duration::from_secs(age));
            Rejection::insufficient_user_authentication(&[&text, &other], age)
        }
    };
    match DESCRIPTIONS.get(usize::from(choice / 3)) {
        Some(description) => rejection = rejection.with_description(*description),
        None if choice % 2 == 0 => rejection = rejection.with_description(other.into_owned()),
        None => {}
    }
    let answer = rejection.clone();
    let layer =
        JwtAuthLayer::<()>::new(verify_fn(move |_: &PresentedToken| Err::<(), _>(answer.clone())));
    let printable = !realm.is_empty() && realm.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let Ok(layer) = layer.with_realm(&realm) else {
        assert!(!printable, "{realm}");
        return;
    };
    assert!(printable, "{realm}");
    let response = send(&layer, &[b"Bearer x"]).unwrap();
    assert_eq!(check_refusal(&response, &realm), rejection.kind());

    let value = response.headers()["www-authenticate"].to_str().unwrap();
    let params = challenge::parse(value).unwrap();
    if let Some(written) = params.get("scope") {
        let fits =
            |v: &&str| v.bytes().all(|o| (b'!'..=b'~').contains(&o) && !b"\"\\".contains(&o));
        assert!(written.split(' ').eq(scope.iter().filter(fits)), "{written}");
    }
}

/// The whole layer: a line of `Authorization`, or header and claims to be signed, separated by a NUL.
pub fn layer(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    let pair = Pair::of(*choice);
    let layer = JwtAuthLayer::<RegisteredClaims>::new(pair.ours.clone());
    let line = match data.split(|byte| *byte == 0).collect::<Vec<_>>()[..] {
        [header, claims] => [&b"Bearer "[..], signed(header, claims).as_bytes()].concat(),
        _ => data.to_vec(),
    };
    let Some(response) = send(&layer, &[&line]) else { return };
    // The second one is from the cache.
    #[cfg(feature = "token-cache")]
    {
        let cached = pair.ours.clone().with_token_cache(4).unwrap();
        let layer = JwtAuthLayer::<RegisteredClaims>::new(cached);
        for _ in 0..2 {
            let again = send(&layer, &[&line]).unwrap();
            assert_eq!(again.status(), response.status());
            let kind = |response: &Response<_>| response.extensions().get().map(Rejection::kind);
            assert_eq!(kind(&again), kind(&response));
        }
    }
    let accepted = response.status() == 204;
    assert_eq!(
        accepted,
        VerifiedToken::<RegisteredClaims>::from_extensions(response.extensions()).is_ok()
    );
    let ours = if accepted { Ok(()) } else { Err(check_refusal(&response, "api")) };
    match bearer(&line) {
        Some(token) => pair.compare(ClaimsType::Registered, ours, token),
        None => assert!(!accepted),
    }
}

/// What is left of the input; zeros follow its end.
struct Octets<'a>(&'a [u8]);

impl Octets<'_> {
    fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn array(&mut self) -> [u8; 32] {
        std::array::from_fn(|_| self.octet())
    }

    /// A number with its least octet first: a small one, a power of two, or any.
    fn number(&mut self) -> [u8; 32] {
        let mut number = [0; 32];
        match self.octet() % 4 {
            0 => number[0] = self.octet(),
            1 => {
                let bit = self.octet();
                number[usize::from(bit / 8)] = 1 << (bit % 8);
            }
            _ => return self.array(),
        }
        number
    }

    /// The same, and sometimes its opposite.
    fn ed_scalar(&mut self) -> curve25519_dalek::Scalar {
        let negative = self.octet().is_multiple_of(4);
        let scalar = near::ed_scalar(self.number());
        if negative { -scalar } else { scalar }
    }

    fn scalar(&mut self) -> p256::Scalar {
        let negative = self.octet().is_multiple_of(4);
        let scalar = near::scalar(near::reversed(self.number()));
        if negative { -scalar } else { scalar }
    }

    /// Changes something about octets: a bit, one octet, all, the length.
    fn change(&mut self, octets: &mut Vec<u8>) {
        let at = usize::from(self.octet()) % octets.len().max(1);
        match self.octet() % 8 {
            0 => octets.truncate(at),
            1 => octets.push(at as u8),
            2 => octets.iter_mut().for_each(|octet| *octet = !*octet),
            3 | 4 => {
                let new = self.octet();
                octets.iter_mut().skip(at).take(1).for_each(|octet| *octet = new);
            }
            more => octets.iter_mut().skip(at).take(1).for_each(|octet| *octet ^= 1 << more),
        }
    }
}

/// Signatures of Ed25519 and P-256 that are valid, or nearly: the tables of feature
/// `precomputed-tables` against aws-lc.
pub fn tables(data: &[u8]) {
    let mut input = Octets(data);
    let message_len = usize::from(input.octet()) % 64;
    match input.octet() % 2 {
        0 => tables_of_ed25519(&mut input, message_len),
        _ => tables_of_p256(&mut input, message_len),
    }
}

fn message(input: &mut Octets<'_>, len: usize) -> Vec<u8> {
    (0..len).map(|_| input.octet()).collect()
}

fn tables_of_ed25519(input: &mut Octets<'_>, message_len: usize) {
    let (secret, nonce) = (input.ed_scalar(), input.ed_scalar());
    let torsion = usize::from(input.octet());
    // Half of them have no part of small order.
    let [of_key, of_r] = if torsion < 128 { [0, 0] } else { [torsion, torsion / 8] };
    let mut key = near::edwards(&secret, of_key);
    let mut r = near::edwards(&nonce, of_r);
    match input.octet() % 16 {
        // Any key, also one without a point.
        0 => key = input.array(),
        1 => key[31] ^= 0x80,
        // Encodings that are not canonical, and any.
        2 => (r, r[0], r[31]) = ([0xff; 32], input.octet() | 0xe0, input.octet() | 0x7f),
        3 => r[31] ^= 0x80,
        4 => r = input.array(),
        _ => {}
    }
    let message = message(input, message_len);
    let Some(tables) = KeyTables::ed25519(&key) else { return };
    let aws_lc = UnparsedPublicKey::new(&ED25519, &key);
    let compare = |message: &[u8], signature: &[u8]| {
        let expected = aws_lc.verify(message, signature).is_ok();
        assert_eq!(tables.verify(message, signature), expected, "{key:02x?} {signature:02x?}");
    };

    let signature = near::ed25519(&secret, &nonce, &key, &r, &message);
    compare(&message, &signature);
    let mut s: [u8; 32] = *signature.last_chunk().unwrap();
    for _ in 0..input.octet() % 8 {
        let mut changed = signature.to_vec();
        match input.octet() % 8 {
            0 => {
                let Some(more) = near::sum(&s, &near::ED25519_ORDER) else { continue };
                s = more;
                changed = near::joined(r, s).to_vec();
            }
            1 => changed = near::joined(r, input.number()).to_vec(),
            2 => changed = near::joined(input.array(), s).to_vec(),
            // The R of another part of small order, with the S of this one.
            3 => changed = near::joined(near::edwards(&nonce, input.octet().into()), s).to_vec(),
            4 => changed = near::joined(near::edwards(&-nonce, of_r), s).to_vec(),
            _ => (0..=input.octet() % 3).for_each(|_| input.change(&mut changed)),
        }
        compare(&message, &changed);
    }
    let mut other = message;
    input.change(&mut other);
    compare(&other, &signature);
}

fn tables_of_p256(input: &mut Octets<'_>, message_len: usize) {
    let choice = input.octet();
    let (one, two) = (input.scalar(), input.scalar());
    let x = input.array();
    let message = message(input, message_len);
    let generator = p256::ProjectivePoint::GENERATOR;
    // The key for which the check ends at a point.
    let ending_at = |point: Option<p256::ProjectivePoint>, r: Option<p256::Scalar>| {
        let point = point?;
        let r = r.unwrap_or_else(|| near::r_of(&point));
        Some((near::p256_key(&point, &r, &two, &message)?, r, two))
    };
    let made = match choice % 9 {
        0 | 1 => near::p256(&one, &two, &message)
            .and_then(|(r, s)| Some((near::encoded(&(generator * one))?, r, s))),
        2 => ending_at(Some(generator * one), None),
        3 => ending_at(Some(p256::ProjectivePoint::IDENTITY), Some(one)),
        // A coordinate at the order, most of them above.
        4 => {
            let small = [&[x[0], x[1] & 1][..], &[0; 30]].concat().try_into().unwrap();
            let above = near::sum(&near::reversed(near::P256_ORDER), &small).unwrap();
            ending_at(near::point_at(near::reversed(above)), None)
        }
        5 => {
            let mut small = [0; 32];
            small[31] = x[0];
            ending_at(near::point_at(small), None)
        }
        6 => ending_at(near::point_at(x), None),
        // Equal or opposite points on the way.
        8 => near::p256_special_case(&one, x[0] % 15 + 1, x[1] & 1 == 0, &message),
        // Any key.
        _ => near::point_at(x).and_then(|key| Some((near::encoded(&key)?, one, two))),
    };
    let Some((key, r, s)) = made else { return };
    let Some(tables) = KeyTables::p256(&key) else { panic!("{key:02x?}") };
    let aws_lc = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key);
    let compare = |message: &[u8], signature: &[u8]| {
        let expected = aws_lc.verify(message, signature).is_ok();
        assert_eq!(tables.verify(message, signature), expected, "{key:02x?} {signature:02x?}");
    };

    let [opposite, r, s] = [-s, r, s].map(|scalar| near::bytes(&scalar));
    let signature = near::joined(r, s);
    compare(&message, &signature);
    compare(&message, &near::joined(r, opposite));
    for _ in 0..input.octet() % 8 {
        let and_order = |number: [u8; 32]| {
            let [number, order] = [number, near::P256_ORDER].map(near::reversed);
            near::sum(&number, &order).map_or(near::P256_ORDER, near::reversed)
        };
        let mut changed = signature.to_vec();
        match input.octet() % 8 {
            0 => changed = near::joined(and_order(r), s).to_vec(),
            1 => changed = near::joined(r, and_order(s)).to_vec(),
            2 => changed = near::joined(near::reversed(input.number()), s).to_vec(),
            3 => changed = near::joined(r, near::reversed(input.number())).to_vec(),
            4 => changed = near::joined(s, r).to_vec(),
            _ => (0..=input.octet() % 3).for_each(|_| input.change(&mut changed)),
        }
        compare(&message, &changed);
    }
    let mut other = message.clone();
    input.change(&mut other);
    compare(&other, &signature);
}

/// No bytes are a proof, and a proof that the client signed is accepted only with the right content.
pub fn dpop(data: &[u8]) {
    #[cfg(feature = "dpop")]
    proofs::dpop(data);
    #[cfg(not(feature = "dpop"))]
    let _ = data;
}
