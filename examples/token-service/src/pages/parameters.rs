//! The parameters of a request to a page, in its query or its form.

use axum::http::HeaderMap;
use url::form_urlencoded;

use crate::form;

/// Longer parameters are refused, measured as this service writes them into its own addresses.
const MAX_LENGTH: usize = 8 * 1024;
/// The room for a `prompt`, also if there is none: the link to another account has one.
const PROMPT: usize = "prompt=login+consent&".len();

/// Parameters in their order.
#[derive(Clone, Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query. The error is a sentence for the page.
    pub(crate) fn from_query(query: Option<&str>) -> Result<Self, &'static str> {
        Self::read(query.unwrap_or_default().as_bytes())
    }

    /// Reads a form.
    pub(crate) fn from_form(headers: &HeaderMap, body: &[u8]) -> Result<Self, &'static str> {
        if !form::is_form(headers) {
            return Err("The body must be application/x-www-form-urlencoded, in UTF-8.");
        }
        Self::read(body)
    }

    fn read(text: &[u8]) -> Result<Self, &'static str> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(text).into_owned().collect();
        let is_text = |text: &str| !text.contains(|c: char| c.is_control() || c == '\u{FFFD}');
        if !pairs.iter().all(|(name, value)| is_text(name) && is_text(value)) {
            return Err("The request has control characters or text that is not UTF-8.");
        }
        let parameters = Self(pairs);
        if parameters.length() > MAX_LENGTH {
            return Err("The request is too long.");
        }
        Ok(parameters)
    }

    /// The length of the query, without what the pages add: so each step accepts what the first one accepted.
    fn length(&self) -> usize {
        let own = self.clone().without("form_token");
        let rest = own.clone().without("prompt").to_query().len();
        own.to_query().len().max(rest.saturating_add(PROMPT))
    }

    /// The value of a parameter. One without a value counts as absent (RFC 6749 section 3.1). `Err`: it is repeated.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut values = self.0.iter().filter(|(one, _)| one == name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated),
            (value, None) => {
                Ok(value.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty()))
            }
        }
    }

    /// The values of a parameter that may be repeated.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(one, _)| one == name);
        values.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The first parameter that is repeated, other than `resource` (RFC 8707 section 2).
    pub(crate) fn is_any_repeated(&self) -> bool {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.retain(|name| *name != "resource");
        names.sort_unstable();
        names.windows(2).any(|pair| pair.first() == pair.last())
    }

    /// The same without the parameter.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(one, _)| one != name);
        self
    }

    /// The same with the parameter, once.
    pub(crate) fn with(self, name: &str, value: impl Into<String>) -> Self {
        let mut parameters = self.without(name);
        parameters.0.push((name.to_owned(), value.into()));
        parameters
    }

    /// As a query.
    pub(crate) fn to_query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

/// A parameter is given more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeated;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Parameters {
        Parameters::from_query(Some(query)).unwrap()
    }

    #[test]
    fn a_parameter_is_absent_single_or_repeated() {
        let parameters = read("a=1%2B+%C3%A9&b=&c&d=1&d=1&e=1&e=&resource=x&resource=y&resource=");
        assert_eq!(parameters.one("a"), Ok(Some("1+ \u{e9}")));
        assert_eq!(parameters.one("b"), Ok(None));
        assert_eq!(parameters.one("c"), Ok(None));
        assert_eq!(parameters.one("d"), Err(Repeated));
        assert_eq!(parameters.one("e"), Err(Repeated));
        assert_eq!(parameters.one("f"), Ok(None));
        assert_eq!(parameters.all("resource").collect::<Vec<_>>(), ["x", "y"]);
        assert!(parameters.is_any_repeated());
        assert!(!read("a=1&b=1&resource=x&resource=x").is_any_repeated());
        assert!(read("a=1&b=1&%61=").is_any_repeated());
    }

    #[test]
    fn parameters_survive_a_round_trip() {
        let parameters = read("a=1%2B+%C3%A9%26&b=&a=2").with("b", "x=y").without("c");
        assert_eq!(parameters.to_query(), "a=1%2B+%C3%A9%26&a=2&b=x%3Dy");
        assert_eq!(read(&parameters.to_query()).to_query(), parameters.to_query());
        assert_eq!(read("").to_query(), "");
    }

    #[test]
    fn the_length_is_that_of_the_address_that_comes_of_it() {
        let is_read = |query: &str| Parameters::from_query(Some(query)).is_ok();
        let longest = MAX_LENGTH - "a=".len() - PROMPT;
        assert!(is_read(&format!("a={}", "x".repeat(longest))));
        assert!(!is_read(&format!("a={}", "x".repeat(longest + 1))));
        // It is written as `%7E`.
        assert!(!is_read(&format!("a={}", "~".repeat(longest / 3 + 1))));
        assert!(is_read(&format!("a={}", "~".repeat(longest / 3))));
        // It is written as `x`.
        assert!(is_read(&format!("a={}", "%78".repeat(longest))));
        for added in ["form_token", "prompt"] {
            let query = format!("a={}&{added}=login+consent", "x".repeat(longest));
            assert!(is_read(&query), "{added}");
        }
        assert!(!is_read(&format!("prompt={}", "x".repeat(MAX_LENGTH))));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for query in ["a=%00", "%0Aa=1", "a=%FF", "a=%7F", "a=%C2%80"] {
            assert!(Parameters::from_query(Some(query)).is_err(), "{query}");
        }
        assert!(Parameters::from_form(&HeaderMap::new(), b"a=b").is_err());
    }
}
