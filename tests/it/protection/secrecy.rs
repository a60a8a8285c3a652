//! No token is shown.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::header::AUTHORIZATION;
use http::{Request, Response};
use tower::service_fn;
use tower_jwt_auth::test_util::{SentBody, TestIssuer, check_protection};

use super::requests;

#[tokio::test]
async fn neither_a_report_nor_a_debug_text_contains_a_token() {
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&tokens);
    let app = service_fn(move |request: Request<SentBody>| {
        for value in request.headers().get_all(AUTHORIZATION) {
            assert_eq!(format!("{value:?}"), "Sensitive");
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            seen.lock().unwrap().push(value.trim_start_matches("Bearer ").to_owned());
        }
        async { Ok::<_, Infallible>(Response::new(())) }
    });
    let requests = requests(&TestIssuer::new());
    let debug = format!("{requests:?}");
    let report = check_protection(app, requests).await;
    let texts = [debug, format!("{report:?}"), report.to_string()];
    let tokens = tokens.lock().unwrap();
    assert!(tokens.len() > 100);
    for token in tokens.iter().filter(|token| token.len() > 40) {
        let signature = token.rsplit('.').next().filter(|signature| signature.len() > 40);
        for secret in [Some(token.as_str()), signature].into_iter().flatten() {
            assert!(texts.iter().all(|text| !text.contains(secret)), "{secret}");
        }
    }
}
