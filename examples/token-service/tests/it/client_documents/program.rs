//! The flags of the program.

use super::host::Host;
use super::request;
use crate::process::Server;

async fn authorize(server: Server, id: &str) -> (Server, u16, String) {
    let path = format!("/authorize?{}", request(id, &[]));
    tokio::task::spawn_blocking(move || {
        let (status, body) = server.get(&path);
        (server, status, body)
    })
    .await
    .unwrap()
}

/// A proxy would resolve the name by itself, and the address could not be checked.
#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used() {
    let (host, proxy) = (Host::start().await, Host::start().await);
    let id = host.publish_app();
    let proxy_url = proxy.url("");
    let variables =
        ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let variables = variables.map(|name| (name, proxy_url.as_str()));
    let listed = format!("--dangerous-client-metadata-host={}", host.authority());
    let server = Server::start_with(&["--demo", &listed], &variables);
    let (server, status, body) = authorize(server, &id).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((host.asked(), proxy.asked()), (1, 0));
    let (_, log) = server.stop();
    assert!(log.contains("dangerous") && log.contains(&host.authority()), "{log}");
}

#[tokio::test]
async fn flags_and_variables_turn_them_off() {
    let host = Host::start().await;
    let id = host.publish_app();
    let listed = host.authority();
    let listed = ("TOKEN_SERVICE_DANGEROUS_CLIENT_METADATA_HOST", listed.as_str());
    let off = ("TOKEN_SERVICE_NO_CLIENT_METADATA_DOCUMENTS", "true");
    for (flags, variables, status) in [
        (&["--demo"][..], &[listed][..], 200),
        (&["--demo"], &[], 400),
        (&["--demo"], &[listed, off], 400),
        (&["--demo", "--no-client-metadata-documents"], &[listed], 400),
    ] {
        let server = Server::start_with(flags, variables);
        let (_, found, body) = authorize(server, &id).await;
        assert_eq!(found, status, "{flags:?} {variables:?}: {body}");
    }
    assert_eq!(host.asked(), 1);
}
