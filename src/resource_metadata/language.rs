//! Texts in several languages (RFC 9728 section 2.1).

use crate::config_error::ConfigError;
use crate::resource_metadata::identifier::unusable;

/// A text, and its translations by language tag.
#[derive(Clone, Debug, Default)]
pub(super) struct Translated {
    text: Option<String>,
    translations: Vec<(String, String)>,
}

impl Translated {
    /// # Errors
    ///
    /// When the text is empty.
    pub(super) fn set(&mut self, text: String) -> Result<(), ConfigError> {
        self.text = Some(checked(text)?);
        Ok(())
    }

    /// Adds a translation, or replaces the one with the same tag. Tags are not case-sensitive.
    ///
    /// # Errors
    ///
    /// When the text is empty, or the tag is not a language tag.
    pub(super) fn add(&mut self, tag: String, text: String) -> Result<(), ConfigError> {
        if !is_language_tag(&tag) {
            return Err(unusable(format!(
                "{tag:?} is not a language tag, such as `de` or `pt-BR`"
            )));
        }
        let text = checked(text)?;
        self.translations.retain(|(other, _)| !other.eq_ignore_ascii_case(&tag));
        self.translations.push((tag, text));
        Ok(())
    }

    /// The members of the document with this name: `name`, `name#de`, …
    pub(super) fn members(&self, name: &str) -> impl Iterator<Item = (String, &str)> {
        let text = self.text.iter().map(|text| (name.to_owned(), &**text));
        text.chain(
            self.translations.iter().map(move |(tag, text)| (format!("{name}#{tag}"), &**text)),
        )
    }
}

fn checked(text: String) -> Result<String, ConfigError> {
    match text.trim().is_empty() {
        true => Err(unusable("the name of a resource must not be empty")),
        false => Ok(text),
    }
}

/// Whether the text has the form of a language tag (RFC 5646 section 2.1): subtags of 1 to 8 letters and digits; the
/// first has only letters.
fn is_language_tag(tag: &str) -> bool {
    let is_subtag = |subtag: &str| {
        (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    tag.split('-').all(is_subtag)
        && tag.split('-').next().is_some_and(|first| first.bytes().all(|b| b.is_ascii_alphabetic()))
}
