use crate::key_source::KeyStatus;

/// The status of the keys of one issuer in an [`IssuerSet`](crate::IssuerSet), at one moment.
/// [`IssuerSet::key_status`](crate::IssuerSet::key_status) returns it.
#[derive(Clone, Debug)]
pub struct IssuerKeyStatus {
    issuer: String,
    status: KeyStatus,
}

impl IssuerKeyStatus {
    pub(super) fn new(issuer: String, status: KeyStatus) -> Self {
        Self { issuer, status }
    }

    /// The name of the issuer: the `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The status of the issuer's keys.
    pub fn status(&self) -> &KeyStatus {
        &self.status
    }
}
