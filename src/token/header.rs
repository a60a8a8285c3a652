use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::crypto::Algorithm;
use crate::key::KeyHint;
use crate::rejection::RejectionKind;
use crate::strict_json;
use crate::strict_json::{DUPLICATE_NAME, NameSeed, NameSet};

/// The JOSE header of a verified token: the parameters `alg`, `kid` and `typ` (RFC 7515 section
/// 4.1).
///
/// # Example: which key signed a token
///
/// ```
/// # #[cfg(feature = "test-util")] {
/// use tower_jwt_auth::test_util::TestIssuer;
/// use tower_jwt_auth::{Algorithm, VerifiedToken};
///
/// fn audit(token: &VerifiedToken) -> Option<&str> {
///     token.header()?.kid()
/// }
///
/// let issuer = TestIssuer::new();
/// let token = issuer.verifier().verify_now(&issuer.token().build()).unwrap();
/// assert_eq!(audit(&token), Some("test"));
///
/// let header = token.header().unwrap();
/// assert_eq!(header.algorithm(), Algorithm::ES256);
/// assert_eq!(header.typ(), Some("at+jwt"));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TokenHeader {
    algorithm: Algorithm,
    kid: Option<Arc<str>>,
    typ: Option<Cow<'static, str>>,
}

impl TokenHeader {
    /// `kid` shares the allocation of the verified key if both are equal.
    pub(crate) fn new(header: &JoseHeader<'_>, key_kid: Option<&Arc<str>>) -> Self {
        let kid = header.kid.as_deref().map(|kid| match key_kid {
            Some(shared) if **shared == *kid => Arc::clone(shared),
            _ => Arc::from(kid),
        });
        let typ = header.typ.as_deref().map(|typ| match typ {
            "JWT" => Cow::Borrowed("JWT"),
            "at+jwt" => Cow::Borrowed("at+jwt"),
            typ => Cow::Owned(typ.to_owned()),
        });
        Self { algorithm: header.algorithm, kid, typ }
    }

    /// `alg`: the algorithm that the signature was checked with (RFC 7515 section 4.1.1).
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `kid`: the key ID in the token (RFC 7515 section 4.1.4); `None` if absent.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `typ`: the media type in the token (RFC 7515 section 4.1.9), as the token spells it: with or
    /// without `application/`, in any case. `None` if absent.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }
}

impl Serialize for TokenHeader {
    /// Writes the JSON object `{"alg": …, "typ": …, "kid": …}`, without parameters that are not in
    /// the token.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("TokenHeader", 3)?;
        object.serialize_field("alg", self.algorithm.name())?;
        match self.typ() {
            Some(typ) => object.serialize_field("typ", typ)?,
            None => object.skip_field("typ")?,
        }
        match self.kid() {
            Some(kid) => object.serialize_field("kid", kid)?,
            None => object.skip_field("kid")?,
        }
        object.end()
    }
}

/// How many texts a header has that is not verified yet.
pub(super) const TEXTS: usize = 4;

/// The header of a token that is not verified yet.
pub(crate) struct JoseHeader<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<Cow<'a, str>>,
    pub(crate) typ: Option<Cow<'a, str>>,
    x5t: Option<Cow<'a, str>>,
    x5t_s256: Option<Cow<'a, str>>,
}

impl<'a> JoseHeader<'a> {
    /// The parameters of the header that select the key.
    pub(crate) fn key_hint(&self) -> KeyHint<'_> {
        KeyHint {
            algorithm: self.algorithm,
            kid: self.kid.as_deref(),
            x5t: self.x5t.as_deref(),
            x5t_s256: self.x5t_s256.as_deref(),
        }
    }

    pub(super) fn texts(&self) -> [Option<&str>; TEXTS] {
        [&self.kid, &self.typ, &self.x5t, &self.x5t_s256].map(Option::as_deref)
    }

    /// The header with these [texts](Self::texts).
    #[inline]
    pub(super) fn of(algorithm: Algorithm, texts: [Option<&'a str>; TEXTS]) -> Self {
        let [kid, typ, x5t, x5t_s256] = texts;
        Self {
            algorithm,
            kid: kid.map(Cow::Borrowed),
            typ: typ.map(Cow::Borrowed),
            x5t: x5t.map(Cow::Borrowed),
            x5t_s256: x5t_s256.map(Cow::Borrowed),
        }
    }

    /// Parses the decoded header: one JSON object without duplicate names, and without parameters
    /// that change how a JWS is processed (`crit`, `b64`, `zip`, `enc`, a nested token).
    pub(crate) fn parse(header: &'a [u8]) -> Result<Self, RejectionKind> {
        let text = strict_json::text(header).ok_or(RejectionKind::MalformedToken)?;
        let header: RawHeader<'a> =
            serde_json::from_str(text).map_err(|_| RejectionKind::MalformedToken)?;
        if let Some(kind) = header.refused {
            return Err(kind);
        }
        if header.cty.is_some_and(|cty| is_media_type(&cty, "JWT")) {
            return Err(RejectionKind::MalformedToken);
        }
        let alg = header.alg.ok_or(RejectionKind::MalformedToken)?;
        let algorithm = Algorithm::from_name(&alg).ok_or(RejectionKind::UnsupportedAlgorithm)?;
        let RawHeader { kid, typ, x5t, x5t_s256, .. } = header;
        Ok(Self { algorithm, kid, typ, x5t, x5t_s256 })
    }
}

/// Whether a `typ` or `cty` is this media type. `application/` may be omitted, and case does not
/// matter (RFC 7515 section 4.1.9).
pub(crate) fn is_media_type(value: &str, expected: &str) -> bool {
    const PREFIX: &str = "application/";

    if value == expected {
        return true;
    }
    let subtype = match value.split_at_checked(PREFIX.len()) {
        Some((prefix, subtype)) if prefix.eq_ignore_ascii_case(PREFIX) => subtype,
        _ => value,
    };
    subtype.eq_ignore_ascii_case(expected)
}

/// How many parameters a header may have that are not read. Headers have a few; one of 4 KiB could have 400, and each
/// costs time before the signature is checked.
const MAX_UNREAD: usize = 64;

#[derive(Default)]
struct RawHeader<'a> {
    alg: Option<Cow<'a, str>>,
    kid: Option<Cow<'a, str>>,
    typ: Option<Cow<'a, str>>,
    cty: Option<Cow<'a, str>>,
    x5t: Option<Cow<'a, str>>,
    x5t_s256: Option<Cow<'a, str>>,
    /// A parameter that must not be ignored and is not supported.
    refused: Option<RejectionKind>,
}

impl<'de> Deserialize<'de> for RawHeader<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawHeaderVisitor)
    }
}

struct RawHeaderVisitor;

impl<'de> Visitor<'de> for RawHeaderVisitor {
    type Value = RawHeader<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JOSE header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut header = RawHeader::default();
        let mut others = NameSet::default();
        let mut unread = 0_usize;
        while let Some(name) = map.next_key_seed(NameSeed)? {
            let text = match &*name {
                "alg" => &mut header.alg,
                "kid" => &mut header.kid,
                "typ" => &mut header.typ,
                "cty" => &mut header.cty,
                "x5t" => &mut header.x5t,
                "x5t#S256" => &mut header.x5t_s256,
                _ => {
                    unread = unread.saturating_add(1);
                    if unread > MAX_UNREAD {
                        return Err(A::Error::custom("too many parameters"));
                    }
                    match &*name {
                        // A critical parameter must be understood (RFC 7515 section 4.1.11).
                        "crit" => header.refused = Some(RejectionKind::UnsupportedCriticalHeader),
                        // Only a JWE has `enc` or a compressed payload (RFC 7516 section 9).
                        "enc" | "zip" => header.refused = Some(RejectionKind::MalformedToken),
                        _ => {}
                    }
                    if &*name == "b64" {
                        // The payload of a JWT is always base64url (RFC 7797 section 7).
                        if !map.next_value::<bool>()? {
                            header.refused = Some(RejectionKind::MalformedToken);
                        }
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                    if !others.insert(name) {
                        return Err(A::Error::custom(DUPLICATE_NAME));
                    }
                    continue;
                }
            };
            if text.replace(map.next_value_seed(NameSeed)?).is_some() {
                return Err(A::Error::custom(DUPLICATE_NAME));
            }
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_compared_with_and_without_application() {
        for typ in ["JWT", "jwt", "application/jwt", "APPLICATION/JWT"] {
            assert!(is_media_type(typ, "JWT"), "{typ}");
        }
        for typ in [
            "",
            "JWT ",
            "application/",
            "text/jwt",
            "application/application/jwt",
            "applicationsjwt",
            "é",
        ] {
            assert!(!is_media_type(typ, "JWT"), "{typ}");
        }
    }

    #[test]
    fn names_and_values_are_compared_after_their_escapes_are_undone() {
        let header = JoseHeader::parse(br#" { "\u0061lg" : "\u0048S256" } "#).ok().unwrap();
        assert_eq!(header.algorithm, Algorithm::HS256);
        let twice = br#"{"alg":"HS256","\u0061lg":"HS256"}"#;
        assert_eq!(JoseHeader::parse(twice).err(), Some(RejectionKind::MalformedToken));
    }
}
