//! What the token endpoint says if there is no document, and the requests that need none.

use std::time::Duration;

use serde_json::json;
use token_service::store::Store;
use tower_jwt_auth::{Algorithm, SigningKey, TokenIssuer};

use super::host::{Host, Page};
use super::{authorize, code, exchange, refresh, service, settings};
use crate::support::{Answer, Client, ISSUER};

async fn token(client: &Client, id: &str) -> Answer {
    client.post(&exchange(id, "code")).await
}

#[tokio::test]
async fn a_host_that_is_down_is_a_temporary_error() {
    let host = Host::start().await;
    let client = service(&host).await;
    let mut answers = Vec::new();
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let path = format!("/{status}");
        host.serve(&path, Page::json("{}").status(status));
        answers.push(token(&client, &host.url(&path)).await);
    }
    assert_eq!(host.asked(), 7);
    // Its port refuses connections, and a name has no address.
    host.stop();
    answers.push(token(&client, &host.url("/app")).await);
    answers.push(token(&client, "https://client.invalid/app").await);
    let body = answers[0].body.clone();
    for answer in answers {
        answer.assert_error(503, "temporarily_unavailable");
        assert_eq!((answer.header("retry-after"), &answer.body), ("5", &body));
    }
}

/// A request has a limit of its own, and an error in the log if it takes longer: an untrusted client must not cause that.
#[tokio::test]
async fn a_document_and_its_keys_have_one_limit_of_time() {
    let host = Host::start().await;
    let mut settings = settings(&host);
    settings.document_time = Duration::from_millis(500);
    let client = Client::with(settings).await;
    let id = host.url("/app");
    let signer = TokenIssuer::new(&id, SigningKey::generate(Algorithm::ES256).unwrap()).unwrap();
    let keys =
        json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": host.url("/jwks")});
    // Each of them is fast enough.
    for (path, body) in [("/app", super::document(&id, keys)), ("/jwks", signer.jwk_set())] {
        host.serve(path, Page::json(body).delayed(Duration::from_millis(300)));
    }
    let answer = token(&client, &id).await;
    answer.assert_error(503, "temporarily_unavailable");
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn a_document_that_cannot_be_used_is_that_of_no_client() {
    let host = Host::start().await;
    let client = service(&host).await;
    let other = host.publish_app();
    for (number, page) in [
        Page::json("{}").status(404),
        Page::json("{}").status(410),
        Page::json("{}").status(403),
        Page::json("{}").status(302).header("location", &other),
        Page::json("{}"),
        Page::json("no JSON"),
        Page::json(super::document(&other, json!({}))),
        Page::json("<html>").header("content-type", "text/html"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{number}");
        host.serve(&path, page);
        let answer = token(&client, &host.url(&path)).await;
        answer.assert_error(401, "invalid_client");
        assert!(answer.header("www-authenticate").starts_with("Basic "));
        // So the client forgets its grant, and begins anew.
        let form = refresh(&host.url(&path), "token");
        client.post(&form).await.assert_error(401, "invalid_client");
    }
    assert_eq!(host.asked(), 16);
}

#[tokio::test]
async fn an_introspection_fetches_nothing() {
    let host = Host::start().await;
    let id = host.publish_app();
    let client = service(&host).await;
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let signer = TokenIssuer::new(&id, key).unwrap();
    let assertion = signer.issue(&json!({"sub": id, "aud": ISSUER})).unwrap();
    let assertion = format!(
        "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion={assertion}"
    );
    for credentials in [format!("client_id={id}"), assertion] {
        let form = format!("token=x&{credentials}");
        client.post_to("/introspect", &form, &[]).await.assert_error(401, "invalid_client");
    }
    assert_eq!(host.asked(), 0);
}

#[tokio::test]
async fn a_public_client_revokes_while_its_host_is_down() {
    let host = Host::start().await;
    let (id, other) = (host.publish_app(), host.publish("/other", json!({})));
    let client = service(&host).await;
    let code = code(&client, &id).await;
    let answer = client.post(&exchange(&id, &code)).await;
    let (access, token) = (answer.text("access_token"), answer.text("refresh_token"));
    let asked = host.asked();
    host.stop();
    client.store.remove_client_document(&id).await.unwrap();

    let bearer = format!("Bearer {access}");
    let theirs = format!("token={token}&client_id={other}");
    client.post_to("/revoke", &theirs, &[]).await.assert_error(400, "invalid_grant");
    assert_eq!(client.get_with("/protected", &bearer).await.status, 200);
    let own = format!("token={token}&client_id={id}");
    assert_eq!(client.post_to("/revoke", &own, &[]).await.status, 200);
    assert_eq!(client.get_with("/protected", &bearer).await.status, 401);
    assert_eq!(host.asked(), asked);
    let malformed = format!("token=x&client_id={}", host.url("/a/../b"));
    client.post_to("/revoke", &malformed, &[]).await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn a_client_with_keys_signs_a_revocation() {
    let host = Host::start().await;
    let client = service(&host).await;
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let signer = TokenIssuer::new("x", key).unwrap();
    let jwk_set: serde_json::Value = serde_json::from_str(&signer.jwk_set()).unwrap();
    let keys = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": jwk_set});
    let id = host.publish("/app", keys);
    assert_eq!(authorize(&client, &id).await.status, 200);
    let form = format!("token=x&client_id={id}");
    client.post_to("/revoke", &form, &[]).await.assert_error(401, "invalid_client");
}
