use crate::rejection::{Rejection, RejectionKind};

/// Why a proof is refused. Each has a fixed text, which contains nothing that the client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Missing,
    Several,
    TooLong,
    Malformed,
    WrongType,
    UnsupportedAlgorithm,
    CriticalHeader,
    InvalidKey,
    WrongKey,
    MissingClaim,
    MalformedClaim,
    WrongMethod,
    UnusableRequestUri,
    WrongUri,
    WrongToken,
    TooOld,
    CreatedInFuture,
    InvalidSignature,
    UsedBefore,
}

impl Fault {
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Missing => "the request has no DPoP proof",
            Self::Several => "the request has more than one DPoP proof",
            Self::TooLong => "the DPoP proof is too long",
            Self::Malformed => "the DPoP proof is not a well-formed JWT",
            Self::WrongType => "the typ of the DPoP proof is not dpop+jwt",
            Self::UnsupportedAlgorithm => "the algorithm of the DPoP proof is not accepted",
            Self::CriticalHeader => {
                "the DPoP proof has a critical header parameter that is not supported"
            }
            Self::InvalidKey => "the jwk of the DPoP proof is not a usable public key",
            Self::WrongKey => "the token is bound to another key than that of the DPoP proof",
            Self::MissingClaim => "the DPoP proof lacks a required claim",
            Self::MalformedClaim => "a claim of the DPoP proof is malformed",
            Self::WrongMethod => "the DPoP proof is for another method",
            Self::UnusableRequestUri => {
                "the URI of the request cannot be compared with a DPoP proof"
            }
            Self::WrongUri => "the DPoP proof is for another URI",
            Self::WrongToken => "the DPoP proof is for another token",
            Self::TooOld => "the DPoP proof is too old",
            Self::CreatedInFuture => "the DPoP proof was created in the future",
            Self::InvalidSignature => "the signature of the DPoP proof is invalid",
            Self::UsedBefore => "the DPoP proof was used before",
        }
    }
}

impl From<Fault> for Rejection {
    fn from(fault: Fault) -> Self {
        Self::from(RejectionKind::InvalidDpopProof).with_description(fault.description())
    }
}
