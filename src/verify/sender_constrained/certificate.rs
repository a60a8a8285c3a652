use std::fmt;
use std::sync::Arc;

use base64_simd::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{Extensions, HeaderMap};

use crate::crypto::digest::sha256;
use crate::rejection::{Rejection, RejectionKind};
use crate::verify::sender_constrained::client_cert_header;

/// The client certificate of a connection, for [`ClientCertificates`]. Only its SHA-256 thumbprint is kept. A clone is
/// cheap.
///
/// Make it once for each connection, after the TLS handshake, and put it into the extensions of each request.
/// [The page on mutual TLS](crate::docs::mtls) shows that.
///
/// # Example: the thumbprint, as in the claim `cnf`
///
/// ```
/// use tower_jwt_auth::ClientCertificate;
///
/// let certificate = ClientCertificate::from_der(b"the DER of a certificate");
/// assert_eq!(certificate.x5t_s256().len(), 43);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    x5t_s256: Arc<str>,
}

impl ClientCertificate {
    /// From the DER of the certificate that the client itself has, the first one of its chain. TLS must have checked
    /// that the client has its private key. This function checks nothing.
    pub fn from_der(der: impl AsRef<[u8]>) -> Self {
        Self::from_sha256(sha256(&[der.as_ref()]))
    }

    /// From the SHA-256 digest of the DER, for a TLS server or a proxy that tells only the digest. A digest by SHA-1 or
    /// MD5 is of no use, and neither is one of the public key.
    pub fn from_sha256(digest: [u8; 32]) -> Self {
        Self { x5t_s256: URL_SAFE_NO_PAD.encode_to_string(digest).into() }
    }

    /// The SHA-256 thumbprint in base64url without padding (RFC 8705 section 3.1).
    pub fn x5t_s256(&self) -> &str {
        &self.x5t_s256
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").field("x5t_s256", &self.x5t_s256).finish()
    }
}

/// Where a [`SenderConstrained`](crate::SenderConstrained) finds the client certificate of a request.
///
/// A certificate need not be from a public authority: the token says which one it must be (RFC 8705 sections 2.2 and 3).
/// But the TLS handshake must have checked that the client has the private key.
///
/// Headers do not belong to the connection, so only the constructors whose names begin with `dangerous_` read them.
#[derive(Clone)]
pub struct ClientCertificates {
    find: Arc<Find>,
    danger: Option<&'static str>,
}

type Find = dyn Fn(&Parts) -> Option<ClientCertificate> + Send + Sync;

impl ClientCertificates {
    /// In the extensions of the request, as a [`ClientCertificate`]. The code that accepts connections puts it there.
    pub fn from_extensions() -> Self {
        Self::from_fn(|extensions| extensions.get().cloned())
    }

    /// As a function says, for servers that put a type of their own into the extensions. It returns `None` if the client
    /// has no certificate.
    ///
    /// For a certificate that a proxy forwards, see
    /// [`dangerous_from_client_cert_header`](Self::dangerous_from_client_cert_header) and
    /// [`dangerous_from_headers`](Self::dangerous_from_headers).
    ///
    /// # Example: the certificates of a server
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tower_jwt_auth::{ClientCertificate, ClientCertificates};
    ///
    /// /// What the server puts into the extensions.
    /// #[derive(Clone)]
    /// struct Peer {
    ///     chain: Arc<[Vec<u8>]>,
    /// }
    ///
    /// let certificates = ClientCertificates::from_fn(|extensions| {
    ///     let peer = extensions.get::<Peer>()?;
    ///     peer.chain.first().map(ClientCertificate::from_der)
    /// });
    /// ```
    pub fn from_fn(
        find: impl Fn(&Extensions) -> Option<ClientCertificate> + Send + Sync + 'static,
    ) -> Self {
        Self { find: Arc::new(move |head| find(&head.extensions)), danger: None }
    }

    /// In the header `Client-Cert` (RFC 9440), if the predicate says that the request comes from the proxy that
    /// terminates TLS.
    ///
    /// **Dangerous**: a client can send this header too. Whoever reaches this service in another way than through the
    /// proxy, or through a proxy that does not remove the header of the client, can use each stolen token. The predicate
    /// must therefore compare something that only the proxy has, such as the peer's address in a network that others
    /// cannot use, or its certificate. It must not compare headers.
    ///
    /// The header must occur once, and contain the certificate as RFC 9440 section 2.1 writes it; otherwise the request
    /// counts as one without a certificate.
    ///
    /// # Example: a proxy on the same machine
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use tower_jwt_auth::ClientCertificates;
    ///
    /// let certificates = ClientCertificates::dangerous_from_client_cert_header(|head| {
    ///     // The address of the peer, as the server puts it into the extensions.
    ///     head.extensions.get::<SocketAddr>().is_some_and(|peer| peer.ip().is_loopback())
    /// });
    /// ```
    pub fn dangerous_from_client_cert_header(
        is_trusted_proxy: impl Fn(&Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        let danger = Some("dangerous_from_client_cert_header");
        Self { danger, ..Self::dangerous_from_headers(is_trusted_proxy, client_cert_header::find) }
    }

    /// In the headers, as a function says, if the predicate says that the request comes from the proxy that terminates
    /// TLS: for a proxy with a format of its own. [The page on mutual TLS](crate::docs::mtls) shows that of Envoy.
    ///
    /// **Dangerous**, for the same reasons as
    /// [`dangerous_from_client_cert_header`](Self::dangerous_from_client_cert_header), and under the same conditions:
    /// the proxy must remove the header of the client. If it appends to that header instead, the function must read what
    /// the proxy itself has added, and refuse a header that occurs twice.
    pub fn dangerous_from_headers(
        is_trusted_proxy: impl Fn(&Parts) -> bool + Send + Sync + 'static,
        find: impl Fn(&HeaderMap) -> Option<ClientCertificate> + Send + Sync + 'static,
    ) -> Self {
        let find =
            move |head: &Parts| is_trusted_proxy(head).then(|| find(&head.headers)).flatten();
        Self { find: Arc::new(find), danger: Some("dangerous_from_headers") }
    }

    pub(super) fn find(&self, head: &Parts) -> Option<ClientCertificate> {
        (self.find)(head)
    }

    /// Compares the certificate of the request with the thumbprint in the token.
    pub(super) fn compare(
        certificate: Option<&ClientCertificate>,
        thumbprint: &str,
    ) -> Result<(), Rejection> {
        let description = match certificate {
            Some(certificate) if certificate.x5t_s256() == thumbprint => return Ok(()),
            Some(_) => "the token is bound to another client certificate",
            None => "the token is bound to a client certificate, and the request has none",
        };
        Err(Rejection::from(RejectionKind::UnconfirmedSender).with_description(description))
    }

    pub(super) fn danger(&self) -> Option<&'static str> {
        self.danger
    }
}

impl fmt::Debug for ClientCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificates").field("danger", &self.danger).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_is_the_sha_256_of_the_der_in_base64url_without_padding() {
        // The digest of "abc" (FIPS 180-2, appendix B).
        let certificate = ClientCertificate::from_der("abc");
        assert_eq!(certificate.x5t_s256(), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        assert_ne!(certificate, ClientCertificate::from_der("another"));
        assert_eq!(certificate, ClientCertificate::from_sha256(sha256(&[b"abc"])));
    }
}
