//! The whole layer against a bare signature check with a parsed key, in one run.
//!
//!     cargo bench -p verify-bench --features token-cache
//!
//! Without the feature, the rows of the cache are left out.
//!
//! Prints, for each algorithm, nanoseconds per request and the ratio to the bare check of aws-lc-rs:
//! median and quartiles over rounds in which all contenders take turns, so that noise falls on all
//! alike. Trust the ratios; run again when the quartiles lie far apart. An argument filters the
//! algorithms by name; `--rounds N` sets the rounds (default 60).
//!
//! The rows "by tables" are what feature `precomputed-tables` makes of the check. With that feature, the keys of the
//! other rows have tables too, after their first requests.
//!
//! With `--count ALGORITHM CONTENDER N` it runs one contender N times and prints nothing: `scripts/instructions`
//! counts the instructions of that run. `--list` prints the names of the contenders.

mod fixture;
mod measure;
// What feature `precomputed-tables` uses for a hot key.
#[allow(dead_code, unused_imports, reason = "its unit tests do not run here")]
#[path = "../../src/crypto/tables/mod.rs"]
mod tables;

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, header};
use serde::Deserialize;
use tower_jwt_auth::{
    Algorithm, IssuerSet, JwtAuthLayer, JwtVerifier, PresentedToken, RegisteredClaims,
    ResponseForRejection, VerifiedToken, VerifyToken, verify_fn,
};
use tower_layer::Layer;
use tower_service::Service;

use self::fixture::Fixture;
use self::measure::{Contender, Series};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = arguments
        .iter()
        .position(|argument| argument == "--rounds")
        .and_then(|at| arguments.get(at + 1)?.parse().ok())
        .unwrap_or(60);
    let wanted = arguments.iter().find_map(|a| a.parse::<Algorithm>().ok());
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--list", ..] => {
            let fixture = Fixture::new(Algorithm::HS256);
            contenders(&fixture).iter().for_each(|contender| println!("{}", contender.name()));
            return;
        }
        ["--count", algorithm, name, n, ..] => {
            let fixture = Fixture::new(algorithm.parse().expect("the name of an algorithm"));
            let all = contenders(&fixture);
            let contender = all.into_iter().find(|contender| contender.name() == *name);
            contender.expect("a contender").count(n.parse().expect("a number"));
            return;
        }
        _ => {}
    }

    println!("| algorithm | contender | ns | ratio | quartiles |");
    println!("|---|---|---:|---:|---|");
    let all = [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
    for algorithm in all.into_iter().filter(|one| wanted.is_none_or(|wanted| wanted == *one)) {
        let fixture = Fixture::new(algorithm);
        let series = measure::interleaved(contenders(&fixture), rounds);
        for one in &series {
            print(algorithm, one, &series[0]);
        }
    }
}

fn print(algorithm: Algorithm, one: &Series, bare: &Series) {
    let [lower, median, upper] = one.ratios_to(bare);
    let ns = one.median_ns();
    println!("| {algorithm} | {} | {ns:.0} | {median:.3} | {lower:.3} to {upper:.3} |", one.name);
}

fn contenders(fixture: &Fixture) -> Vec<Contender> {
    let (message, signature) = fixture.signed_parts();
    let key = fixture.bare_key();
    let bare = Contender::new("bare signature check", move |n| {
        (0..n).all(|_| key.verify(black_box(&message), black_box(&signature)))
    });

    let verifier = fixture.verifier();
    let (token, checked) = (fixture.token(), verifier.clone());
    let verify = Contender::new("verify_now, RegisteredClaims", move |n| {
        (0..n).all(|_| checked.verify_now(black_box(&token)).is_ok())
    });

    let mut all = vec![
        bare,
        verify,
        through_layer::<RegisteredClaims>(
            "layer, RegisteredClaims",
            verifier.clone(),
            Some(fixture.token()),
        ),
        through_layer::<AllClaims>(
            "layer, a type with all claims",
            verifier.clone().with_claims(),
            Some(fixture.token()),
        ),
        through_layer::<RegisteredClaims>(
            "layer, IssuerSet",
            issuers(&verifier),
            Some(fixture.token()),
        ),
        through_layer::<RegisteredClaims>(
            "layer, forged signature",
            verifier.clone(),
            Some(fixture.forged_token()),
        ),
        through_layer::<RegisteredClaims>(
            "layer, IssuerSet, forged signature",
            issuers(&verifier),
            Some(fixture.forged_token()),
        ),
        // The longest values of each kind.
        through_layer::<RegisteredClaims>(
            "hostile, 16 KiB of forged names, IssuerSet",
            issuers(&verifier),
            Some(fixture.token_of_escapes()),
        ),
        through_layer::<RegisteredClaims>(
            "hostile, 4 KiB of header names, forged",
            verifier.clone(),
            Some(fixture.token_of_header_names()),
        ),
        with_authorization::<RegisteredClaims>(
            "hostile, 64 KiB of quoted marks",
            verifier.clone(),
            Some(format!("Digest a=\"{}", "\\\"".repeat(32 * 1024))),
            400,
        ),
        with_authorization::<RegisteredClaims>(
            "hostile, 64 KiB of parameters",
            verifier.clone(),
            Some(format!("Digest a=b{}", ", a=b".repeat(13_000))),
            400,
        ),
        with_authorization::<RegisteredClaims>(
            "hostile, 64 KiB of one parameter",
            verifier.clone(),
            Some(format!("Digest a={}", "b".repeat(65_000))),
            401,
        ),
        through_layer::<RegisteredClaims>("layer, no token", verifier.clone(), None),
        through_layer::<RegisteredClaims>("layer, IssuerSet, no token", issuers(&verifier), None),
        #[cfg(feature = "token-cache")]
        known_without_a_request(&verifier, fixture.token()),
        #[cfg(feature = "token-cache")]
        through_layer::<RegisteredClaims>(
            "layer, cache hit",
            verifier.clone().with_token_cache(1_000).expect("a capacity"),
            Some(fixture.token()),
        ),
        #[cfg(feature = "token-cache")]
        through_layer::<RegisteredClaims>(
            "layer, IssuerSet, cache hit",
            issuers(&verifier).with_token_cache(1_000).expect("a capacity"),
            Some(fixture.token()),
        ),
        nested("way back, none", |outer| outer, |inner| inner),
        nested(
            "way back, default responder",
            |outer| outer,
            |inner| inner.with_realm("shop").expect("a realm"),
        ),
        nested(
            "way back, closure instead of the default responder",
            |outer| {
                outer.with_rejection_fn(|rejection, _| {
                    let mut response = Response::new(());
                    *response.status_mut() = rejection.status();
                    response
                })
            },
            |inner| inner,
        ),
    ];
    all.extend(by_tables(fixture));
    all
}

/// For ES256 and EdDSA: the bare signature check once the key has its tables, and what it takes to compute these.
fn by_tables(fixture: &Fixture) -> Vec<Contender> {
    let Some(compute) = fixture.compute_tables() else { return Vec::new() };
    let tables = compute();
    let (message, signature) = fixture.signed_parts();
    vec![
        Contender::new("bare signature check, by tables", move |n| {
            (0..n).all(|_| tables.verify(black_box(&message), black_box(&signature)))
        }),
        Contender::new("tables of a key", move |n| {
            (0..n).for_each(|_| drop(black_box(compute())));
            true
        }),
    ]
}

/// A token that the cache of the verifier has from the second time on.
#[cfg(feature = "token-cache")]
fn known_without_a_request(verifier: &JwtVerifier, token: String) -> Contender {
    let verifier = verifier.clone().with_token_cache(1_000).expect("a capacity");
    verifier.verify_now(&token).expect("a valid token");
    Contender::new("verify_now, cache hit", move |n| {
        (0..n).all(|_| verifier.verify_now(black_box(&token)).is_ok())
    })
}

/// What a service would declare for its access tokens.
#[derive(Deserialize)]
#[allow(dead_code, reason = "deserialized, not read")]
struct AllClaims {
    iss: String,
    aud: String,
    sub: String,
    exp: u64,
    nbf: u64,
    iat: u64,
    jti: String,
    scope: String,
    roles: Vec<String>,
}

/// A set that holds this issuer and another one.
fn issuers(verifier: &JwtVerifier) -> IssuerSet {
    let issuers = IssuerSet::new();
    issuers.add(verifier.clone()).expect("an issuer");
    issuers.add(Fixture::another_verifier()).expect("another issuer");
    issuers
}

fn through_layer<C>(
    name: &'static str,
    verifier: impl VerifyToken<C>,
    token: Option<String>,
) -> Contender
where
    C: Send + Sync + 'static,
{
    let expected = match (name.contains("forged"), &token) {
        (false, Some(_)) => 200,
        _ => 401,
    };
    with_authorization(name, verifier, token.map(|token| format!("Bearer {token}")), expected)
}

fn with_authorization<C>(
    name: &'static str,
    verifier: impl VerifyToken<C>,
    authorization: Option<String>,
    expected: u16,
) -> Contender
where
    C: Send + Sync + 'static,
{
    let mut service = JwtAuthLayer::new(verifier).layer(Inner::<C>(std::marker::PhantomData));
    let authorization = authorization.and_then(|value| HeaderValue::from_str(&value).ok());
    if name.contains("cache hit") {
        let first = service.call(request(authorization.as_ref())).now_or_never();
        first.expect("a response at once").expect("a response");
    }
    Contender::with_input(
        name,
        move || request(authorization.as_ref()),
        move |request| {
            let _ = service.poll_ready(&mut Context::from_waker(std::task::Waker::noop()));
            let response = service.call(request).now_or_never();
            response.is_some_and(|response| response.is_ok_and(|r| r.status() == expected))
        },
    )
}

/// A layer inside of another one, which it leaves the refusals of the parts below to, unless it has a realm. The
/// future is polled where it is, as by a server that keeps it in a task.
fn nested<R, S>(
    name: &'static str,
    outer: impl FnOnce(JwtAuthLayer<()>) -> JwtAuthLayer<(), R>,
    inner: impl FnOnce(JwtAuthLayer<()>) -> JwtAuthLayer<(), S>,
) -> Contender
where
    R: ResponseForRejection<()>,
    S: ResponseForRejection<()>,
{
    let layer = || JwtAuthLayer::new(verify_fn(|_: &PresentedToken| Ok(())));
    let inner = inner(layer()).layer(Inner::<()>(std::marker::PhantomData));
    let mut service = outer(layer()).layer(inner);
    let authorization = HeaderValue::from_static("Bearer an-api-key");
    Contender::with_input(
        name,
        move || request(Some(&authorization)),
        move |request| {
            let mut context = Context::from_waker(std::task::Waker::noop());
            let _ = service.poll_ready(&mut context);
            let response = pin!(service.call(request)).poll(&mut context);
            matches!(response, Poll::Ready(Ok(response)) if response.status() == 200)
        },
    )
}

/// A GET as a small client sends it.
fn request(authorization: Option<&HeaderValue>) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = http::Uri::from_static("/v1/orders/4711?expand=lines");
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("api.example.com"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("bench/1.0"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br"));
    if let Some(value) = authorization {
        headers.insert(header::AUTHORIZATION, value.clone());
    }
    request
}

/// The protected service: does nothing but look its claims up.
struct Inner<C>(std::marker::PhantomData<fn() -> C>);

impl<C> Clone for Inner<C> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<C: Send + Sync + 'static> Service<Request<()>> for Inner<C> {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let mut response = Response::new(());
        if VerifiedToken::<C>::from_extensions(black_box(request.extensions())).is_err() {
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        }
        ready(Ok(response))
    }
}
