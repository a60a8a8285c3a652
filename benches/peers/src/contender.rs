//! The one shape of everything that is measured.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::marker::PhantomData;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_executor::block_on;
use http::header::{self, HeaderValue};
use http::{Extensions, Request, Response, StatusCode, Uri};
use rustix::time::{ClockId, clock_gettime};
use tower::ServiceExt;
use tower_service::Service;

use crate::fixture::Scenario;

/// What the column of the table and the colour of the bar say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Limit,
    ThisCrate,
    Peer,
}

impl Group {
    pub fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::ThisCrate => "this crate",
            Self::Peer => "peer",
        }
    }
}

/// How many requests of a batch ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Status 200, and the handler found its claims. A function: true.
    pub accepted: usize,
    /// Status 401. A function: false.
    pub refused: usize,
    /// Status 400.
    pub malformed: usize,
    /// Anything else, such as a request that went through without claims.
    pub other: usize,
}

impl Outcomes {
    fn add(&mut self, status: StatusCode) {
        match status {
            StatusCode::OK => self.accepted += 1,
            StatusCode::UNAUTHORIZED => self.refused += 1,
            StatusCode::BAD_REQUEST => self.malformed += 1,
            _ => self.other += 1,
        }
    }

    /// Whether all requests of the batch ended as they must in this scenario.
    pub fn are_right(self, scenario: Scenario) -> bool {
        let right = match scenario {
            Scenario::Valid => self.accepted,
            Scenario::Hostile => self.refused + self.malformed,
            _ => self.refused,
        };
        right > 0 && right == self.accepted + self.refused + self.malformed + self.other
    }
}

pub struct Batch {
    pub elapsed: Duration,
    pub outcomes: Outcomes,
}

/// Takes what is measured, and runs it once.
type Meter<'a> = &'a mut dyn FnMut(&mut dyn FnMut());

/// Takes the values of the header `Authorization`, one for each request.
type Run = Box<dyn FnMut(&[Option<HeaderValue>], Meter<'_>) -> Outcomes>;

pub struct Contender {
    name: &'static str,
    group: Group,
    scenarios: Vec<Scenario>,
    own: Option<OwnRequests>,
    prepare: fn(),
    run: Run,
}

/// Requests that one contender alone gets, in turn.
struct OwnRequests {
    scenario: Scenario,
    headers: Vec<HeaderValue>,
    next: usize,
}

impl Contender {
    /// A service with a layer around [`Handler`]. The requests are made before the measured part.
    pub fn layer<B, S>(name: &'static str, group: Group, mut service: S) -> Self
    where
        S: Service<Request<B>, Response = Response<B>> + 'static,
        S::Error: Debug,
        B: Default + 'static,
    {
        let run = move |headers: &[Option<HeaderValue>], meter: Meter<'_>| {
            let mut requests: Vec<Request<B>> =
                headers.iter().map(|header| request(header.as_ref())).collect();
            let mut outcomes = Outcomes::default();
            meter(&mut || {
                block_on(async {
                    for request in requests.drain(..) {
                        let service = service.ready().await.expect("a service that is ready");
                        let response = service.call(request).await.expect("a response");
                        outcomes.add(black_box(&response).status());
                    }
                });
            });
            outcomes
        };
        let scenarios = Scenario::CHECKED.to_vec();
        Self { name, group, scenarios, own: None, prepare: || {}, run: Box::new(run) }
    }

    /// A function of what `parse` makes of a token before the measured part. It takes no part where there is no token.
    pub fn function<T: 'static>(
        name: &'static str,
        group: Group,
        parse: fn(&str) -> T,
        mut verify: impl FnMut(&T) -> bool + 'static,
    ) -> Self {
        let run = move |headers: &[Option<HeaderValue>], meter: Meter<'_>| {
            let inputs: Vec<T> = headers.iter().flatten().map(|h| parse(bearer(h))).collect();
            let mut outcomes = Outcomes::default();
            meter(&mut || {
                for input in &inputs {
                    if verify(black_box(input)) {
                        outcomes.accepted += 1;
                    } else {
                        outcomes.refused += 1;
                    }
                }
            });
            outcomes
        };
        let scenarios = vec![Scenario::Valid, Scenario::Forged];
        Self { name, group, scenarios, own: None, prepare: || {}, run: Box::new(run) }
    }

    /// With these requests, in turn, in place of those of the other contenders.
    pub fn with_requests(mut self, scenario: Scenario, headers: Vec<HeaderValue>) -> Self {
        self.own = Some(OwnRequests { scenario, headers, next: 0 });
        self
    }

    /// The length of its own requests' header, in bytes.
    pub fn own_length(&self) -> Option<usize> {
        self.own.as_ref()?.headers.first().map(HeaderValue::len)
    }

    /// The headers of the next requests: of the usual one or of its own. And what they must lead to.
    pub fn requests(
        &mut self,
        usual: (Scenario, &Option<HeaderValue>),
        count: usize,
    ) -> (Scenario, Vec<Option<HeaderValue>>) {
        let Some(own) = &mut self.own else { return (usual.0, vec![usual.1.clone(); count]) };
        let all = own.headers.iter().cycle().skip(own.next % own.headers.len());
        own.next += count;
        (own.scenario, all.take(count).cloned().map(Some).collect())
    }

    /// In these scenarios alone.
    pub fn only_in(mut self, scenarios: &[Scenario]) -> Self {
        self.scenarios = scenarios.to_vec();
        self
    }

    /// In all but these scenarios, in which it does not do what the others do.
    pub fn not_in(mut self, scenarios: &[Scenario]) -> Self {
        self.scenarios.retain(|one| !scenarios.contains(one));
        self
    }

    /// Called before each batch, and not timed.
    pub fn prepared_by(mut self, prepare: fn()) -> Self {
        self.prepare = prepare;
        self
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn group(&self) -> Group {
        self.group
    }

    pub fn takes_part_in(&self, scenario: Scenario) -> bool {
        self.scenarios.contains(&scenario)
    }

    /// Runs a batch, of one request for each header, and takes the time that the thread had a CPU.
    pub fn run(&mut self, headers: &[Option<HeaderValue>]) -> Batch {
        let mut elapsed = Duration::ZERO;
        let outcomes = self.run_with(headers, &mut |measured| {
            let start = cpu_time();
            measured_region(measured);
            elapsed = cpu_time().saturating_sub(start);
        });
        Batch { elapsed, outcomes }
    }

    /// Runs a batch, and lets the meter run the part of it that is to be measured.
    pub fn run_with(&mut self, headers: &[Option<HeaderValue>], meter: Meter<'_>) -> Outcomes {
        (self.prepare)();
        (self.run)(headers, meter)
    }
}

/// That of the thread: what other processes take away is not part of it.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What is measured, and nothing else: `scripts/bench` finds it by this name.
#[inline(never)]
fn measured_region(measured: &mut dyn FnMut()) {
    measured();
}

fn bearer(header: &HeaderValue) -> &str {
    header.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).expect("a bearer token")
}

/// A GET as a small client sends it.
fn request<B: Default>(authorization: Option<&HeaderValue>) -> Request<B> {
    let mut request = Request::new(B::default());
    *request.uri_mut() = Uri::from_static("/v1/orders/4711?expand=lines");
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

/// The protected service. It only looks for the claims in the request's extensions: status 200 with them, 204 for a
/// request that went through without.
pub struct Handler<R> {
    finds_claims: fn(&Extensions) -> bool,
    response: PhantomData<fn() -> R>,
}

impl<R> Handler<R> {
    /// The claims are in the extensions as a `C`.
    pub fn finding<C: Clone + Send + Sync + 'static>() -> Self {
        Self::finding_by(|extensions| black_box(extensions.get::<C>()).is_some())
    }

    pub fn finding_by(finds_claims: fn(&Extensions) -> bool) -> Self {
        Self { finds_claims, response: PhantomData }
    }
}

impl<R> Clone for Handler<R> {
    fn clone(&self) -> Self {
        Self::finding_by(self.finds_claims)
    }
}

impl<B, R: Default> Service<Request<B>> for Handler<R> {
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Ready<Result<Response<R>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(answer((self.finds_claims)(request.extensions()))))
    }
}

pub(crate) fn answer<R: Default>(found: bool) -> Response<R> {
    let mut response = Response::new(R::default());
    if !found {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    response
}
