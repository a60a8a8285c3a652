use crate::opaque_error::opaque_error;

/// Why a token could not be revoked.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevokeErrorKind {
    /// The list is full.
    Full,
    /// The tokens of this subject have taken their share of the list. One entry can revoke them all:
    /// [`Revocation::subject_before`](crate::Revocation::subject_before).
    ShareFull,
    /// The token cannot be named in the list, or its expiry is not known.
    NotIdentified,
}

/// A token could not be revoked: it is still accepted.
pub struct RevokeError {
    kind: RevokeErrorKind,
    message: std::borrow::Cow<'static, str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl RevokeError {
    pub(super) fn new(kind: RevokeErrorKind) -> Self {
        let message = match kind {
            RevokeErrorKind::Full => "the deny-list is full",
            RevokeErrorKind::ShareFull => "the share of one subject in the deny-list is full",
            RevokeErrorKind::NotIdentified => {
                "the token has no `iss` or no `jti`, or one of another type"
            }
        };
        Self { kind, message: message.into(), source: None }
    }

    /// For an opaque token, or one of which only the claims were kept.
    pub(super) fn unreadable() -> Self {
        let message = "the claims of the token cannot be read by name: it is opaque, or it was verified without a \
                       request and without `with_claims_by_name`";
        Self { message: message.into(), ..Self::new(RevokeErrorKind::NotIdentified) }
    }

    /// For a token that is not a JWT.
    pub(super) fn without_end() -> Self {
        let message = "the expiry of the token is not known: use `revoke`, with a time";
        Self { message: message.into(), ..Self::new(RevokeErrorKind::NotIdentified) }
    }

    /// The reason.
    pub fn kind(&self) -> RevokeErrorKind {
        self.kind
    }
}

opaque_error!(RevokeError, kind);
