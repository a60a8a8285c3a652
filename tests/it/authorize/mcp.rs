//! The table by MCP method and name.

use http::{HeaderValue, Method, Request};
use serde_json::json;
use tower_jwt_auth::{
    AuthorizeLayer, ConfigError, ConfigErrorKind, JwtAuthLayer, McpRules, RejectionKind, Rule,
    Scope, ScopeHierarchy,
};

use super::{scope, send, token_with, verifier, was_reached};
use crate::support::challenge::parse;
use crate::support::requests::{challenge, refusal};

const CURRENT: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
const CALL: (&str, &str) = ("mcp-method", "tools/call");
/// The scopes of the whole table, in the order of the calls that made it.
pub(super) const ALL: &str = "use write prompts files audit";

pub(super) fn rules() -> McpRules {
    let write = Rule::all_scopes(["use", "write"]).unwrap();
    McpRules::new()
        .add_discovery(scope("use"))
        .and_then(|rules| rules.add_tool("search", scope("use")))
        .and_then(|rules| rules.add_tool("delete", write))
        .and_then(|rules| rules.add_tool("löschen", scope("write")))
        .and_then(|rules| rules.add_prompt("review", scope("prompts")))
        .and_then(|rules| rules.add_resource("file:///notes", scope("files")))
        .and_then(|rules| rules.add_method("logging/setLevel", scope("audit")))
        .unwrap()
}

fn post(headers: &[(&str, &str)], granted: Option<&str>) -> Request<()> {
    let mut request = Request::post("/mcp");
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    if let Some(granted) = granted {
        let token = token_with(&json!({"scope": granted}));
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(()).unwrap()
}

/// The status, and the scope of the challenge.
fn response(rules: &McpRules, request: Request<()>) -> (u16, Option<String>) {
    let outer = JwtAuthLayer::new(verifier());
    let response = send(&outer, &AuthorizeLayer::new(rules.clone()), request);
    assert_eq!(was_reached(&response), response.status() == 200);
    let scope = challenge(&response).and_then(|text| parse(text).unwrap().remove("scope"));
    (response.status().as_u16(), scope)
}

fn with(headers: &[(&str, &str)], granted: &str) -> u16 {
    response(&rules(), post(headers, Some(granted))).0
}

/// Whether the request needs every scope of the table.
fn is_strictest(headers: &[(&str, &str)]) -> bool {
    let needs = response(&rules(), post(headers, Some("")));
    let all_but_one: Vec<String> = ALL
        .split(' ')
        .map(|left_out| {
            ALL.split(' ').filter(|scope| *scope != left_out).collect::<Vec<_>>().join(" ")
        })
        .collect();
    let is_refused = all_but_one.iter().all(|granted| with(headers, granted) == 403);
    is_refused && needs == (403, Some(ALL.into())) && with(headers, ALL) == 200
}

#[test]
fn tool_prompt_and_resource_need_the_scope_of_their_name() {
    for (method, name, needed) in [
        ("tools/call", "search", "use"),
        ("prompts/get", "review", "prompts"),
        ("resources/read", "file:///notes", "files"),
    ] {
        let headers = [CURRENT, ("mcp-method", method), ("mcp-name", name)];
        assert_eq!(with(&headers, needed), 200, "{name}");
        let others = ALL.replace(needed, "");
        assert_eq!(with(&headers, &others), 403, "{name}");
        assert_eq!(response(&rules(), post(&headers, None)).0, 401, "{name}");
    }
}

#[test]
fn method_without_names_needs_the_scope_of_the_method() {
    for method in ["server/discover", "tools/list", "prompts/list", "resources/list"] {
        let headers = [CURRENT, ("mcp-method", method)];
        assert_eq!((with(&headers, "use"), with(&headers, "write")), (200, 403), "{method}");
    }
    let headers = [CURRENT, ("mcp-method", "logging/setLevel")];
    assert_eq!((with(&headers, "audit"), with(&headers, "use")), (200, 403));
    // The name of a method that has none decides nothing.
    let headers = [CURRENT, ("mcp-method", "logging/setLevel"), ("mcp-name", "search")];
    assert_eq!((with(&headers, "audit"), with(&headers, "use")), (200, 403));
}

#[test]
fn refusal_names_every_scope_of_the_operation_also_those_that_the_token_has() {
    let headers = [CURRENT, CALL, ("mcp-name", "delete")];
    for granted in ["", "use", "write", "files"] {
        let seen = response(&rules(), post(&headers, Some(granted)));
        assert_eq!(seen, (403, Some("use write".into())), "{granted}");
    }
    assert_eq!(with(&headers, "write use"), 200);
}

#[test]
fn refusal_for_another_reason_than_scopes_names_none() {
    let on_duty = scope("use").and(Rule::claim("on_duty", true).unwrap());
    let rules = McpRules::new().add_tool("search", on_duty).unwrap();
    let headers = [CURRENT, CALL, ("mcp-name", "search")];
    assert_eq!(response(&rules, post(&headers, Some("use"))), (403, None));
    assert_eq!(response(&rules, post(&headers, Some(""))), (403, Some("use".into())));
}

#[test]
fn step_up_of_an_operation_names_all_its_scopes_and_not_the_one_to_start_with() {
    let write = Rule::all_scopes(["use", "write"]).unwrap().and(Rule::acr(["gold"]).unwrap());
    let inner = AuthorizeLayer::new(rules().add_tool("wipe", write).unwrap());
    let outer = JwtAuthLayer::new(verifier()).with_scope_in_challenge(Scope::from("use")).unwrap();
    let headers = [CURRENT, CALL, ("mcp-name", "wipe")];
    for granted in ["", "use", "write use"] {
        let response = send(&outer, &inner, post(&headers, Some(granted)));
        let parameters = parse(challenge(&response).unwrap()).unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(parameters["error"], "insufficient_user_authentication");
        assert_eq!((&*parameters["acr_values"], &*parameters["scope"]), ("gold", "use write"));
    }
}

#[test]
fn broader_scope_meets_a_rule_about_a_narrower_one() {
    let hierarchy = ScopeHierarchy::new([("admin", "use write")]).unwrap();
    let outer = JwtAuthLayer::new(verifier().with_scope_hierarchy(hierarchy));
    let inner = AuthorizeLayer::new(rules());
    let status = |name| {
        let headers = [CURRENT, CALL, ("mcp-name", name)];
        send(&outer, &inner, post(&headers, Some("admin"))).status().as_u16()
    };
    assert_eq!([status("delete"), status("search"), status("unknown")], [200, 200, 403]);
}

#[test]
fn headers_of_an_older_revision_are_not_believed() {
    // The headers name a cheap tool, and the body can call any: no server compares them under these versions.
    let cheap = [CALL, ("mcp-name", "search")];
    assert!(is_strictest(&cheap));
    for version in [
        "2025-11-25",
        "2025-06-18",
        "2025-03-26",
        "2024-11-05",
        "2026-07-27",
        "2026-07-2",
        "2026-07-28-draft",
        "2026-07-280",
        " 2026-07-28x",
        "DRAFT-2026-v1",
        "9",
        "3000",
        "20260728xx",
        "2026/07/28",
        "2026-7-28",
        "+026-07-28",
        "2026-07-28, 2025-11-25",
        "",
    ] {
        let headers = [("mcp-protocol-version", version), cheap[0], cheap[1]];
        assert!(is_strictest(&headers), "{version:?}");
    }
    for version in ["2026-07-28", "2026-07-29", "2026-11-25", "2027-01-01", "3000-01-01"] {
        let headers = [("mcp-protocol-version", version), cheap[0], cheap[1]];
        assert_eq!(with(&headers, "use"), 200, "{version:?}");
    }
}

#[test]
fn header_that_is_there_twice_is_not_believed() {
    let cheap = [CURRENT, CALL, ("mcp-name", "search")];
    for again in [
        CURRENT,
        ("mcp-protocol-version", "2025-11-25"),
        CALL,
        ("mcp-method", "tools/list"),
        ("mcp-name", "search"),
        ("mcp-name", "delete"),
    ] {
        let mut headers = cheap.to_vec();
        headers.push(again);
        assert!(is_strictest(&headers), "{again:?} last");
        headers.rotate_right(1);
        assert!(is_strictest(&headers), "{again:?} first");
    }
    let list = [CURRENT, ("mcp-method", "tools/list"), ("mcp-name", "a"), ("mcp-name", "b")];
    assert!(is_strictest(&list));
}

#[test]
fn unknown_method_or_name_needs_every_scope_of_the_table() {
    for method in [
        "",
        "tools",
        "tools/",
        "tools/calls",
        "Tools/Call",
        "tools/call ",
        "tools/list, tools/call",
        "initialize",
        "subscriptions/listen",
        "prompts/get",
        "tasks/cancel",
        "=?base64?dG9vbHMvbGlzdA==?=",
        "\u{fc}",
    ] {
        assert!(is_strictest(&[CURRENT, ("mcp-method", method)]), "{method:?}");
        let headers = [CURRENT, ("mcp-method", method), ("mcp-name", "search")];
        assert!(is_strictest(&headers), "{method:?}");
    }
    for name in [
        "",
        "Search",
        "search2",
        "sear",
        "search/",
        "search, delete",
        "review",
        "*",
        "l\u{f6}schen",
    ] {
        assert!(is_strictest(&[CURRENT, CALL, ("mcp-name", name)]), "{name:?}");
    }
    for uri in
        ["file:///notes/", "file:///./notes", "file:///%6eotes", "FILE:///notes", "file:///notes?x"]
    {
        let headers = [CURRENT, ("mcp-method", "resources/read"), ("mcp-name", uri)];
        assert!(is_strictest(&headers), "{uri:?}");
    }
    assert!(is_strictest(&[CURRENT]));
    assert!(is_strictest(&[CURRENT, CALL]));
    assert!(is_strictest(&[CURRENT, ("mcp-name", "search")]));
    assert!(is_strictest(&[]));
}

#[test]
fn name_in_base64_is_decoded_strictly() {
    for (name, needed) in [("=?base64?c2VhcmNo?=", "use"), ("=?base64?bMO2c2NoZW4=?=", "write")] {
        assert_eq!(with(&[CURRENT, CALL, ("mcp-name", name)], needed), 200, "{name}");
        let others = ALL.replace(needed, "");
        assert_eq!(with(&[CURRENT, CALL, ("mcp-name", name)], &others), 403, "{name}");
    }
    for name in [
        "=?base64?c2VhcmNo",
        "c2VhcmNo?=",
        "=?base64?c2VhcmNo?=x",
        "x=?base64?c2VhcmNo?=",
        "=?BASE64?c2VhcmNo?=",
        "=?utf-8?b?c2VhcmNo?=",
        "=?base64??=",
        "=?base64?=",
        "=?base64?c2Vhc mNo?=",
        "=?base64?c2VhcmNo=?=",
        "=?base64?bMO2c2NoZW4?=",
        // The unused bits of the last character are not zero.
        "=?base64?bMO2c2NoZW5=?=",
        // The alphabet of URLs; not UTF-8; a name in base64 in base64.
        "=?base64?_-8=?=",
        "=?base64?bPZzY2hlbg==?=",
        "=?base64?PT9iYXNlNjQ/YzJWaGNtTm8/PQ==?=",
        "=?base64?c2VhcmNo?==?base64?c2VhcmNo?=",
    ] {
        assert!(is_strictest(&[CURRENT, CALL, ("mcp-name", name)]), "{name}");
    }
}

#[test]
fn request_that_is_no_post_needs_every_scope_of_the_table() {
    for method in [Method::GET, Method::DELETE, Method::PUT, Method::OPTIONS, Method::HEAD] {
        let headers = [CURRENT, CALL, ("mcp-name", "search")];
        let needs = |granted| {
            let mut request = post(&headers, Some(granted));
            *request.method_mut() = method.clone();
            response(&rules(), request)
        };
        assert_eq!(needs("use"), (403, Some(ALL.into())), "{method}");
        assert_eq!(needs(ALL).0, 200, "{method}");
    }
}

#[test]
fn rule_of_a_method_is_for_the_names_without_a_rule() {
    let rules = rules().add_method("resources/read", scope("read")).unwrap();
    let needs = |uri| {
        let headers = [CURRENT, ("mcp-method", "resources/read"), ("mcp-name", uri)];
        response(&rules, post(&headers, Some(""))).1.unwrap()
    };
    assert_eq!(needs("file:///notes"), "files");
    assert_eq!(needs("file:///other"), "read");
    // These are no names.
    assert_eq!(needs("=?base64?x?="), format!("{ALL} read"));
    let nameless = [CURRENT, ("mcp-method", "resources/read")];
    assert_eq!(response(&rules, post(&nameless, Some("read"))).0, 403);
}

#[test]
fn rule_of_a_method_is_for_other_spellings_of_a_name_too() {
    let rules = rules().add_method("tools/call", scope("call")).unwrap();
    for name in ["Delete", "delete/", "=?base64?ZGVsZXRlIA==?="] {
        let headers = [CURRENT, CALL, ("mcp-name", name)];
        assert_eq!(response(&rules, post(&headers, Some(""))).1.unwrap(), "call", "{name}");
    }
}

#[test]
fn empty_table_refuses_every_request() {
    let rules = McpRules::new();
    for headers in [vec![CURRENT, CALL, ("mcp-name", "search")], vec![]] {
        assert_eq!(response(&rules, post(&headers, Some(ALL))), (403, None));
        assert_eq!(response(&rules, post(&headers, None)).0, 401);
    }
    let outer = JwtAuthLayer::new(verifier());
    let refused = send(&outer, &AuthorizeLayer::new(rules.clone()), post(&[], Some(ALL)));
    assert_eq!(refusal(&refused), Some(RejectionKind::InsufficientScope));
    assert!(rules.scopes().is_none());
}

#[test]
fn scopes_of_the_table_are_named_once_for_documents() {
    assert_eq!(rules().scopes().unwrap().as_str(), ALL);
}

#[test]
fn mistakes_are_errors_when_the_table_is_made() {
    let offline = || Rule::all_scopes(["use", "offline_access"]).unwrap();
    let error = |result: Result<McpRules, ConfigError>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Rule);
        error.to_string()
    };
    for (result, says) in [
        (rules().add_tool("search", scope("x")), "two rules"),
        (rules().add_prompt("review", scope("x")), "two rules"),
        (rules().add_resource("file:///notes", scope("x")), "two rules"),
        (rules().add_method("tools/list", scope("x")), "two rules"),
        (rules().add_discovery(scope("x")), "two rules"),
        (McpRules::new().add_tool("", scope("x")), "empty"),
        (McpRules::new().add_prompt("", scope("x")), "empty"),
        (McpRules::new().add_resource("", scope("x")), "empty"),
        (McpRules::new().add_method("", scope("x")), "not the name of an MCP method"),
        (McpRules::new().add_method("tools list", scope("x")), "not the name of an MCP method"),
        (McpRules::new().add_method("tööls", scope("x")), "not the name of an MCP method"),
        (McpRules::new().add_tool("search", offline()), "offline_access"),
        (McpRules::new().add_method("tools/list", offline()), "offline_access"),
    ] {
        let text = error(result);
        assert!(text.contains(says), "{text}");
    }
    // The same name is another thing for another method.
    assert!(rules().add_prompt("search", scope("x")).is_ok());
}
