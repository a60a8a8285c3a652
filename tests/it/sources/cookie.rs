//! The token in a cookie, with the check of the origin.

use http::Method;
use http::header::CONTENT_TYPE;
use tower_jwt_auth::{ProblemJson, RejectionKind, TokenSource, VerifiedToken};

use super::{Seen, cookie, found, get, layer, outcome, with_method};
use crate::support::requests::{challenge, reached, send};

use RejectionKind::{ForeignOrigin, MalformedCredentials, MissingCredentials, MultipleCredentials};

const ORIGIN: (&str, &str) = ("origin", "https://app.example");

fn extracted(lines: &[&str]) -> Result<Seen, RejectionKind> {
    let mut fields = vec![ORIGIN];
    fields.extend(lines.iter().map(|line| ("cookie", *line)));
    outcome(&send(&layer([cookie()]), get(&fields)))
}

#[test]
fn token_is_the_value_of_the_cookie_among_others() {
    for lines in [
        &["token=abc.def"][..],
        &["theme=dark; token=abc.def"],
        &["token=abc.def; theme=dark"],
        &["theme=dark;token=abc.def ;x"],
        &["a=b=c; token=abc.def; flag"],
        // HTTP/2 splits the field into lines (RFC 9113 section 8.2.3).
        &["theme=dark", "token=abc.def", "x=y"],
    ] {
        assert_eq!(extracted(lines), found("abc.def", TokenSource::Cookie), "{lines:?}");
    }
}

#[test]
fn cookie_with_another_name_is_none() {
    for line in ["Token=abc", "token2=abc", "x-token=abc", "token", "=token=abc", "a=token=abc", ""]
    {
        assert_eq!(extracted(&[line]), Err(MissingCredentials), "{line:?}");
    }
}

#[test]
fn two_cookies_with_the_name_are_refused() {
    for lines in [
        &["token=abc; token=abc"][..],
        &["token=abc; token=def"],
        &["token=abc", "token=abc"],
        &["token=; token=abc"],
        &["token =abc; token=abc"],
    ] {
        assert_eq!(extracted(lines), Err(MultipleCredentials), "{lines:?}");
    }
}

#[test]
fn quotation_marks_belong_to_the_value_and_are_malformed() {
    for line in ["token=\"abc\"", "token=", "token=a b", "token=a%20b", "token=é", "token=a,b"] {
        assert_eq!(extracted(&[line]), Err(MalformedCredentials), "{line:?}");
    }
}

#[test]
fn cookie_counts_only_if_the_browser_names_an_allowed_origin_for_every_method() {
    let (get_, head, post) = (Method::GET, Method::HEAD, Method::POST);
    let safe = [get_, head];
    let methods = [&safe[..], &[post, Method::PUT, Method::DELETE, Method::OPTIONS]].concat();
    let same_origin = ("sec-fetch-site", "same-origin");
    let none = ("sec-fetch-site", "none");
    let navigate = ("sec-fetch-mode", "navigate");
    let everywhere = [
        (vec![("origin", "https://app.example")], true),
        (vec![("origin", "https://admin.example:8443")], true),
        // The list decides, wherever the page is.
        (vec![("origin", "https://app.example"), ("sec-fetch-site", "cross-site")], true),
        (vec![same_origin], true),
        (vec![], false),
        (vec![("origin", "https://evil.example")], false),
        (vec![("origin", "https://app.example.evil")], false),
        (vec![("origin", "https://app.example:8443")], false),
        (vec![("origin", "http://app.example")], false),
        (vec![("origin", "https://APP.example")], false),
        (vec![("origin", "https://app.example/")], false),
        (vec![("origin", "null")], false),
        // A form of a page of the same origin that has no referrer.
        (vec![("origin", "null"), same_origin], true),
        (vec![("origin", "null"), same_origin, same_origin], false),
        (vec![("origin", "null"), ("origin", "null"), same_origin], false),
        (vec![("origin", "null"), ("sec-fetch-site", "same-site")], false),
        // A frame in a sandbox, and other opaque origins.
        (vec![("origin", "null"), ("sec-fetch-site", "cross-site")], false),
        (vec![("origin", "null"), none, navigate], false),
        (vec![("origin", "")], false),
        (vec![("origin", "https://app.example"), ("origin", "https://app.example")], false),
        (vec![("origin", "https://app.example https://evil.example")], false),
        // An origin that is not allowed outranks what else the browser says.
        (vec![("origin", "https://evil.example"), same_origin], false),
        (vec![("sec-fetch-site", "same-site")], false),
        (vec![("sec-fetch-site", "cross-site")], false),
        (vec![("sec-fetch-site", "cross-site"), navigate], false),
        (vec![same_origin, ("sec-fetch-site", "cross-site")], false),
        (vec![none], false),
        (vec![("referer", "https://app.example/")], false),
        (vec![("x-requested-with", "XMLHttpRequest")], false),
    ];
    for method in &methods {
        let ask = |fields: &[(&str, &str)]| {
            let fields = [fields, &[("cookie", "token=abc")]].concat();
            outcome(&send(&layer([cookie()]), with_method(get(&fields), method)))
        };
        for (fields, is_accepted) in &everywhere {
            let expected = match is_accepted {
                true => found("abc", TokenSource::Cookie),
                false => Err(ForeignOrigin),
            };
            assert_eq!(ask(fields), expected, "{method} {fields:?}");
        }
        // The user typed the URL.
        let expected = match safe.contains(method) {
            true => found("abc", TokenSource::Cookie),
            false => Err(ForeignOrigin),
        };
        assert_eq!(ask(&[none, navigate]), expected, "{method}");
    }
}

#[test]
fn foreign_origin_is_403_that_says_why_and_asks_for_no_other_token() {
    let foreign = get(&[("cookie", "token=abc"), ("origin", "https://evil.example")]);
    let layer = layer([cookie()]).with_rejection_response(ProblemJson::new());
    let response = send(&layer, foreign);
    assert_eq!(response.status(), 403);
    assert_eq!(challenge(&response), Some("Bearer realm=\"api\""));
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let body = String::from_utf8(response.into_body()).unwrap();
    assert!(body.contains("the cookie is not accepted from the origin of this request"), "{body}");
}

#[test]
fn optional_layer_forwards_a_cookie_of_a_foreign_origin_without_a_token() {
    let layer = layer([cookie()]).optional();
    let response = send(&layer, get(&[("cookie", "token=abc"), ("sec-fetch-site", "cross-site")]));
    let head = reached(&response).expect("forwarded");
    assert!(VerifiedToken::<Seen>::from_extensions(&head.extensions).is_err());
    // But not one that is malformed, or there twice.
    for (line, kind) in
        [("token=", MalformedCredentials), ("token=a; token=b", MultipleCredentials)]
    {
        let response = send(&layer, get(&[ORIGIN, ("cookie", line)]));
        assert_eq!(outcome(&response), Err(kind), "{line}");
    }
}

#[test]
fn every_line_of_the_cookie_is_marked_as_sensitive() {
    for lines in [&["token=abc", "theme=dark"][..], &["theme=dark"], &["token=a; token=b"]] {
        let mut fields = vec![ORIGIN];
        fields.extend(lines.iter().map(|line| ("cookie", *line)));
        let layer = layer([cookie()]).exempt(|head| {
            head.headers.get_all("cookie").iter().all(http::HeaderValue::is_sensitive)
        });
        assert_eq!(send(&layer, get(&fields)).status(), 204, "{lines:?}");
    }
}
