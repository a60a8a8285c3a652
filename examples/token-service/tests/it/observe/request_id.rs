//! `x-request-id`.

use axum::body::Body;
use axum::http::Request;

use crate::support::Client;

async fn answered(client: &Client, ids: &[&str]) -> String {
    let mut request = Request::get("/healthz");
    for id in ids {
        request = request.header("x-request-id", *id);
    }
    client.send(request.body(Body::empty()).unwrap()).await.header("x-request-id").to_owned()
}

#[tokio::test]
async fn a_short_plain_id_is_kept() {
    let client = Client::new().await;
    for id in ["1", "0af7651916cd43dd8448eb211c80319c", "a-b_c.D", &"x".repeat(64)] {
        assert_eq!(answered(&client, &[id]).await, id);
    }
}

#[tokio::test]
async fn any_other_id_is_replaced() {
    let client = Client::new().await;
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
