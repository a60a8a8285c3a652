//! The stages of a verification, for [`explain`](crate::JwtVerifier::explain) and the cache.

use crate::extract::PresentedToken;
use crate::verify::by_name::Input;
use crate::verify::token_cache::Validity;

/// The stages of a token's verification, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::verify) enum Stage {
    Length,
    Shape,
    Header,
    Algorithm,
    Key,
    Signature,
    Claims,
    Issuer,
    Audience,
    Expiry,
    NotBefore,
    IssuedAt,
    Age,
    Type,
    Kind,
    Confirmation,
    Required,
    ClaimsType,
}

impl Stage {
    pub(in crate::verify) const ALL: [Self; 18] = [
        Self::Length,
        Self::Shape,
        Self::Header,
        Self::Algorithm,
        Self::Key,
        Self::Signature,
        Self::Claims,
        Self::Issuer,
        Self::Audience,
        Self::Expiry,
        Self::NotBefore,
        Self::IssuedAt,
        Self::Age,
        Self::Type,
        Self::Kind,
        Self::Confirmation,
        Self::Required,
        Self::ClaimsType,
    ];

    pub(in crate::verify) fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Shape => "shape",
            Self::Header => "header",
            Self::Algorithm => "algorithm",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expiry => "exp",
            Self::NotBefore => "nbf",
            Self::IssuedAt => "iat",
            Self::Age => "age",
            Self::Type => "typ",
            Self::Kind => "kind of token",
            Self::Confirmation => "confirmation",
            Self::Required => "required claims",
            Self::ClaimsType => "claims type",
        }
    }

    /// The next stage.
    pub(super) fn next(self) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| *stage > self)
    }
}

/// The verification calls this for each stage that a token has passed. The recorder of usual verifications,
/// `()`, does nothing and costs nothing.
pub(in crate::verify) trait Recorder {
    #[inline(always)]
    fn passed(&mut self, _: Stage) {}

    /// The token is accepted, as long as this is valid. Returns what the result keeps of the token's text.
    #[inline(always)]
    fn keep(&mut self, token: Input<'_>, copies_text: bool, _: Validity) -> Option<PresentedToken> {
        token.kept(copies_text)
    }
}

impl Recorder for () {}

/// Records the last stage that was passed.
impl Recorder for Option<Stage> {
    fn passed(&mut self, stage: Stage) {
        *self = Some(stage);
    }
}
