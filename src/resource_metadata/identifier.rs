//! The identifier of a protected resource, and the URLs that follow from it (RFC 9728 sections 1.2 and 3).

use url::{Position, Url};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::loopback::is_loopback;

/// The path at which clients look for the metadata of a resource without a path.
pub(super) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The longest URL in a document, in bytes. Each challenge contains the URL of the metadata.
const MAX_URL: usize = 2048;

/// The identifier of a protected resource, exactly as the application wrote it.
#[derive(Clone, Debug)]
pub(super) struct Identifier {
    text: String,
    /// The public URL of the metadata.
    metadata_url: String,
    /// The path of that URL.
    metadata_path: String,
}

impl Identifier {
    /// # Errors
    ///
    /// When the text is not an https URL (http is allowed on loopback), has a fragment, a user name or a password, or
    /// when a client's parser would write the URL in another way.
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let url = secure_url("the resource", text)?;
        if url.fragment().is_some() {
            return Err(unusable("the resource must not have a fragment"));
        }
        // Clients compare the identifier byte by byte, after their parser has written it in this form.
        let normal = url.as_str();
        if normal != text && normal.strip_suffix('/') != Some(text) {
            return Err(unusable(format!(
                "clients compare the resource with the URL as their parser writes it: write {normal:?}"
            )));
        }
        // The slash that follows the host is removed (section 3.1), and no other one.
        let path = match url.path() {
            "/" => "",
            path => path,
        };
        let metadata_path = format!("{WELL_KNOWN}{path}");
        let query = &url[Position::AfterPath..Position::AfterQuery];
        let metadata_url = format!("{}{metadata_path}{query}", &url[..Position::BeforePath]);
        Ok(Self { text: text.to_owned(), metadata_url, metadata_path })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn metadata_url(&self) -> &str {
        &self.metadata_url
    }

    pub(super) fn metadata_path(&self) -> &str {
        &self.metadata_path
    }
}

/// Checks the identifier of an authorization server (RFC 8414 section 2).
pub(super) fn check_issuer(text: &str) -> Result<(), ConfigError> {
    let url = secure_url("an authorization server", text)?;
    match url.query().is_none() && url.fragment().is_none() {
        true => Ok(()),
        false => Err(unusable("an authorization server must not have a query or a fragment")),
    }
}

/// Parses a URL that clients trust: https, or http on loopback.
pub(super) fn secure_url(what: &str, text: &str) -> Result<Url, ConfigError> {
    let url = web_url(what, text)?;
    match url.scheme() == "https" || is_loopback(&url) {
        true => Ok(url),
        false => Err(unusable(format!(
            "{what} must be https (http is allowed for 127.0.0.1, [::1] and localhost)"
        ))),
    }
}

/// Parses a URL of a page.
pub(super) fn web_url(what: &str, text: &str) -> Result<Url, ConfigError> {
    if text.len() > MAX_URL {
        return Err(unusable(format!("{what} is longer than {MAX_URL} bytes")));
    }
    // The characters of RFC 3986. They need no escape in a challenge.
    let is_url_char =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    if !text.bytes().all(is_url_char) {
        return Err(unusable(format!("{what} contains a character that no URL contains")));
    }
    let url = Url::parse(text)
        .map_err(|error| unusable(format!("{what} is not an absolute URL")).with_source(error))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(unusable(format!("{what} must be a URL of the scheme https")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable(format!("{what} must not have a user name or a password")));
    }
    Ok(url)
}

pub(super) fn unusable(message: impl Into<std::borrow::Cow<'static, str>>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::ResourceMetadata, message)
}
