//! What the header of a token says about its key.

use std::sync::Arc;

use crate::crypto::Algorithm;

/// The algorithm of a token, and the names of its key (RFC 7515 sections 4.1.1, 4.1.4, 4.1.7 and
/// 4.1.8). `kid` outranks the two thumbprints, which are compared and never computed.
#[derive(Clone, Copy)]
pub(crate) struct KeyHint<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<&'a str>,
    pub(crate) x5t: Option<&'a str>,
    pub(crate) x5t_s256: Option<&'a str>,
}

impl KeyHint<'_> {
    pub(crate) fn has_thumbprint(&self) -> bool {
        self.x5t.is_some() || self.x5t_s256.is_some()
    }

    /// An owned copy, for a look-up that outlives the token.
    #[cfg(feature = "jwks-url")]
    pub(crate) fn into_owned(self) -> OwnedKeyHint {
        OwnedKeyHint {
            algorithm: self.algorithm,
            kid: self.kid.map(Box::from),
            x5t: self.x5t.map(Box::from),
            x5t_s256: self.x5t_s256.map(Box::from),
        }
    }
}

/// A [`KeyHint`] that borrows nothing.
#[cfg(feature = "jwks-url")]
pub(crate) struct OwnedKeyHint {
    algorithm: Algorithm,
    kid: Option<Box<str>>,
    x5t: Option<Box<str>>,
    x5t_s256: Option<Box<str>>,
}

#[cfg(feature = "jwks-url")]
impl OwnedKeyHint {
    pub(crate) fn as_hint(&self) -> KeyHint<'_> {
        KeyHint {
            algorithm: self.algorithm,
            kid: self.kid.as_deref(),
            x5t: self.x5t.as_deref(),
            x5t_s256: self.x5t_s256.as_deref(),
        }
    }
}

/// The thumbprint members of a JWK (RFC 7517 sections 4.8 and 4.9), unchanged.
#[derive(Clone, Default)]
pub(crate) struct Thumbprints {
    pub(crate) x5t: Option<Arc<str>>,
    pub(crate) x5t_s256: Option<Arc<str>>,
}

impl Thumbprints {
    pub(crate) fn is_empty(&self) -> bool {
        self.x5t.is_none() && self.x5t_s256.is_none()
    }

    /// Whether a member that both have differs.
    pub(crate) fn contradict(&self, hint: &KeyHint<'_>) -> bool {
        fn differ(ours: Option<&Arc<str>>, theirs: Option<&str>) -> bool {
            ours.zip(theirs).is_some_and(|(ours, theirs)| **ours != *theirs)
        }
        differ(self.x5t.as_ref(), hint.x5t) || differ(self.x5t_s256.as_ref(), hint.x5t_s256)
    }

    /// Fills the members that are missing here from the others.
    pub(crate) fn or(self, others: &Self) -> Self {
        Self {
            x5t: self.x5t.or_else(|| others.x5t.clone()),
            x5t_s256: self.x5t_s256.or_else(|| others.x5t_s256.clone()),
        }
    }
}
