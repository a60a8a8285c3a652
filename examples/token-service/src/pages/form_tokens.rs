//! Tokens in forms, against requests that another site makes a browser send.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Makes and checks the tokens. A token is for one form, one browser or session, and one request.
pub(crate) struct FormTokens(hmac::Key);

impl FormTokens {
    /// From a secret with 256 random bits.
    pub(crate) fn new(secret: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// The token of a form that is shown to the holder of this cookie, for this request.
    pub(crate) fn token(&self, form: &str, cookie: &str, request: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, &message(form, cookie, request)))
    }

    /// Whether the token is right. The comparison takes the same time for every wrong token.
    pub(crate) fn is_right(&self, token: &str, form: &str, cookie: &str, request: &str) -> bool {
        let Ok(token) = URL_SAFE_NO_PAD.decode(token) else { return false };
        hmac::verify(&self.0, &message(form, cookie, request), &token).is_ok()
    }
}

/// No part contains the separator.
fn message(form: &str, cookie: &str, request: &str) -> Vec<u8> {
    [form, cookie, request].join("\0").into_bytes()
}

impl fmt::Debug for FormTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormTokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_form_one_cookie_and_one_request() {
        let tokens = FormTokens::new("secret");
        let token = tokens.token("login", "cookie", "a=b");
        assert!(tokens.is_right(&token, "login", "cookie", "a=b"));
        assert!(FormTokens::new("secret").is_right(&token, "login", "cookie", "a=b"));
        assert!(!tokens.is_right(&token, "consent", "cookie", "a=b"));
        assert!(!tokens.is_right(&token, "login", "other", "a=b"));
        assert!(!tokens.is_right(&token, "login", "cookie", "a=c"));
        assert!(!FormTokens::new("other").is_right(&token, "login", "cookie", "a=b"));
        for wrong in ["", "%", &token[1..], "AAAA"] {
            assert!(!tokens.is_right(wrong, "login", "cookie", "a=b"), "{wrong}");
        }
    }
}
