//! `google.rpc.ErrorInfo` in refusals over gRPC. With it a client reads the reason as a code, not from a text.

use std::collections::BTreeMap;

use base64_simd::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderValue};
use prost::Message;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::rejection::Rejection;
use crate::rejection::grpc::{self, GRPC_STATUS_DETAILS};
use crate::rejection::kind::RejectionKind;

/// The maximum length of a host name (RFC 1035 section 2.3.4), which a domain usually is.
const MAX_DOMAIN: usize = 253;

const TYPE_URL: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// The status details of one layer. The details for each reason are written once, when the layer is built.
#[derive(Debug)]
pub(crate) struct ErrorInfos {
    domain: String,
    written: Vec<HeaderValue>,
}

/// `google.rpc.Status`.
#[derive(prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.ErrorInfo`.
#[derive(prost::Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
    #[prost(btree_map = "string, string", tag = "3")]
    metadata: BTreeMap<String, String>,
}

impl ErrorInfos {
    /// # Errors
    ///
    /// When the domain is empty, longer than 253 bytes, or contains a space or a character that is not printable
    /// ASCII.
    pub(crate) fn new(domain: &str) -> Result<Self, ConfigError> {
        let is_valid = (1..=MAX_DOMAIN).contains(&domain.len())
            && domain.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_valid {
            return Err(ConfigError::new(
                ConfigErrorKind::ErrorInfo,
                "the domain must have 1 to 253 characters, all of them printable ASCII and none a space",
            ));
        }
        let written = RejectionKind::ALL.iter().map(|kind| details(domain, &(*kind).into()));
        Ok(Self {
            domain: domain.to_owned(),
            written: written.collect::<Option<_>>().unwrap_or_default(),
        })
    }

    /// Adds the details of this refusal, unless the response has its own.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap, rejection: &Rejection) {
        let details = match rejection.details() {
            None => self.written.get(rejection.kind() as usize).cloned(),
            Some(_) => details(&self.domain, rejection),
        };
        if let Some(details) = details
            && !headers.contains_key(GRPC_STATUS_DETAILS)
        {
            // If the map is full (32,768 fields), the field is left out.
            let _ = headers.try_append(GRPC_STATUS_DETAILS, details);
        }
    }
}

/// The value of `grpc-status-details-bin`: base64 without padding (gRPC over HTTP/2, "Requests"). Code and message are
/// those of the response, because clients discard the details if they differ.
fn details(domain: &str, rejection: &Rejection) -> Option<HeaderValue> {
    let info = ErrorInfo {
        reason: upper_snake_case(rejection.kind().as_str()),
        domain: domain.to_owned(),
        metadata: metadata(rejection),
    };
    let any = Any { type_url: TYPE_URL.to_owned(), value: info.encode_to_vec() };
    let status = Status {
        code: rejection.grpc_status(),
        message: grpc::message(rejection),
        details: vec![any],
    };
    HeaderValue::try_from(STANDARD_NO_PAD.encode_to_string(status.encode_to_vec())).ok()
}

/// The parameters of the rejection, with the names that they have in a challenge. The scope and the URL that a layer
/// adds to its challenges are not included.
fn metadata(rejection: &Rejection) -> BTreeMap<String, String> {
    let scope = rejection.scope().map(|scope| scope.as_str().to_owned());
    let acr_values = rejection.acr_values().collect::<Vec<_>>().join(" ");
    let max_age = rejection.max_age().map(|age| age.as_secs().to_string());
    [
        ("error", rejection.error_code().map(str::to_owned)),
        ("scope", scope),
        ("acr_values", (!acr_values.is_empty()).then_some(acr_values)),
        ("max_age", max_age),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

/// `ExpiredToken` becomes `EXPIRED_TOKEN`, the form that `google.rpc.ErrorInfo` asks for.
fn upper_snake_case(name: &str) -> String {
    let mut reason = String::with_capacity(name.len().saturating_add(4));
    for c in name.chars() {
        if c.is_ascii_uppercase() && !reason.is_empty() {
            reason.push('_');
        }
        reason.push(c.to_ascii_uppercase());
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejection::MAX_DESCRIPTION;

    #[test]
    fn every_reason_has_the_form_that_error_info_asks_for() {
        for kind in RejectionKind::ALL {
            let reason = upper_snake_case(kind.as_str());
            let is_allowed = |c: char| c.is_ascii_uppercase() || c == '_';
            assert!(reason.len() <= 63 && reason.chars().all(is_allowed), "{reason}");
            assert!(!reason.starts_with('_') && !reason.ends_with('_'), "{reason}");
        }
        assert_eq!(
            upper_snake_case("InsufficientUserAuthentication"),
            "INSUFFICIENT_USER_AUTHENTICATION"
        );
    }

    #[test]
    fn details_that_are_kept_ready_are_those_that_are_written_one_by_one() {
        let infos = ErrorInfos::new("api.example").unwrap();
        assert_eq!(infos.written.len(), RejectionKind::ALL.len());
        for (kind, ready) in RejectionKind::ALL.iter().zip(&infos.written) {
            assert_eq!(ready, details("api.example", &(*kind).into()).unwrap(), "{kind:?}");
        }
    }

    #[test]
    fn message_is_cut_off_as_in_the_response() {
        let rejection = Rejection::invalid_token().with_description("ü".repeat(300));
        let bytes = STANDARD_NO_PAD.decode_to_vec(details("a", &rejection).unwrap()).unwrap();
        let status = Status::decode(&*bytes).unwrap();
        assert_eq!(status.message, "ü".repeat(MAX_DESCRIPTION));
    }
}
