//! Reads the claims in one pass: every value goes to the user's `Deserialize`, and the values that the rules
//! check are stored on the way.
//!
//! This module reads the JSON strictly and to its end, independent of what the user's type reads.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;

use crate::rejection::{Rejection, RejectionKind};
use crate::strict_json;
use crate::strict_json::{DUPLICATE_NAME, NameSeed};
use crate::verify::jwt::captured::{NumberSeed, Source, Texts, TextsSeed, Value};
use crate::verify::jwt::registered::{Claim, Registered, Wanted};
use crate::verify::jwt::replay::{Replay, ReplayValue};

/// The claims cannot be deserialized into the user's type.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// The claim that is wrong or missing, if known.
    pub(super) claim: Option<Arc<str>>,
}

impl Mismatch {
    /// Keeps only the name of a missing field from the error of `serde`: it comes from the type. The rest of
    /// the error may contain values of the token.
    fn new(error: &serde_json::Error, notes: &Notes) -> Self {
        let text = error.to_string();
        let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
        let missing = missing.map(|(name, _)| name);
        // The missing field can be inside of a claim that did not fit.
        Self { claim: notes.misfit.or(missing).map(Arc::from) }
    }
}

impl From<Mismatch> for Rejection {
    fn from(mismatch: Mismatch) -> Self {
        let rejection = Self::from(RejectionKind::UnexpectedClaims);
        match &mismatch.claim {
            Some(claim) => rejection.with_expected(claim),
            None => rejection,
        }
    }
}

/// Reads the claims from a payload, and stores those of the rules in `registered`, which must be empty.
///
/// A mismatch with `C` is not an error yet: first the rules check whether the token has expired or is for
/// another audience.
pub(super) fn read<'de, C: Deserialize<'de>>(
    payload: &'de [u8],
    wanted: Wanted,
    registered: &mut Registered<'de>,
) -> Result<Result<C, Mismatch>, Rejection> {
    let text = strict_json::text(payload).ok_or(RejectionKind::MalformedClaims)?;
    read_text(text, wanted, registered)
}

/// Like [`read`], for a payload that is UTF-8 and not nested too deeply.
pub(super) fn read_text<'de, C: Deserialize<'de>>(
    text: &'de str,
    wanted: Wanted,
    registered: &mut Registered<'de>,
) -> Result<Result<C, Mismatch>, Rejection> {
    let mut notes = Notes::default();
    let mut claims = pass::<C>(text, wanted, registered, &mut notes)
        .map_err(|error| Mismatch::new(&error, &notes));
    if notes.state == State::Begun {
        // The type did not read the claims, or they are not an object.
        notes = Notes::default();
        let _ = pass::<IgnoredAny>(text, wanted, registered, &mut notes);
        claims = claims.and(Err(Mismatch { claim: None }));
    }
    match notes.state {
        State::Complete => Ok(claims),
        State::Begun | State::Faulty => {
            let rejection = Rejection::from(RejectionKind::MalformedClaims);
            Err(match notes.fault {
                Some(claim) => rejection.with_expected(&Arc::from(claim)),
                None => rejection,
            })
        }
    }
}

fn pass<'de, C: Deserialize<'de>>(
    text: &'de str,
    wanted: Wanted,
    registered: &mut Registered<'de>,
    notes: &mut Notes,
) -> Result<C, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let claims = C::deserialize(Tee { inner: &mut json, text, registered, notes, wanted });
    if notes.state == State::Complete && json.end().is_err() {
        notes.state = State::Faulty;
    }
    claims
}

/// The progress of reading. It is stored outside of the errors, since a user's `Deserialize` may swallow
/// errors.
#[derive(Debug, Default)]
struct Notes {
    state: State,
    /// The claim that has the wrong type.
    fault: Option<&'static str>,
    /// The field names of the user's type, if it is a struct.
    fields: &'static [&'static str],
    /// The first claim that did not fit the user's type.
    misfit: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Begun,
    /// Every claim was read.
    Complete,
    /// The JSON is invalid, a name is duplicated, or a claim has the wrong type.
    Faulty,
}

impl Notes {
    #[cold]
    fn fault<E>(&mut self, claim: Option<&'static str>, error: E) -> E {
        self.state = State::Faulty;
        self.fault = claim;
        error
    }

    /// The name of a claim for the operator's log. It comes from the user's type or from this list, never
    /// from the token.
    fn known(&self, name: &str) -> Option<&'static str> {
        const KNOWN: &str = "iss sub aud exp nbf iat jti client_id scope scp azp roles groups";

        self.fields.iter().copied().chain(KNOWN.split(' ')).find(|known| *known == name)
    }
}

/// Sits between the JSON and the user's type, at the top level only.
struct Tee<'a, 'de, D> {
    inner: D,
    text: &'de str,
    registered: &'a mut Registered<'de>,
    notes: &'a mut Notes,
    wanted: Wanted,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Tee<'_, 'de, D> {
    type Error = D::Error;

    /// The claims are an object, so the user's type always gets a map.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Self { inner: json, text, registered, notes, wanted } = self;
        json.deserialize_map(Tee { inner: visitor, text, registered, notes, wanted })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.notes.fields = fields;
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Tee<'_, 'de, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let Self { inner: visitor, text, registered, notes, wanted } = self;
        let (claim, name, escaped) = (None, "", None);
        let mut map = TeeMap { map, text, registered, notes, wanted, claim, name, escaped };
        let value = visitor.visit_map(&mut map);
        if map.notes.state == State::Begun && map.read_the_rest()? && value.is_ok() {
            return Err(A::Error::custom("the type did not read all claims"));
        }
        value
    }
}

struct TeeMap<'a, 'de, A> {
    map: A,
    text: &'de str,
    registered: &'a mut Registered<'de>,
    notes: &'a mut Notes,
    wanted: Wanted,
    /// The claim whose value is next.
    claim: Option<Claim>,
    /// Its name, a slice of the text.
    name: &'de str,
    /// Its name, if it has escapes; used in place of `name`.
    escaped: Option<Cow<'de, str>>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for TeeMap<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        if let Some(claim) = self.claim.take() {
            self.skip_value(claim)?;
        }
        if self.notes.state != State::Begun {
            return Ok(None);
        }
        let name = match self.map.next_key_seed(NameSeed) {
            Ok(Some(name)) => name,
            Ok(None) => {
                self.notes.state = State::Complete;
                return Ok(None);
            }
            Err(error) => return Err(self.notes.fault(None, error)),
        };
        let claim = Claim::of(&name);
        self.claim = Some(claim);
        let key = seed.deserialize(Replay::name(&name));
        match &name {
            Cow::Borrowed(name) => (self.name, self.escaped) = (name, None),
            Cow::Owned(_) => self.escaped = Some(name.clone()),
        }
        if !self.registered.note_name(claim, name) {
            return Err(self.notes.fault(None, A::Error::custom(DUPLICATE_NAME)));
        }
        key.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        let Some(claim) = self.claim.take() else {
            return Err(A::Error::custom("a value was requested before its name"));
        };
        let (value, source) = self.read_value(claim)?;
        source.hand_on(value, seed).map_err(|error| {
            let misfit = self.notes.known(self.name());
            self.notes.misfit = self.notes.misfit.or(misfit);
            A::Error::custom(error)
        })
    }
}

impl<'de, A: MapAccess<'de>> TeeMap<'_, 'de, A> {
    fn name(&self) -> &str {
        self.escaped.as_deref().unwrap_or(self.name)
    }

    /// Reads a value, stores it if a rule checks it, and returns the value for the user's type and the
    /// position of its JSON.
    ///
    /// This is the fast path for the usual forms of common claims. [`read_any_value`](Self::read_any_value)
    /// reads all forms, with the same result.
    #[inline(always)]
    fn read_value(
        &mut self,
        claim: Claim,
    ) -> Result<(Option<ReplayValue<'static, 'de>>, Source<'de>), A::Error> {
        if self.escaped.is_some() || self.wanted.presence {
            return self.read_any_value(claim);
        }
        let source = Source::After { name: self.name, text: self.text };
        let replay = match claim {
            Claim::Expires | Claim::NotBefore | Claim::IssuedAt => {
                let read = self.map.next_value_seed(NumberSeed);
                let number =
                    read.map_err(|error| self.notes.fault(claim.name(self.wanted), error))?;
                let Some(date) = number.date() else { return Err(self.wrong_type(claim)) };
                *self.registered.date(claim) = Some(date);
                Some(ReplayValue::Number(number))
            }
            Claim::Issuer | Claim::Subject => {
                let read = self.map.next_value_seed(NameSeed);
                let text =
                    read.map_err(|error| self.notes.fault(claim.name(self.wanted), error))?;
                let replay = ReplayValue::borrowed(&text);
                if matches!(claim, Claim::Issuer) {
                    self.registered.issuer = Some(text);
                }
                replay
            }
            Claim::Audience => {
                let read = self.map.next_value_seed(TextsSeed);
                let texts =
                    read.map_err(|error| self.notes.fault(claim.name(self.wanted), error))?;
                let replay = match &texts {
                    Texts::One(text) => ReplayValue::borrowed(text),
                    Texts::Many(_) => None,
                };
                self.registered.audience = Some(texts);
                replay
            }
            Claim::Party | Claim::Client | Claim::Id | Claim::Scope | Claim::Other
                if !self.wanted.is_typed(claim) && source.is_plain_text() =>
            {
                let read = self.map.next_value_seed(NameSeed);
                let text = read.map_err(|error| self.notes.fault(None, error))?;
                ReplayValue::borrowed(&text)
            }
            _ => return self.read_any_value(claim),
        };
        Ok((replay, source))
    }

    #[inline(never)]
    fn read_any_value(
        &mut self,
        claim: Claim,
    ) -> Result<(Option<ReplayValue<'static, 'de>>, Source<'de>), A::Error> {
        let read = self.next_value(claim);
        let (value, source) =
            read.map_err(|error| self.notes.fault(claim.name(self.wanted), error))?;
        let replay = value.replay();
        if self.wanted.presence {
            let name = self.escaped.clone().unwrap_or(Cow::Borrowed(self.name));
            self.registered.note_blank(name, &value);
        }
        match self.registered.write_down(claim, value, self.wanted) {
            Some(()) => Ok((replay, source)),
            None => Err(self.wrong_type(claim)),
        }
    }

    #[cold]
    fn wrong_type(&mut self, claim: Claim) -> A::Error {
        self.notes.fault(
            claim.name(self.wanted),
            A::Error::custom("a registered claim of the wrong type"),
        )
    }

    /// Reads a value: a common claim by its type, and a string without escapes as text. Other values, and
    /// those whose name has escapes, stay JSON.
    fn next_value(&mut self, claim: Claim) -> Result<(Value<'de>, Source<'de>), A::Error> {
        if self.escaped.is_some() {
            return self.next_json();
        }
        let source = Source::After { name: self.name, text: self.text };
        let value = match claim {
            Claim::Issuer | Claim::Subject => Value::Text(self.map.next_value_seed(NameSeed)?),
            Claim::Audience => Value::Texts(self.map.next_value_seed(TextsSeed)?),
            Claim::Expires | Claim::NotBefore | Claim::IssuedAt => {
                Value::Number(self.map.next_value_seed(NumberSeed)?)
            }
            _ if source.is_plain_text() => Value::Text(self.map.next_value_seed(NameSeed)?),
            _ => return self.next_json(),
        };
        Ok((value, source))
    }

    fn next_json(&mut self) -> Result<(Value<'de>, Source<'de>), A::Error> {
        let json = self.map.next_value::<&'de RawValue>()?.get();
        Ok((Value::Json(json), Source::Json(json)))
    }

    /// Reads a value that the user's type skipped.
    #[cold]
    fn skip_value(&mut self, claim: Claim) -> Result<(), A::Error> {
        self.read_value(claim).map(drop)
    }

    /// Reads the claims that the user's type left; `true` if there were any.
    #[cold]
    fn read_the_rest(&mut self) -> Result<bool, A::Error> {
        let mut is_left = self.claim.is_some();
        while self.next_key::<IgnoredAny>()?.is_some() {
            is_left = true;
        }
        Ok(is_left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the first claim as one without a rule.
    struct First<'de>(&'de str);

    impl<'de> Visitor<'de> for First<'de> {
        type Value = (Value<'de>, Source<'de>);

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("claims")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            let (registered, notes) = (&mut Registered::default(), &mut Notes::default());
            let wanted = Wanted {
                rfc9068: false,
                in_place_of_audience: None,
                token_use: false,
                presence: false,
            };
            let (claim, name, escaped, text) = (None, "", None, self.0);
            let mut map = TeeMap { map, text, registered, notes, wanted, claim, name, escaped };
            assert!(map.next_key::<IgnoredAny>()?.is_some());
            let read = map.next_value(Claim::Other)?;
            while map.map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(read)
        }
    }

    /// As a rule for `cnf` (RFC 7800) needs it.
    #[test]
    fn claim_that_is_an_object_can_be_captured_and_still_reaches_the_type() {
        #[derive(serde::Deserialize)]
        struct Confirmation<'a> {
            jkt: &'a str,
        }

        for name in ["cnf", "\\u0063nf"] {
            let text =
                format!("{{\"{name}\" : {{\"jkt\": \"abc\", \"more\": [{{}}]}} , \"exp\": 1}}");
            let mut json = serde_json::Deserializer::from_str(&text);
            let (value, source) = json.deserialize_map(First(&text)).unwrap();
            assert!(value.is_object(), "{name}");
            let Value::Json(captured) = value else { panic!("{name}: {value:?}") };
            assert_eq!(serde_json::from_str::<Confirmation<'_>>(captured).unwrap().jkt, "abc");
            let seed = std::marker::PhantomData::<serde_json::Value>;
            let handed_on = source.hand_on(value.replay(), seed).unwrap();
            assert_eq!(handed_on["more"], serde_json::json!([{}]), "{name}");
        }
    }
}
