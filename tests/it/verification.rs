//! What a custom rule gets, what it can return, and how results compose.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use http::header::VARY;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Accepted, Algorithm, Confirmation, FixedClock, JwtAuthLayer, NumericDate, PresentedToken,
    RegisteredClaims, Rejection, RejectionKind, Scope, TokenScheme, TokenSource, Verification,
    VerifiedToken, VerifyToken, verify_fn,
};

use crate::support::requests::{bearer, reached, refusal, request, send, send_later};
use crate::support::{claims, key};

const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// A rule that returns what a function makes of a token.
struct Rule<F>(F);

impl<C, F> VerifyToken<C> for Rule<F>
where
    F: Fn(&PresentedToken) -> Verification<C> + Send + Sync + 'static,
{
    fn verify_token(&self, token: &PresentedToken, _: &Parts) -> Verification<C> {
        (self.0)(token)
    }
}

fn layer<C, F>(rule: F) -> JwtAuthLayer<C>
where
    C: Send + Sync + 'static,
    F: Fn(&PresentedToken) -> Verification<C> + Send + Sync + 'static,
{
    JwtAuthLayer::new(Rule(rule))
}

#[derive(Clone, Debug, PartialEq)]
struct Extension(&'static str);

fn with_extras() -> Accepted<&'static str> {
    Accepted::new("alice")
        .with_request_extension(Extension("of the rule"))
        .with_response_header(NONCE, HeaderValue::from_static("one"))
        .with_response_header(VARY, HeaderValue::from_static("authorization"))
}

async fn later<T>(value: T) -> T {
    tokio::task::yield_now().await;
    value
}

#[test]
fn rule_sees_the_scheme_and_the_source_of_a_token() {
    let layer = JwtAuthLayer::new(verify_fn(|token: &PresentedToken| {
        assert_eq!(token.scheme(), TokenScheme::Bearer);
        assert_eq!(token.scheme().to_string(), "Bearer");
        assert_eq!(token.source(), TokenSource::AuthorizationHeader);
        Ok(token.as_str().to_owned())
    }));
    for header in ["Bearer abc", "bearer   abc"] {
        let response = send(&layer, request([header]));
        let token: &VerifiedToken<String> =
            VerifiedToken::from_extensions(&reached(&response).unwrap().extensions).unwrap();
        assert_eq!(token.claims(), "abc");
    }
}

#[test]
fn presented_token_is_built_from_a_token_alone() {
    let token = PresentedToken::bearer("abc.def==").unwrap();
    assert_eq!(token.as_str(), "abc.def==");
    assert_eq!(token.scheme(), TokenScheme::Bearer);
    for malformed in ["", "a b", "Bearer abc", "=", "a=b", "ä", "a\n"] {
        let rejection = PresentedToken::bearer(malformed).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::MalformedCredentials, "{malformed:?}");
    }
}

#[test]
fn token_of_a_scheme_that_the_rule_does_not_accept_counts_as_missing() {
    struct NoScheme;

    impl VerifyToken<()> for NoScheme {
        fn verify_token(&self, _: &PresentedToken, _: &Parts) -> Verification<()> {
            panic!("a token of a scheme that is not accepted");
        }

        fn schemes(&self) -> &[TokenScheme] {
            &[]
        }
    }

    let rule: Arc<dyn VerifyToken<()>> = Arc::new(Arc::new(NoScheme));
    assert!(rule.schemes().is_empty(), "an `Arc` forwards the schemes");
    for authorization in ["Bearer abc", "Basic abc"] {
        let layer = JwtAuthLayer::new(Arc::clone(&rule));
        let response = send(&layer, request([authorization]));
        assert_eq!(refusal(&response), Some(RejectionKind::UnsupportedScheme));
        let response = send(&layer.optional(), request([authorization]));
        assert!(reached(&response).is_some(), "an optional layer lets it pass as it is");
    }
}

#[test]
fn rules_accept_bearer_tokens_by_default() {
    let key = key(Algorithm::ES256);
    let rules: [Arc<dyn VerifyToken<RegisteredClaims>>; 2] =
        [Arc::new(key.verifier()), Arc::new(Arc::new(key.verifier()))];
    for rule in rules {
        assert_eq!(rule.schemes(), [TokenScheme::Bearer]);
    }
}

#[tokio::test]
async fn accepted_token_brings_extensions_into_the_request() {
    let ready = layer(|_| Verification::ready(Ok(with_extras())));
    let pending = layer(|_| Verification::pending(later(Ok(with_extras()))));
    for layer in [ready, pending] {
        let mut request = bearer("abc");
        request.extensions_mut().insert(Extension("of the server"));
        request.extensions_mut().insert(7_u8);
        let response = send_later(&layer, request).await;
        let extensions = &reached(&response).unwrap().extensions;
        assert_eq!(extensions.get(), Some(&Extension("of the rule")));
        assert_eq!(extensions.get(), Some(&7_u8));
        assert_eq!(**VerifiedToken::<&str>::from_extensions(extensions).unwrap(), "alice");
    }
}

#[tokio::test]
async fn accepted_token_adds_headers_beside_those_of_the_response() {
    let ready = layer(|_| Verification::ready(Ok(with_extras())));
    let pending = layer(|_| Verification::pending(later(Ok(with_extras()))));
    for layer in [ready, pending] {
        let inner = service_fn(async |_: Request<()>| {
            let mut response = Response::new(Vec::<u8>::new());
            response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
            Ok::<_, std::convert::Infallible>(response)
        });
        let response = layer.layer(inner).oneshot(bearer("abc")).await.unwrap();
        assert_eq!(response.headers()[NONCE], "one");
        let vary: Vec<_> = response.headers().get_all(VARY).iter().collect();
        assert_eq!(vary, ["accept", "authorization"]);
        assert_eq!(response.headers().len(), 3);
    }
}

#[tokio::test]
async fn error_of_the_inner_service_passes_whatever_the_rule_adds() {
    let inner = service_fn(async |_: Request<()>| Err::<Response<Vec<u8>>, _>("down"));
    let layer = layer(|_| Verification::ready(Ok(with_extras())));
    assert_eq!(layer.layer(inner).oneshot(bearer("abc")).await.unwrap_err(), "down");
}

#[test]
fn token_in_the_extensions_is_that_of_the_layer_whatever_the_rule_adds() {
    let layer = layer(|_| {
        let other = Accepted::new("mallory").into_token();
        Verification::ready(Ok(Accepted::new("alice").with_request_extension(other)))
    });
    let response = send(&layer, bearer("abc"));
    let extensions = &reached(&response).unwrap().extensions;
    assert_eq!(**VerifiedToken::<&str>::from_extensions(extensions).unwrap(), "alice");
}

#[test]
fn result_that_is_ready_stays_ready_when_it_is_composed() {
    let verification = Verification::ready(Ok(with_extras()))
        .map(|accepted| accepted.map_claims(|name| name.len()))
        .and_then(|accepted| match **accepted.token() {
            5 => Ok(accepted.map_claims(|length| length.to_string())),
            _ => Err(Rejection::invalid_token()),
        });
    assert!(format!("{verification:?}").starts_with("Ready"), "{verification:?}");
    let accepted = verification.now_or_never().unwrap().unwrap();
    assert_eq!(*accepted.token().claims(), "5");
    assert!(format!("{accepted:?}").contains("dpop-nonce"), "what goes with the token stays");
}

#[tokio::test]
async fn result_that_takes_time_is_checked_when_it_is_known() {
    let verify = |name: &'static str| {
        Verification::pending(later(Ok(Accepted::new(name)))).and_then(|accepted| match **accepted
            .token()
        {
            "alice" => Ok(accepted),
            _ => Err(Rejection::invalid_token()),
        })
    };
    assert_eq!(**verify("alice").await.unwrap().token(), "alice");
    assert_eq!(verify("bob").await.unwrap_err().kind(), RejectionKind::InvalidToken);
}

#[tokio::test]
async fn refused_token_is_not_checked_further() {
    let refused = || Err::<Accepted<()>, _>(Rejection::from(RejectionKind::ExpiredToken));
    for verification in [Verification::ready(refused()), Verification::pending(later(refused()))] {
        let checked = verification
            .and_then::<(), _>(|_| panic!("a refused token is checked"))
            .map::<(), _>(|_| panic!("a refused token is changed"));
        assert_eq!(checked.await.unwrap_err().kind(), RejectionKind::ExpiredToken);
    }
}

#[test]
fn verification_that_is_polled_again_stays_pending() {
    let accepted = || Ok(Accepted::new(()));
    for mut verification in
        [Verification::ready(accepted()), Verification::pending(async move { accepted() })]
    {
        assert!((&mut verification).now_or_never().is_some());
        assert!((&mut verification).now_or_never().is_none());
    }
}

#[test]
fn jwt_is_verified_and_then_checked_in_one_line() {
    let key = key(Algorithm::ES256);
    let verifier = key.verifier();
    let (head, ()) = Request::new(()).into_parts();
    let check = |allowed: &'static str| {
        let token = PresentedToken::bearer(&key.token(&claims())).unwrap();
        let verification = verifier.verify_token(&token, &head).and_then(move |accepted| {
            match accepted.token().sub.as_deref() == Some(allowed) {
                true => Ok(accepted),
                false => Err(Rejection::invalid_token()),
            }
        });
        verification.now_or_never().expect("ready, since the keys are loaded")
    };
    assert!(check("alice").unwrap().token().header().is_some());
    assert!(check("bob").is_err());
}

#[test]
fn mapped_claims_keep_what_is_known_of_the_token() {
    let key = key(Algorithm::ES256);
    let token = key.verifier().verify_now(&key.token(&claims())).unwrap();
    let mapped = Accepted::from(token.clone()).map_claims(|claims| claims.sub.clone()).into_token();
    assert_eq!(mapped.claims(), &token.sub);
    assert_eq!(mapped.expires_at(), token.exp);
    assert_eq!(mapped.header().unwrap().algorithm(), Algorithm::ES256);
}

#[test]
fn expiry_of_a_shared_token_can_be_replaced_without_changing_its_clones() {
    let token = Accepted::new("alice").into_token();
    let soon = NumericDate::from_unix_seconds(1);
    let accepted = Accepted::from(token.clone()).with_expires_at(soon);
    assert_eq!(accepted.token().expires_at(), Some(soon));
    assert_eq!(token.expires_at(), None);
}

#[test]
fn verifier_refuses_its_token_from_the_time_that_the_token_tells() {
    let key = key(Algorithm::ES256);
    let claims = claims();
    let (issued_at, expires_at) =
        (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    for (leeway, max_age, expected) in [
        (0, None, expires_at),
        (30, None, expires_at + 30),
        (30, Some(100), issued_at + 130),
        (30, Some(1 << 40), expires_at + 30),
    ] {
        let at = |seconds| {
            let clock = FixedClock(NumericDate::from_unix_seconds(seconds));
            let verifier = key.verifier().with_leeway(Duration::from_secs(leeway)).unwrap();
            let verifier = match max_age {
                Some(max_age) => verifier.with_max_age(Duration::from_secs(max_age)).unwrap(),
                None => verifier,
            };
            verifier.with_clock(clock).verify_now(&key.token(&claims))
        };
        let token = at(issued_at).unwrap();
        let end = VerifiedToken::refused_from(&token).unwrap();
        assert_eq!(end.unix_seconds(), expected);
        assert!(at(expected - 1).is_ok() && at(expected).is_err());

        let mapped = Accepted::from(token.clone()).map_claims(|_| ()).into_token();
        assert_eq!(VerifiedToken::refused_from(&mapped), Some(end));
        let set = NumericDate::from_unix_seconds(expires_at);
        let set = Accepted::from(token).with_expires_at(set).into_token();
        assert_eq!(VerifiedToken::refused_from(&set), set.exp, "without a leeway");
    }
    assert_eq!(VerifiedToken::refused_from(Accepted::new("opaque").token()), None);
}

#[test]
fn claims_are_moved_out_of_the_last_clone_and_cloned_out_of_others() {
    static CLONES: AtomicUsize = AtomicUsize::new(0);

    struct Counted(&'static str);

    impl Clone for Counted {
        fn clone(&self) -> Self {
            CLONES.fetch_add(1, Ordering::Relaxed);
            Self(self.0)
        }
    }

    let token = Accepted::new(Counted("alice")).into_token();
    let other = token.clone();
    assert_eq!(VerifiedToken::into_claims(token).0, "alice");
    assert_eq!(CLONES.load(Ordering::Relaxed), 1);
    assert_eq!(VerifiedToken::into_claims(other).0, "alice");
    assert_eq!(CLONES.load(Ordering::Relaxed), 1);
}

/// Three methods of the token hide those of the claims, and no field does: what is added to the token
/// must not change what this says.
#[test]
fn fields_and_methods_of_the_claims_are_reached_through_the_token() {
    #[derive(Clone, Copy)]
    struct Claims {
        header: u8,
        claims: u8,
        verified: u8,
        expires_at: u8,
    }

    impl Claims {
        fn into_claims(self) -> u8 {
            5
        }

        fn map_claims(&self) -> u8 {
            6
        }

        fn with_expires_at(&self) -> u8 {
            7
        }
    }

    let token =
        Accepted::new(Claims { header: 1, claims: 2, verified: 3, expires_at: 4 }).into_token();
    assert_eq!([token.header, token.claims, token.verified, token.expires_at], [1, 2, 3, 4]);
    assert_eq!([token.into_claims(), token.map_claims(), token.with_expires_at()], [5, 6, 7]);
}

#[test]
fn binding_that_a_custom_verifier_sets_is_kept_with_the_token() {
    let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    let confirmation = Confirmation::from_json(&format!(r#"{{"jkt": "{jkt}"}}"#)).unwrap();
    let accepted = Accepted::new("alice")
        .with_confirmation(confirmation)
        .with_scope(Scope::from("read"))
        .map_claims(|name| name.len())
        .with_expires_at(NumericDate::from_unix_seconds(1));
    let token = accepted.clone().into_token();
    assert_eq!(VerifiedToken::confirmation(&token).unwrap().jkt(), Some(jkt));
    assert!(VerifiedToken::scope(&token).unwrap().contains("read"));
    let rescoped = Accepted::from(token).with_scope(Scope::from("write")).into_token();
    assert_eq!(VerifiedToken::confirmation(&rescoped).unwrap().jkt(), Some(jkt));
    assert!(VerifiedToken::confirmation(Accepted::new("bob").token()).is_none());
}

#[test]
fn types_of_verification_are_send_sync_and_clone_whatever_the_claims_are() {
    /// Neither `Clone` nor `Unpin`.
    struct Claims(std::marker::PhantomPinned);

    fn cloned<T: Clone + Send + Sync + 'static>() {}
    fn awaited<T: Future<Output = Result<Accepted<Claims>, Rejection>> + Send + Unpin>() {}
    fn verifies<T: VerifyToken<Claims> + Clone>() {}

    cloned::<PresentedToken>();
    cloned::<TokenScheme>();
    cloned::<TokenSource>();
    cloned::<Accepted<Claims>>();
    cloned::<VerifiedToken<Claims>>();
    awaited::<Verification<Claims>>();
    verifies::<Arc<dyn VerifyToken<Claims>>>();
}
