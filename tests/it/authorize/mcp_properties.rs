//! Any headers of an MCP request, against a second reading of the rules.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use tower_jwt_auth::{Authorize, McpRules, VerifiedToken};

use super::{scope, verified};

/// Everything but the cheap tool and the listings needs `write`.
static RULES: LazyLock<McpRules> = LazyLock::new(|| {
    McpRules::new()
        .add_discovery(scope("read"))
        .and_then(|rules| rules.add_tool("cheap", scope("read")))
        .and_then(|rules| rules.add_tool("dear", scope("write")))
        .unwrap()
});
static READER: LazyLock<VerifiedToken> = LazyLock::new(|| verified(&json!({"scope": "read"})));

type Line = (&'static str, Vec<u8>);

fn line() -> impl Strategy<Value = Line> {
    let versions = [
        "2026-07-28",
        "2026-07-28",
        "2026-07-28",
        "2027-01-01",
        "2025-11-25",
        "2026-07-27",
        "x",
        "2026-7-28",
    ];
    let methods =
        ["tools/call", "tools/call", "tools/list", "server/discover", "prompts/get", "x", ""];
    let names = [
        "cheap",
        "dear",
        "x",
        "",
        "=?base64?Y2hlYXA=?=",
        "=?base64?ZGVhcg==?=",
        "=?base64?Y2hlYXA?=",
        "=?BASE64?Y2hlYXA=?=",
        "=?base64?Y2hlYXB=?=",
        "cheap, dear",
    ];
    let of = |name: &'static str, values: Vec<&'static str>| {
        select(values).prop_map(move |value| (name, value.as_bytes().to_vec()))
    };
    let any_bytes = vec(prop_oneof![0x20..=0x7e_u8, 0x80..=0xff_u8], 0..12);
    prop_oneof![
        3 => of("mcp-protocol-version", versions.to_vec()),
        3 => of("mcp-method", methods.to_vec()),
        3 => of("mcp-name", names.to_vec()),
        1 => (select(vec!["mcp-protocol-version", "mcp-method", "mcp-name"]), any_bytes),
    ]
}

fn head(method: &str, lines: &[Line]) -> Parts {
    let mut head = Request::new(()).into_parts().0;
    head.method = method.parse().unwrap();
    for (name, value) in lines {
        let value = HeaderValue::from_bytes(value).unwrap();
        head.headers.append(HeaderName::from_static(name), value);
    }
    head
}

/// Whether a token with `read` alone is enough, decided from the field lines.
fn is_cheap(method: &str, lines: &[Line]) -> bool {
    let only = |name: &str| {
        let values: Vec<_> = lines.iter().filter(|line| line.0 == name).collect();
        (values.len() <= 1).then(|| values.first().map(|line| line.1.clone()))
    };
    let (Some(Some(version)), Some(Some(operation)), Some(name)) =
        (only("mcp-protocol-version"), only("mcp-method"), only("mcp-name"))
    else {
        return false;
    };
    let dash = |at: usize| version[at] == b'-';
    let is_date = version.len() == 10
        && dash(4)
        && dash(7)
        && version.iter().filter(|byte| byte.is_ascii_digit()).count() == 8;
    if method != "POST" || !is_date || version < b"2026-07-28".to_vec() {
        return false;
    }
    let name = match name {
        None => None,
        Some(raw) if raw.iter().any(|byte| !(0x20..0x7f).contains(byte)) => return false,
        Some(raw) if raw.starts_with(b"=?") => {
            let text = String::from_utf8(raw).unwrap();
            let encoded = text.strip_prefix("=?base64?").and_then(|text| text.strip_suffix("?="));
            match encoded.and_then(|encoded| STANDARD.decode(encoded).ok()) {
                Some(decoded) if std::str::from_utf8(&decoded).is_ok() => Some(decoded),
                _ => return false,
            }
        }
        Some(raw) => Some(raw),
    };
    match &*operation {
        b"tools/call" => name.as_deref() == Some(b"cheap"),
        b"server/discover" | b"tools/list" | b"prompts/list" | b"resources/list" => true,
        b"resources/templates/list" => true,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

    #[test]
    fn no_headers_make_an_operation_cheaper_than_they_say(
        method in select(vec!["POST", "POST", "POST", "POST", "GET", "DELETE"]),
        mut lines in vec(line(), 0..3),
        good in any::<bool>(),
    ) {
        if good {
            lines.push(("mcp-protocol-version", b"2026-07-28".to_vec()));
            lines.push(("mcp-method", b"tools/call".to_vec()));
        }
        let result = RULES.authorize(&READER, &head(method, &lines));
        prop_assert_eq!(result.is_ok(), is_cheap(method, &lines));
    }
}
