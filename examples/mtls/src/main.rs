//! Tokens that are bound to a client certificate (RFC 8705), over `tokio-rustls` and hyper.
//!
//! The program makes a certificate for itself and one for a client, and a token that is bound to the latter. It writes
//! `server.pem`, `client.pem` and `token.txt` into a folder, and prints how to call it:
//!
//! ```sh
//! cargo run -p mtls -- /tmp/mtls
//! ```

mod any_certificate;
mod server;
#[cfg(test)]
mod tests;

use std::env;
use std::error::Error;
use std::path::PathBuf;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::net::TcpListener;
use tower_jwt_auth::{
    Algorithm, ClientCertificate, ClientCertificates, JwtAuthLayer, JwtVerifier, SenderConstrained,
    SigningKey, TokenIssuer,
};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://api.example";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args().nth(1).ok_or("name a folder for the certificates")?);
    std::fs::create_dir_all(&folder)?;
    let (server, client) = (certificate("localhost")?, certificate("client")?);
    std::fs::write(folder.join("server.pem"), server.cert.pem())?;
    let both = client.cert.pem() + &client.signing_key.serialize_pem();
    std::fs::write(folder.join("client.pem"), both)?;

    let issuer = issuer()?;
    std::fs::write(folder.join("token.txt"), bound_token(&issuer, client.cert.der())?)?;
    let auth = layer(&issuer)?;
    let address = env::var("LISTEN").unwrap_or("127.0.0.1:3000".into());
    let listener = TcpListener::bind(address).await?;
    let port = listener.local_addr()?.port();
    println!("listening on https://localhost:{port}");
    println!(
        "curl --cacert {0}/server.pem --cert {0}/client.pem -H \"Authorization: Bearer $(cat {0}/token.txt)\" https://localhost:{port}",
        folder.display()
    );
    let tls = server::tls(server.cert.der().clone(), server.signing_key.serialize_der())?;
    tokio::select! {
        () = server::serve(listener, tls, auth) => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// Only tokens that are bound to a client certificate are accepted.
fn layer(issuer: &TokenIssuer) -> Result<JwtAuthLayer, Box<dyn Error>> {
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, issuer.verification_keys())?;
    let certificates = ClientCertificates::from_extensions();
    let verifier = SenderConstrained::client_certificates(verifier, certificates).required();
    Ok(JwtAuthLayer::new(verifier))
}

/// In an application, this is the authorization server.
fn issuer() -> Result<TokenIssuer, Box<dyn Error>> {
    Ok(TokenIssuer::new(ISSUER, SigningKey::generate(Algorithm::ES256)?)?
        .with_audience(AUDIENCE)?)
}

/// What the authorization server issues to a client with this certificate.
fn bound_token(issuer: &TokenIssuer, certificate: &[u8]) -> Result<String, Box<dyn Error>> {
    let thumbprint = ClientCertificate::from_der(certificate);
    let cnf = serde_json::json!({ "x5t#S256": thumbprint.x5t_s256() });
    Ok(issuer.issue(&serde_json::json!({ "sub": "alice", "cnf": cnf }))?)
}

/// A certificate that its owner has signed.
fn certificate(name: &str) -> Result<CertifiedKey<KeyPair>, rcgen::Error> {
    generate_simple_self_signed([name.to_owned()])
}
