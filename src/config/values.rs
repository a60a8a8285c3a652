//! The forms that a value can have. An environment variable is always text, and has no lists.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

/// A whole number, or the same as text.
#[derive(Clone, Copy, Default)]
pub(super) struct Whole(pub(super) u64);

impl Whole {
    pub(super) fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WholeVisitor;

        impl<'de> Visitor<'de> for WholeVisitor {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number that is not negative")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
                Ok(Whole(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
                let unsigned = u64::try_from(number);
                unsigned.map(Whole).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Whole, E> {
                // `parse` takes a sign too.
                let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
                match text.parse() {
                    Ok(number) if is_digits => Ok(Whole(number)),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }

            /// With `serde_json/arbitrary_precision`, which any crate of the user may enable, a number is a map around
            /// its digits.
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Whole, A::Error> {
                match serde_json::Number::deserialize(MapAccessDeserializer::new(map)) {
                    Ok(number) => match number.as_u64() {
                        Some(number) => Ok(Whole(number)),
                        None => Err(A::Error::invalid_value(Unexpected::Other("number"), &self)),
                    },
                    Err(_) => Err(A::Error::invalid_type(Unexpected::Map, &self)),
                }
            }
        }

        deserializer.deserialize_any(WholeVisitor)
    }
}

/// `true` or `false`, or the same as text.
#[derive(Clone, Copy, Default)]
pub(super) struct Switch(pub(super) bool);

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SwitchVisitor;

        impl Visitor<'_> for SwitchVisitor {
            type Value = Switch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }

            fn visit_bool<E: Error>(self, is_on: bool) -> Result<Switch, E> {
                Ok(Switch(is_on))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Switch, E> {
                match text {
                    "true" => Ok(Switch(true)),
                    "false" => Ok(Switch(false)),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(SwitchVisitor)
    }
}

/// A member that may be left out, but not be null: in YAML, a name without a value is null, and a rule that is written
/// like that must not be ignored.
#[derive(Clone)]
pub(super) struct Given<T>(pub(super) Option<T>);

impl<T> Default for Given<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Deref for Given<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self(Some(value)))
    }
}

/// A table with named members. `serde` would also take a list of the members by their positions, and so a
/// `dangerous_…` setting without its name.
#[derive(Clone, Default)]
pub(super) struct Table<T>(pub(super) T);

impl<T> Deref for Table<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TableVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for TableVisitor<T> {
            type Value = Table<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Table<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Table)
            }
        }

        // `deserialize_map` would take `null` of YAML for an empty table.
        deserializer.deserialize_any(TableVisitor(PhantomData))
    }
}

/// The name of an entry: its index in a list, or its key in a table.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Index(usize),
    Key(String),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => index.fmt(f),
            Self::Key(key) => key.fmt(f),
        }
    }
}

/// A list, or a table in its place: then the keys only name and order the entries. A table can be merged with another
/// one, and with environment variables; a list cannot.
#[derive(Clone)]
pub(super) struct Entries<T>(pub(super) Vec<(Name, T)>);

/// A list of text. A single text is a list of one.
#[derive(Clone, Default)]
pub(super) struct Texts(pub(super) Entries<String>);

impl Texts {
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.0.iter().map(|(_, text)| text.as_str())
    }

    pub(super) fn to_vec(&self) -> Vec<String> {
        self.iter().map(str::to_owned).collect()
    }

    /// Scopes can be separated by spaces too, as in RFC 6749 section 3.3.
    pub(super) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.iter().flat_map(|text| text.split(' ')).filter(|scope| !scope.is_empty())
    }
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntriesVisitor::<T> {
            expected: "a list, or a table whose keys name the entries",
            of_text: None,
        })
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = EntriesVisitor {
            expected: "text (a number in quotes), or a list of text",
            of_text: Some(str::to_owned),
        };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

struct EntriesVisitor<T> {
    expected: &'static str,
    /// Makes the only entry from a text in place of the list.
    of_text: Option<fn(&str) -> T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Entries<T>, E> {
        match self.of_text {
            Some(of_text) => Ok(Entries(vec![(Name::Index(0), of_text(text))])),
            None => Err(E::invalid_type(Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push((Name::Index(entries.len()), entry));
        }
        Ok(Entries(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Entries<T>, A::Error> {
        let mut entries: Vec<(Name, T)> = Vec::new();
        while let Some((key, entry)) = table.next_entry::<String, T>()? {
            if is_private(&key) {
                return Err(A::Error::invalid_type(Unexpected::Other("number or date"), &self));
            }
            if entries.iter().any(|(name, _)| *name == Name::Key(key.clone())) {
                return Err(A::Error::custom(format_args!("duplicate key `{key}`")));
            }
            entries.push((Name::Key(key), entry));
        }
        // Formats return tables in different orders.
        entries.sort_by_cached_key(|(name, _)| Order::of(name));
        Ok(Entries(entries))
    }
}

/// Whether a table is not one, but how a crate hands on a value that `serde` has no type for: a number of `serde_json`
/// with `arbitrary_precision`, or a date of `toml`. It would become a list with one text.
fn is_private(key: &str) -> bool {
    key.starts_with("$serde_json::private::") || key.starts_with("$__toml_private_")
}

/// Texts by name, of which each has one text or several. A name is one key: a dot in it would make tables of some
/// formats, and so another name.
#[derive(Clone, Default)]
pub(super) struct TextsByName(pub(super) Vec<(String, Vec<String>)>);

impl<'de> Deserialize<'de> for TextsByName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamesVisitor;

        impl<'de> Visitor<'de> for NamesVisitor {
            type Value = TextsByName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of text, or of lists of text")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<TextsByName, A::Error> {
                let mut all: Vec<(String, Vec<String>)> = Vec::new();
                while let Some(name) = table.next_key::<String>()? {
                    if all.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format_args!("duplicate key `{name}`")));
                    }
                    all.push((name, table.next_value::<PlainTexts>()?.0));
                }
                Ok(TextsByName(all))
            }
        }

        deserializer.deserialize_any(NamesVisitor)
    }
}

/// A text, or a list of text, and no table.
struct PlainTexts(Vec<String>);

impl<'de> Deserialize<'de> for PlainTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PlainVisitor;

        impl<'de> Visitor<'de> for PlainVisitor {
            type Value = PlainTexts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, or a list of text (a name with a dot needs quotation marks)")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<PlainTexts, E> {
                Ok(PlainTexts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PlainTexts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(PlainTexts(texts))
            }
        }

        deserializer.deserialize_any(PlainVisitor)
    }
}

/// Keys that are numbers come first, in the order of the numbers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Number(u64),
    Text(String),
}

impl Order {
    fn of(name: &Name) -> Self {
        match name {
            Name::Index(index) => Self::Number(u64::try_from(*index).unwrap_or(u64::MAX)),
            Name::Key(key) => key.parse().map_or_else(|_| Self::Text(key.clone()), Self::Number),
        }
    }
}
