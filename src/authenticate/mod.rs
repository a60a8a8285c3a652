//! Authentication. A plain function decides about the head of a request, and the service calls it.

mod describe;
mod from_sources;
mod future;
mod layer;
mod observed;
#[cfg(feature = "token-cache")]
mod recall;
#[cfg(feature = "resource-metadata")]
mod resource_metadata;
mod service;
mod sources;
mod way_back;

use std::mem;
use std::sync::Arc;
#[cfg(feature = "tracing")]
use std::sync::atomic::AtomicBool;

use http::request::Parts;
use http::{Extensions, Response};

pub use self::future::ResponseFuture;
pub use self::layer::JwtAuthLayer;
pub use self::service::JwtAuth;
use crate::claims::Scope;
use crate::config_error::ConfigError;
use crate::extensions::{LayerOutside, NoToken, PassedWithoutToken};
use crate::extract::authorization;
use crate::extract::authorization::Token68;
use crate::extract::{FoundToken, Sources};
use crate::observe::{Begun, Observation, Observers};
use crate::rejection::challenge::Challenges;
use crate::rejection::grpc::{GrpcAnswers, GrpcForm};
use crate::rejection::response;
use crate::rejection::response::{Asked, Unwritten};
use crate::rejection::{Rejection, RejectionKind, ResponseForRejection};
use crate::scheme::{Schemes, TokenScheme};
use crate::verify::{
    Accepted, Extras, PendingVerdict, TokenForm, VerificationState, VerifiedToken, VerifyToken,
    append,
};

/// The configuration of a layer, shared by all its services.
pub(crate) struct Policy<C> {
    pub(crate) verifier: Arc<dyn VerifyToken<C>>,
    /// The schemes that the verifier accepts.
    schemes: Schemes,
    token_form: TokenForm,
    /// Whether the verifier has a cache to ask first.
    #[cfg(feature = "token-cache")]
    has_token_cache: bool,
    /// `None` for the `Authorization` header, which stays in the request.
    sources: Option<Arc<Sources>>,
    pub(crate) challenges: Arc<Challenges>,
    pub(crate) exempt: Option<Arc<Predicate>>,
    pub(crate) optional: bool,
    pub(crate) grpc: GrpcForm,
    /// Whether a realm, a responder, a scope in the challenge or a gRPC form is configured, or tokens have another scheme
    /// than `Bearer`: then the layer writes its own refusals also inside of another layer.
    pub(crate) has_own_form: bool,
    pub(crate) observers: Observers,
    /// The functions that record fields in the span of an accepted request.
    #[cfg(feature = "tracing")]
    span_fields: Vec<Arc<RecordClaims<C>>>,
    /// Whether the log event with what is accepted was written.
    #[cfg(feature = "tracing")]
    is_announced: AtomicBool,
}

/// The data of a request that is needed if it is refused: for the response, and for observers.
pub(crate) struct Remembered<M> {
    asked: Asked<M>,
    observation: Option<Observation>,
    /// The scheme that the client has used, if the layer has two challenges.
    used: Option<TokenScheme>,
}

#[cfg(feature = "tracing")]
type RecordClaims<C> = dyn Fn(&C) + Send + Sync;

pub(crate) type Predicate = dyn Fn(&Parts) -> bool + Send + Sync;

/// The decision about a request.
pub(crate) enum Decision<C> {
    /// The request is forwarded without a token.
    Pass(Admitted),
    /// The request is forwarded with its token.
    Verified(Accepted<C>),
    /// The request is refused.
    Refused(Rejection),
    /// The request waits for the verifier.
    Pending(PendingVerdict<C>),
}

/// The changes to the response of a request that is forwarded.
pub(crate) struct Admitted {
    pub(crate) headers: Option<ResponseHeaders>,
    /// Whether this layer writes the refusals of the services inside of it.
    pub(crate) writes: bool,
}

/// What a verifier adds to the response of an accepted request, and what the sources change.
pub(crate) struct ResponseHeaders(Box<Extras>);

impl ResponseHeaders {
    #[cold]
    pub(crate) fn add_to<B>(self, response: &mut Response<B>) {
        let mut last = None;
        for (name, value) in self.0.headers {
            last = name.or(last);
            if let Some(name) = &last {
                append(response.headers_mut(), name.clone(), value);
            }
        }
        for change in self.0.on_response {
            change.change(response);
        }
        response::fit_to_clients(response);
    }
}

impl<C: Send + Sync + 'static> Policy<C> {
    pub(crate) fn new(verifier: Arc<dyn VerifyToken<C>>) -> Self {
        let schemes = Schemes::new(verifier.schemes());
        let has_dpop = schemes.contains(TokenScheme::DPoP);
        let challenges = match has_dpop {
            true => {
                let algorithms = verifier.accepted_tokens().dpop_algorithms().collect();
                Arc::new(Challenges::default_realm().with_schemes(schemes, algorithms))
            }
            false => Challenges::default_realm(),
        };
        Self {
            schemes,
            token_form: verifier.token_form(),
            #[cfg(feature = "token-cache")]
            has_token_cache: verifier.has_token_cache(),
            verifier,
            sources: None,
            challenges,
            exempt: None,
            optional: false,
            grpc: GrpcForm::default(),
            has_own_form: has_dpop,
            observers: Observers::default(),
            #[cfg(feature = "tracing")]
            span_fields: Vec::new(),
            #[cfg(feature = "tracing")]
            is_announced: AtomicBool::new(false),
        }
    }

    pub(crate) fn set_realm(&mut self, realm: &str) -> Result<(), ConfigError> {
        self.challenges = Arc::new(self.challenges.with_realm(realm)?);
        self.has_own_form = true;
        Ok(())
    }

    pub(crate) fn set_grpc_answers(&mut self, answers: GrpcAnswers) {
        self.grpc.answers = answers;
        self.has_own_form = true;
    }

    pub(crate) fn set_scope(&mut self, scope: Option<Scope>) -> Result<(), ConfigError> {
        self.challenges = Arc::new(self.challenges.with_scope(scope)?);
        self.has_own_form = true;
        Ok(())
    }

    /// Decides about one request. `asks_cache` is false if the cache was asked before: see
    /// [`recalls_first`](Self::recalls_first).
    pub(crate) fn authenticate(&self, head: &mut Parts, asks_cache: bool) -> Decision<C> {
        if let Some(sources) = &self.sources {
            return self.authenticate_from(sources, head);
        }
        let begun = self.observers.begin();
        // An observer wants the issuer, which the verifier notes: it is asked below, and has the same cache.
        #[cfg(feature = "token-cache")]
        if asks_cache
            && self.has_token_cache
            && begun.is_none()
            && let Some(decision) = self.pass_or_recall(head)
        {
            return decision;
        }
        #[cfg(not(feature = "token-cache"))]
        let _ = asks_cache;
        // Observers are told of a token only if it is a `token68`.
        let token68 = match self.token_form.is_jws() && begun.is_none() {
            true => Token68::IfRefused,
            false => Token68::First,
        };
        // On every path, and before the predicate runs: the predicate and inner services may print the head.
        let found = authorization::extract_and_mark(&mut head.headers, self.schemes, token68);
        if self.is_exempt_unless_asked(head, begun.as_ref()) {
            return self.pass(head, begun, true);
        }
        let mut token = match found {
            Ok(token) => token,
            Err(RejectionKind::MissingCredentials | RejectionKind::UnsupportedScheme)
                if self.optional =>
            {
                return self.pass(head, begun, false);
            }
            Err(kind) => {
                if let Some(begun) = begun {
                    begun.end(&mut head.extensions);
                }
                return Decision::Refused(kind.into());
            }
        };
        if let Some(begun) = begun {
            begun.follow(&mut token, &mut head.extensions);
        }
        match self.verifier.verify_token(&token, head).0 {
            VerificationState::Ready(Ok(accepted)) => Decision::Verified(accepted),
            VerificationState::Ready(Err(rejection)) => Decision::Refused(match token68 {
                Token68::First => rejection,
                Token68::IfRefused => {
                    authorization::malformed(&token).map_or(rejection, Rejection::from)
                }
            }),
            VerificationState::Pending(verdict) => Decision::Pending(verdict),
        }
    }

    fn is_exempt(&self, head: &Parts) -> bool {
        self.exempt.as_ref().is_some_and(|is_exempt| is_exempt(head))
    }

    /// Like [`is_exempt`](Self::is_exempt), which is not asked again after [`pass_or_recall`](Self::pass_or_recall).
    fn is_exempt_unless_asked(&self, head: &Parts, begun: Option<&Begun>) -> bool {
        #[cfg(feature = "token-cache")]
        let was_asked = || self.has_token_cache && begun.is_none();
        #[cfg(not(feature = "token-cache"))]
        let was_asked = || {
            let _ = begun;
            false
        };
        self.exempt.as_ref().is_some_and(|is_exempt| !was_asked() && is_exempt(head))
    }

    fn pass(&self, head: &mut Parts, begun: Option<Begun>, is_exempt: bool) -> Decision<C> {
        if let Some(begun) = begun {
            // The observation of an outer layer.
            head.extensions.remove::<Observation>();
            self.observers.passed(is_exempt, begun);
        }
        // A token of an outer layer was not verified by the rules of this layer.
        head.extensions.remove::<VerifiedToken<C>>();
        head.extensions.insert(PassedWithoutToken);
        head.extensions.insert(NoToken::<C>::new());
        let is_inner = LayerOutside::mark(&mut head.extensions);
        Decision::Pass(Admitted { headers: None, writes: self.writes(is_inner) })
    }

    /// Whether this layer writes the refusals of the services inside of it: the outermost layer and every layer with a
    /// configured form do.
    #[inline]
    fn writes(&self, is_inner: bool) -> bool {
        !is_inner || self.has_own_form
    }

    /// Puts the token into the request's extensions.
    ///
    /// # Errors
    ///
    /// When the token is bound to a sender whom nobody has confirmed.
    #[inline]
    pub(crate) fn admit(
        &self,
        extensions: &mut Extensions,
        accepted: Accepted<C>,
    ) -> Result<Admitted, Rejection> {
        let (token, extras) = accepted.admitted()?;
        let is_inner = LayerOutside::mark(extensions);
        let headers = extras.and_then(|mut extras| {
            extensions.extend(mem::take(&mut extras.extensions));
            (!extras.on_response.is_empty() || !extras.headers.is_empty())
                .then_some(ResponseHeaders(extras))
        });
        #[cfg(feature = "tracing")]
        self.span_fields.iter().for_each(|record| record(token.claims()));
        extensions.insert(token);
        if !self.observers.is_empty() {
            self.observers.accepted(extensions.get());
        }
        if is_inner {
            extensions.remove::<PassedWithoutToken>();
            if self.sources.is_none() {
                extensions.remove::<FoundToken>();
            }
        }
        Ok(Admitted { headers, writes: self.writes(is_inner) })
    }

    /// Keeps what the response and the observers need if the request is refused.
    #[inline(always)]
    pub(crate) fn remember<B, R>(&self, head: &Parts, responder: &R) -> Remembered<R::Remembered>
    where
        R: ResponseForRejection<B>,
    {
        let observation =
            if self.observers.is_empty() { None } else { Observation::of(&head.extensions) };
        let asked = Asked::new(head, self.grpc.answers, responder);
        let used = if self.schemes == Schemes::ALL { self.scheme_used(head) } else { None };
        Remembered { asked, observation, used }
    }

    /// The response to a request that this layer refuses. An outer layer may replace it.
    #[inline]
    pub(crate) fn refuse<B, R>(
        &self,
        rejection: Rejection,
        head: &Parts,
        responder: &R,
    ) -> Response<B>
    where
        R: ResponseForRejection<B>,
    {
        if !self.has_own_form && head.extensions.get::<LayerOutside>().is_some() {
            return self.leave_unwritten(rejection, head, responder.empty_body());
        }
        self.write(Unwritten::new(rejection), self.remember(head, responder), responder)
    }

    /// A response with the refusal of this layer, which an outer layer writes. This layer logs the refusal, since
    /// services in between may replace the response, and calls its own observers.
    #[inline(never)]
    fn leave_unwritten<B>(&self, rejection: Rejection, head: &Parts, body: B) -> Response<B> {
        self.observers.refused(&rejection, head.extensions.get());
        crate::trace::refused(&rejection);
        let unwritten = Unwritten::of_a_layer(rejection, !self.observers.is_empty());
        response::unwritten_response(unwritten, body)
    }

    /// Writes the response to a refused request, with one log event, and calls the observers, unless the observers of
    /// an inner layer were called. No other function writes a response.
    #[inline(always)]
    pub(crate) fn write<B, R>(
        &self,
        unwritten: Unwritten,
        request: Remembered<R::Remembered>,
        responder: &R,
    ) -> Response<B>
    where
        R: ResponseForRejection<B>,
    {
        if !unwritten.is_logged() {
            crate::trace::refused(&unwritten.rejection);
        }
        if !unwritten.is_told() {
            self.observers.refused(&unwritten.rejection, request.observation.as_ref());
        }
        let Remembered { asked, used, .. } = request;
        asked.refuse(unwritten.rejection, responder, &self.challenges, &self.grpc, used)
    }
}

impl<C> Clone for Policy<C> {
    fn clone(&self) -> Self {
        Self {
            verifier: Arc::clone(&self.verifier),
            schemes: self.schemes,
            token_form: self.token_form,
            #[cfg(feature = "token-cache")]
            has_token_cache: self.has_token_cache,
            sources: self.sources.clone(),
            challenges: Arc::clone(&self.challenges),
            exempt: self.exempt.clone(),
            optional: self.optional,
            grpc: self.grpc.clone(),
            has_own_form: self.has_own_form,
            observers: self.observers.clone(),
            #[cfg(feature = "tracing")]
            span_fields: self.span_fields.clone(),
            #[cfg(feature = "tracing")]
            is_announced: AtomicBool::new(false),
        }
    }
}
