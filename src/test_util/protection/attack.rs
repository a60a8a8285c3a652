use std::fmt;

use crate::test_util::protection::credential::Credential;
use crate::test_util::protection::good_token::GoodToken;

/// A bad credential that [`check_protection`](super::check_protection) sends, with a name and the
/// reason why it must be refused.
///
/// A name is a group, a colon and a detail. These are the groups:
///
/// | group | what is sent |
/// |---|---|
/// | `no token`, `scheme`, `two tokens`, `place` | no credential, or a good token that is not the only one in `Authorization: Bearer` |
/// | `garbage`, `parts`, `encoding` | what is not a JWS in the compact serialization |
/// | `alg`, `public key`, `weak secret` | another algorithm: `none`, HMAC with the public key or with a known secret |
/// | `signature`, `key`, `kid` | a signature that is wrong, of another key, or of a key that the token names |
/// | `header`, `crit` | a header that asks for another processing, or that is malformed |
/// | `claims`, `exp`, `nbf`, `iat`, `iss`, `aud`, `sub` | claims that are malformed, or of a token that is expired or for another service |
/// | `typ`, `kind`, `cnf` | other kinds of tokens, and tokens that are bound to a key |
/// | `size` | tokens that are too long or nested too deeply |
/// | `cache` | a token that was accepted a moment ago, with one change |
///
/// Most attacks of the groups `header`, `crit`, `claims` and those after them have a valid signature.
///
/// Names are stable: a minor version may add attacks, but renames none.
///
/// # Example: all attacks of one group
///
/// ```
/// use tower_jwt_auth::test_util::Attack;
///
/// let schemes = Attack::all().filter(|attack| attack.group() == "scheme");
/// for attack in schemes {
///     println!("{attack}: {}", attack.reason());
/// }
/// ```
pub struct Attack {
    name: &'static str,
    reason: &'static str,
    make: Make,
    is_long: bool,
    is_strict: bool,
}

enum Make {
    Token(fn(&GoodToken) -> Option<String>),
    Credential(fn(&GoodToken) -> Option<Credential>),
    /// Of a token that the service has just accepted.
    Accepted(fn(&GoodToken, &str) -> Option<String>),
}

impl Attack {
    /// The name: the group, a colon and a space, and a detail, such as `aud: missing`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The group: the name up to the colon.
    pub fn group(&self) -> &'static str {
        self.name.split_once(':').map_or(self.name, |(group, _)| group)
    }

    /// Why it must be refused, with the standard and its section.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// An attack that may also be refused for the length of the request.
    pub(super) const fn long(mut self) -> Self {
        self.is_long = true;
        self
    }

    pub(super) fn is_long(&self) -> bool {
        self.is_long
    }

    /// Whether the standards allow to accept it, and only a strict verifier refuses it, such as that of this crate.
    /// [`without_strict_attacks`](super::ProtectedRequests::without_strict_attacks) leaves it out.
    pub fn is_strict(&self) -> bool {
        self.is_strict
    }

    pub(super) const fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// Whether a good token is sent before it.
    pub(super) fn needs_accepted(&self) -> bool {
        matches!(self.make, Make::Accepted(_))
    }

    /// The credential; `None` if it cannot be made of this good token. `accepted` is a good token, which was sent
    /// before if the attack needs that.
    pub(super) fn make(&self, good: &GoodToken, accepted: &str) -> Option<Credential> {
        match self.make {
            Make::Token(make) => make(good).map(Credential::Bearer),
            Make::Credential(make) => make(good),
            Make::Accepted(make) => make(good, accepted).map(Credential::Bearer),
        }
    }

    const fn new(name: &'static str, reason: &'static str, make: Make) -> Self {
        Self { name, reason, make, is_long: false, is_strict: false }
    }
}

/// An attack by a token that is sent as a bearer token.
pub(super) const fn token(
    name: &'static str,
    reason: &'static str,
    make: fn(&GoodToken) -> Option<String>,
) -> Attack {
    Attack::new(name, reason, Make::Token(make))
}

/// An attack by a credential in its place.
pub(super) const fn credential(
    name: &'static str,
    reason: &'static str,
    make: fn(&GoodToken) -> Option<Credential>,
) -> Attack {
    Attack::new(name, reason, Make::Credential(make))
}

/// An attack by a bearer token that is made of one that was accepted a moment ago.
pub(super) const fn accepted(
    name: &'static str,
    reason: &'static str,
    make: fn(&GoodToken, &str) -> Option<String>,
) -> Attack {
    Attack::new(name, reason, Make::Accepted(make))
}

impl fmt::Display for Attack {
    /// The [name](Attack::name).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attack")
            .field("name", &self.name)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
