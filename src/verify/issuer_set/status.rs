use crate::key_source::KeyStatus;

/// The keys of one issuer of an [`IssuerSet`](crate::IssuerSet), at one moment.
#[derive(Clone, Debug)]
pub struct IssuerKeyStatus {
    issuer: String,
    status: KeyStatus,
}

impl IssuerKeyStatus {
    pub(super) fn new(issuer: String, status: KeyStatus) -> Self {
        Self { issuer, status }
    }

    /// The name of the issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The state of its keys.
    pub fn status(&self) -> &KeyStatus {
        &self.status
    }
}
