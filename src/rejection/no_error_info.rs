//! Without feature `grpc-error-info`, no layer has status details.

use http::HeaderMap;

use crate::rejection::Rejection;

/// A type without values: no layer has status details.
#[derive(Debug)]
pub(crate) enum ErrorInfos {}

impl ErrorInfos {
    pub(crate) fn add_to(&self, _: &mut HeaderMap, _: &Rejection) {
        match *self {}
    }
}
