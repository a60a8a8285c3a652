use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::claims::NumericDate;
use crate::verify::token_ids::TokenIds;
use crate::verify::verified_token::VerifiedToken;

/// What a [`RevocationStore`](crate::RevocationStore) knows about a token: the effect of one entry, or of several.
///
/// Entries combine with [`strictest`](Self::strictest), or by `collect()`.
///
/// # Example: several entries for one token
///
/// ```
/// use tower_jwt_auth::{NumericDate, Revoked};
///
/// let before = |seconds| Revoked::IfIssuedBefore(NumericDate::from_unix_seconds(seconds));
/// assert_eq!([].into_iter().collect::<Revoked>(), Revoked::No);
/// assert_eq!([before(100), before(200)].into_iter().collect::<Revoked>(), before(200));
/// assert_eq!(Revoked::Yes.strictest(before(100)), Revoked::Yes);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Revoked {
    /// The token is not revoked.
    No,
    /// The token is revoked if its `iat` is earlier than this time. A token without `iat` is refused.
    IfIssuedBefore(NumericDate),
    /// The token is revoked.
    Yes,
}

impl Revoked {
    /// Returns the effect that refuses more tokens: `Yes` before a time, a later time before an earlier one, and any of
    /// these before `No`.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, other) => other,
            (this, Self::No) => this,
            (Self::IfIssuedBefore(a), Self::IfIssuedBefore(b)) => Self::IfIssuedBefore(a.max(b)),
        }
    }
}

impl FromIterator<Self> for Revoked {
    /// The [strictest](Self::strictest) of all; `No` if there are none.
    fn from_iter<I: IntoIterator<Item = Self>>(all: I) -> Self {
        all.into_iter().fold(Self::No, Self::strictest)
    }
}

/// One entry of a deny-list: which tokens are refused.
///
/// A `jti` and a `sub` are unique for one issuer only, so both are given with the issuer, spelled as in `iss`. If
/// tokens have several spellings of one issuer, revoke under each.
///
/// The [`key`](Self::key) is what a store keeps, with the [`effect`](Self::effect) as its value, until its
/// [`end`](Self::end). Two entries are equal if they have the same key and effect.
///
/// # Example: the entries for an incident
///
/// ```
/// use tower_jwt_auth::{NumericDate, Revocation, Revoked};
///
/// let issuer = "https://issuer.example";
/// let stolen = Revocation::token(issuer, "af2b81c0");
/// let disabled = Revocation::subject(issuer, "mallory");
/// let now = NumericDate::from_unix_seconds(1_700_000_000);
/// let logged_out_everywhere = Revocation::subject_before(issuer, "alice", now);
/// let issuer_was_compromised = Revocation::issuer_before(issuer, now);
///
/// assert_eq!(stolen.key(), "jti:22:https://issuer.example:af2b81c0");
/// assert_eq!(disabled.effect(), Revoked::Yes);
/// assert_ne!(disabled.key(), logged_out_everywhere.key());
/// assert_eq!(issuer_was_compromised.effect(), Revoked::IfIssuedBefore(now));
/// ```
#[derive(Clone)]
pub struct Revocation {
    key: String,
    effect: Revoked,
    token: Option<OfToken>,
}

/// What is known of a token that was verified.
#[derive(Clone)]
struct OfToken {
    owner: String,
    end: Option<NumericDate>,
}

impl Revocation {
    /// Refuses one token: the one with this `jti`.
    pub fn token(issuer: &str, id: &str) -> Self {
        Self::new(key(TOKEN, issuer, id), Revoked::Yes)
    }

    /// Refuses all tokens of a subject, also those that are issued later.
    pub fn subject(issuer: &str, subject: &str) -> Self {
        Self::new(key("sub", issuer, subject), Revoked::Yes)
    }

    /// Refuses the tokens of a subject whose `iat` is earlier than this time, and those without `iat`.
    ///
    /// Most issuers write whole seconds, so a token of this very second is not earlier. To refuse it too, give the next
    /// second: the user has to log in again if the new login is in the same second. If the clock of the issuer may be
    /// ahead, add the difference too.
    pub fn subject_before(issuer: &str, subject: &str, time: NumericDate) -> Self {
        Self::new(key("sub-before", issuer, subject), Revoked::IfIssuedBefore(time))
    }

    /// Like [`subject_before`](Self::subject_before), for all tokens of an issuer.
    pub fn issuer_before(issuer: &str, time: NumericDate) -> Self {
        Self::new(issuer_key(issuer), Revoked::IfIssuedBefore(time))
    }

    /// Like [`subject_before`](Self::subject_before), for all tokens.
    pub fn all_before(time: NumericDate) -> Self {
        Self::new(ALL.to_owned(), Revoked::IfIssuedBefore(time))
    }

    /// Refuses this token, by its `iss` and `jti`. `None` if the token has no `jti`, or its claims cannot be read by
    /// name: see [`DenyList`](crate::DenyList).
    ///
    /// For a logout, this is better than [`token`](Self::token): the expiry of the token is known, and the entry counts
    /// towards the share of its subject in a [`MemoryRevocationStore`](crate::MemoryRevocationStore).
    pub fn of<C>(token: &VerifiedToken<C>) -> Option<Self> {
        let ids = VerifiedToken::ids(token)?.ok()?;
        Self::of_id(token, ids, ids.token_id.as_deref()?)
    }

    /// Like [`of`](Self::of), but by the claim of
    /// [`DenyList::with_token_id_claim`](crate::DenyList::with_token_id_claim) instead of `jti`.
    pub fn of_claim<C>(token: &VerifiedToken<C>, claim: &str) -> Option<Self> {
        let ids = VerifiedToken::ids(token)?.ok()?;
        Self::of_id(token, ids, &VerifiedToken::id_in(token, claim)?.ok()??)
    }

    fn of_id<C>(token: &VerifiedToken<C>, ids: &TokenIds, id: &str) -> Option<Self> {
        let issuer = ids.issuer.as_deref()?;
        let owner = key("owner", issuer, ids.subject.as_deref().unwrap_or_default());
        let end = VerifiedToken::refused_by_all_from(token);
        Some(Self { token: Some(OfToken { owner, end }), ..Self::token(issuer, id) })
    }

    fn new(key: String, effect: Revoked) -> Self {
        Self { key, effect, token: None }
    }

    /// The key of the entry: a text that is the same in each process and later version. It contains the issuer and the
    /// `jti` or the `sub`, and can be as long as a token.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The effect of the entry on the tokens that have this key.
    pub fn effect(&self) -> Revoked {
        self.effect
    }

    /// The end of the entry if it is added now. A store must not forget it earlier. The end is `lasts` after now, or
    /// after the time of "issued before" if that is later.
    ///
    /// Let it last for the lifetime of a token plus twice the leeway of the verifiers. An entry of a token that was
    /// verified ([`of`](Self::of)) lasts at least until no verifier accepts the token, with any leeway: 6 minutes after
    /// its `exp`, if it has one. So `lasts` can be zero for a JWT.
    ///
    /// # Example: how long a store keeps an entry
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth::{NumericDate, Revocation};
    ///
    /// let at = NumericDate::from_unix_seconds;
    /// // The clock of the issuer may be 100 seconds ahead.
    /// let revocation = Revocation::issuer_before("https://issuer.example", at(1_700_000_100));
    /// let lasts = Duration::from_secs(3600 + 2 * 30);
    /// assert_eq!(revocation.end(at(1_700_000_000), lasts), at(1_700_003_760));
    /// ```
    pub fn end(&self, now: NumericDate, lasts: Duration) -> NumericDate {
        let start = match self.effect {
            Revoked::IfIssuedBefore(time) => now.max(time),
            _ => now,
        };
        let seconds = lasts.as_secs().saturating_add(u64::from(lasts.subsec_nanos() > 0));
        let end = start.saturating_add(seconds);
        self.token.as_ref().and_then(|token| token.end).map_or(end, |of_token| of_token.max(end))
    }

    /// Whether the entry is for a token whose expiry is known.
    pub(super) fn has_end(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.end.is_some())
    }

    /// The issuer and the subject of the token, if the entry is for a token that was verified.
    pub(super) fn owner(&self) -> Option<&str> {
        self.token.as_ref().map(|token| &*token.owner)
    }

    /// Whether the entry is for one `jti`.
    pub(super) fn is_of_one_token(&self) -> bool {
        self.key.strip_prefix(TOKEN).is_some_and(|rest| rest.starts_with(':'))
    }

    pub(super) fn is_of_all(&self) -> bool {
        self.key == ALL
    }
}

impl PartialEq for Revocation {
    fn eq(&self, other: &Self) -> bool {
        (&self.key, self.effect) == (&other.key, other.effect)
    }
}

impl Eq for Revocation {}

impl Hash for Revocation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.key, self.effect).hash(state);
    }
}

impl fmt::Debug for Revocation {
    /// Omits the key, which can contain personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocation").field("effect", &self.effect).finish_non_exhaustive()
    }
}

/// The token that a [`RevocationStore`](crate::RevocationStore) is asked about. The token has been verified.
///
/// It has an issuer, and a `jti` or a subject: without them, [`DenyList`](crate::DenyList) refuses the token itself.
/// The names are any text that the issuer signed. Compare them exactly, and do not put them into a path or a query
/// without escaping.
#[derive(Clone, Copy)]
pub struct RevocationQuery<'a> {
    issuer: &'a str,
    token_id: Option<&'a str>,
    ids: &'a TokenIds,
}

impl<'a> RevocationQuery<'a> {
    /// Creates the query for a token, to test a custom store. `None` if the token has no `iss`, neither a `jti` nor a
    /// `sub`, or its claims cannot be read by name: see [`DenyList`](crate::DenyList), which refuses it.
    ///
    /// # Example: a test of a store
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::test_util::TestIssuer;
    /// use tower_jwt_auth::{MemoryRevocationStore, RevocationQuery, RevocationStore, Revoked};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let issuer = TestIssuer::new();
    /// let verifier = issuer.verifier().with_claims_by_name();
    /// let token = verifier.verify_now(&issuer.token().build()).unwrap();
    /// let query = RevocationQuery::of(&token).unwrap();
    /// let store = MemoryRevocationStore::new(1000).unwrap();
    /// assert_eq!(store.find(&query).wait().await.unwrap(), Revoked::No);
    /// store.revoke_token(&token).unwrap();
    /// assert_eq!(store.find(&query).wait().await.unwrap(), Revoked::Yes);
    /// # });
    /// # }
    /// ```
    pub fn of<C>(token: &'a VerifiedToken<C>) -> Option<Self> {
        let ids = VerifiedToken::ids(token)?.ok()?;
        let token_id = ids.token_id.as_deref();
        token_id.or(ids.subject.as_deref())?;
        Some(Self::new(ids.issuer.as_deref()?, token_id, ids))
    }

    pub(super) fn new(issuer: &'a str, token_id: Option<&'a str>, ids: &'a TokenIds) -> Self {
        Self { issuer, token_id, ids }
    }

    /// The keys of all entries that concern this token: a few, see [`Revocation::key`]. A store looks up all of them,
    /// and combines the effects of those that it has.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        let of = |kind, id: Option<&str>| id.map(|id| key(kind, self.issuer, id));
        // With another claim for the ID, somebody may have revoked the token by its `jti` all the same.
        let jti = self.ids.token_id.as_deref().filter(|jti| Some(*jti) != self.token_id);
        let keys = [
            of(TOKEN, self.token_id()),
            of(TOKEN, jti),
            of("sub", self.subject()),
            of("sub-before", self.subject()),
            Some(issuer_key(self.issuer)),
            Some(ALL.to_owned()),
        ];
        keys.into_iter().flatten()
    }

    /// The issuer of the token, `iss`.
    pub fn issuer(&self) -> &'a str {
        self.issuer
    }

    /// The ID of the token, which is unique for this issuer only: `jti`, or the claim of
    /// [`DenyList::with_token_id_claim`](crate::DenyList::with_token_id_claim).
    pub fn token_id(&self) -> Option<&'a str> {
        self.token_id
    }

    /// The subject of the token, `sub`, which is unique for this issuer only.
    pub fn subject(&self) -> Option<&'a str> {
        self.ids.subject.as_deref()
    }

    /// The time at which the token was issued, `iat`. A store need not compare it: see [`Revoked::IfIssuedBefore`].
    pub fn issued_at(&self) -> Option<NumericDate> {
        self.ids.issued_at
    }
}

impl fmt::Debug for RevocationQuery<'_> {
    /// Omits the `jti` and the subject, which is personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationQuery").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// The first part of the key of one token.
const TOKEN: &str = "jti";

/// The key of what concerns all tokens.
const ALL: &str = "before";

fn issuer_key(issuer: &str) -> String {
    format!("iss-before:{issuer}")
}

/// With the length of the issuer: so no two pairs of an issuer and an ID have the same key.
fn key(kind: &str, issuer: &str, id: &str) -> String {
    format!("{kind}:{}:{issuer}:{id}", issuer.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_token_are_those_of_the_entries_that_concern_it() {
        let claims = r#"{"iss": "i", "jti": "t", "sub": "s"}"#;
        let ids = TokenIds::read(claims).unwrap();
        let now = NumericDate::from_unix_seconds(7);
        let entries = [
            Revocation::token("i", "t"),
            Revocation::subject("i", "s"),
            Revocation::subject_before("i", "s", now),
            Revocation::issuer_before("i", now),
            Revocation::all_before(now),
        ];
        let keys = Vec::from_iter(RevocationQuery::new("i", Some("t"), &ids).keys());
        assert_eq!(keys, entries.each_ref().map(Revocation::key));
    }

    #[test]
    fn only_the_key_of_a_token_is_that_of_a_token() {
        let now = NumericDate::EPOCH;
        assert!(Revocation::token("", "").is_of_one_token());
        for other in [
            Revocation::subject("i", "s"),
            Revocation::subject_before("i", "s", now),
            Revocation::issuer_before("jti:", now),
            Revocation::all_before(now),
        ] {
            assert!(!other.is_of_one_token(), "{}", other.key());
        }
    }

    #[test]
    fn key_does_not_depend_on_where_the_issuer_ends() {
        let pairs = [("a", "b:c"), ("a:b", "c"), ("a:b:c", ""), ("", "a:b:c"), ("1:a", "b:c")];
        let keys = pairs.map(|(issuer, id)| Revocation::token(issuer, id).key().to_owned());
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{key}");
        }
    }
}
