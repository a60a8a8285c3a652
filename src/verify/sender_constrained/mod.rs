//! Tokens that are bound to their sender: the decorator that checks the binding.

mod certificate;
mod client_cert_header;
mod request;

use std::fmt;
use std::sync::Arc;

use http::request::Parts;

pub use self::certificate::{ClientCertificate, ClientCertificates};
use self::request::{Kept, Request};
use crate::claims::RegisteredClaims;
#[cfg(feature = "dpop")]
use crate::dpop::{Dpop, DpopCheck, DpopPassed};
use crate::extract::PresentedToken;
use crate::rejection::{Rejection, RejectionKind};
#[cfg(feature = "dpop")]
use crate::replay_store::RecordedUses;
use crate::scheme::TokenScheme;
use crate::summary::Summary;
use crate::verify::accepted::Accepted;
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::confirmation::Confirmation;
use crate::verify::unconfirmed_token::{BindingNote, UnconfirmedToken};
use crate::verify::verification::{Verification, VerificationState};
use crate::verify::verified_token::VerifiedToken;
use crate::verify::verify_token::VerifyToken;

/// A verifier that also checks to whom a token is bound (`cnf`, RFC 7800): to a key (DPoP, RFC 9449), or to a client
/// certificate (mutual TLS, RFC 8705). So a stolen token alone is of no use.
///
/// The inner verifier verifies the token; then this one compares the binding with the request:
///
/// | the token | scheme | result |
/// |---|---|---|
/// | is bound to a key (`jkt`) | `DPoP` | needs a valid proof in the header `DPoP` |
/// | is bound to a key (`jkt`) | `Bearer` | refused |
/// | is bound to a certificate (`x5t#S256`) | `Bearer` | needs a connection with this client certificate |
/// | is bound to a certificate (`x5t#S256`) | `DPoP` | refused |
/// | is bound in another way, or in a way that is not configured here | any | refused |
/// | is not bound | `Bearer` | accepted, unless [`required`](Self::required) was called |
/// | is not bound | `DPoP` | refused |
///
/// The scheme `DPoP` is read from `Authorization` only: a token in a cookie or another
/// [source](crate::Source) counts as `Bearer`.
///
/// It wraps any verifier: a [`JwtVerifier`](crate::JwtVerifier), an [`IssuerSet`](crate::IssuerSet), with a cache or
/// not, [`TokenKinds`](crate::TokenKinds), or a custom verifier that calls
/// [`Accepted::with_confirmation`](crate::Accepted::with_confirmation). The binding is checked for each request, also
/// for a token from a cache. The inner verifier accepts a bound token only when it is called by this one: a clone of it
/// elsewhere still refuses such a token. So does a custom verifier in between, unless it passes the call on with
/// [`verify_unconfirmed`](VerifyToken::verify_unconfirmed). [Checks](VerifyToken::with_check) can be inside or outside;
/// inside they run before the binding is checked. A `SenderConstrained` is cheap to clone.
///
/// One `SenderConstrained` checks all bindings. Inside of another one it accepts no bound token, because the settings of
/// one of the two would not count: to check bindings of both kinds, call `with_dpop` or
/// [`with_client_certificates`](Self::with_client_certificates).
///
#[cfg_attr(
    feature = "dpop",
    doc = "
# Example: accept bearer tokens and DPoP

```
use tower_jwt_auth::{Dpop, JwtAuthLayer, JwtVerifier, SenderConstrained};

fn layer(verifier: JwtVerifier, dpop: Dpop) -> JwtAuthLayer {
    JwtAuthLayer::new(SenderConstrained::dpop(verifier, dpop))
}
# let _ = layer;
```
"
)]
/// # Example: accept only tokens that are bound to a client certificate
///
/// ```
/// use tower_jwt_auth::{ClientCertificates, JwtAuthLayer, JwtVerifier, SenderConstrained};
///
/// fn layer(verifier: JwtVerifier) -> JwtAuthLayer {
///     // The server puts a `ClientCertificate` into the extensions of each request.
///     let certificates = ClientCertificates::from_extensions();
///     JwtAuthLayer::new(SenderConstrained::client_certificates(verifier, certificates).required())
/// }
/// # let _ = layer;
/// ```
pub struct SenderConstrained<C = RegisteredClaims> {
    verifier: Arc<dyn VerifyToken<C>>,
    bindings: Arc<Bindings>,
    /// Whether the verifier accepts bearer tokens.
    has_bearer: bool,
}

/// The bindings that are checked: at least one kind.
#[derive(Clone, Default)]
struct Bindings {
    #[cfg(feature = "dpop")]
    dpop: Option<Dpop>,
    certificates: Option<ClientCertificates>,
    required: bool,
}

impl<C: 'static> SenderConstrained<C> {
    /// Accepts tokens that are bound to a key, with a proof of the key for each request (DPoP, RFC 9449). To accept
    /// tokens that are bound to a client certificate too, add
    /// [`with_client_certificates`](Self::with_client_certificates).
    #[cfg(feature = "dpop")]
    pub fn dpop(verifier: impl VerifyToken<C>, dpop: Dpop) -> Self {
        Self::with(verifier, Bindings { dpop: Some(dpop), ..Bindings::default() })
    }

    /// Accepts tokens that are bound to a client certificate, over connections with this certificate (mutual TLS, RFC
    /// 8705 section 3). For DPoP too, add `with_dpop` (feature `dpop`).
    pub fn client_certificates(
        verifier: impl VerifyToken<C>,
        certificates: ClientCertificates,
    ) -> Self {
        let certificates = Some(certificates);
        Self::with(verifier, Bindings { certificates, ..Bindings::default() })
    }

    fn with(verifier: impl VerifyToken<C>, bindings: Bindings) -> Self {
        let has_bearer = verifier.schemes().contains(&TokenScheme::Bearer);
        Self { verifier: Arc::new(verifier), bindings: Arc::new(bindings), has_bearer }
    }
}

impl<C> SenderConstrained<C> {
    /// Replaces the settings of DPoP; none by default, unless [`dpop`](Self::dpop) was called.
    #[cfg(feature = "dpop")]
    #[must_use]
    pub fn with_dpop(mut self, dpop: Dpop) -> Self {
        Arc::make_mut(&mut self.bindings).dpop = Some(dpop);
        self
    }

    /// Replaces where client certificates are found; nowhere by default, unless
    /// [`client_certificates`](Self::client_certificates) was called.
    #[must_use]
    pub fn with_client_certificates(mut self, certificates: ClientCertificates) -> Self {
        Arc::make_mut(&mut self.bindings).certificates = Some(certificates);
        self
    }

    /// Refuses tokens that are not bound, as [`UnboundToken`](RejectionKind::UnboundToken). By default they are accepted
    /// as bearer tokens.
    ///
    /// If only DPoP is configured, the layer then refuses credentials with the scheme `Bearer`, and its challenge names
    /// `DPoP` alone.
    #[must_use]
    pub fn required(mut self) -> Self {
        Arc::make_mut(&mut self.bindings).required = true;
        self
    }
}

/// What a request needs so that its token is accepted.
enum Needed<'t> {
    Nothing,
    #[cfg(feature = "dpop")]
    Proof(&'t str),
    Certificate(&'t ClientCertificates, &'t str),
}

impl Bindings {
    fn has_dpop(&self) -> bool {
        #[cfg(feature = "dpop")]
        {
            self.dpop.is_some()
        }
        #[cfg(not(feature = "dpop"))]
        false
    }

    /// Decides what a token needs, by its binding and its scheme.
    fn needed<'t>(
        &'t self,
        confirmation: Option<&'t Confirmation>,
        scheme: TokenScheme,
    ) -> Result<Needed<'t>, RejectionKind> {
        let Some(confirmation) = confirmation else {
            return match scheme {
                TokenScheme::Bearer if !self.required => Ok(Needed::Nothing),
                TokenScheme::Bearer | TokenScheme::DPoP => Err(RejectionKind::UnboundToken),
            };
        };
        #[cfg(feature = "dpop")]
        if let (Some(jkt), Some(_)) = (confirmation.jkt(), &self.dpop) {
            return match scheme {
                TokenScheme::DPoP => Ok(Needed::Proof(jkt)),
                TokenScheme::Bearer => Err(RejectionKind::UnconfirmedSender),
            };
        }
        match (confirmation.x5t_s256(), &self.certificates) {
            (Some(thumbprint), Some(certificates)) => match scheme {
                TokenScheme::Bearer => Ok(Needed::Certificate(certificates, thumbprint)),
                TokenScheme::DPoP => Err(RejectionKind::UnboundToken),
            },
            _ => Err(RejectionKind::UnconfirmedSender),
        }
    }

    /// Compares the binding of an accepted token with the request.
    fn confirm<C: Send + Sync + 'static>(
        &self,
        accepted: Accepted<C>,
        token: &PresentedToken,
        note: &BindingNote,
        request: &Request<'_>,
    ) -> Verification<C> {
        let confirmation = VerifiedToken::confirmation(accepted.token());
        if confirmation.is_none() && note.is_bound() {
            // A custom verifier in between has lost the binding.
            return Verification::ready(Err(RejectionKind::UnconfirmedSender.into()));
        }
        if accepted.is_confirmed() {
            return Verification::ready(Err(confirmed_before()));
        }
        let confirmed = match self.needed(confirmation, token.scheme()) {
            Err(kind) => Err(kind.into()),
            Ok(Needed::Nothing) => return Verification::ready(Ok(accepted)),
            Ok(Needed::Certificate(certificates, thumbprint)) => {
                let certificate = request.certificate(certificates);
                ClientCertificates::compare(certificate.as_ref(), thumbprint)
            }
            #[cfg(feature = "dpop")]
            Ok(Needed::Proof(jkt)) => match (&self.dpop, request) {
                (Some(dpop), Request::Head(head)) => {
                    let check = dpop.check(head, token.as_bytes(), jkt);
                    let uses = RecordedUses::of(&head.extensions);
                    return proven(check, uses, accepted.confirmed());
                }
                _ => Err(RejectionKind::UnconfirmedSender.into()),
            },
        };
        Verification::ready(confirmed.map(|()| accepted.confirmed()))
    }
}

/// The refusal of a token that a decorator inside of this one has accepted.
#[cold]
fn confirmed_before() -> Rejection {
    const DESCRIPTION: &str = "more than one SenderConstrained checks to whom the token is bound";
    Rejection::from(RejectionKind::UnconfirmedSender).with_description(DESCRIPTION)
}

/// The result of a token whose proof was checked: with the nonce for the next proof, and the use for layers inside.
#[cfg(feature = "dpop")]
fn proven<C: Send + Sync + 'static>(
    check: DpopCheck,
    outside: RecordedUses,
    accepted: Accepted<C>,
) -> Verification<C> {
    use http::header::CACHE_CONTROL;
    use http::{HeaderName, HeaderValue};

    const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

    let add = move |passed: DpopPassed| {
        let accepted = match passed.recorded {
            None => accepted,
            Some(recorded) => accepted.with_recorded_use(outside, recorded),
        };
        match passed.nonce {
            None => accepted,
            // RFC 9449 section 8.2.
            Some(nonce) => accepted
                .with_response_header(DPOP_NONCE, nonce)
                .with_response_header(CACHE_CONTROL, HeaderValue::from_static("no-store")),
        }
    };
    match check {
        DpopCheck::Ready(passed) => Verification::ready(passed.map(add)),
        DpopCheck::Pending(passed) => Verification::pending(async move { passed.await.map(add) }),
    }
}

impl<C: Send + Sync + 'static> VerifyToken<C> for SenderConstrained<C> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<C> {
        if token.scheme() == TokenScheme::Bearer && !self.has_bearer {
            return Verification::ready(Err(Rejection::invalid_token()));
        }
        let unconfirmed = UnconfirmedToken::new(token);
        let note = unconfirmed.note();
        match self.verifier.verify_unconfirmed(&unconfirmed, head).0 {
            VerificationState::Ready(Err(rejection)) => Verification::ready(Err(rejection)),
            VerificationState::Ready(Ok(accepted)) => {
                self.bindings.confirm(accepted, token, &note, &Request::Head(head))
            }
            VerificationState::Pending(result) => {
                let kept = Kept::new(head, token.scheme(), &self.bindings);
                let (bindings, token) = (Arc::clone(&self.bindings), token.clone());
                Verification::pending(async move {
                    let accepted = result.await?;
                    bindings.confirm(accepted, &token, &note, &kept.request()).await
                })
            }
        }
    }

    /// `Bearer`, if the inner verifier accepts it and a proof is not required; `DPoP`, if that is configured.
    fn schemes(&self) -> &[TokenScheme] {
        let bindings = &self.bindings;
        let has_dpop = bindings.has_dpop();
        let only_proofs = bindings.required && bindings.certificates.is_none() && has_dpop;
        match (self.has_bearer && !only_proofs, has_dpop) {
            (true, true) => &[TokenScheme::Bearer, TokenScheme::DPoP],
            (true, false) => &[TokenScheme::Bearer],
            (false, true) => &[TokenScheme::DPoP],
            (false, false) => &[],
        }
    }

    fn confirms_sender(&self) -> bool {
        true
    }

    fn describe(&self) -> Option<Summary> {
        let summary = self.verifier.describe();
        let summary = summary.unwrap_or_else(|| Summary::new("tokens by a custom verifier"));
        let certificates = self.bindings.certificates.as_ref();
        let names = [
            self.bindings.has_dpop().then_some("DPoP"),
            certificates.map(|_| "client certificates"),
        ];
        let names: Vec<&str> = names.into_iter().flatten().collect();
        let required = if self.bindings.required { ", required" } else { "" };
        let summary = summary.with_suffix(&format!(", bound by {}{required}", names.join(" or ")));
        let danger = certificates.and_then(ClientCertificates::danger);
        #[cfg(feature = "dpop")]
        let summary = {
            let danger = self.bindings.dpop.as_ref().and_then(Dpop::danger);
            danger.into_iter().fold(summary, Summary::with_danger)
        };
        Some(danger.into_iter().fold(summary, Summary::with_danger))
    }

    fn accepted_tokens(&self) -> AcceptedTokens {
        let accepted = self.verifier.accepted_tokens();
        #[cfg(feature = "dpop")]
        let accepted = match &self.bindings.dpop {
            None => accepted,
            Some(dpop) => accepted.with_dpop_algorithms(dpop.algorithms().iter().copied()),
        };
        match (&self.bindings.certificates, self.bindings.required) {
            (Some(_), _) => accepted.with_client_certificates(),
            (None, true) => accepted.require_dpop(),
            (None, false) => accepted,
        }
    }
}

impl<C> Clone for SenderConstrained<C> {
    fn clone(&self) -> Self {
        Self {
            verifier: Arc::clone(&self.verifier),
            bindings: Arc::clone(&self.bindings),
            has_bearer: self.has_bearer,
        }
    }
}

impl<C> fmt::Debug for SenderConstrained<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SenderConstrained")
            .field("dpop", &self.bindings.has_dpop())
            .field("client_certificates", &self.bindings.certificates.is_some())
            .field("required", &self.bindings.required)
            .finish_non_exhaustive()
    }
}
