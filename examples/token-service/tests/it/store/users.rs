use token_service::store::{ClientAuthentication, Store};

use super::*;

#[tokio::test]
async fn nothing_is_found_by_a_text_with_a_nul_character() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        for text in ["\0", "alice\0", "\0alice"] {
            assert!(store.user(text).await.unwrap().is_none());
            assert!(store.client(text).await.unwrap().is_none());
            assert!(store.session(text, NOW).await.unwrap().is_none());
            assert!(store.code(text).await.unwrap().is_none());
            assert!(store.grant(text).await.unwrap().is_none());
            assert!(store.refresh_token(text).await.unwrap().is_none());
            assert!(!store.is_revoked(text).await.unwrap());
        }
    })
    .await;
}

#[tokio::test]
async fn a_user_is_found_by_name_and_a_name_is_taken_once() {
    over_every_store(async |store: &dyn Store| {
        assert!(store.user("alice").await.unwrap().is_none());
        assert!(store.add_user(&user("alice")).await.unwrap());
        assert!(!store.add_user(&user("alice")).await.unwrap());
        assert!(store.add_user(&user("Alice")).await.unwrap());
        let found = store.user("alice").await.unwrap().unwrap();
        assert_eq!((found.name.as_str(), found.disabled_at), ("alice", None));
        assert_eq!(found.scopes, ["read", "write"]);
        let names: Vec<_> = store.users().await.unwrap().into_iter().map(|u| u.name).collect();
        assert_eq!(names, ["Alice", "alice"]);

        // The subject of a token is a user or a client.
        for reserved in ["token-service", "token-service-docs"] {
            assert!(!store.add_user(&user(reserved)).await.unwrap());
            let client = client(reserved, ClientAuthentication::None);
            assert!(!store.add_client(&client).await.unwrap());
        }
        assert!(!store.add_client(&client("alice", ClientAuthentication::None)).await.unwrap());
        assert!(store.add_client(&client("app", ClientAuthentication::None)).await.unwrap());
        assert!(!store.add_user(&user("app")).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_new_password_and_a_disabled_user_end_sessions_codes_and_grants() {
    over_every_store(async |store: &dyn Store| {
        store.add_user(&user("alice")).await.unwrap();
        store.add_user(&user("bob")).await.unwrap();
        for (number, disable) in [false, true].into_iter().enumerate() {
            let id = |what: &str, user: &str| format!("{what} of {user} {number}");
            for user in ["alice", "bob"] {
                let hash = store.user(user).await.unwrap().unwrap().password_hash;
                let session = session(&id("session", user), user);
                assert!(store.add_session(&session, &hash).await.unwrap());
                let session_id = Some(id("session", user));
                let code = Code { session_id, ..code(&id("code", user), user) };
                assert!(store.add_code(&code).await.unwrap());
                let grant = grant(&id("grant", user), user);
                assert!(store.add_grant(&grant, None, &hash).await.unwrap());
            }
            let hash = store.user("alice").await.unwrap().unwrap().password_hash;
            let changed = if disable {
                store.disable_user("alice", NOW).await
            } else {
                store.set_password("alice", "new", NOW).await
            };
            assert!(changed.unwrap());
            for (user, stays) in [("alice", false), ("bob", true)] {
                let cookie = format!("cookie of {}", id("session", user));
                assert_eq!(store.session(&cookie, NOW).await.unwrap().is_some(), stays, "{user}");
                assert_eq!(store.code(&id("code", user)).await.unwrap().is_some(), stays, "{user}");
                assert_eq!(is_in_force(store, &id("grant", user)).await, stays, "{user}");
            }
            // Who logged in just before, and is late.
            let late = session(&id("late session", "alice"), "alice");
            assert!(!store.add_session(&late, &hash).await.unwrap());
            let late = grant(&id("late grant", "alice"), "alice");
            assert!(!store.add_grant(&late, None, &hash).await.unwrap());
            let session_id = Some(id("session", "alice"));
            let late = Code { session_id, ..code(&id("late code", "alice"), "alice") };
            assert!(!store.add_code(&late).await.unwrap());
        }
        assert_eq!(store.user("alice").await.unwrap().unwrap().password_hash, "new");
        assert!(!store.set_password("nobody", "new", NOW).await.unwrap());
        assert!(!store.disable_user("nobody", NOW).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_disabled_user_gets_no_session_and_no_grant() {
    over_every_store(async |store: &dyn Store| {
        store.add_user(&user("alice")).await.unwrap();
        store.disable_user("alice", NOW).await.unwrap();
        store.disable_user("alice", NOW + 5).await.unwrap();
        assert_eq!(store.user("alice").await.unwrap().unwrap().disabled_at, Some(NOW));

        assert!(!store.add_session(&session("late", "alice"), HASH).await.unwrap());
        assert!(store.session("cookie of late", NOW).await.unwrap().is_none());
        assert!(!store.add_grant(&grant("late", "alice"), None, HASH).await.unwrap());
        assert!(store.grant("late").await.unwrap().is_none());
        assert!(!store.add_grant(&grant("nobody", "nobody"), None, HASH).await.unwrap());
        let code = Code { session_id: None, ..code("late", "alice") };
        assert!(!store.add_code(&code).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_at_its_time_or_with_its_grants_by_logout() {
    over_every_store(async |store: &dyn Store| {
        store.add_user(&user("alice")).await.unwrap();
        add_session(store, "session", "alice").await;
        let found = store.session("cookie of session", NOW).await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.user.as_str()), ("session", "alice"));
        assert!(store.session("cookie of session", NOW + DAY).await.unwrap().is_none());
        assert!(store.session("session", NOW).await.unwrap().is_none());

        add_grant(store, &grant("in it", "alice"), None).await;
        let other = Grant { session_id: None, ..grant("other", "alice") };
        add_grant(store, &other, None).await;
        store.end_session("session", NOW).await.unwrap();
        assert!(store.session("cookie of session", NOW).await.unwrap().is_none());
        assert!(!is_in_force(store, "in it").await);
        assert!(is_in_force(store, "other").await);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_left_takes_its_codes_along_and_not_its_grants() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        add_grant(store, &grant("in it", "alice"), None).await;
        assert!(store.add_code(&code("code", "alice")).await.unwrap());
        store.leave_session("session").await.unwrap();
        store.leave_session("session").await.unwrap();
        assert!(store.session("cookie of session", NOW).await.unwrap().is_none());
        assert!(store.code("code").await.unwrap().is_none());
        assert!(is_in_force(store, "in it").await);
    })
    .await;
}

#[tokio::test]
async fn a_client_keeps_how_it_authenticates() {
    over_every_store(async |store: &dyn Store| {
        let secret = ClientAuthentication::Secret { hash: "old".into() };
        let keys = ClientAuthentication::PrivateKeyJwt { jwk_set: "{}".into() };
        assert!(store.add_client(&client("app", ClientAuthentication::None)).await.unwrap());
        assert!(store.add_client(&client("job", secret)).await.unwrap());
        assert!(store.add_client(&client("keys", keys)).await.unwrap());
        assert!(!store.add_client(&client("app", ClientAuthentication::None)).await.unwrap());
        let ids: Vec<_> = store.clients().await.unwrap().into_iter().map(|c| c.id).collect();
        assert_eq!(ids, ["app", "job", "keys"]);

        let app = store.client("app").await.unwrap().unwrap();
        assert!(app.is_public() && app.may_use(GrantType::RefreshToken));
        assert!(!app.may_use(GrantType::Password));
        assert_eq!(app.redirect_uris, ["https://app.example/back"]);
        assert_eq!(app.post_logout_redirect_uris, [""; 0]);

        assert!(store.set_client_secret("job", "new").await.unwrap());
        let job = store.client("job").await.unwrap().unwrap();
        assert!(
            matches!(job.authentication, ClientAuthentication::Secret { hash } if hash == "new")
        );
        // A client without a secret does not get one by a rotation.
        assert!(!store.set_client_secret("app", "new").await.unwrap());
        assert!(!store.set_client_secret("keys", "new").await.unwrap());
        assert!(!store.set_client_secret("nobody", "new").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_session_can_be_renewed_by_its_user() {
    over_every_store(async |store| {
        for name in ["alice", "bob"] {
            assert!(store.add_user(&user(name)).await.unwrap());
        }
        assert!(store.add_session(&session("one", "alice"), HASH).await.unwrap());
        let renewed = Session {
            cookie_hash: "new".to_owned(),
            authenticated_at: NOW + 5,
            ..session("one", "alice")
        };
        assert!(store.add_session(&renewed, HASH).await.unwrap());
        assert!(store.session("cookie of one", NOW).await.unwrap().is_none());
        assert_eq!(store.session("new", NOW).await.unwrap().unwrap().authenticated_at, NOW + 5);
        // The session of another user is not taken over.
        let theirs = Session { cookie_hash: "theirs".to_owned(), ..session("one", "bob") };
        assert!(!store.add_session(&theirs, HASH).await.unwrap());
        assert!(store.session("theirs", NOW).await.unwrap().is_none());
        assert_eq!(store.session("new", NOW).await.unwrap().unwrap().user, "alice");
    })
    .await;
}

#[tokio::test]
async fn a_user_has_a_limit_of_sessions_and_the_oldest_goes() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        store.add_user(&user("bob")).await.unwrap();
        add_session(store, "of bob", "bob").await;
        for number in 1..=i64::from(MAX_SESSIONS) {
            let id = format!("{number}");
            let session = Session { authenticated_at: NOW + number, ..session(&id, "alice") };
            assert!(store.add_session(&session, HASH).await.unwrap());
        }
        for (id, is_there) in [("session", false), ("1", true), ("100", true), ("of bob", true)] {
            let found = store.session(&format!("cookie of {id}"), NOW).await.unwrap();
            assert_eq!(found.is_some(), is_there, "{id}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_grants_of_one_client_in_a_session_are_revoked() {
    over_every_store(async |store: &dyn Store| {
        add_alice(store).await;
        add_grant(store, &grant("in it", "alice"), None).await;
        let other = Grant { client_id: "other".into(), ..grant("other client", "alice") };
        add_grant(store, &other, None).await;
        let other = Grant { session_id: Some("other".into()), ..grant("other session", "alice") };
        add_grant(store, &other, None).await;
        store.revoke_grants_in("session", "app", NOW).await.unwrap();
        assert!(!is_in_force(store, "in it").await);
        assert!(is_in_force(store, "other client").await);
        assert!(is_in_force(store, "other session").await);
        assert!(store.session("cookie of session", NOW).await.unwrap().is_some());
    })
    .await;
}
