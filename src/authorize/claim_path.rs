use std::cmp::Ordering;
use std::fmt;

use serde_json::{Number, Value};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::json_member::{Unreadable, count_members, elements, member, text};

/// The place of a claim in a token: the name of the claim, or the names of the objects around it, from the
/// outermost, and then its name. A path leads through objects only, not into arrays. Names are case-sensitive.
///
/// | created from | the path |
/// |---|---|
/// | a string, such as `"realm_access.roles"` | the parts of the string between its dots |
/// | an array or a slice, such as `["https://acme.example/roles"]` or `["kubernetes.io", "namespace"]` | its strings, unchanged; they may contain dots |
///
/// A string that contains a dot, and also `/` or `:`, looks like a single name with dots in it.
/// [`Rule::claim`](crate::Rule::claim) and [`Rule::contains`](crate::Rule::contains) refuse it: give an array
/// instead.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimPath {
    names: Vec<String>,
    /// Whether the path comes from a string that was split at its dots.
    is_split: bool,
}

impl From<&str> for ClaimPath {
    fn from(path: &str) -> Self {
        Self { names: path.split('.').map(String::from).collect(), is_split: path.contains('.') }
    }
}

impl<const N: usize> From<[&str; N]> for ClaimPath {
    fn from(names: [&str; N]) -> Self {
        Self { names: names.into_iter().map(String::from).collect(), is_split: false }
    }
}

impl From<&[&str]> for ClaimPath {
    fn from(names: &[&str]) -> Self {
        Self { names: names.iter().copied().map(String::from).collect(), is_split: false }
    }
}

impl ClaimPath {
    pub(super) fn checked(self) -> Result<Self, ConfigError> {
        let error = |message: String| Err(ConfigError::new(ConfigErrorKind::Rule, message));
        if self.names.is_empty() || self.names.iter().any(String::is_empty) {
            return error(format!("the path \"{self}\" of a claim is empty or has an empty name"));
        }
        if self.is_split && self.names.iter().any(|name| name.contains([':', '/'])) {
            return error(format!(
                "{self} looks like one name with dots in it: give an array of names"
            ));
        }
        Ok(self)
    }

    /// The JSON of the claim; `None` if the claim is absent.
    pub(super) fn find<'t>(&self, claims: &'t str) -> Result<Option<&'t str>, Unreadable> {
        let mut json = claims;
        for name in &self.names {
            match member(json, name)? {
                Some(inner) => json = inner,
                None => return Ok(None),
            }
        }
        Ok(Some(json))
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join("."))
    }
}

impl fmt::Debug for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClaimPath").field(&self.names).finish()
    }
}

/// Whether the array has this element. If it does not, and another element has another type, the array is
/// unreadable.
pub(super) fn has_element(array: &str, expected: &Value) -> Result<bool, Unreadable> {
    let (mut is_there, mut all_are_read) = (false, Ok(()));
    elements(array, |element| match equals(element, expected) {
        Ok(is_it) => is_there |= is_it,
        Err(error) => all_are_read = Err(error),
    })?;
    if is_there { Ok(true) } else { all_are_read.map(|()| false) }
}

/// Whether the JSON is this value: the same text, number, members and elements. A value of another type is
/// unreadable, except `null`, which counts as an absent value.
pub(super) fn equals(json: &str, expected: &Value) -> Result<bool, Unreadable> {
    let is_null = json == "null";
    if is_null || expected.is_null() {
        return Ok(is_null && expected.is_null());
    }
    if type_of(json) != type_of_value(expected) {
        return Err(Unreadable);
    }
    match expected {
        Value::Null => Ok(false),
        Value::Bool(expected) => Ok(json == if *expected { "true" } else { "false" }),
        Value::String(expected) => Ok(text(json).ok_or(Unreadable)? == expected.as_str()),
        Value::Number(expected) => Ok(are_same_number(&json.parse()?, expected)),
        Value::Array(expected) => {
            let (mut rest, mut are_same) = (expected.iter(), Ok(true));
            elements(json, |element| {
                let is_same = rest.next().map_or(Ok(false), |expected| equals(element, expected));
                are_same = both(are_same, is_same);
            })?;
            both(are_same, Ok(rest.next().is_none()))
        }
        Value::Object(expected) => {
            let has_as_many = count_members(json)? == expected.len();
            expected.iter().try_fold(has_as_many, |are_same, (name, value)| {
                let found = member(json, name)?.map_or(Ok(false), |json| equals(json, value));
                Ok(are_same & found?)
            })
        }
    }
}

/// Combines two comparisons. If one of them is unreadable, the result is unreadable.
fn both(
    one: Result<bool, Unreadable>,
    other: Result<bool, Unreadable>,
) -> Result<bool, Unreadable> {
    Ok(one? & other?)
}

/// The first character of a JSON value, which identifies its type. `0` represents all numbers, and `t` both
/// booleans.
fn type_of(json: &str) -> u8 {
    match json.as_bytes().first() {
        Some(b't' | b'f') => b't',
        Some(first @ (b'"' | b'[' | b'{' | b'n')) => *first,
        _ => b'0',
    }
}

fn type_of_value(value: &Value) -> u8 {
    match value {
        Value::Null => b'n',
        Value::Bool(_) => b't',
        Value::Number(_) => b'0',
        Value::String(_) => b'"',
        Value::Array(_) => b'[',
        Value::Object(_) => b'{',
    }
}

/// Whether two numbers are equal in any spelling: `7`, `7.0` and `0.7e1` are.
fn are_same_number(one: &Number, other: &Number) -> bool {
    if let (Some(one), Some(other)) = (one.as_u64(), other.as_u64()) {
        return one == other;
    }
    if let (Some(one), Some(other)) = (one.as_i64(), other.as_i64()) {
        return one == other;
    }
    // Beyond 2^53, a double does not represent every whole number exactly.
    let is_exact = |number: &Number| {
        let is_small = |whole: u64| whole <= 1 << 53;
        number.is_f64() || number.as_i64().is_some_and(|whole| is_small(whole.unsigned_abs()))
    };
    if !is_exact(one) || !is_exact(other) {
        return false;
    }
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.partial_cmp(&other) == Some(Ordering::Equal),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn path_is_split_at_dots_unless_it_is_given_as_names() {
        let claims = r#"{"a": {"b": {"c": 1}}, "a.b": {"c": 2}, "x.y/z": 3}"#;
        let find = |path: ClaimPath| path.checked().unwrap().find(claims);
        assert_eq!(find("a.b.c".into()), Ok(Some("1")));
        assert_eq!(find(["a.b", "c"].into()), Ok(Some("2")));
        assert_eq!(find(["x.y/z"].into()), Ok(Some("3")));
        assert_eq!(find("a.c".into()), Ok(None));
        assert_eq!(find("a.b.c.d".into()), Err(Unreadable));
    }

    #[test]
    fn path_that_no_claim_can_have_or_that_may_be_one_name_is_an_error() {
        let none: [&str; 0] = [];
        assert!(ClaimPath::from(none).checked().is_err());
        for path in ["", ".", "a.", ".a", "a..b", "https://acme.example/roles", "urn:a.b"] {
            let error = ClaimPath::from(path).checked().unwrap_err();
            assert_eq!(error.kind(), ConfigErrorKind::Rule, "{path}");
        }
        for path in ["a", "cognito:groups", "a/b"] {
            assert!(ClaimPath::from(path).checked().is_ok(), "{path}");
        }
    }

    #[test]
    fn equal_is_the_same_value_of_the_same_type() {
        for (text, value) in [
            ("null", json!(null)),
            ("true", json!(true)),
            (r#""acm\u0065""#, json!("acme")),
            ("7", json!(7)),
            ("7.0", json!(7)),
            ("0.7e1", json!(7)),
            ("-7", json!(-7)),
            ("18446744073709551615", json!(u64::MAX)),
            ("[1, \"a\", [ ]]", json!([1, "a", []])),
            (r#"{"b": {"c": 1}, "a": 2}"#, json!({"a": 2, "b": {"c": 1}})),
        ] {
            assert_eq!(equals(text, &value), Ok(true), "{text}");
        }
        for (text, value) in [
            ("null", json!(false)),
            ("7", json!(null)),
            ("7.5", json!(7)),
            ("18446744073709551614", json!(u64::MAX)),
            ("18446744073709551616", json!(u64::MAX)),
            ("1.8446744073709552e19", json!(u64::MAX)),
            ("9007199254740992.0", json!(9_007_199_254_740_993_u64)),
            ("\"Acme\"", json!("acme")),
            ("[1, 2]", json!([1])),
            ("[1]", json!([1, 2])),
            ("[2, 1]", json!([1, 2])),
            (r#"{"a": 1, "b": 2}"#, json!({"a": 1})),
            (r#"{"a": 1}"#, json!({"a": 1, "b": 2})),
        ] {
            assert_eq!(equals(text, &value), Ok(false), "{text}");
        }
        for (text, value) in [
            ("\"true\"", json!(true)),
            ("1", json!(true)),
            ("\"7\"", json!(7)),
            ("7", json!("7")),
            ("[1]", json!(1)),
            ("[\"1\"]", json!([1])),
            (r#"{"a": 1, "a": 1}"#, json!({"a": 1, "b": 1})),
            (r#"{"$serde_json::private::RawValue": "\"acme\""}"#, json!("acme")),
            (r#"{"$serde_json::private::Number": "7"}"#, json!(7)),
        ] {
            assert_eq!(equals(text, &value), Err(Unreadable), "{text}");
        }
    }

    #[test]
    fn element_of_a_list_is_looked_for_by_its_value() {
        assert_eq!(has_element(r#"["user", "admin"]"#, &json!("admin")), Ok(true));
        assert_eq!(has_element(r#"["administrator"]"#, &json!("admin")), Ok(false));
        assert_eq!(has_element(r#"[["admin"], "admin"]"#, &json!("admin")), Ok(true));
        assert_eq!(has_element(r#"["user", ["admin"]]"#, &json!("admin")), Err(Unreadable));
        assert_eq!(has_element("[]", &json!("admin")), Ok(false));
        assert_eq!(has_element(r#""admin""#, &json!("admin")), Err(Unreadable));
        assert_eq!(has_element(r#"{"admin": 1}"#, &json!("admin")), Err(Unreadable));
    }
}
