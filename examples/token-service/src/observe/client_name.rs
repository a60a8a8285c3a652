//! The name of a client in the log.

use std::borrow::Cow;

use url::Url;

use crate::secret;

/// How much of the hash of a URL is shown.
const HASH: usize = 8;

/// The ID of a registered client as it is. Of one that is the URL of a document, the host and a short hash: whoever
/// publishes the document chooses the rest, which could be a secret.
pub(crate) fn of(id: &str) -> Cow<'_, str> {
    if !id.contains("://") {
        return Cow::Borrowed(id);
    }
    let url = Url::parse(id).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or("other");
    let port = url.as_ref().and_then(Url::port).map(|port| format!(":{port}")).unwrap_or_default();
    let hash: String = secret::hash(id).chars().take(HASH).collect();
    Cow::Owned(format!("{host}{port}#{hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registered_client_is_named_by_its_id() {
        assert_eq!(of("app"), "app");
    }

    #[test]
    fn a_document_client_is_named_by_its_host_and_a_short_hash() {
        let one = of("https://app.example:8443/secret?also=secret");
        let hash = one.strip_prefix("app.example:8443#").unwrap();
        assert_eq!(hash.len(), HASH);
        assert!(!one.contains("secret"));
        assert_ne!(one, of("https://app.example:8443/other"));
        assert!(of("https://user:secret@").starts_with("other#"));
    }
}
