use std::fmt;

use crate::json_member::{member, text};
use crate::verify::VerifiedToken;

/// The user or client that a token is about: its issuer (`iss`) together with its subject (`sub`). Subjects of
/// different issuers are different principals, even if their texts are the same.
///
/// Compare it, or use it as a key in a map, wherever something belongs to the user who started it: a session of an MCP
/// server (`Mcp-Session-Id`), a long task, an upload in parts. Compare the principal of each later request. An ID that
/// is hard to guess does not protect a session whose ID has leaked.
///
/// Both texts are compared exactly. If a verifier expects several spellings of an issuer, a user has another principal
/// under each of them, and a token with another spelling does not match the session. They are not treated as equal,
/// since the expected names may also be several issuers with the same keys.
///
/// If the issuer lets clients choose their identifiers, a client that requests a token for itself (client credentials)
/// can have the `sub` of a user (RFC 9700 section 4.15). With such an issuer, start no session for such a token: in a
/// token of RFC 9068, its `client_id` equals its `sub`.
///
/// # Example: a session belongs to the user who started it
///
/// ```
/// # #[cfg(feature = "test-util")] {
/// use std::collections::HashMap;
///
/// use tower_jwt_auth::test_util::TestIssuer;
/// use tower_jwt_auth::{Principal, VerifiedToken};
///
/// fn may_use(sessions: &HashMap<String, Principal>, id: &str, token: &VerifiedToken) -> bool {
///     // A token without a principal may use no session.
///     Principal::of(token).is_some_and(|caller| sessions.get(id) == Some(&caller))
/// }
///
/// let issuer = TestIssuer::new();
/// let verifier = issuer.verifier().with_claims_by_name();
/// let [alice, mallory] = ["alice", "mallory"].map(|user| {
///     verifier.verify_now(&issuer.token().subject(user).build()).unwrap()
/// });
/// let sessions = HashMap::from([("s1".to_owned(), Principal::of(&alice).unwrap())]);
/// assert!(may_use(&sessions, "s1", &alice));
/// assert!(!may_use(&sessions, "s1", &mallory));
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    issuer: Box<str>,
    subject: Box<str>,
}

impl Principal {
    /// Returns the principal of a token with any claims type. `None` if the token has no `iss` or no `sub`, if one of
    /// them is empty or not a string, or if claims cannot be read by name. They cannot if the token is not a JWT, or if
    /// it was verified without a request and without [`with_claims_by_name`](crate::JwtVerifier::with_claims_by_name).
    /// If a request needs a principal and there is none, refuse it.
    pub fn of<C>(token: &VerifiedToken<C>) -> Option<Self> {
        let claims = VerifiedToken::payload(token)?;
        let read = |name| {
            let text = text(member(claims, name).ok()??)?;
            (!text.is_empty()).then(|| Box::from(&*text))
        };
        Some(Self { issuer: read("iss")?, subject: read("sub")? })
    }

    /// The issuer of the token, `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The subject of the token, `sub`. It is unique for this issuer only.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl fmt::Debug for Principal {
    /// Omits the subject, which is personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
