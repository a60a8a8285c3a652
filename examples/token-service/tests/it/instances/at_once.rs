//! Requests to several instances at the same moment: the result is that of some order of them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use token_service::store::{Code as StoredCode, Grant, Store};
use token_service::{keys, secret, upkeep};

use super::world::World;
use crate::grants::{BACK, VERIFIER, exchange, refresh, refresh_token};
use crate::support::{Answer, basic};

/// Requests at the same moment.
const MANY: usize = 24;
const LOG_IN: &str = "grant_type=password&username=alice&password=wonderland";
const ROUNDS: usize = 5;

async fn with_alice(world: &World) {
    world.add_user("alice", "wonderland").await;
    world.add_client("app", Some("secret")).await;
}

async fn post_as_app(world: &World, at: usize, path: &str, form: &str) -> Answer {
    world.client(at).post_to(path, form, &[("authorization", &basic("app", "secret"))]).await
}

async fn is_active(world: &World, at: usize, token: &str) -> bool {
    let answer = post_as_app(world, at, "/introspect", &format!("token={token}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["active"] == true
}

/// The same form to `/token` of every instance in turn.
async fn many_times(world: &World, form: &str) -> Vec<Answer> {
    join_all((0..MANY).map(|at| post_as_app(world, at, "/token", form))).await
}

async fn code(world: &World, at: usize) -> String {
    let text = secret::random();
    let now = world.now();
    let code = StoredCode {
        code_hash: secret::hash(&text),
        client_id: "app".to_owned(),
        user: "alice".to_owned(),
        session_id: None,
        redirect_uri: BACK.to_owned(),
        code_challenge: secret::hash(VERIFIER),
        scopes: vec!["read".to_owned()],
        resources: Vec::new(),
        nonce: None,
        authenticated_at: now,
        expires_at: now + 60,
        grant_id: None,
        client_document: None,
    };
    assert!(world.store(at).add_code(&code).await.unwrap());
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_refresh_token_at_several_instances_gives_one_successor() {
    let world = &World::new().await;
    with_alice(world).await;
    let mut token = refresh_token(&post_as_app(world, 0, "/token", LOG_IN).await);
    for _ in 0..ROUNDS {
        let answers = many_times(world, &refresh(&token)).await;
        let next: Vec<_> = answers.iter().map(refresh_token).collect();
        assert!(next.iter().all(|one| *one == next[0] && *one != token));
        for answer in &answers {
            assert!(is_active(world, 1, &answer.text("access_token")).await);
        }
        token = next[0].clone();
    }
    // After the grace, every use is a theft.
    let answer = post_as_app(world, 0, "/token", &refresh(&token)).await;
    world.pass(Duration::from_secs(31));
    for answer in many_times(world, &refresh(&token)).await {
        answer.assert_error(400, "invalid_grant");
    }
    for at in 0..3 {
        assert!(!is_active(world, at, &answer.text("access_token")).await);
        let again = refresh(&refresh_token(&answer));
        let again = post_as_app(world, at, "/token", &again).await;
        again.assert_error(400, "invalid_grant");
    }
}

/// The uses of the first token before that of its successor give the successor, and those after it revoke the grant.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refresh_token_and_its_successor_at_once_are_used_in_some_order() {
    let world = &World::new().await;
    with_alice(world).await;
    for round in 0..ROUNDS {
        let first = refresh_token(&post_as_app(world, round, "/token", LOG_IN).await);
        let second =
            refresh_token(&post_as_app(world, round + 1, "/token", &refresh(&first)).await);
        let uses = (0..MANY).map(async |number| {
            let token = if number % 4 == 0 { &second } else { &first };
            (token == &first, post_as_app(world, number, "/token", &refresh(token)).await)
        });
        let uses = join_all(uses).await;
        let is_revoked = uses.iter().any(|(_, answer)| answer.status != 200);
        let mut third = None;
        for (is_of_first, answer) in &uses {
            if answer.status != 200 {
                answer.assert_error(400, "invalid_grant");
            } else if *is_of_first {
                assert_eq!(refresh_token(answer), second);
            } else {
                let next = refresh_token(answer);
                assert_eq!(*third.get_or_insert_with(|| next.clone()), next);
            }
        }
        // Whichever instance is asked, the grant is revoked for all tokens, or for none.
        for (number, (_, answer)) in uses.iter().enumerate() {
            if answer.status == 200 {
                let token = answer.text("access_token");
                assert_eq!(is_active(world, number + 1, &token).await, !is_revoked);
            }
        }
        if let Some(third) = third {
            let answer = post_as_app(world, round, "/token", &refresh(&third)).await;
            assert_eq!(answer.status == 200, !is_revoked, "{}", answer.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_code_at_several_instances_is_exchanged_once() {
    let world = &World::new().await;
    with_alice(world).await;
    for round in 0..ROUNDS {
        let code = code(world, round).await;
        let answers = many_times(world, &exchange(&code)).await;
        let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!(good.len(), 1);
        bad.iter().for_each(|answer| answer.assert_error(400, "invalid_grant"));
        // The others have revoked it.
        for at in 0..3 {
            assert!(!is_active(world, at, &good[0].text("access_token")).await);
        }
        let again = refresh(&refresh_token(good[0]));
        let again = post_as_app(world, round, "/token", &again).await;
        again.assert_error(400, "invalid_grant");
    }
}

/// A revocation comes before or after a refresh, and in either case no token of the grant is good after both.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_instance_has_revoked_the_next_request_to_any_other_refuses() {
    let world = &World::new().await;
    with_alice(world).await;
    for round in 0..ROUNDS * 2 {
        let answer = post_as_app(world, round, "/token", LOG_IN).await;
        let token = refresh_token(&answer);
        let form = format!("token={token}");
        let (refresh_form, revoke) =
            (refresh(&token), post_as_app(world, round + 1, "/revoke", &form));
        let uses = (0..3).map(|at| post_as_app(world, at, "/token", &refresh_form));
        let (uses, revoked) = tokio::join!(join_all(uses), revoke);
        assert_eq!(revoked.status, 200, "{}", revoked.body);
        for answer in uses.iter().chain([&answer]).filter(|answer| answer.status == 200) {
            let token = answer.text("access_token");
            for at in 0..3 {
                assert!(!is_active(world, at, &token).await);
                assert_eq!(world.instance(at).get_protected(&token).await.status, 401);
            }
            let again = refresh(&refresh_token(answer));
            let again = post_as_app(world, round + 2, "/token", &again).await;
            again.assert_error(400, "invalid_grant");
        }

        // An access token alone.
        let answer = post_as_app(world, round, "/token", LOG_IN).await;
        let form = format!("token={}", answer.text("access_token"));
        assert_eq!(post_as_app(world, round + 1, "/revoke", &form).await.status, 200);
        let token = answer.text("access_token");
        assert!(!is_active(world, round + 2, &token).await);
        let answer = refresh(&refresh_token(&answer));
        assert_eq!(post_as_app(world, round, "/token", &answer).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_who_is_disabled_during_logins_keeps_no_token() {
    let world = &World::new().await;
    with_alice(world).await;
    let codes = join_all((0..6).map(|at| code(world, at))).await;
    let refreshed = refresh_token(&post_as_app(world, 0, "/token", LOG_IN).await);
    let (codes_of, refreshed_form) = (&codes, &refresh(&refreshed));
    let requests = (0..18).map(async |number| {
        let form = match number % 3 {
            0 => LOG_IN.to_owned(),
            1 => exchange(&codes_of[number / 3]),
            _ => refreshed_form.clone(),
        };
        post_as_app(world, number, "/token", &form).await
    });
    let disable = async { world.store(1).disable_user("alice", world.now()).await.unwrap() };
    let (answers, disabled) = tokio::join!(join_all(requests), disable);
    assert!(disabled);
    for (number, answer) in answers.iter().enumerate() {
        match answer.status.as_u16() {
            200 => assert!(!is_active(world, number, &answer.text("access_token")).await),
            _ => answer.assert_error(400, "invalid_grant"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_instances_that_rotate_the_keys_at_once_one_does() {
    let world = &World::new().await;
    let rotate = async || {
        let before = world.kids().await;
        let services = (0..MANY).map(|at| Arc::clone(&world.client(at).service));
        let tasks = services.map(|service| {
            tokio::spawn(async move { upkeep::follow_keys(&service).await.unwrap() })
        });
        for task in join_all(tasks).await {
            task.unwrap();
        }
        let after = world.kids().await;
        after.iter().filter(|kid| !before.contains(kid)).count()
    };
    for _ in 0..3 {
        world.pass(91 * super::DAY);
        assert_eq!(rotate().await, 1);
        assert_eq!(rotate().await, 0);
    }
    // An operator has added a key that signs in a year.
    let now = world.now();
    let key = keys::generate(now, now + 365 * 86_400).unwrap();
    let seen = world.kids().await;
    assert!(world.store(0).add_signing_key(&key, &seen).await.unwrap());
    for _ in 0..3 {
        world.pass(91 * super::DAY);
        assert_eq!(rotate().await, 1);
        assert_eq!(rotate().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_operators_who_rotate_the_keys_at_once_one_does() {
    let world = &World::new().await;
    for revoke_others in [false, true] {
        // The next key is published already, and signs later than the one that the operators add.
        world.pass(84 * super::DAY);
        world.follow_keys(|_| true).await;
        let (before, now) = (world.kids().await, world.now());
        let seen = &before;
        let rotations = (0..MANY).map(async |at| {
            let key = keys::generate(now, now + 60).unwrap();
            match revoke_others {
                true => world.store(at).replace_signing_keys(&key, seen).await.unwrap(),
                false => world.store(at).add_signing_key(&key, seen).await.unwrap(),
            }
        });
        let added = join_all(rotations).await;
        assert_eq!(added.iter().filter(|added| **added).count(), 1);
        let expected = if revoke_others { 1 } else { before.len() + 1 };
        assert_eq!(world.kids().await.len(), expected);
    }
}

/// Statements about many rows lock them one after the other: if two did so in different orders, the database would end one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn revocations_of_many_grants_and_purges_at_once_do_not_fail() {
    let world = &World::new().await;
    world.add_user("alice", "wonderland").await;
    for round in 0..ROUNDS {
        let sessions: Vec<_> = (0..3).map(|number| format!("session-{round}-{number}")).collect();
        for session in &sessions {
            assert!(world.add_session(0, session, "alice").await);
        }
        let now = world.now();
        let hash = world.store(0).user("alice").await.unwrap().unwrap().password_hash;
        for number in 0..90_i64 {
            let grant = Grant {
                id: format!("{round}-{number}"),
                client_id: format!("client-{}", number % 7),
                user: "alice".to_owned(),
                session_id: Some(sessions[usize::try_from(number % 3).unwrap()].clone()),
                scopes: Vec::new(),
                resources: Vec::new(),
                authenticated_at: now,
                // The order in the index is not that of the rows.
                created_at: now - (number * 37) % 90,
                expires_at: if number % 2 == 0 { now - 3600 } else { now + 3600 },
                revoked_at: None,
                client_document: None,
            };
            assert!(world.store(0).add_grant(&grant, None, &hash).await.unwrap());
        }
        let (all, hash) = (&sessions, hash.as_str());
        let tasks = (0..18).map(async |number| {
            let (store, session) = (world.store(number), &all[number % 3]);
            match number % 6 {
                0 => store.set_password("alice", hash, now).await.map(drop),
                1 | 2 => store.end_session(session, now).await,
                3 => store.revoke_grants_in(session, "client-1", now).await,
                4 => store.purge(500, now).await.map(drop),
                _ => store.disable_user("nobody", now).await.map(drop),
            }
        });
        for result in join_all(tasks).await {
            result.unwrap();
        }
        assert!(world.store(1).grants_to("alice", "client-1", now).await.unwrap().is_empty());
    }
}
