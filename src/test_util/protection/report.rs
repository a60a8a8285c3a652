use std::borrow::Cow;
use std::fmt;

use crate::test_util::protection::attack::Attack;
use crate::test_util::protection::requests::Allowed;

/// The result of [`check_protection`](super::check_protection). It contains no token. `Display` lists
/// the findings. A reason follows the last finding of several with the same reason.
#[derive(Clone, Debug)]
pub struct ProtectionReport {
    requests: usize,
    sent: usize,
    findings: Vec<ProtectionFinding>,
    allowed: Vec<(Allowed, usize)>,
    left_out: Vec<&'static str>,
    /// Of the refusals without a challenge, only the first one at each request is a finding.
    without_challenge: Vec<(String, usize)>,
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
    /// The service failed without a response to a bad credential.
    NoResponse,
    /// A 401 had no `WWW-Authenticate` (RFC 9110 section 11.6.1). The credential was refused, but
    /// clients do not learn how to do better. This is reported once for each request, under the
    /// name `challenge`.
    MissingChallenge,
    /// An [allowance](super::ProtectedRequests::allowing) that nothing needs: all its attacks were
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
    /// The name under which refusals without a challenge are reported.
    pub(super) const CHALLENGE: &'static str = "challenge";

    pub(super) fn new(requests: usize, allowed: Vec<Allowed>) -> Self {
        Self {
            requests,
            sent: 0,
            findings: Vec::new(),
            allowed: allowed.into_iter().map(|allowed| (allowed, 0)).collect(),
            left_out: Vec::new(),
            without_challenge: Vec::new(),
        }
    }

    /// Adds the finding of a request that is not an attack.
    pub(super) fn extend(&mut self, finding: Option<ProtectionFinding>) {
        self.findings.extend(finding);
    }

    /// Adds the result of an attack.
    pub(super) fn add(&mut self, attack: &'static Attack, finding: Option<ProtectionFinding>) {
        self.sent = self.sent.saturating_add(1);
        let Some(mut finding) = finding else { return };
        match finding.fault {
            ProtectionFault::MissingChallenge => {
                let known = self.without_challenge.iter_mut();
                if let Some((_, count)) = known.into_iter().find(|(at, _)| *at == finding.request) {
                    *count = count.saturating_add(1);
                    return;
                }
                self.without_challenge.push((finding.request.clone(), 1));
                finding.name = Self::CHALLENGE;
                finding.reason = Cow::Borrowed(
                    "RFC 9110 section 11.6.1 and RFC 6750 section 3: a 401 has `WWW-Authenticate`",
                );
                if !self.is_allowed(|allowed| allowed == Self::CHALLENGE) {
                    self.findings.push(finding);
                }
            }
            // An error of the server is never allowed.
            ProtectionFault::LetThrough
                if self.is_allowed(|name| name == attack.name() || name == attack.group()) => {}
            _ => self.findings.push(finding),
        }
    }

    /// Whether an allowance has such a name. It counts as used.
    fn is_allowed(&mut self, name: impl Fn(&str) -> bool) -> bool {
        let allowance = self.allowed.iter_mut().find(|(allowed, _)| name(&allowed.name));
        allowance.map(|(_, used)| *used = used.saturating_add(1)).is_some()
    }

    /// Notes that an attack cannot be made.
    pub(super) fn leave_out(&mut self, attack: &'static Attack) {
        if !self.left_out.contains(&attack.name()) {
            self.left_out.push(attack.name());
        }
    }

    /// Adds what is known at the end.
    pub(super) fn finish(&mut self) {
        if self.sent == 0 {
            return;
        }
        let unused = self.allowed.iter().filter(|(_, used)| *used == 0);
        let findings = unused.map(|(allowed, _)| ProtectionFinding {
            name: "an allowance",
            reason: Cow::Owned(allowed.reason.clone()),
            fault: ProtectionFault::UnusedAllowance,
            request: allowed.name.clone(),
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
    /// cannot be made of this good token or for this request. Without a signer these are most of
    /// the attacks with a valid signature.
    pub fn left_out(&self) -> &[&'static str] {
        &self.left_out
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
        for (Allowed { name, reason }, used) in &self.allowed {
            writeln!(f, "allowed: {name} ({reason}): {used} times")?;
        }
        match self.left_out.len() {
            0 => Ok(()),
            1..=8 => writeln!(f, "not sent: {}", self.left_out.join("; ")),
            count => writeln!(f, "not sent: {count} attacks, which `left_out` names"),
        }
    }
}

impl fmt::Display for ProtectionFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, reason: _, fault, request, response } = self;
        write!(f, "{request}: ")?;
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
            ProtectionFault::UnusedAllowance => {
                write!(f, "allowed, but all were refused: remove `allowing`")
            }
        }
    }
}
