use std::borrow::Cow;
use std::fmt;

use crate::test_util::protection::allowed::{Allowed, CHALLENGE};
use crate::test_util::protection::attack::Attack;
use crate::test_util::protection::requests::ProtectedRequests;

/// The result of [`check_protection`](super::check_protection). It contains no token. `Display` lists
/// the findings. A reason follows the last finding of several with the same reason.
#[derive(Clone, Debug)]
pub struct ProtectionReport {
    requests: usize,
    sent: usize,
    findings: Vec<ProtectionFinding>,
    allowed: Vec<Use>,
    left_out: Vec<(&'static str, LeftOut)>,
    /// The reasons why attacks are left out on purpose.
    waived: Vec<(LeftOut, String)>,
    skipped_strict: usize,
    /// Of the refusals without a challenge, only the first one at each request is a finding.
    without_challenge: Vec<(String, usize)>,
}

/// Why an attack was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// It needs a valid signature.
    NoSigner,
    /// It uses the public key as a secret.
    NoPublicKey,
    /// It is not one for such a token, place or request.
    NotApplicable,
    /// The standards allow to accept it.
    Strict,
}

/// An allowance, and the attacks that it names.
#[derive(Clone, Debug)]
struct Use {
    allowed: Allowed,
    sent: usize,
    used: usize,
}

/// One thing that is wrong with the protection of a service. `Display` is one line without the reason.
#[derive(Clone, Debug)]
pub struct ProtectionFinding {
    name: &'static str,
    reason: Cow<'static, str>,
    fault: ProtectionFault,
    request: String,
    response: String,
}

/// What is wrong.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProtectionFault {
    /// The good token was not accepted, or the request failed for another reason. Before the attacks, they were not
    /// sent to this request; after the attacks, one of them has changed the service.
    GoodTokenRefused,
    /// An open request failed without a token.
    OpenRequestRefused,
    /// A bad credential was accepted.
    LetThrough,
    /// A bad credential caused an error of the server, HTTP 5xx or the gRPC status `INTERNAL`,
    /// `UNKNOWN` or `UNAVAILABLE`.
    ServerError,
    /// The service failed or panicked without a response to a bad credential.
    NoResponse,
    /// The request was refused whatever its credential was: HTTP 408, 413, 414, 415, 429 or 431, or the gRPC status
    /// `RESOURCE_EXHAUSTED`. This proves nothing. Turn off limits of requests in the test.
    Inconclusive,
    /// No attack was sent, because no protected request is named.
    NothingSent,
    /// Attacks were left out, because the test gives no signer or no public key.
    LeftOut,
    /// A 401 had no `WWW-Authenticate` (RFC 9110 section 11.6.1). The credential was refused, but
    /// clients do not learn how to do better. This is reported once for each request, under the
    /// name `challenge`.
    MissingChallenge,
    /// An [allowance](super::ProtectedRequests::allowing) that nothing needs: its attacks were sent, and all were
    /// refused.
    UnusedAllowance,
}

impl ProtectionFinding {
    pub(super) fn new(
        name: &'static str,
        reason: Cow<'static, str>,
        fault: ProtectionFault,
        request: String,
        response: String,
    ) -> Self {
        Self { name, reason, fault, request, response }
    }

    /// A fault of the test itself.
    fn of_the_test(fault: ProtectionFault, name: &'static str, fix: &str) -> Self {
        let request = "the test".to_owned();
        Self::new(name, Cow::Borrowed(""), fault, request, fix.to_owned())
    }

    /// The name of the [`Attack`], or what else was sent, such as `the good token`.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Why the attack must be refused; empty for what is not an attack.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What is wrong.
    pub fn fault(&self) -> ProtectionFault {
        self.fault
    }

    /// The method and the path of the request, such as `GET /orders`.
    pub fn request(&self) -> &str {
        &self.request
    }

    /// The status of the response, such as `200 OK` or `gRPC status 0`, or the error of the
    /// service.
    pub fn response(&self) -> &str {
        &self.response
    }
}

impl ProtectionReport {
    pub(super) fn new<B>(requests: &ProtectedRequests<B>) -> Self {
        let allowed = requests.allowed.iter().cloned();
        let waivers = [
            (LeftOut::NoSigner, &requests.without_signed),
            (LeftOut::NoPublicKey, &requests.without_public_key),
            (LeftOut::Strict, &requests.without_strict),
        ];
        let waived = waivers.into_iter().filter_map(|(why, reason)| Some((why, reason.clone()?)));
        Self {
            requests: requests.protected.len(),
            sent: 0,
            findings: Vec::new(),
            allowed: allowed.map(|allowed| Use { allowed, sent: 0, used: 0 }).collect(),
            left_out: Vec::new(),
            waived: waived.collect(),
            skipped_strict: 0,
            without_challenge: Vec::new(),
        }
    }

    /// Adds the finding of a request that is not an attack.
    pub(super) fn extend(&mut self, finding: Option<ProtectionFinding>) {
        self.findings.extend(finding);
    }

    /// Adds the result of an attack.
    pub(super) fn add(
        &mut self,
        attack: &'static Attack,
        request: &str,
        finding: Option<ProtectionFinding>,
    ) {
        self.sent = self.sent.saturating_add(1);
        let names = [attack.name(), attack.group(), CHALLENGE];
        for one in self.allowed.iter_mut().filter(|one| one.allowed.matches(&names, request)) {
            one.sent = one.sent.saturating_add(1);
        }
        let Some(mut finding) = finding else { return };
        match finding.fault {
            ProtectionFault::MissingChallenge => {
                let is_allowed = self.is_allowed(&[CHALLENGE], request);
                let known = self.without_challenge.iter_mut();
                if let Some((_, count)) = known.into_iter().find(|(at, _)| *at == finding.request) {
                    *count = count.saturating_add(1);
                    return;
                }
                self.without_challenge.push((finding.request.clone(), 1));
                finding.name = CHALLENGE;
                finding.reason = Cow::Borrowed(
                    "RFC 9110 section 11.6.1 and RFC 6750 section 3: a 401 has `WWW-Authenticate`",
                );
                if !is_allowed {
                    self.findings.push(finding);
                }
            }
            // An error of the server is never allowed.
            ProtectionFault::LetThrough
                if self.is_allowed(&[attack.name(), attack.group()], request) => {}
            _ => self.findings.push(finding),
        }
    }

    /// Whether an allowance has one of the names at this request. All such allowances count as used.
    fn is_allowed(&mut self, names: &[&str], request: &str) -> bool {
        let mut is_allowed = false;
        for one in self.allowed.iter_mut().filter(|one| one.allowed.matches(names, request)) {
            one.used = one.used.saturating_add(1);
            is_allowed = true;
        }
        is_allowed
    }

    /// Notes that an attack was not sent to a request.
    pub(super) fn leave_out(&mut self, attack: &'static Attack, why: LeftOut) {
        if !self.left_out.iter().any(|(name, _)| *name == attack.name()) {
            self.left_out.push((attack.name(), why));
        }
    }

    pub(super) fn skip_strict(&mut self) {
        self.skipped_strict = self.skipped_strict.saturating_add(1);
    }

    /// Adds what is known at the end.
    pub(super) fn finish(&mut self) {
        let is_refused =
            |finding: &ProtectionFinding| finding.fault == ProtectionFault::GoodTokenRefused;
        if self.sent == 0 && !self.findings.iter().any(is_refused) {
            let fault = ProtectionFault::NothingSent;
            let response = "name a protected request, such as with `get`";
            self.findings.push(ProtectionFinding::of_the_test(fault, "the requests", response));
        }
        let fixes = [
            (
                LeftOut::NoSigner,
                "the attacks with a valid signature",
                "give a signer by `with_signer`, or a reason by `without_signed_attacks`",
            ),
            (
                LeftOut::NoPublicKey,
                "the attacks with the public key as a secret",
                "give the key by `with_public_key`, or a reason by `without_public_key_attacks`",
            ),
        ];
        for (why, name, fix) in fixes {
            let is_left_out = self.left_out.iter().any(|(_, other)| *other == why);
            if is_left_out && !self.waived.iter().any(|(waived, _)| *waived == why) {
                let fault = ProtectionFault::LeftOut;
                self.findings.push(ProtectionFinding::of_the_test(fault, name, fix));
            }
        }
        let unused = self.allowed.iter().filter(|one| one.sent > 0 && one.used == 0);
        let findings = unused.map(|one| ProtectionFinding {
            name: "an allowance",
            reason: Cow::Owned(one.allowed.reason.clone()),
            fault: ProtectionFault::UnusedAllowance,
            request: one.allowed.to_string(),
            response: "all were refused".to_owned(),
        });
        self.findings.extend(findings.collect::<Vec<_>>());
    }

    /// What is wrong, in the order in which it was found. Empty if the service is protected.
    pub fn findings(&self) -> &[ProtectionFinding] {
        &self.findings
    }

    /// The names of the attacks that were let through, without duplicates.
    pub fn let_through(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for finding in &self.findings {
            if finding.fault == ProtectionFault::LetThrough && !names.contains(&finding.name) {
                names.push(finding.name);
            }
        }
        names
    }

    /// How many attacks were sent, at all requests together.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// The names of the attacks that were not sent to one of the requests or to all, because they
    /// cannot be made of this good token, for its place or for this request. Without a signer these are most of
    /// the attacks with a valid signature; the report then has the finding [`ProtectionFault::LeftOut`].
    pub fn left_out(&self) -> Vec<&'static str> {
        self.left_out.iter().map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for ProtectionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, sent, findings, .. } = self;
        match self.findings.len() {
            0 => writeln!(f, "protected: {sent} attacks at {requests} requests were refused")?,
            count => writeln!(f, "not protected: {count} findings, {sent} attacks were sent")?,
        }
        let mut findings = findings.iter().peekable();
        while let Some(finding) = findings.next() {
            writeln!(f, "- {finding}")?;
            let is_last = findings.peek().is_none_or(|next| next.reason != finding.reason);
            if is_last && !finding.reason.is_empty() {
                writeln!(f, "    {}", finding.reason)?;
            }
        }
        for (request, count) in &self.without_challenge {
            writeln!(f, "{request}: {count} refusals without a challenge")?;
        }
        for Use { allowed, used, .. } in &self.allowed {
            writeln!(f, "allowed: {allowed} ({}): {used} times", allowed.reason)?;
        }
        for (why, reason) in &self.waived {
            let left_out = self.left_out.iter().filter(|(_, other)| other == why).count();
            match why {
                LeftOut::NoSigner => write!(f, "without {left_out} signed attacks")?,
                LeftOut::NoPublicKey => {
                    write!(f, "without {left_out} attacks with the public key")?
                }
                _ => write!(f, "without strict attacks, {} times", self.skipped_strict)?,
            }
            writeln!(f, ": {reason}")?;
        }
        match self.left_out.len() {
            0 => Ok(()),
            1..=8 => writeln!(f, "not sent: {}", self.left_out().join("; ")),
            count => writeln!(f, "not sent: {count} attacks, which `left_out` names"),
        }
    }
}

impl fmt::Display for ProtectionFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, reason: _, fault, request, response } = self;
        match fault {
            ProtectionFault::NothingSent => return write!(f, "no attack was sent: {response}"),
            ProtectionFault::LeftOut => return write!(f, "not sent: {name}: {response}"),
            _ => write!(f, "{request}: ")?,
        }
        match fault {
            ProtectionFault::GoodTokenRefused | ProtectionFault::OpenRequestRefused => {
                write!(f, "{name} must be accepted: {response}")
            }
            ProtectionFault::LetThrough => {
                write!(f, "let through: {name}: {response}")
            }
            ProtectionFault::ServerError => write!(f, "server error: {name}: {response}"),
            ProtectionFault::NoResponse => write!(f, "{name}: {response}"),
            ProtectionFault::MissingChallenge => write!(f, "no challenge: {response}"),
            ProtectionFault::Inconclusive => write!(f, "proves nothing: {name}: {response}"),
            ProtectionFault::NothingSent | ProtectionFault::LeftOut => Ok(()),
            ProtectionFault::UnusedAllowance => {
                write!(f, "allowed, but all were refused: remove `allowing`")
            }
        }
    }
}
