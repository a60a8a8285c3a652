//! The authentication schemes of tokens.

use std::fmt;

/// The authentication scheme of a token (RFC 9110 section 11.1).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenScheme {
    /// `Bearer`: any client that has the token can use it (RFC 6750).
    Bearer,
    /// `DPoP`: the token is bound to a key, and each request has a proof of this key (RFC 9449).
    DPoP,
}

impl TokenScheme {
    /// The registered name of the scheme: `Bearer` or `DPoP`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::DPoP => "DPoP",
        }
    }
}

impl fmt::Display for TokenScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of schemes. To ask it costs one comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schemes {
    bearer: bool,
    dpop: bool,
}

impl Schemes {
    pub(crate) const BEARER: Self = Self { bearer: true, dpop: false };
    pub(crate) const ALL: Self = Self { bearer: true, dpop: true };

    pub(crate) fn new(schemes: &[TokenScheme]) -> Self {
        let has = |scheme| schemes.contains(&scheme);
        Self { bearer: has(TokenScheme::Bearer), dpop: has(TokenScheme::DPoP) }
    }

    #[inline]
    pub(crate) fn contains(self, scheme: TokenScheme) -> bool {
        match scheme {
            TokenScheme::Bearer => self.bearer,
            TokenScheme::DPoP => self.dpop,
        }
    }

    pub(crate) fn without_dpop(self) -> Self {
        Self { dpop: false, ..self }
    }

    pub(crate) fn is_empty(self) -> bool {
        !self.bearer && !self.dpop
    }

    /// The schemes of the set, `Bearer` first.
    pub(crate) fn iter(self) -> impl Iterator<Item = TokenScheme> {
        [TokenScheme::Bearer, TokenScheme::DPoP]
            .into_iter()
            .filter(move |scheme| self.contains(*scheme))
    }
}
