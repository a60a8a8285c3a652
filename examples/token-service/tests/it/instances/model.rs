//! What the service must do, written from RFC 6749, 7009, 7636, 7662 and 9700, and from the README: one instance, one right
//! clock, and one request after the other.

/// Whether something is so. `Either`: only within the difference of the clocks around the end of a lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    Yes,
    No,
    Either,
}

use Truth::{Either, No, Yes};

impl Truth {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (No, _) | (_, No) => No,
            (Yes, Yes) => Yes,
            _ => Either,
        }
    }

    pub fn allows(self, seen: bool) -> bool {
        match self {
            Yes => seen,
            No => !seen,
            Either => true,
        }
    }
}

const GRACE: i64 = 30;
const CODE: i64 = 60;
const ACCESS_TOKEN: i64 = 1800;
const REFRESH_TOKEN: i64 = 14 * 86_400;
const GRANT: i64 = 30 * 86_400;
/// How far the clocks of two instances may differ.
const SKEW: i64 = 60;

#[derive(Debug, Default)]
pub struct Model {
    pub now: i64,
    pub users: Vec<User>,
    /// The number of the secret of each confidential client.
    pub secrets: Vec<usize>,
    pub grants: Vec<Grant>,
    pub refresh_tokens: Vec<RefreshToken>,
    pub access_tokens: Vec<AccessToken>,
    pub codes: Vec<Code>,
    /// How often all keys were replaced after a leak.
    epoch: usize,
}

#[derive(Debug, Default)]
pub struct User {
    /// The number of the password.
    pub password: usize,
    pub is_disabled: bool,
    /// The session at the pages.
    pub session: Option<usize>,
}

#[derive(Debug)]
pub struct Grant {
    pub user: usize,
    pub client: usize,
    session: Option<usize>,
    since: i64,
    is_revoked: bool,
}

#[derive(Debug)]
pub struct RefreshToken {
    pub text: String,
    pub grant: usize,
    since: i64,
    /// When it was used, and the token after it.
    used: Option<(i64, usize)>,
}

#[derive(Debug)]
pub struct AccessToken {
    pub text: String,
    pub client: usize,
    /// `None`: of the client itself.
    grant: Option<usize>,
    since: i64,
    is_revoked: bool,
    epoch: usize,
}

#[derive(Debug)]
pub struct Code {
    pub text: String,
    pub user: usize,
    pub client: usize,
    session: usize,
    since: i64,
    is_void: bool,
    grant: Option<usize>,
}

/// What the use of a refresh token gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A token that was not there before.
    New(Truth),
    /// The token that its first use gave.
    Same(usize, Truth),
    /// Nothing, and its grant ends.
    Reuse,
}

impl Model {
    pub fn at(now: i64) -> Self {
        Self { now, ..Self::default() }
    }

    fn lasts(&self, since: i64, lifetime: i64) -> Truth {
        match self.now - since {
            age if age < lifetime - SKEW => Yes,
            age if age > lifetime + SKEW => No,
            _ => Either,
        }
    }

    fn is_in_force(&self, grant: usize) -> Truth {
        let grant = &self.grants[grant];
        if grant.is_revoked { No } else { self.lasts(grant.since, GRANT) }
    }

    /// A grant, as of a login or a code.
    pub fn grant(&mut self, user: usize, client: usize, session: Option<usize>) -> usize {
        let since = self.now;
        self.grants.push(Grant { user, client, session, since, is_revoked: false });
        self.grants.len() - 1
    }

    pub fn add_refresh_token(&mut self, grant: usize, text: String) -> usize {
        self.refresh_tokens.push(RefreshToken { text, grant, since: self.now, used: None });
        self.refresh_tokens.len() - 1
    }

    pub fn add_access_token(&mut self, client: usize, grant: Option<usize>, text: String) {
        let (since, epoch) = (self.now, self.epoch);
        let token = AccessToken { text, client, grant, since, is_revoked: false, epoch };
        self.access_tokens.push(token);
    }

    pub fn password_is_right(&self, user: usize, password: usize) -> bool {
        let user = &self.users[user];
        !user.is_disabled && user.password == password
    }

    /// What the use of this token by its client gives.
    pub fn use_of(&self, token: usize) -> Use {
        let RefreshToken { grant, since, used, .. } = self.refresh_tokens[token];
        match used {
            None => Use::New(self.is_in_force(grant).and(self.lasts(since, REFRESH_TOKEN))),
            Some((at, next))
                if self.now - at <= GRACE && self.refresh_tokens[next].used.is_none() =>
            {
                Use::Same(next, self.is_in_force(grant))
            }
            Some(_) => Use::Reuse,
        }
    }

    /// The token was used for the first time, and gave this one.
    pub fn rotate(&mut self, token: usize, next: String) {
        let next = self.add_refresh_token(self.refresh_tokens[token].grant, next);
        self.refresh_tokens[token].used = Some((self.now, next));
    }

    pub fn revoke_grant(&mut self, grant: usize) {
        self.grants[grant].is_revoked = true;
    }

    pub fn grant_is_in_force(&self, grant: usize) -> Truth {
        self.is_in_force(grant)
    }

    /// Whether `/introspect` shows its client this refresh token as active.
    pub fn refresh_token_is_active(&self, token: usize) -> Truth {
        let RefreshToken { grant, since, used, .. } = self.refresh_tokens[token];
        match used {
            Some(_) => No,
            None => self.is_in_force(grant).and(self.lasts(since, REFRESH_TOKEN)),
        }
    }

    /// Whether a `/revoke` of this refresh token ends its grant: of one that has expired unused, nothing may be left.
    pub fn is_known(&self, token: usize) -> Truth {
        let RefreshToken { since, used, .. } = self.refresh_tokens[token];
        match (used, self.lasts(since, REFRESH_TOKEN)) {
            (Some(_), _) | (None, Yes) => Yes,
            (None, _) => Either,
        }
    }

    /// Whether the service accepts this access token.
    pub fn access_token_is_active(&self, token: usize) -> Truth {
        let token = &self.access_tokens[token];
        if token.is_revoked {
            return No;
        }
        self.is_signed(token).and(token.grant.map_or(Yes, |grant| self.is_in_force(grant)))
    }

    /// Whether a verifier that knows only the keys accepts this access token.
    pub fn access_token_is_signed(&self, token: usize) -> Truth {
        self.is_signed(&self.access_tokens[token])
    }

    fn is_signed(&self, token: &AccessToken) -> Truth {
        // A token does not outlive its grant.
        let grant = token.grant.map_or(Yes, |grant| self.lasts(self.grants[grant].since, GRANT));
        let lasts = self.lasts(token.since, ACCESS_TOKEN).and(grant);
        if token.epoch < self.epoch { No } else { lasts }
    }

    pub fn revoke_access_token(&mut self, token: usize) {
        self.access_tokens[token].is_revoked = true;
    }

    pub fn add_code(&mut self, user: usize, client: usize, session: usize, text: String) {
        let since = self.now;
        let code = Code { text, user, client, session, since, is_void: false, grant: None };
        self.codes.push(code);
    }

    /// Whether the exchange of this code gives tokens.
    pub fn code_is_good(&self, code: usize) -> bool {
        let code = &self.codes[code];
        code.grant.is_none() && !code.is_void && self.now - code.since < CODE
    }

    /// The code was exchanged.
    pub fn exchange(&mut self, code: usize) -> usize {
        let Code { user, client, session, .. } = self.codes[code];
        let grant = self.grant(user, client, Some(session));
        self.codes[code].grant = Some(grant);
        grant
    }

    /// The code was exchanged once more: what it gave ends.
    pub fn exchange_again(&mut self, code: usize) {
        if let Some(grant) = self.codes[code].grant {
            self.revoke_grant(grant);
        }
    }

    /// Ends what belongs to a session of the user.
    pub fn end_session(&mut self, user: usize) {
        let Some(session) = self.users[user].session.take() else { return };
        let grants = self.grants.iter_mut().filter(|grant| grant.session == Some(session));
        grants.for_each(|grant| grant.is_revoked = true);
        let codes = self.codes.iter_mut().filter(|code| code.session == session);
        codes.for_each(|code| code.is_void = true);
    }

    /// Ends what a user has: its password has changed, or it is disabled.
    pub fn end_all_of(&mut self, user: usize) {
        self.users[user].session = None;
        let grants = self.grants.iter_mut().filter(|grant| grant.user == user);
        grants.for_each(|grant| grant.is_revoked = true);
        let codes = self.codes.iter_mut().filter(|code| code.user == user);
        codes.for_each(|code| code.is_void = true);
    }

    pub fn replace_all_keys(&mut self) {
        self.epoch += 1;
    }
}
