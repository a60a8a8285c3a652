//! What a run must contain to prove something.

use axum::Router;
use axum::middleware::map_response;
use axum::routing::get;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, LOCATION};
use http::{Request, Response};
use tower::service_fn;
use tower_jwt_auth::test_util::{
    ProtectedRequests, ProtectionFault, ProtectionReport, SentBody, TestIssuer, check_protection,
};
use tower_jwt_auth::{JwtAuthLayer, SigningKey};

use super::vulnerable::accepting;
use super::{requests, router};

fn faults(report: &ProtectionReport) -> Vec<ProtectionFault> {
    report.findings().iter().map(|finding| finding.fault()).collect()
}

#[tokio::test]
async fn run_without_a_protected_request_fails() {
    let issuer = TestIssuer::new();
    let nothing = || ProtectedRequests::new(issuer.token());
    for requests in [nothing(), nothing().open_get("/health")] {
        let report = check_protection(router(issuer.verifier()), requests).await;
        assert_eq!(faults(&report), [ProtectionFault::NothingSent]);
        assert!(report.to_string().contains("no attack was sent: name a protected"), "{report}");
    }
}

#[tokio::test]
async fn attacks_that_are_left_out_fail_the_run_without_a_reason() {
    let issuer = TestIssuer::new();
    let requests = || ProtectedRequests::from_token(issuer.token().build()).get("/orders");
    let report = check_protection(router(issuer.verifier()), requests()).await;
    assert_eq!(faults(&report), [ProtectionFault::LeftOut, ProtectionFault::LeftOut]);
    assert!(report.to_string().contains("give a signer by `with_signer`"), "{report}");

    let with_reasons = requests()
        .without_signed_attacks("the key is in an HSM")
        .without_public_key_attacks("the issuer publishes none");
    let report = check_protection(router(issuer.verifier()), with_reasons).await;
    assert!(report.findings().is_empty(), "{report}");
    assert!(report.to_string().contains("signed attacks: the key is in an HSM"), "{report}");

    let complete = requests().without_signed_attacks("an HSM").with_public_key(issuer.jwk_set());
    let report = check_protection(router(issuer.verifier()), complete).await;
    assert!(report.findings().is_empty(), "{report}");
    assert!(!report.left_out().contains(&"public key: PEM as a secret"));
}

const PEM: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

#[tokio::test]
async fn public_key_is_read_from_a_jwk_set_and_from_pem() {
    let token = TestIssuer::new().token().build();
    let sent_with = |key: String| {
        let requests = ProtectedRequests::from_token(token.clone()).get("/").with_public_key(key);
        async { check_protection(accepting(|_| true), requests).await }
    };
    let of_pem = sent_with(PEM.to_owned()).await;
    assert!(of_pem.let_through().contains(&"public key: PEM as a secret"));
    assert!(of_pem.left_out().contains(&"public key: JWK as a secret"));
    let of_set = sent_with(TestIssuer::new().jwk_set()).await;
    assert!(of_set.let_through().contains(&"public key: JWK as a secret"));
}

#[test]
#[should_panic(expected = "the public key cannot be read: this is neither JSON nor PEM")]
fn public_key_that_cannot_be_read_panics() {
    let _ = ProtectedRequests::new(TestIssuer::new().token()).with_public_key("key.pem");
}

#[test]
#[should_panic(expected = "has 0 public keys, but not that of the good token")]
fn set_of_secrets_panics() {
    let _ = ProtectedRequests::new(TestIssuer::new().token()).with_public_key(r#"{"keys":[]}"#);
}

#[test]
#[should_panic(expected = "the token is empty, or has a line break")]
fn token_with_a_line_break_panics() {
    let _ = ProtectedRequests::from_token("a.b.c\n");
}

#[test]
#[should_panic(expected = "the token begins with `Bearer `: give the token alone")]
fn token_with_its_scheme_panics() {
    let _ = ProtectedRequests::from_token("Bearer a.b.c");
}

#[test]
#[should_panic(expected = "the path \"orders\" does not begin with `/`")]
fn path_without_a_slash_panics() {
    let _ = requests(&TestIssuer::new()).get("orders");
}

#[tokio::test]
async fn allowance_of_attacks_that_were_not_sent_is_not_unused() {
    let issuer = TestIssuer::new();
    let requests = ProtectedRequests::from_token(issuer.token().build())
        .get("/orders")
        .with_public_key(issuer.jwk_set())
        .without_signed_attacks("an HSM")
        .allowing("aud", "no audience until June");
    let report = check_protection(router(issuer.verifier()), requests).await;
    assert!(report.findings().is_empty(), "{report}");
}

#[tokio::test]
async fn allowance_at_one_request_is_for_no_other() {
    let issuer = TestIssuer::new();
    let app = Router::new().route("/news", get(async || "")).merge(router(issuer.verifier()));
    let groups = ["aud", "iss"];
    let mut allowed = requests(&issuer).get("/news");
    for group in groups {
        allowed = allowed.allowing_at("GET /news", group, "everybody may read it").allowing_at(
            "GET /news",
            &format!("{group}: missing"),
            "the same, twice",
        );
    }
    let report = check_protection(app, allowed).await;
    assert!(report.findings().iter().all(|finding| finding.request() == "GET /news"));
    assert!(!report.let_through().iter().any(|name| name.starts_with("aud")), "{report}");
    assert!(report.let_through().contains(&"exp: missing"));
    // Both allowances of one attack count as used.
    let unused = ProtectionFault::UnusedAllowance;
    assert!(report.findings().iter().all(|finding| finding.fault() != unused), "{report}");

    let elsewhere = requests(&issuer).allowing_at("GET /orders", "aud", "no reason");
    let report = check_protection(router(issuer.verifier()), elsewhere).await;
    assert_eq!(faults(&report), [unused]);
    assert!(report.to_string().contains("allowed: aud at GET /orders (no reason): 0"), "{report}");
}

#[test]
#[should_panic(expected = "no request is \"GET /order\"; there are: GET /orders")]
fn allowance_at_an_unknown_request_panics() {
    let _ = requests(&TestIssuer::new()).allowing_at("GET /order", "aud", "a typo");
}

#[tokio::test]
async fn set_up_can_refuse_in_its_own_way() {
    let issuer = TestIssuer::new();
    let to_login = async |mut response: axum::response::Response| {
        if response.status().is_client_error() {
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert(LOCATION, "/login".parse().unwrap());
        }
        response
    };
    let app = router(issuer.verifier()).layer(map_response(to_login));
    let report = check_protection(app.clone(), requests(&issuer)).await;
    assert!(report.let_through().contains(&"alg: none"));
    let requests = requests(&issuer)
        .refused_by(|head| head.headers.get(LOCATION).is_some_and(|url| url == "/login"));
    let report = check_protection(app, requests).await;
    assert!(report.findings().is_empty(), "{report}");
}

#[tokio::test]
async fn refusal_can_be_what_anonymous_users_get() {
    let verifier = TestIssuer::new().verifier();
    let app = service_fn(move |request: Request<SentBody>| {
        let value = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let mut response = Response::builder();
        if verifier.verify_now(token).is_ok() {
            response = response.header("x-user", "alice");
        }
        async { Ok::<_, std::convert::Infallible>(response.body(()).unwrap()) }
    });
    let requests =
        requests(&TestIssuer::new()).refused_by(|head| !head.headers.contains_key("x-user"));
    let report = check_protection(app, requests).await;
    // `get` reads the first of two lines.
    assert_eq!(report.let_through(), ["two tokens: the good one first"]);
}

#[tokio::test]
async fn refusal_of_the_request_as_such_proves_nothing() {
    for status in [408, 413, 414, 415, 429, 431] {
        let verifier = TestIssuer::new().verifier();
        let app = service_fn(move |request: Request<SentBody>| {
            let value =
                request.headers().get("authorization").and_then(|value| value.to_str().ok());
            let token = value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
            let status = if verifier.verify_now(token).is_ok() { 200 } else { status };
            let response = Response::builder().status(status).body(()).unwrap();
            async { Ok::<_, std::convert::Infallible>(response) }
        });
        let report = check_protection(app, requests(&TestIssuer::new())).await;
        assert!(report.let_through().iter().all(|name| *name == "two tokens: the good one first"));
        let inconclusive = |finding: &&_| {
            let finding: &tower_jwt_auth::test_util::ProtectionFinding = finding;
            finding.fault() == ProtectionFault::Inconclusive
        };
        let names: Vec<_> =
            report.findings().iter().filter(inconclusive).map(|finding| finding.name()).collect();
        assert!(names.contains(&"alg: none"), "{status}");
        let is_length = matches!(status, 413 | 414 | 431);
        assert_eq!(names.contains(&"size: 20,000 dots"), !is_length, "{status}");
        assert_eq!(names.contains(&"size: claims nested 2,000 levels deep"), !is_length);
    }
}

#[tokio::test]
async fn panic_of_the_service_is_a_finding_with_the_attack() {
    let verifier = TestIssuer::new().verifier();
    let app = accepting(move |token| {
        assert!(token.contains('.'), "no dot in {token}");
        verifier.verify_now(token).is_ok()
    });
    let report = check_protection(app, requests(&TestIssuer::new())).await;
    let finding = report.findings().iter().find(|f| f.name() == "garbage: a word").unwrap();
    assert_eq!(finding.fault(), ProtectionFault::NoResponse);
    assert_eq!(finding.response(), "no response, the service panicked: no dot in undefined");
}

#[tokio::test]
async fn form_keeps_its_parameters_and_another_body_gets_no_token() {
    use axum::body::to_bytes;
    let issuer = TestIssuer::new();
    let form = "application/x-www-form-urlencoded";
    let app = Router::new().route(
        "/orders",
        axum::routing::post(async |request: axum::extract::Request| {
            let headers = request.headers().clone();
            let body = to_bytes(request.into_body(), 100_000).await.unwrap();
            let has_token = contains(&body, b"pieces=1&access_token=eyJ");
            assert!(!has_token || !headers.contains_key(CONTENT_LENGTH));
            if has_token || headers.contains_key("authorization") {
                StatusCode::OK
            } else {
                StatusCode::BAD_REQUEST
            }
        }),
    );
    let requests = |content_type| {
        let mut request = Request::post("/orders").header("content-type", content_type);
        request = request.header(CONTENT_LENGTH, "8");
        ProtectedRequests::new(issuer.token()).request(request.body("pieces=1").unwrap())
    };
    let report = check_protection(app.clone(), requests(form)).await;
    assert!(report.let_through().contains(&"place: form"), "{report}");
    let report = check_protection(app, requests("text/plain")).await;
    assert!(report.left_out().contains(&"place: form"), "{report}");
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

#[tokio::test]
async fn tokens_can_keep_their_jti() {
    let issuer = TestIssuer::new();
    let seen = std::sync::Mutex::new(std::collections::HashSet::new());
    let verifier = issuer.verifier();
    let app = accepting(|token| {
        let Ok(good) = verifier.verify_now(token) else { return false };
        seen.lock().unwrap().insert(format!("{:?}", good.jti));
        true
    });
    check_protection(app, requests(&issuer).with_fixed_jti()).await;
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn attacks_on_optional_layers_can_be_allowed_at_their_request() {
    let issuer = TestIssuer::new();
    let app = Router::new()
        .route("/news", get(async || ""))
        .route_layer(JwtAuthLayer::new(issuer.verifier()).optional());
    let anonymous = "the news are for everybody";
    let requests = ProtectedRequests::new(issuer.token())
        .get("/news")
        .allowing_at("GET /news", "no token: no header", anonymous)
        .allowing_at("GET /news", "scheme", anonymous)
        .allowing_at("GET /news", "place", anonymous);
    let report = check_protection(app, requests).await;
    assert!(report.findings().is_empty(), "{report}");
}

#[test]
fn key_of_each_algorithm_can_be_the_good_one() {
    for algorithm in tower_jwt_auth::Algorithm::ALL {
        let issuer = TestIssuer::new().with_key(SigningKey::generate(*algorithm).unwrap());
        let requests = requests(&issuer);
        assert!(requests.attacker_jwk_set().contains(algorithm.name()));
    }
}
