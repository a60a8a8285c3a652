//! Limits count the requests to all instances together.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use token_service::secret;
use token_service::store::{Client as Registered, ClientAuthentication, GrantType, Store};
use tower_jwt_auth::{Algorithm, SigningKey, TokenIssuer};

use super::OFFSETS;
use super::world::World;
use crate::support::{Answer, ISSUER, basic};

async fn guess(world: &World, at: usize, user: &str) -> Answer {
    let form = format!("grant_type=password&username={user}&password=wrong");
    world.client(at).post(&form).await
}

#[tokio::test]
async fn wrong_passwords_of_a_user_are_counted_across_instances() {
    let world = &World::new().await;
    world.add_user("alice", "wonderland").await;
    for at in 0..10 {
        guess(world, at, "alice").await.assert_error(401, "invalid_grant");
    }
    for at in 0..3 {
        let answer = guess(world, at, "alice").await;
        answer.assert_error(429, "too_many_attempts");
        assert_eq!(answer.header("retry-after"), "6");
        let right = "grant_type=password&username=alice&password=wonderland";
        world.client(at).post(right).await.assert_error(429, "too_many_attempts");
    }
    world.pass(Duration::from_secs(6));
    guess(world, 0, "alice").await.assert_error(401, "invalid_grant");
    guess(world, 1, "alice").await.assert_error(429, "too_many_attempts");
}

#[tokio::test]
async fn wrong_passwords_from_an_address_are_counted_across_instances() {
    let world = &World::new().await;
    for user in 0..5 {
        world.add_user(&format!("user-{user}"), "wonderland").await;
    }
    for number in 0..50 {
        let answer = guess(world, number, &format!("user-{}", number % 5)).await;
        answer.assert_error(401, "invalid_grant");
    }
    world.add_user("alice", "wonderland").await;
    for at in 0..3 {
        guess(world, at, "alice").await.assert_error(429, "too_many_attempts");
    }
}

#[tokio::test]
async fn wrong_secrets_of_a_client_are_counted_across_instances() {
    let world = &World::new().await;
    world.add_client("app", Some("secret")).await;
    let get = async |at: usize, secret: &str| {
        let header = basic("app", secret);
        let form = "grant_type=client_credentials";
        world.client(at).post_with(form, &[("authorization", &header)]).await
    };
    for at in 0..10 {
        get(at, "wrong").await.assert_error(401, "invalid_client");
    }
    for at in 0..3 {
        get(at, "wrong").await.assert_error(429, "too_many_attempts");
        // Whoever knows the secret is not locked out.
        assert_eq!(get(at, "secret").await.status, 200);
    }
}

/// Guesses at the same moment: each instance lets as many run as are left, and afterwards the budget is empty for all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_at_once_get_no_more_than_the_budget_of_each_instance() {
    let world = &World::new().await;
    world.add_user("alice", "wonderland").await;
    let guesses = (0..60).map(|at| guess(world, at, "alice"));
    let answers = join_all(guesses).await;
    let checked = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((10..=10 * OFFSETS.len()).contains(&checked), "{checked}");
    for at in 0..3 {
        guess(world, at, "alice").await.assert_error(429, "too_many_attempts");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_assertion_is_accepted_by_one_instance_and_once() {
    let world = &World::new().await;
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let issuer = TokenIssuer::new("app", key).unwrap().with_clock(world.clock.clone());
    let client = Registered {
        id: "app".to_owned(),
        name: "app".to_owned(),
        authentication: ClientAuthentication::PrivateKeyJwt { jwk_set: issuer.jwk_set() },
        grant_types: vec![GrantType::ClientCredentials],
        redirect_uris: Vec::new(),
        post_logout_redirect_uris: Vec::new(),
        scopes: vec!["read".to_owned()],
        created_at: world.now(),
    };
    assert!(world.store(0).add_client(&client).await.unwrap());
    for _ in 0..5 {
        let claims = json!({ "sub": "app", "aud": ISSUER, "jti": secret::random() });
        let assertion = issuer.issue(&claims).unwrap();
        let form = Arc::new(format!(
            "grant_type=client_credentials&client_assertion={assertion}&client_assertion_type=\
                 urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        ));
        let answers = join_all((0..9).map(|at| world.client(at).post(&form))).await;
        let good = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(good, 1, "{}", answers[0].body);
        for at in 0..3 {
            world.client(at).post(&form).await.assert_error(401, "invalid_client");
        }
    }
}
