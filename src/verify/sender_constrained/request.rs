//! The request of a bound token.

use http::request::Parts;

use crate::scheme::TokenScheme;
use crate::verify::sender_constrained::{Bindings, ClientCertificate, ClientCertificates};

/// The request that presents the token, or what is kept of it while the inner verifier waits.
pub(super) enum Request<'h> {
    Head(&'h Parts),
    Certificate(Option<ClientCertificate>),
}

impl Request<'_> {
    pub(super) fn certificate(
        &self,
        certificates: &ClientCertificates,
    ) -> Option<ClientCertificate> {
        match self {
            Self::Head(head) => certificates.find(head),
            Self::Certificate(certificate) => certificate.clone(),
        }
    }
}

/// What is kept of the request of a token while the inner verifier waits. Only a proof needs the whole head.
pub(super) enum Kept {
    Head(Box<Parts>),
    Certificate(Option<ClientCertificate>),
}

impl Kept {
    pub(super) fn new(head: &Parts, scheme: TokenScheme, bindings: &Bindings) -> Self {
        match scheme {
            TokenScheme::DPoP => Self::Head(Box::new(head.clone())),
            TokenScheme::Bearer => {
                let certificates = bindings.certificates.as_ref();
                Self::Certificate(certificates.and_then(|certificates| certificates.find(head)))
            }
        }
    }

    pub(super) fn request(&self) -> Request<'_> {
        match self {
            Self::Head(head) => Request::Head(head),
            Self::Certificate(certificate) => Request::Certificate(certificate.clone()),
        }
    }
}
