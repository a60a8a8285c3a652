//! A client with the right certificate is served; another one, and one without a certificate, are not.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use rcgen::{CertifiedKey, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::{bound_token, certificate, issuer, layer, server};

type Identity = CertifiedKey<KeyPair>;

struct Running {
    address: SocketAddr,
    roots: RootCertStore,
}

impl Running {
    /// The status and the body of a request over a new connection, with this certificate and this token.
    async fn ask(&self, identity: Option<&Identity>, token: Option<&str>) -> (StatusCode, String) {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let tls = match identity {
            None => tls.with_no_client_auth(),
            Some(identity) => {
                let key = PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der());
                let chain = vec![identity.cert.der().clone()];
                tls.with_client_auth_cert(chain, PrivateKeyDer::from(key)).unwrap()
            }
        };
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::get("/").header("host", "localhost");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response: Response<_> =
            sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn bound_token_is_of_use_only_with_its_certificate() {
    let [server, alice, mallory] =
        ["localhost", "alice", "mallory"].map(|name| certificate(name).unwrap());
    let issuer = issuer().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(server.cert.der().clone()).unwrap();
    let running = Running { address: listener.local_addr().unwrap(), roots };
    let tls = server::tls(server.cert.der().clone(), server.signing_key.serialize_der()).unwrap();
    tokio::spawn(server::serve(listener, tls, layer(&issuer).unwrap()));

    let token = bound_token(&issuer, alice.cert.der()).unwrap();
    let unbound = issuer.issue(&serde_json::json!({ "sub": "alice" })).unwrap();
    let accepted = (StatusCode::OK, "hello, alice\n".to_owned());
    let refused = (StatusCode::UNAUTHORIZED, String::new());
    for _ in 0..2 {
        assert_eq!(running.ask(Some(&alice), Some(&token)).await, accepted);
        assert_eq!(running.ask(Some(&mallory), Some(&token)).await, refused);
        assert_eq!(running.ask(None, Some(&token)).await, refused);
        assert_eq!(running.ask(Some(&alice), Some(&unbound)).await, refused);
        assert_eq!(running.ask(Some(&alice), None).await, refused);
    }
}
