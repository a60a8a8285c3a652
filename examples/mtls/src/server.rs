//! The server: TLS, and the certificate of each connection in the extensions of its requests.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tower::util::MapRequest;
use tower::{Service, ServiceBuilder};
use tower_jwt_auth::{ClientCertificate, JwtAuthLayer, VerifiedToken};

use crate::any_certificate::AnyCertificate;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Asks each client for a certificate, which it may lack.
pub(crate) fn tls(
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
) -> Result<ServerConfig, tokio_rustls::rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clients = Arc::new(AnyCertificate::new(&provider));
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate], key)?;
    tls.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    Ok(tls)
}

pub(crate) async fn serve(listener: TcpListener, tls: ServerConfig, auth: JwtAuthLayer) {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let service = ServiceBuilder::new().layer(auth).service_fn(hello);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(acceptor.clone(), stream, service.clone()));
            }
            Err(error) => {
                eprintln!("cannot accept a connection: {error}");
                // Probably out of file descriptors: an immediate retry does not help.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection<S>(acceptor: TlsAcceptor, stream: TcpStream, service: S)
where
    S: Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    // Clients cause these errors, so they are not logged.
    let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    // The first one is the client's own. Its thumbprint is computed once for each connection.
    let chain = stream.get_ref().1.peer_certificates();
    let certificate = chain.and_then(<[_]>::first).map(ClientCertificate::from_der);
    let service = MapRequest::new(service, move |mut request: Request<Incoming>| {
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        request
    });
    let server = auto::Builder::new(TokioExecutor::new());
    let service = TowerToHyperService::new(service);
    let _broken = server.serve_connection(TokioIo::new(stream), service).await;
}

async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let token: Option<&VerifiedToken> = request.extensions().get();
    let name = token.and_then(|token| token.sub.as_deref()).unwrap_or("nobody");
    Ok(Response::new(format!("hello, {name}\n").into()))
}
