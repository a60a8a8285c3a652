//! Documents over https, by the rules for hosts that are not listed. The public internet of these tests is `127.0.0.2`.

use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;

const HERE: &str = "127.0.0.2";

/// A server with a certificate for a name, and the port of it.
struct Server {
    port: u16,
    root: Certificate,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(name: &str, response: &'static str) -> Self {
        let mut ca = CertificateParams::new([]).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &ca).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((HERE, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap_or(0);
                request.truncate(length);
                seen.lock().unwrap().push(String::from_utf8(request).unwrap());
                let _ = stream.write_all(response.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        let root = Certificate::from_der(ca.der()).unwrap();
        Self { port, root, requests }
    }

    /// A client for which the name has this address, and the server's CA is that of the system.
    fn client(
        &self,
        address: &'static [&'static str],
        is_public: fn(IpAddr) -> bool,
    ) -> DocumentClient {
        let lookup = Arc::new(OnPort(Changing::new(&[address]), self.port));
        let roots = vec![self.root.clone()];
        DocumentClient::with_network(Network { lookup, is_public, roots })
    }

    fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn is_here(ip: IpAddr) -> bool {
    ip == IpAddr::from([127, 0, 0, 2])
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n1";

#[tokio::test]
async fn a_document_is_fetched_over_https() {
    let server = Server::start("app.example", OK).await;
    let client = server.client(&[HERE], is_here);
    assert_eq!(fetch(&client, "https://app.example/client").await.unwrap(), "1");
    let requests = server.requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 1);
    let request = requests[0].to_lowercase();
    assert!(request.starts_with("get /client http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nhost: app.example\r\n"), "{request}");
}

#[tokio::test]
async fn a_certificate_is_verified() {
    let server = Server::start("other.example", OK).await;
    let client = server.client(&[HERE], is_here);
    let kind = fetch(&client, "https://app.example/client").await.unwrap_err();
    assert_eq!(kind, DocumentErrorKind::Unreachable);
    // A CA that nobody trusts.
    let (server, other) =
        tokio::join!(Server::start("app.example", OK), Server::start("b.example", OK));
    let mut network = server.client(&[HERE], is_here).shared.network.clone();
    network.roots = vec![other.root.clone()];
    let client = DocumentClient::with_network(network);
    let kind = fetch(&client, "https://app.example/client").await.unwrap_err();
    assert_eq!(kind, DocumentErrorKind::Unreachable);
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn a_redirect_over_https_is_not_followed() {
    const FOUND: &str = "HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-type: application/json\r\n\
                         content-length: 1\r\n\r\n1";
    let server = Server::start("app.example", FOUND).await;
    let client = server.client(&[HERE], is_here);
    let kind = fetch(&client, "https://app.example/client").await.unwrap_err();
    assert_eq!((kind, server.asked()), (DocumentErrorKind::Unusable, 1));
}

/// As if the check of the resolver had been circumvented: it lets every address through once, and the check after the response
/// does not.
#[tokio::test]
async fn a_response_from_an_address_that_is_not_public_is_refused() {
    thread_local!(static CHECKS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
    fn once(_: IpAddr) -> bool {
        CHECKS.replace(CHECKS.get() + 1) == 0
    }
    let server = Server::start("app.example", OK).await;
    let client = server.client(&[HERE], once);
    let url = client.url("https://app.example/client").unwrap();
    let error = client.fetch(&url).await.unwrap_err();
    assert_eq!(error.kind(), DocumentErrorKind::Forbidden, "{error}");
    assert!(error.to_string().ends_with("was answered from another address"), "{error}");
    assert_eq!((server.asked(), CHECKS.get()), (1, 2));
}

/// The environment of this process is that of all tests, so another process has the variables.
#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used() {
    let (listener, at) = local().await;
    let connections = serve(listener, String::new(), Duration::ZERO).await;
    let name = "a_document_is_fetched_over_https";
    let test = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &test]);
    for variable in
        ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    {
        command.env(variable, format!("http://{at}"));
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(*connections.lock().unwrap(), 0);
}
