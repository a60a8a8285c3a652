//! What authorization allocates.

use futures_util::FutureExt;
use http::Request;
use serde_json::json;
use tower::{Layer, Service};
use tower_jwt_auth::{AuthorizeLayer, JwtAuthLayer, RegisteredClaims, Rule};

use super::{bearer_at, scope, service, token_with, verifier};

/// Allocations of one good request through these layers.
fn cost(rules: &[Rule]) -> u64 {
    let token = token_with(&json!({"scope": "read write", "tenant": "acme"}));
    let request = || bearer_at("/", Some(&token));
    // The requests of a server share their bytes with its buffer.
    let shared = |request: Request<()>| {
        let _ = request.headers()["authorization"].clone();
        request
    };
    let run = |service: &mut dyn FnMut(Request<()>) -> u16| {
        assert_eq!(service(shared(request())), 200);
        let (measured, mut status) = (shared(request()), 0);
        let cost = allocation_counter::measure(|| status = service(measured));
        assert_eq!(status, 200);
        cost.count_total
    };
    let outer = JwtAuthLayer::new(verifier());
    let call = |service: &mut dyn FnMut(Request<()>) -> u16| run(service);
    match rules {
        [] => {
            let mut stack = outer.layer(service());
            call(&mut |r| stack.call(r).now_or_never().unwrap().unwrap().status().as_u16())
        }
        [one] => {
            let mut stack = outer.layer(AuthorizeLayer::new(one.clone()).layer(service()));
            call(&mut |r| stack.call(r).now_or_never().unwrap().unwrap().status().as_u16())
        }
        [one, two, ..] => {
            let inner = AuthorizeLayer::new(two.clone()).layer(service());
            let mut stack = outer.layer(AuthorizeLayer::new(one.clone()).layer(inner));
            call(&mut |r| stack.call(r).now_or_never().unwrap().unwrap().status().as_u16())
        }
    }
}

#[test]
fn request_that_passes_costs_no_allocation_but_for_what_is_read_by_name_once() {
    let plain = cost(&[]);
    let typed = Rule::claims(|claims: &RegisteredClaims| claims.sub.is_some());
    assert_eq!(cost(std::slice::from_ref(&typed)), plain);
    assert_eq!(cost(&[typed.clone(), typed.clone()]), plain);
    assert_eq!(cost(&[scope("read")]), plain + 2);
    assert_eq!(cost(&[scope("read").and(scope("write")), scope("write")]), plain + 2);
    assert_eq!(cost(&[Rule::claim("tenant", "acme").unwrap(), typed]), plain + 1);
    let of = |parts| (0..parts).map(|_| scope("read")).reduce(Rule::and).unwrap();
    assert_eq!(cost(&[of(1000)]), plain + 2);
    let alternatives = (0..40).map(|_| scope("absent")).reduce(Rule::or).unwrap();
    assert_eq!(cost(&[alternatives.or(!scope("absent"))]), plain + 2);
    let no = Rule::claims(|_| false);
    assert_eq!(cost(&[scope("read").and(no.clone()).or(!no).and(scope("write"))]), plain + 2);
}

#[cfg(feature = "mcp")]
#[test]
fn operation_that_passes_costs_no_allocation_more_than_its_rule() {
    use http::HeaderValue;
    use tower_jwt_auth::McpRules;

    let token = token_with(&json!({"scope": "read"}));
    let cost = |method: &'static str, name: &'static str, inner: AuthorizeLayer| {
        let mut stack = JwtAuthLayer::new(verifier()).layer(inner.layer(service()));
        let mut call = || {
            let mut request = bearer_at("/mcp", Some(&token));
            // The requests of a server share their bytes with its buffer.
            let _ = request.headers()["authorization"].clone();
            for (header, value) in
                [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method), ("mcp-name", name)]
            {
                request.headers_mut().insert(header, HeaderValue::from_static(value));
            }
            let mut status = 0;
            let cost = allocation_counter::measure(|| {
                let response = stack.call(request).now_or_never().unwrap().unwrap();
                status = response.status().as_u16();
            });
            assert_eq!(status, 200);
            cost.count_total
        };
        call();
        call()
    };
    let rules = McpRules::new()
        .add_discovery(scope("read"))
        .and_then(|rules| rules.add_tool("search", scope("read")))
        .unwrap();
    let table = || AuthorizeLayer::new(rules.clone());
    let plain = cost("tools/call", "search", AuthorizeLayer::new(scope("read")));
    assert_eq!(cost("tools/call", "search", table()), plain);
    assert_eq!(cost("tools/list", "", table()), plain);
    assert_eq!(cost("unknown", "", table()), plain);
    // A name in Base64 is decoded.
    assert_eq!(cost("tools/call", "=?base64?c2VhcmNo?=", table()), plain + 1);
}

#[test]
fn token_without_a_request_costs_one_allocation_more_when_its_text_is_kept() {
    let token = token_with(&json!({"scope": "read"}));
    let (plain, keeping) = (verifier(), verifier().with_claims_by_name());
    let [plain, keeping] = [&plain, &keeping].map(|verifier| {
        allocation_counter::measure(|| assert!(verifier.verify_now(&token).is_ok())).count_total
    });
    assert_eq!(keeping, plain + 1);
}
