//! The header `Client-Cert`, in which a proxy forwards the certificate of its client (RFC 9440).

use base64_simd::STANDARD;
use http::{HeaderMap, HeaderName};

use crate::verify::sender_constrained::certificate::ClientCertificate;

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// The certificate in the only line of the header: a byte sequence (RFC 9651 section 3.3.5) without parameters.
pub(super) fn find(headers: &HeaderMap) -> Option<ClientCertificate> {
    let mut values = headers.get_all(CLIENT_CERT).iter();
    let value = values.next().filter(|_| values.next().is_none())?.as_bytes();
    let base64 = value.trim_ascii().strip_prefix(b":")?.strip_suffix(b":")?;
    let der = STANDARD.decode_to_vec(base64).ok().filter(|der| !der.is_empty())?;
    Some(ClientCertificate::from_der(der))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(lines: &[&str]) -> Option<ClientCertificate> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CLIENT_CERT, HeaderValue::from_str(line).unwrap());
        }
        find(&headers)
    }

    #[test]
    fn certificate_is_a_byte_sequence_in_the_only_line() {
        let abcd = Some(ClientCertificate::from_der("abcd"));
        assert_eq!(found(&[":YWJjZA==:"]), abcd);
        assert_eq!(found(&["  :YWJjZA==: "]), abcd);
        for lines in [
            &[][..],
            &[""],
            &[":"],
            &["::"],
            &["YWJjZA=="],
            &[":YWJjZA==:", ":YWJjZA==:"],
            &[":YWJjZA==:, :YWJjZA==:"],
            &[":YWJjZA==:;a=1"],
            &[":YWJjZA:"],
            &[":YWJjZB==:"],
            &[":YWJj ZA==:"],
            &[":_-==:"],
            &["\"YWJjZA==\""],
        ] {
            assert_eq!(found(lines), None, "{lines:?}");
        }
    }
}
