//! `x-request-id`.

use axum::body::Body;
use axum::http::Request;
use token_service::Settings;

use crate::support::{Client, ISSUER};

/// A client that is a trusted proxy.
async fn proxy() -> Client {
    let mut settings = Settings::new(ISSUER);
    settings.trusted_proxies = vec!["127.0.0.1".parse::<std::net::IpAddr>().unwrap().into()];
    Client::with(settings).await
}

async fn answered(client: &Client, ids: &[&str]) -> String {
    let mut request = Request::get("/healthz");
    for id in ids {
        request = request.header("x-request-id", *id);
    }
    client.send(request.body(Body::empty()).unwrap()).await.header("x-request-id").to_owned()
}

#[tokio::test]
async fn a_short_plain_id_of_a_trusted_proxy_is_kept() {
    let client = proxy().await;
    for id in ["1", "0af7651916cd43dd8448eb211c80319c", "a-b_c.D", &"x".repeat(64)] {
        assert_eq!(answered(&client, &[id]).await, id);
    }
}

#[tokio::test]
async fn any_other_id_is_replaced() {
    let client = proxy().await;
    let long = "x".repeat(65);
    for ids in
        [&[][..], &[""], &[&long], &["a b"], &["a\"b"], &["a%0Ab"], &["a=b"], &["é"], &["a", "b"]]
    {
        let id = answered(&client, ids).await;
        assert_eq!(id.len(), 22, "{ids:?}: {id}");
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_ne!(id, answered(&client, ids).await);
    }
}

#[tokio::test]
async fn an_id_of_a_client_is_replaced_however_it_looks() {
    let client = Client::new().await;
    let id = answered(&client, &["a-plain-id"]).await;
    assert_eq!(id.len(), 22, "{id}");
}
