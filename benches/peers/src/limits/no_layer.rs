//! The handler alone: what the driver itself costs.

use std::convert::Infallible;
use std::future::ready;

use axum::body::Body;
use http::Request;
use tower::service_fn;

use crate::contender::{Contender, Group, answer};
use crate::fixture::Scenario;

pub(super) fn new() -> Contender {
    let service = service_fn(|_: Request<Body>| ready(Ok::<_, Infallible>(answer::<Body>(true))));
    Contender::layer::<Body, _>("no layer", Group::Limit, service).only_in(&[Scenario::Valid])
}
