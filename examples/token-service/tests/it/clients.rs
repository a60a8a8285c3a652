//! How clients prove who they are.

use std::time::Duration;

use serde_json::{Value, json};
use token_service::store::{ClientAuthentication, GrantType};
use token_service::{Settings, secret};
use tower_jwt_auth::test_util::ManualClock;
use tower_jwt_auth::{Algorithm, SigningKey, TokenIssuer};

use crate::grants::register;
use crate::support::{Answer, Client, GOOD, ISSUER, basic};

const FORM: &str = "grant_type=client_credentials";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[tokio::test]
async fn a_secret_is_accepted_in_the_header_and_in_the_form() {
    let client = Client::new().await;
    assert_eq!(client.post_as_demo("/token", FORM).await.status, 200);
    let form = format!("{FORM}&client_id=demo&client_secret={}", client.secret);
    assert_eq!(client.post(&form).await.status, 200);
    // The ID may also be in the form, if it is the same one.
    assert_eq!(client.post_as_demo("/token", &format!("{FORM}&client_id=demo")).await.status, 200);
    let other = client.post_as_demo("/token", &format!("{FORM}&client_id=other")).await;
    other.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn a_header_is_decoded_as_a_form() {
    let client = Client::new().await;
    let authentication = ClientAuthentication::Secret { hash: secret::hash("p:% +é") };
    register(&client, "an app:1", authentication, &[GrantType::ClientCredentials]).await;
    let good = basic("an+app%3A1", "p%3A%25+%2B%C3%A9");
    assert_eq!(client.post_with(FORM, &[("authorization", &good)]).await.status, 200);
}

#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_get_one_response() {
    let client = Client::new().await;
    let mut bodies = Vec::new();
    for (id, secret) in
        [("demo", "wrong"), ("nobody", "wrong"), ("token-service", "wrong"), ("demo", "")]
    {
        let header = basic(id, secret);
        let answer = client.post_with(FORM, &[("authorization", &header)]).await;
        answer.assert_error(401, "invalid_client");
        assert!(answer.header("www-authenticate").starts_with("Basic realm="));
        bodies.push(answer.body);
        let form = format!("{FORM}&client_id={id}&client_secret={secret}");
        let answer = client.post(&form).await;
        answer.assert_error(401, "invalid_client");
        bodies.push(answer.body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

#[tokio::test]
async fn several_methods_at_once_are_malformed() {
    let client = Client::new().await;
    let form = format!("{FORM}&client_id=demo&client_secret={}", client.secret);
    client.post_as_demo("/token", &form).await.assert_error(400, "invalid_request");
    let form = format!("{FORM}&client_assertion_type={JWT_BEARER}&client_assertion=a.b.c");
    client.post_as_demo("/token", &form).await.assert_error(400, "invalid_request");
}

#[tokio::test]
async fn a_confidential_client_that_names_itself_for_a_password_must_prove_it() {
    let client = Client::new().await;
    client.post(&format!("{GOOD}&client_id=demo")).await.assert_error(401, "invalid_client");
    assert_eq!(client.post(&format!("{GOOD}&client_id=my-app")).await.status, 200);
    assert_eq!(client.post(&format!("{GOOD}&client_id=token-service")).await.status, 200);
    assert_eq!(client.post_as_demo("/token", GOOD).await.status, 200);
}

#[tokio::test]
async fn wrong_secrets_are_limited_for_each_client_and_lock_nobody_out() {
    let client = Client::new().await;
    let wrong = basic("demo", "wrong");
    let mut answer = client.post_with(FORM, &[("authorization", &wrong)]).await;
    // The budget of 10 grows by one in 6 s, which may have passed on a busy machine.
    for _ in 0..30 {
        if answer.status == 429 {
            break;
        }
        answer.assert_error(401, "invalid_client");
        answer = client.post_with(FORM, &[("authorization", &wrong)]).await;
    }
    answer.assert_error(429, "too_many_attempts");
    // The right one is accepted all the same.
    assert_eq!(client.post_as_demo("/token", FORM).await.status, 200);
    let answer = client.post_with(FORM, &[("authorization", &wrong)]).await;
    answer.assert_error(429, "too_many_attempts");
    let other = basic("other", "wrong");
    let answer = client.post_with(FORM, &[("authorization", &other)]).await;
    answer.assert_error(401, "invalid_client");
    assert_eq!(client.post(GOOD).await.status, 200);
}

#[tokio::test]
async fn wrong_guesses_from_an_address_lock_no_client_out_there() {
    let signer = Signer::new().await;
    let mut last = 0;
    for user in 0..60 {
        let header = basic(&format!("client{user}"), "wrong");
        let answer = signer.client.post_with(FORM, &[("authorization", &header)]).await;
        last = answer.status.as_u16();
    }
    assert_eq!(last, 429);
    assert_eq!(signer.client.post_as_demo("/token", FORM).await.status, 200);
    let assertion = signer.sign("signer", &json!({"sub": "signer", "aud": ISSUER}));
    assert_eq!(signer.post(&assertion).await.status, 200);
    // Wrong assertions are limited.
    let wrong = signer.sign("signer", &json!({"sub": "signer", "aud": "https://other.example"}));
    signer.post(&wrong).await.assert_error(429, "too_many_attempts");
}

#[tokio::test]
async fn right_secrets_are_not_limited() {
    let client = Client::new().await;
    for _ in 0..60 {
        assert_eq!(client.post_as_demo("/token", FORM).await.status, 200);
    }
}

/// A service that lets an address and a client make ten requests at once, behind a proxy.
fn limited() -> Settings {
    let mut settings = Settings::new(ISSUER);
    settings.requests_per_second = 1;
    settings.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    settings
}

#[tokio::test]
async fn nobody_uses_up_the_budget_of_a_client_without_its_credentials() {
    let client = Client::with(limited()).await;
    register(&client, "app", ClientAuthentication::None, &GrantType::ALL).await;
    let refresh = "grant_type=refresh_token&refresh_token=x&client_id=app";
    let from = async |form: &str, address: &str| {
        client.post_with(form, &[("x-forwarded-for", address)]).await.status.as_u16()
    };
    for _ in 0..15 {
        from(refresh, "203.0.113.9").await;
        from(&format!("{FORM}&client_id=demo&client_secret=wrong"), "203.0.113.10").await;
    }
    assert_eq!(from(refresh, "203.0.113.9").await, 429);
    assert_eq!(from(refresh, "203.0.113.11").await, 400);
    let good = format!("{FORM}&client_id=demo&client_secret={}", client.secret);
    assert_eq!(from(&good, "203.0.113.11").await, 200);
}

#[tokio::test]
async fn too_many_requests_of_a_client_do_not_use_its_assertion_up() {
    let signer = Signer::with(limited()).await;
    let post = async |assertion: &str, address: &str| {
        let form =
            format!("{FORM}&client_assertion_type={JWT_BEARER}&client_assertion={assertion}");
        signer.client.post_with(&form, &[("x-forwarded-for", address)]).await
    };
    let sign = || signer.sign("signer", &json!({"sub": "signer", "aud": ISSUER}));
    // An address has as many requests as a client, so they come from several.
    let mut refused = None;
    for number in 0..40 {
        let assertion = sign();
        let answer = post(&assertion, &format!("203.0.113.{number}")).await;
        if answer.status == 429 {
            assert!(number >= 10, "{number}");
            answer.assert_error(429, "too_many_requests");
            refused = Some(assertion);
            break;
        }
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let refused = refused.unwrap();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let answer = post(&refused, "198.51.100.1").await;
        if answer.status == 200 {
            return;
        }
        answer.assert_error(429, "too_many_requests");
    }
    panic!("the client stays locked out");
}

/// A client that signs its assertions.
struct Signer {
    client: Client,
    clock: ManualClock,
    key: SigningKey,
}

impl Signer {
    async fn new() -> Self {
        Self::with(Settings::new(ISSUER)).await
    }

    async fn with(settings: Settings) -> Self {
        let (client, clock) = Client::with_clock(settings).await;
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        let jwk_set = TokenIssuer::new("signer", key.clone()).unwrap().jwk_set();
        let authentication = ClientAuthentication::PrivateKeyJwt { jwk_set };
        register(&client, "signer", authentication, &GrantType::ALL).await;
        Self { client, clock, key }
    }

    /// An assertion for a minute.
    fn sign(&self, issuer: &str, claims: &Value) -> String {
        self.sign_for(issuer, claims, 60)
    }

    fn sign_for(&self, issuer: &str, claims: &Value, seconds: u64) -> String {
        let issuer = TokenIssuer::new(issuer, self.key.clone()).unwrap();
        let issuer = issuer.with_clock(self.clock.clone());
        issuer.issue_for(claims, Duration::from_secs(seconds)).unwrap()
    }

    async fn post(&self, assertion: &str) -> Answer {
        self.post_with(assertion, "").await
    }

    async fn post_with(&self, assertion: &str, more: &str) -> Answer {
        let form =
            format!("{FORM}&client_assertion_type={JWT_BEARER}&client_assertion={assertion}{more}");
        self.client.post(&form).await
    }
}

#[tokio::test]
async fn an_assertion_for_the_issuer_or_the_token_endpoint_is_accepted() {
    let signer = Signer::new().await;
    let endpoint = format!("{ISSUER}/token");
    for audience in [json!(ISSUER), json!(endpoint), json!([ISSUER, endpoint])] {
        let assertion = signer.sign("signer", &json!({"sub": "signer", "aud": audience}));
        let answer = signer.post(&assertion).await;
        assert_eq!(answer.status, 200, "{audience}: {}", answer.body);
    }
    let assertion = signer.sign("signer", &json!({"sub": "signer", "aud": ISSUER}));
    assert_eq!(signer.post_with(&assertion, "&client_id=signer").await.status, 200);
    let hour = signer.sign_for("signer", &json!({"sub": "signer", "aud": ISSUER}), 3600);
    assert_eq!(signer.post(&hour).await.status, 200);
}

#[tokio::test]
async fn an_assertion_is_accepted_once() {
    let signer = Signer::new().await;
    let assertion = signer.sign("signer", &json!({"sub": "signer", "aud": ISSUER}));
    assert_eq!(signer.post(&assertion).await.status, 200);
    signer.post(&assertion).await.assert_error(401, "invalid_client");
    // Also as long as the leeway lets it live.
    signer.clock.advance(Duration::from_secs(80));
    signer.post(&assertion).await.assert_error(401, "invalid_client");

    let assertion = signer.sign("signer", &json!({"sub": "signer", "aud": ISSUER}));
    let (one, other) = tokio::join!(signer.post(&assertion), signer.post(&assertion));
    let good = [one.status, other.status].iter().filter(|status| **status == 200).count();
    assert_eq!(good, 1);
}

#[tokio::test]
async fn any_other_assertion_is_refused() {
    let signer = Signer::new().await;
    let good = json!({"sub": "signer", "aud": ISSUER});
    let other_key = TokenIssuer::new("signer", SigningKey::generate(Algorithm::ES256).unwrap())
        .unwrap()
        .with_clock(signer.clock.clone())
        .issue(&good)
        .unwrap();
    let old = signer.sign("signer", &good);
    signer.clock.advance(Duration::from_secs(100));
    for assertion in [
        old,
        other_key,
        // iss, sub, aud.
        signer.sign("other", &good),
        signer.sign("signer", &json!({"sub": "demo", "aud": ISSUER})),
        signer.sign("demo", &json!({"sub": "demo", "aud": ISSUER})),
        signer.sign("signer", &json!({"sub": "signer", "aud": "https://other.example"})),
        signer.sign("signer", &json!({"sub": "signer", "aud": [ISSUER, "https://other.example"]})),
        signer.sign("signer", &json!({"aud": ISSUER})),
        signer.sign("signer", &json!({"sub": "signer", "aud": ISSUER, "jti": ""})),
        // Too far ahead.
        signer.sign_for("signer", &good, 3700),
        "nonsense".to_owned(),
        "a.b.c".to_owned(),
    ] {
        let answer = signer.post(&assertion).await;
        // The limit on guesses comes after 10 of one client.
        assert!(matches!(answer.status.as_u16(), 401 | 429), "{assertion}: {}", answer.body);
        if answer.status == 401 {
            answer.assert_error(401, "invalid_client");
        }
    }
    let assertion = Signer::new().await.sign("signer", &good);
    signer.post_with(&assertion, "&client_id=demo").await.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn a_client_with_keys_has_no_secret_and_one_with_a_secret_no_keys() {
    let signer = Signer::new().await;
    let header = basic("signer", "anything");
    let answer = signer.client.post_with(FORM, &[("authorization", &header)]).await;
    answer.assert_error(401, "invalid_client");
    let answer = signer.client.post(&format!("{FORM}&client_id=signer")).await;
    answer.assert_error(401, "invalid_client");
}

#[tokio::test]
async fn a_nul_character_in_an_id_is_that_of_no_client() {
    let signer = Signer::new().await;
    for subject in ["\0", "signer\0", "a\nb", ""] {
        let assertion = signer.sign("signer", &json!({"sub": subject, "aud": ISSUER}));
        signer.post(&assertion).await.assert_error(401, "invalid_client");
    }
    for id in ["demo%00", "demo\0"] {
        let header = basic(id, &signer.client.secret);
        let answer = signer.client.post_with(FORM, &[("authorization", &header)]).await;
        answer.assert_error(401, "invalid_client");
    }
}

#[tokio::test]
async fn an_assertion_authenticates_at_every_endpoint() {
    let signer = Signer::new().await;
    for path in ["/revoke", "/introspect"] {
        let assertion = signer.sign("signer", &json!({"sub": "signer", "aud": ISSUER}));
        let form =
            format!("token=x&client_assertion_type={JWT_BEARER}&client_assertion={assertion}");
        let post = async || signer.client.post_to(path, &form, &[]).await;
        assert_eq!(post().await.status, 200, "{path}");
        post().await.assert_error(401, "invalid_client");
    }
}
