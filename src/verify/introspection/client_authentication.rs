//! How this service authenticates to the introspection endpoint.

use std::fmt;

use base64_simd::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use url::form_urlencoded::{self, Serializer};

use crate::config_error::{ConfigError, ConfigErrorKind};
#[cfg(feature = "issuer")]
use crate::issuer::{SigningKey, TokenIssuer};
use crate::key_source::KeySourceError;

/// How this service authenticates to the endpoint of an [`Introspection`](crate::Introspection): as a client that is
/// registered at the authorization server (RFC 7662 section 2.1).
///
/// | method | constructor |
/// |---|---|
/// | `client_secret_basic` | [`client_secret_basic`](Self::client_secret_basic) |
/// | `client_secret_post` | [`client_secret_post`](Self::client_secret_post) |
/// | `private_key_jwt` | `private_key_jwt`, with feature `issuer` |
/// | `tls_client_auth`, `self_signed_tls_client_auth` | [`tls_client`](Self::tls_client) |
///
/// `Debug` shows the client ID, and no secret.
///
/// # Example: a secret from the environment
///
/// ```
/// use tower_jwt_auth::{ClientAuthentication, ConfigError};
///
/// fn client(secret: &str) -> Result<ClientAuthentication, ConfigError> {
///     ClientAuthentication::client_secret_basic("orders-api", secret)
/// }
/// // A file that ends in a line break is found at once.
/// assert!(client("s3cret\n").is_err());
/// ```
#[derive(Clone)]
pub struct ClientAuthentication {
    client_id: String,
    method: Method,
}

#[derive(Clone)]
enum Method {
    /// The value of `Authorization`.
    Basic(HeaderValue),
    /// The secret.
    Post(String),
    #[cfg(feature = "issuer")]
    Assertion(TokenIssuer),
    Certificate,
}

impl ClientAuthentication {
    /// Sends the client ID and the secret in the header `Authorization: Basic`, encoded as RFC 6749 section 2.3.1
    /// requires. Every authorization server supports this method.
    ///
    /// # Errors
    ///
    /// When the client ID or the secret is empty or contains a character other than printable ASCII (RFC 6749 appendix
    /// A), such as a line break.
    pub fn client_secret_basic(
        client_id: impl Into<String>,
        secret: impl AsRef<str>,
    ) -> Result<Self, ConfigError> {
        let client_id = checked(client_id.into(), "a client ID")?;
        let secret = checked(secret.as_ref().to_owned(), "a client secret")?;
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let (name, password): (String, String) = (encode(&client_id), encode(&secret));
        let value = format!("Basic {}", STANDARD.encode_to_string(format!("{name}:{password}")));
        let mut value = HeaderValue::try_from(value).map_err(|error| {
            unusable("the credentials do not fit into a header").with_source(error)
        })?;
        value.set_sensitive(true);
        Ok(Self { client_id, method: Method::Basic(value) })
    }

    /// Sends the client ID and the secret in the form, beside the token (RFC 6749 section 2.3.1).
    ///
    /// # Errors
    ///
    /// When the client ID or the secret is empty or contains a character other than printable ASCII.
    pub fn client_secret_post(
        client_id: impl Into<String>,
        secret: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let client_id = checked(client_id.into(), "a client ID")?;
        let secret = checked(secret.into(), "a client secret")?;
        Ok(Self { client_id, method: Method::Post(secret) })
    }

    /// Signs an assertion with the client's own key for each request (RFC 7523 section 2.2), so no secret is shared.
    /// With a secret as the key, this is the method `client_secret_jwt`.
    ///
    /// `audience` is the issuer identifier of the authorization server. It is the only audience of the assertion: one
    /// that named an endpoint could be used at another server with the same endpoint in its metadata. Older servers may
    /// expect the URL of the endpoint instead. The assertion has a `jti`, and expires after 60 seconds by the system
    /// clock.
    ///
    /// # Errors
    ///
    /// When the client ID is empty or contains a character other than printable ASCII; when the audience is empty; or
    /// when the `kid` of the key is empty, longer than 1,024 bytes or contains control characters.
    ///
    /// # Example: a key of this service
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, ClientAuthentication, SigningKey};
    ///
    /// // In production, a key from a file, whose public half is registered at the server.
    /// let key = SigningKey::generate(Algorithm::ES256)?.with_kid("2026-01");
    /// let client =
    ///     ClientAuthentication::private_key_jwt("orders-api", key, "https://issuer.example")?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[cfg(feature = "issuer")]
    pub fn private_key_jwt(
        client_id: impl Into<String>,
        key: SigningKey,
        audience: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        const LIFETIME: std::time::Duration = std::time::Duration::from_secs(60);

        let client_id = checked(client_id.into(), "a client ID")?;
        let assertions = TokenIssuer::new(client_id.as_str(), key)?
            .with_audience(audience.into())?
            .with_lifetime(LIFETIME)?;
        Ok(Self { client_id, method: Method::Assertion(assertions) })
    }

    /// Sends the client ID alone, for a client that authenticates by its certificate (RFC 8705 section 2). The HTTP client
    /// has the certificate: see `Introspection::with_client` and
    /// [`with_fetcher`](crate::Introspection::with_fetcher). Without one, the server refuses the requests.
    ///
    /// # Errors
    ///
    /// When the client ID is empty or contains a character other than printable ASCII.
    pub fn tls_client(client_id: impl Into<String>) -> Result<Self, ConfigError> {
        let client_id = checked(client_id.into(), "a client ID")?;
        Ok(Self { client_id, method: Method::Certificate })
    }

    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Adds the credentials to a request.
    pub(super) fn add_to(
        &self,
        headers: &mut HeaderMap,
        form: &mut Serializer<'_, String>,
    ) -> Result<(), KeySourceError> {
        match &self.method {
            Method::Basic(value) => {
                headers.insert(AUTHORIZATION, value.clone());
            }
            Method::Post(secret) => {
                form.append_pair("client_id", &self.client_id).append_pair("client_secret", secret);
            }
            Method::Certificate => {
                form.append_pair("client_id", &self.client_id);
            }
            #[cfg(feature = "issuer")]
            Method::Assertion(assertions) => {
                const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

                let claims = serde_json::json!({ "sub": self.client_id });
                let assertion = assertions.issue(&claims).map_err(|error| {
                    KeySourceError::new("the assertion of the client cannot be signed")
                        .with_source(error)
                })?;
                form.append_pair("client_assertion_type", TYPE)
                    .append_pair("client_assertion", &assertion);
            }
        }
        Ok(())
    }
}

/// The text, if it is `1*VSCHAR` (RFC 6749 appendix A).
fn checked(text: String, what: &str) -> Result<String, ConfigError> {
    let is_visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    match !text.is_empty() && text.bytes().all(is_visible) {
        true => Ok(text),
        false => Err(unusable(format!(
            "{what} consists of at least one printable ASCII character, and has no line break"
        ))),
    }
}

fn unusable(message: impl Into<std::borrow::Cow<'static, str>>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::ClientAuthentication, message)
}

impl fmt::Debug for ClientAuthentication {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match &self.method {
            Method::Basic(_) => "client_secret_basic",
            Method::Post(_) => "client_secret_post",
            #[cfg(feature = "issuer")]
            Method::Assertion(_) => "private_key_jwt",
            Method::Certificate => "tls_client_auth",
        };
        f.debug_struct("ClientAuthentication")
            .field("client_id", &self.client_id)
            .field("method", &method)
            .finish_non_exhaustive()
    }
}
