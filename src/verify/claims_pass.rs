//! The claims, read in one pass: every value goes to the user's `Deserialize`, and those that the
//! rules are about are written down on the way.
//!
//! The JSON is read here, strictly and to its end, whatever the user's type does with what it gets.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;

use super::captured::{Number, Replay, Texts, Value};
use crate::strict_json::{self, NameSeed, NameSet};
use crate::{NumericDate, Rejection, RejectionKind};

/// The claims that the rules are about, of their right types.
#[derive(Debug, Default)]
pub(super) struct Registered<'de> {
    pub(super) issuer: Option<Cow<'de, str>>,
    pub(super) audience: Option<Texts<'de>>,
    pub(super) expires_at: Option<NumericDate>,
    pub(super) not_before: Option<NumericDate>,
    pub(super) issued_at: Option<NumericDate>,
    /// The claim that is compared in place of `aud`, where there is one.
    pub(super) in_place_of_audience: Option<Cow<'de, str>>,
    /// `token_use`, where it is a string.
    pub(super) token_use: Option<Cow<'de, str>>,
    /// `typ`, where it is a string.
    pub(super) kind: Option<Cow<'de, str>>,
    /// Whether `events` is an object.
    pub(super) is_event: bool,
    names: NameSet<'de>,
    /// Claims without a value, of those that are [required](Wanted::presence).
    blank: Vec<String>,
}

impl Registered<'_> {
    /// Whether there is a claim of this name, whatever its value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether there is a claim of this name that says something: see [`is_blank`].
    pub(super) fn has_value(&self, name: &str) -> bool {
        let names_nobody = |audience: &Texts<'_>| audience.iter().all(str::is_empty);
        self.has(name)
            && !self.blank.iter().any(|blank| blank == name)
            && !(name == "aud" && self.audience.as_ref().is_some_and(names_nobody))
    }
}

/// What is read beside the claims that always are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// The claims of RFC 9068.
    pub(super) rfc9068: bool,
    /// The claim that is compared in place of `aud`.
    pub(super) in_place_of_audience: Option<&'static str>,
    /// `token_use`, as a string.
    pub(super) token_use: bool,
    /// Whether any claim is required beside `iss`, `aud` and `exp`.
    pub(super) presence: bool,
}

/// The claims do not fit the user's type.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// The claim that was wrong, or that the token lacks, if it is known.
    pub(super) claim: Option<Arc<str>>,
}

impl Mismatch {
    /// Of what `serde` says, the name of a missing field alone, which is a word of the type's. The
    /// rest may quote the token.
    fn new(error: &serde_json::Error, notes: &Notes) -> Self {
        let text = error.to_string();
        let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
        let missing = missing.map(|(name, _)| name);
        // A claim that did not fit may itself lack a field.
        Self { claim: notes.misfit.or(missing).map(Arc::from) }
    }
}

/// Reads the claims from a payload.
///
/// A mismatch with `C` is returned beside the claims of the rules: it must not hide that the token
/// has expired or is for somebody else.
pub(super) fn read<'de, C: Deserialize<'de>>(
    payload: &'de [u8],
    wanted: Wanted,
) -> Result<(Registered<'de>, Result<C, Mismatch>), Rejection> {
    let text = strict_json::text(payload).ok_or(RejectionKind::MalformedClaims)?;
    let (mut registered, mut notes) = (Registered::default(), Notes::default());
    let mut claims = pass::<C>(text, wanted, &mut registered, &mut notes)
        .map_err(|error| Mismatch::new(&error, &notes));
    if notes.state == State::Begun {
        // The type returned without a look at the claims, or they are not an object.
        notes = Notes::default();
        let _ = pass::<IgnoredAny>(text, wanted, &mut registered, &mut notes);
        claims = claims.and(Err(Mismatch { claim: None }));
    }
    match notes.state {
        State::Complete => Ok((registered, claims)),
        State::Begun | State::Faulty(None) => Err(RejectionKind::MalformedClaims.into()),
        State::Faulty(Some(claim)) => {
            Err(Rejection::from(RejectionKind::MalformedClaims).with_expected(&Arc::from(claim)))
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
    let claims = C::deserialize(Tee { inner: &mut json, registered, notes, wanted });
    if notes.state == State::Complete && json.end().is_err() {
        notes.state = State::Faulty(None);
    }
    claims
}

/// How the reading goes. It is kept apart from the errors that say so, since a user's `Deserialize`
/// may swallow errors.
#[derive(Debug, Default)]
struct Notes {
    state: State,
    /// The names of the claims that the user's type knows, where it tells them.
    fields: &'static [&'static str],
    /// The first claim that did not fit the user's type.
    misfit: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Begun,
    /// Every claim has been read.
    Complete,
    /// The JSON is invalid, a name is duplicated, or this claim has the wrong type.
    Faulty(Option<&'static str>),
}

impl Notes {
    /// The claim's name is told to the operator, so it is a word of the type's or of this crate's,
    /// and never the token's.
    fn misfit(&mut self, name: &str) {
        const KNOWN: [&str; 13] = [
            "iss",
            "sub",
            "aud",
            "exp",
            "nbf",
            "iat",
            "jti",
            "client_id",
            "scope",
            "scp",
            "azp",
            "roles",
            "groups",
        ];
        let names = self.fields.iter().chain(&KNOWN);
        self.misfit = self.misfit.or(names.copied().find(|known| *known == name));
    }
}

/// Stands between the JSON and the user's type, at the top level only.
struct Tee<'a, 'de, D> {
    inner: D,
    registered: &'a mut Registered<'de>,
    notes: &'a mut Notes,
    wanted: Wanted,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Tee<'_, 'de, D> {
    type Error = D::Error;

    /// Claims are an object: whatever the type asks for, it gets a map.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Self { inner: json, registered, notes, wanted } = self;
        json.deserialize_map(Tee { inner: visitor, registered, notes, wanted })
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
        let Self { inner: visitor, registered, notes, wanted } = self;
        let mut map = TeeMap { map, registered, notes, wanted, name: None };
        let value = visitor.visit_map(&mut map);
        let is_left = map.read_the_rest()?;
        match value {
            Ok(_) if is_left => Err(A::Error::custom("the type did not read all claims")),
            value => value,
        }
    }
}

struct TeeMap<'a, 'de, A> {
    map: A,
    registered: &'a mut Registered<'de>,
    notes: &'a mut Notes,
    wanted: Wanted,
    /// The claim whose value comes next.
    name: Option<Cow<'de, str>>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for TeeMap<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.read_name()?;
        match &self.name {
            Some(name) => seed.deserialize(Replay::name(name)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        let Some(name) = self.name.take() else {
            return Err(A::Error::custom("a value was asked for before its name"));
        };
        let (value, number) = self.read_value(&name)?;
        value.hand_on(seed, number).map_err(|error| {
            self.notes.misfit(&name);
            A::Error::custom(error)
        })
    }
}

impl<'de, A: MapAccess<'de>> TeeMap<'_, 'de, A> {
    /// Reads the next name, and first the value that the type did not ask for. After a fault there
    /// is none.
    fn read_name(&mut self) -> Result<(), A::Error> {
        if let Some(name) = self.name.take() {
            self.read_value(&name)?;
        }
        if self.notes.state != State::Begun {
            return Ok(());
        }
        match self.map.next_key_seed(NameSeed) {
            Ok(Some(name)) if self.registered.names.insert(name.clone()) => self.name = Some(name),
            Ok(Some(_)) => {
                self.notes.state = State::Faulty(None);
                return Err(A::Error::custom("a name is duplicated"));
            }
            Ok(None) => self.notes.state = State::Complete,
            Err(error) => {
                self.notes.state = State::Faulty(None);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Reads a value, and writes it down where a rule is about it.
    fn read_value(&mut self, name: &str) -> Result<(Value<'de>, Option<Number>), A::Error> {
        let value = match self.map.next_value::<&'de RawValue>() {
            Ok(json) => Value::new(json.get()),
            Err(error) => {
                self.notes.state = State::Faulty(None);
                return Err(error);
            }
        };
        match self.registered.write_down(name, value, self.wanted) {
            Ok(number) => Ok((value, number)),
            Err(claim) => {
                self.notes.state = State::Faulty(Some(claim));
                Err(A::Error::custom("a registered claim of the wrong type"))
            }
        }
    }

    /// Reads what the type did not; `true` when there was something.
    fn read_the_rest(&mut self) -> Result<bool, A::Error> {
        let mut is_left = self.name.is_some();
        while self.notes.state == State::Begun {
            self.read_name()?;
            is_left |= self.name.is_some();
        }
        Ok(is_left)
    }
}

impl<'de> Registered<'de> {
    /// Writes a claim down, and returns a number that the rules have read. The claim's name when its
    /// value has the wrong type.
    fn write_down(
        &mut self,
        name: &str,
        value: Value<'de>,
        wanted: Wanted,
    ) -> Result<Option<Number>, &'static str> {
        if wanted.presence && is_blank(name, value) {
            self.blank.push(name.to_owned());
        }
        if let Some(claim) = wanted.in_place_of_audience.filter(|claim| *claim == name) {
            self.in_place_of_audience = Some(value.text().ok_or(claim)?);
        }
        let date = |claim: &'static str| {
            let number = value.number().ok_or(claim)?;
            Ok::<_, &'static str>((Some(number.date().ok_or(claim)?), Some(number)))
        };
        let mut number = None;
        match name {
            "iss" => self.issuer = Some(value.text().ok_or("iss")?),
            "sub" => drop(value.text().ok_or("sub")?),
            "aud" => self.audience = Some(value.texts().ok_or("aud")?),
            "exp" => (self.expires_at, number) = date("exp")?,
            "nbf" => (self.not_before, number) = date("nbf")?,
            "iat" => (self.issued_at, number) = date("iat")?,
            "jti" if wanted.rfc9068 => drop(value.text().ok_or("jti")?),
            "client_id" if wanted.rfc9068 => drop(value.text().ok_or("client_id")?),
            "scope" if wanted.rfc9068 => drop(value.texts().ok_or("scope")?),
            "token_use" => {
                self.token_use = value.text();
                if wanted.token_use && self.token_use.is_none() {
                    return Err("token_use");
                }
            }
            "typ" => self.kind = value.text(),
            "events" => self.is_event = value.is_object(),
            _ => {}
        }
        Ok(number)
    }
}

/// Whether a claim is there and says nothing: `null`, or an empty name of a party or a token.
fn is_blank(name: &str, value: Value<'_>) -> bool {
    value.is_null()
        || value.is_empty_text() && matches!(name, "iss" | "sub" | "client_id" | "azp" | "jti")
}
