//! Tokens that are bound to a client certificate (RFC 8705 section 3).

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tower_jwt_auth::{
    Algorithm, ClientCertificate, ClientCertificates, JwtAuthLayer, RejectionKind,
    SenderConstrained, TokenScheme, VerifyToken,
};

use super::{CERTIFICATE, answer, bound, by_certificate, certificate, over, unbound, x5t};
use crate::support::key;
use crate::support::requests::{bearer, challenge, refusal, send};

use RejectionKind::*;

#[test]
fn token_needs_the_certificate_to_which_it_is_bound() {
    let verifier = || by_certificate(key(Algorithm::HS256).verifier());
    let other = ClientCertificate::from_der(b"another certificate");
    let token = bound(x5t());
    assert_eq!(answer(verifier(), over(&certificate(), &token)).status(), 204);
    let refused = [
        (over(&other, &token), "the token is bound to another client certificate"),
        (bearer(&token), "the token is bound to a client certificate, and the request has none"),
    ];
    for (request, description) in refused {
        let response = answer(verifier(), request);
        assert_eq!(refusal(&response), Some(UnconfirmedSender));
        assert_eq!(response.status(), 401);
        assert_eq!(
            challenge(&response).unwrap(),
            format!(
                r#"Bearer realm="api", error="invalid_token", error_description="{description}""#
            )
        );
    }
}

#[test]
fn thumbprint_is_compared_exactly() {
    let right = certificate().x5t_s256().to_owned();
    // The last character has bits that a lax decoder ignores.
    let last = right.chars().last().unwrap();
    let sibling = char::from(last as u8 + 1);
    let lax = format!("{}{sibling}", &right[..42]);
    for (thumbprint, expected) in [
        (right.clone(), None),
        (lax, Some(UnconfirmedSender)),
        (right.to_lowercase(), Some(UnconfirmedSender)),
        (format!("{right}="), Some(MalformedClaims)),
        (STANDARD.encode([0; 32]), Some(MalformedClaims)),
    ] {
        let token = bound(serde_json::json!({"x5t#S256": thumbprint}));
        let verifier = by_certificate(key(Algorithm::HS256).verifier());
        let response = answer(verifier, over(&certificate(), &token));
        assert_eq!(refusal(&response), expected, "{thumbprint}");
    }
}

#[test]
fn token_without_a_binding_is_refused_if_one_is_required() {
    let verifier = || by_certificate(key(Algorithm::HS256).verifier());
    let request = || over(&certificate(), &unbound());
    assert_eq!(refusal(&answer(verifier(), request())), None);
    assert_eq!(refusal(&answer(verifier().required(), request())), Some(UnboundToken));
    let bound = over(&certificate(), &bound(x5t()));
    assert_eq!(refusal(&answer(verifier().required(), bound)), None);
    assert_eq!(VerifyToken::schemes(&verifier().required()), [TokenScheme::Bearer]);
}

#[test]
fn certificate_can_be_in_a_type_of_the_server() {
    #[derive(Clone)]
    struct Peer(Option<Vec<u8>>);

    let certificates = ClientCertificates::from_fn(|extensions| {
        extensions.get::<Peer>()?.0.as_ref().map(ClientCertificate::from_der)
    });
    let verifier = key(Algorithm::HS256).verifier();
    let layer = JwtAuthLayer::new(SenderConstrained::client_certificates(verifier, certificates));
    for (peer, expected) in [
        (Some(Peer(Some(CERTIFICATE.to_vec()))), None),
        (Some(Peer(Some(b"other".to_vec()))), Some(UnconfirmedSender)),
        (Some(Peer(None)), Some(UnconfirmedSender)),
        (None, Some(UnconfirmedSender)),
    ] {
        let mut request = bearer(&bound(x5t()));
        peer.and_then(|peer| request.extensions_mut().insert(peer));
        // The type of this crate is not asked for.
        request.extensions_mut().insert(ClientCertificate::from_der("unused"));
        assert_eq!(refusal(&send(&layer, request)), expected);
    }
}

#[test]
fn forwarded_certificate_counts_only_from_the_trusted_proxy() {
    let certificates = ClientCertificates::dangerous_from_client_cert_header(|head| {
        head.extensions.get::<SocketAddr>().is_some_and(|peer| peer.ip().is_loopback())
    });
    let verifier = key(Algorithm::HS256).verifier();
    let by_header = SenderConstrained::client_certificates(verifier.clone(), certificates);
    let [proxy, other]: [SocketAddr; 2] =
        ["127.0.0.1:4", "192.0.2.1:4"].map(|peer| peer.parse().unwrap());
    let right = format!(":{}:", STANDARD.encode(CERTIFICATE));
    let wrong = format!(":{}:", STANDARD.encode("other"));
    for (peer, lines, expected) in [
        (Some(proxy), vec![&right], None),
        (Some(proxy), vec![&wrong], Some(UnconfirmedSender)),
        (Some(proxy), vec![&right, &right], Some(UnconfirmedSender)),
        (Some(proxy), vec![], Some(UnconfirmedSender)),
        (Some(other), vec![&right], Some(UnconfirmedSender)),
        (None, vec![&right], Some(UnconfirmedSender)),
    ] {
        let request = || {
            let mut request = bearer(&bound(x5t()));
            for line in &lines {
                let line = HeaderValue::from_str(line).unwrap();
                request.headers_mut().append("client-cert", line);
            }
            peer.and_then(|peer| request.extensions_mut().insert(peer));
            request
        };
        assert_eq!(refusal(&answer(by_header.clone(), request())), expected, "{peer:?} {lines:?}");
        // Without the setting, the header has no meaning.
        let response = answer(by_certificate(verifier.clone()), request());
        assert_eq!(refusal(&response), Some(UnconfirmedSender));
    }
}

#[test]
fn summary_names_the_bindings_and_the_weakenings_in_force() {
    let verifier = key(Algorithm::HS256).verifier();
    let plain = VerifyToken::describe(&verifier).unwrap().to_string();
    let by = |certificates| {
        let ignoring = verifier.clone().dangerous_ignore_confirmation();
        SenderConstrained::client_certificates(ignoring, certificates)
    };
    // The binding is ignored by other calls than those of the decorator.
    let bound = by(ClientCertificates::from_extensions());
    assert_eq!(
        VerifyToken::describe(&bound).unwrap().to_string(),
        format!("{plain}, bound by client certificates; dangerous: dangerous_ignore_confirmation")
    );
    let forwarded = by(ClientCertificates::dangerous_from_client_cert_header(|_| false));
    assert_eq!(
        VerifyToken::describe(&forwarded.required()).unwrap().to_string(),
        format!(
            "{plain}, bound by client certificates, required; dangerous: \
             dangerous_ignore_confirmation, dangerous_from_client_cert_header"
        )
    );
    let headers = ClientCertificates::dangerous_from_headers(|_| false, |_| None);
    let dangers = VerifyToken::describe(&by(headers)).unwrap();
    let expected = ["dangerous_ignore_confirmation", "dangerous_from_headers"];
    assert_eq!(dangers.dangers(), expected);
}

#[test]
fn header_of_another_format_counts_only_from_the_trusted_proxy() {
    let certificates = ClientCertificates::dangerous_from_headers(
        |head| head.extensions.get::<SocketAddr>().is_some_and(|peer| peer.ip().is_loopback()),
        |headers| {
            let hash = STANDARD.decode(headers.get("x-certificate-hash")?).ok()?;
            Some(ClientCertificate::from_sha256(hash.try_into().ok()?))
        },
    );
    let verifier = key(Algorithm::HS256).verifier();
    let layer = JwtAuthLayer::new(SenderConstrained::client_certificates(verifier, certificates));
    let hash = STANDARD.encode(<sha2::Sha256 as sha2::Digest>::digest(CERTIFICATE));
    let [proxy, other]: [SocketAddr; 2] =
        ["127.0.0.1:4", "192.0.2.1:4"].map(|peer| peer.parse().unwrap());
    for (peer, hash, expected) in [
        (proxy, Some(hash.as_str()), None),
        (proxy, Some("AAAA"), Some(UnconfirmedSender)),
        (proxy, None, Some(UnconfirmedSender)),
        (other, Some(hash.as_str()), Some(UnconfirmedSender)),
    ] {
        let mut request = bearer(&bound(x5t()));
        let hash = hash.map(|hash| HeaderValue::from_str(hash).unwrap());
        hash.and_then(|hash| request.headers_mut().insert("x-certificate-hash", hash));
        request.extensions_mut().insert(peer);
        assert_eq!(refusal(&send(&layer, request)), expected);
    }
}
