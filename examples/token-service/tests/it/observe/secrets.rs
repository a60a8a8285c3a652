//! Marked secrets, sent to every endpoint in every place: none is in the log or in the metrics.

use std::collections::BTreeSet;

use super::{FORM, SHOWN, body, header, scrape, send, status};
use crate::browser::{CALLBACK, CHALLENGE, VERIFIER};
use crate::client_documents::host::Host;
use crate::client_documents::request;
use crate::process::Server;

const MARK: &str = "Qx7-marked";

/// Every method and path of the OpenAPI document.
fn endpoints(server: &Server) -> Vec<(String, String)> {
    let document: serde_json::Value = serde_json::from_str(&server.get("/openapi.json").1).unwrap();
    let mut endpoints = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            endpoints.push((method.to_uppercase(), path.clone()));
        }
    }
    assert!(endpoints.len() > 20, "{endpoints:?}");
    endpoints
}

const PARAMETERS: [&str; 20] = [
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "code",
    "code_verifier",
    "form_token",
    "grant_type",
    "id_token_hint",
    "login_hint",
    "nonce",
    "password",
    "redirect_uri",
    "refresh_token",
    "request",
    "scope",
    "state",
    "token",
    "token_type_hint",
    "username",
];

#[test]
fn marked_secrets_are_neither_logged_nor_counted() {
    let server =
        Server::start_with(&SHOWN, &[("RUST_LOG", "token_service=debug,tower_jwt_auth=debug")]);
    let marked = PARAMETERS.map(|name| format!("{name}={MARK}-{name}")).join("&");
    let credentials = [
        String::new(),
        format!("authorization: Bearer {MARK}-bearer\r\n"),
        // Basic: an ID and a secret.
        format!(
            "authorization: Basic {}\r\n",
            crate::support::basic(MARK, MARK).trim_start_matches("Basic ")
        ),
        format!("authorization: {MARK}\r\n"),
    ];
    let mut sent = 0;
    for (method, path) in endpoints(&server) {
        for credentials in &credentials {
            let headers = format!(
                "{FORM}{credentials}cookie: {MARK}={MARK}\r\nreferer: http://{MARK}/\r\nuser-agent: {MARK}\r\n\
                 x-request-id: {MARK}\r\nx-forwarded-for: {MARK}\r\n"
            );
            for (line, form) in [
                (format!("{method} {path}?{marked}"), marked.clone()),
                (format!("{method} {path}/{MARK}%0A{MARK}?{marked}"), String::new()),
                // Only the grant is known.
                (
                    format!("{method} {path}"),
                    marked.replace(&format!("{MARK}-grant_type"), "password"),
                ),
                (
                    format!("{method} {path}"),
                    marked.replace(&format!("{MARK}-grant_type"), "refresh_token"),
                ),
                (format!("{method} {path}"), format!("{MARK}%zz&{marked}&{marked}")),
            ] {
                let answer = send(&server.address, &line, &headers, &form);
                assert!(status(&answer) < 500, "{line}: {answer}");
                sent += 1;
            }
        }
    }
    assert!(sent > 400, "{sent}");
    let metrics = scrape(&server);
    let log = server.stop().1;
    assert!(super::lines(&log).len() > 300);
    for (what, text) in [("metrics", metrics), ("log", log)] {
        let text = text.to_lowercase();
        if let Some(line) = text.lines().find(|line| line.contains(&MARK.to_lowercase())) {
            panic!("{what}: {line}");
        }
    }
}

#[tokio::test]
async fn the_url_of_a_document_client_is_neither_logged_nor_counted() {
    let host = Host::start().await;
    let authority = host.authority();
    let id = host.publish(&format!("/{MARK}/app"), serde_json::json!({}));
    let listed = format!("--dangerous-client-metadata-host={authority}");
    let texts = tokio::task::spawn_blocking(move || {
        let flags = [&SHOWN[..], &[&listed]].concat();
        let server =
            Server::start_with(&flags, &[("RUST_LOG", "token_service=debug,tower_jwt_auth=debug")]);
        let page = send(&server.address, &format!("GET /authorize?{}", request(&id, &[])), "", "");
        assert_eq!(status(&page), 200, "{page}");
        let form = format!("grant_type=authorization_code&code={MARK}&client_id={id}");
        assert_eq!(status(&send(&server.address, "POST /token", FORM, &form)), 400);
        (scrape(&server), server.stop().1)
    });
    let (metrics, log) = texts.await.unwrap();
    let named = super::lines(&log).into_iter().filter(|line| {
        let name = line.get("client_id").and_then(|name| name.as_str()).unwrap_or_default();
        name.starts_with(&format!("{authority}#"))
    });
    assert_eq!(named.count(), 2, "{log}");
    assert!(!log.contains(MARK) && !metrics.contains(MARK), "{log} {metrics}");
}

/// The value of an input of the page.
fn input<'a>(page: &'a str, name: &str) -> &'a str {
    let after = page.split_once(&format!("name=\"{name}\"")).unwrap_or_else(|| panic!("{page}")).1;
    after.split_once("value=\"").unwrap().1.split('"').next().unwrap()
}

#[test]
fn the_secrets_of_a_login_with_a_browser_are_neither_logged_nor_counted() {
    let server =
        Server::start_with(&SHOWN, &[("RUST_LOG", "token_service=debug,tower_jwt_auth=debug")]);
    let secret = server.said("demo client: demo, secret: ").to_owned();
    let query = format!(
        "client_id=demo&redirect_uri={CALLBACK}&response_type=code&code_challenge={CHALLENGE}\
         &code_challenge_method=S256&scope=openid+read&state=the-state-of-the-client&nonce=the-nonce"
    );
    let cookies = |answers: &[&str]| -> String {
        let set = answers.iter().flat_map(|answer| answer.lines());
        let pairs = set.filter_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next());
        format!("cookie: {}\r\n", pairs.collect::<Vec<_>>().join("; "))
    };
    let login = send(&server.address, &format!("GET /authorize?{query}"), "", "");
    let browser = cookies(&[&login]);
    let form = format!(
        "form_token={}&username=alice&password=wonderland",
        input(body(&login), "form_token")
    );
    let action = format!("POST /login?{query}");
    let entered = send(&server.address, &action, &format!("{FORM}{browser}"), &form);
    assert_eq!(status(&entered), 303, "{entered}");
    let session = cookies(&[&login, &entered]);
    let at = format!("GET /{}", header(&entered, "location"));
    let asked = send(&server.address, &at, &session, "");
    let form_token = input(body(&asked), "form_token").to_owned();
    let form = format!("form_token={form_token}&decision=allow");
    let action = format!("POST /consent?{query}");
    let allowed = send(&server.address, &action, &format!("{FORM}{session}"), &form);
    let location = url::Url::parse(header(&allowed, "location")).unwrap();
    let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let form = format!(
        "grant_type=authorization_code&code={code}&redirect_uri={CALLBACK}&code_verifier={VERIFIER}\
         &client_id=demo&client_secret={secret}"
    );
    let answer = send(&server.address, "POST /token", FORM, &form);
    assert_eq!(status(&answer), 200, "{answer}");
    // Again: a reuse, which is logged.
    assert_eq!(status(&send(&server.address, "POST /token", FORM, &form)), 400);
    let tokens =
        ["access_token", "refresh_token", "id_token"].map(|name| super::member(&answer, name));
    let logout = format!("GET /logout?id_token_hint={}", tokens[2]);
    assert!(status(&send(&server.address, &logout, &session, "")) < 400);

    let metrics = scrape(&server);
    assert!(metrics.contains("token_service_reuses_detected_total{kind=\"code\"} 1"), "{metrics}");
    assert!(metrics.contains("token_service_revocations_total{kind=\"session\"} 1"), "{metrics}");
    let log = server.stop().1;
    let mut hidden: BTreeSet<String> = tokens.into_iter().collect();
    hidden.extend([secret, code, form_token, VERIFIER.into(), "wonderland".into()]);
    hidden.extend(["the-state-of-the-client".into(), "the-nonce".into()]);
    let values = session.trim_end().trim_start_matches("cookie: ").split("; ");
    hidden.extend(values.filter_map(|pair| Some(pair.split_once('=')?.1.to_owned())));
    assert!(hidden.len() >= 10, "{hidden:?}");
    for secret in hidden {
        assert!(!log.contains(&secret) && !metrics.contains(&secret), "{secret}: {log}");
    }
}
