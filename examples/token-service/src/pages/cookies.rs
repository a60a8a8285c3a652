//! The two cookies of the pages: one for the session, and one that binds the login form to the browser.

use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};

use crate::Service;
use crate::secret;
use crate::store::{Session, StoreError};

/// The names of the cookies. With https they have the prefix `__Host-`, so no other host of the domain can set them. At the
/// end is a part of the issuer's hash: ports and paths of a host share their cookies.
pub(crate) struct Cookies {
    session: String,
    browser: String,
    is_secure: bool,
}

impl Cookies {
    /// The cookies of this service, by its URL.
    pub(crate) fn of(service: &Service) -> Self {
        let is_secure = service.issuer().starts_with("https:");
        let prefix = if is_secure { "__Host-" } else { "" };
        let mut hash = secret::hash(service.issuer());
        hash.truncate(8);
        let name = |what| format!("{prefix}token-service-{what}-{hash}");
        Self { session: name("session"), browser: name("form"), is_secure }
    }

    /// The session of this browser, with its cookie.
    pub(crate) async fn session(
        &self,
        service: &Service,
        jar: &CookieJar,
    ) -> Result<Option<(Session, String)>, StoreError> {
        let Some(cookie) = jar.get(&self.session).map(Cookie::value).filter(is_secret) else {
            return Ok(None);
        };
        let session = service.store.session(&secret::hash(cookie), service.now()).await?;
        Ok(session.map(|session| (session, cookie.to_owned())))
    }

    /// The value that tells this browser from others before anyone has logged in.
    pub(crate) fn browser<'a>(&self, jar: &'a CookieJar) -> Option<&'a str> {
        jar.get(&self.browser).map(Cookie::value).filter(is_secret)
    }

    /// The same, made now if there is none. Other tabs keep the one that they have.
    pub(crate) fn ensure_browser(&self, jar: CookieJar) -> (CookieJar, String) {
        if let Some(value) = self.browser(&jar) {
            let value = value.to_owned();
            return (jar, value);
        }
        let value = secret::random();
        (jar.add(self.cookie(&self.browser, value.clone())), value)
    }

    /// Sets the cookie of a new session.
    pub(crate) fn set_session(&self, jar: CookieJar, value: String) -> CookieJar {
        jar.add(self.cookie(&self.session, value))
    }

    /// Deletes the cookie of the session, if the browser has one.
    pub(crate) fn clear_session(&self, jar: CookieJar) -> CookieJar {
        jar.remove(self.cookie(&self.session, String::new()))
    }

    /// A cookie that ends with the browser. `Lax`, because applications lead here by links and redirects.
    fn cookie(&self, name: &str, value: String) -> Cookie<'static> {
        Cookie::build((name.to_owned(), value))
            .path("/")
            .http_only(true)
            .secure(self.is_secure)
            .same_site(SameSite::Lax)
            .build()
    }
}

/// Whether it looks like [`secret::random`].
fn is_secret(value: &&str) -> bool {
    value.len() == 43
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
