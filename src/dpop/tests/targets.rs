use http::Uri;

use super::*;

const OTHER: Result<Option<HeaderValue>, &str> = Err("the DPoP proof is for another URI");
const UNUSABLE: Result<Option<HeaderValue>, &str> =
    Err("the URI of the request cannot be compared with a DPoP proof");

/// The result for a proof with this `htu` and a request for this URI, with these fields.
fn check(
    dpop: &Dpop,
    htu: &str,
    uri: &str,
    fields: &[(&'static str, &str)],
) -> Result<Option<HeaderValue>, &'static str> {
    let client = Client::new();
    let mut head = get("/", [&*client.proof(&json!({}), &json!({"htu": htu}))]);
    head.uri = uri.parse::<Uri>().unwrap();
    for (name, value) in fields {
        head.headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    client.check_request(dpop, &head)
}

#[test]
fn uri_is_compared_after_normalisation_and_without_query() {
    let dpop = dpop();
    for (htu, uri) in [
        ("https://api.example/a/b", "/a/b"),
        ("https://api.example/a/b", "/a/b?q=1"),
        ("https://api.example/a/b?q=2#f", "/a/b?q=1"),
        ("HTTPS://API.EXAMPLE:443/a/b", "/a/b"),
        ("https://api.example/x/../a/./b", "/a/b"),
        ("https://api.example/%61/b", "/a/b"),
        ("https://api.example/a/b", "/%61/b"),
        ("https://api.example/%c3%a9", "/%C3%A9"),
        ("https://api.example", "/"),
        ("https://api.example/", "/"),
        ("https://api.example", "*"),
        // Of HTTP/2, and an absolute target: the host of the request does not count.
        ("https://api.example/a", "http://10.0.0.1:8080/a"),
    ] {
        assert_eq!(check(&dpop, htu, uri, &[]), Ok(None), "{htu} {uri}");
    }
    for (htu, uri) in [
        ("https://api.example/a", "/b"),
        ("https://api.example/a/", "/a"),
        ("https://api.example/A", "/a"),
        ("http://api.example/a", "/a"),
        ("https://api.example:8443/a", "/a"),
        ("https://evil.example/a", "/a"),
        ("https://api.example.evil/a", "/a"),
        ("https://api.example@evil.example/a", "/a"),
        ("https://api.example/a%2Fb", "/a/b"),
        ("/a", "/a"),
        ("", "/a"),
        ("https://api.example/a b", "/a"),
        ("https://evil.example/a", "https://evil.example/a"),
    ] {
        assert_eq!(check(&dpop, htu, uri, &[]), OTHER, "{htu} {uri}");
    }
}

#[test]
fn path_with_dot_segments_is_refused() {
    let dpop = dpop();
    for uri in ["/admin/../a", "/admin/%2e%2E/a", "/a/.", "/./a"] {
        let htu = format!("https://api.example{uri}");
        assert_eq!(check(&dpop, &htu, uri, &[]), UNUSABLE, "{uri}");
        assert_eq!(check(&dpop, "https://api.example/a", uri, &[]), UNUSABLE, "{uri}");
    }
}

#[test]
fn prefix_of_the_public_url_precedes_the_path() {
    for url in ["https://api.example/v1", "https://api.example/v1/", "HTTPS://api.example:443/v1"] {
        let dpop = Dpop::new(url).unwrap().with_clock(clock());
        assert_eq!(check(&dpop, "https://api.example/v1/a", "/a", &[]), Ok(None));
        assert_eq!(check(&dpop, "https://api.example/a", "/a", &[]), OTHER);
        assert_eq!(check(&dpop, "https://api.example/v1/v1/a", "/v1/a", &[]), Ok(None));
    }
}

#[test]
fn any_of_the_public_urls_is_accepted() {
    let dpop = dpop().add_public_url("http://localhost:3000").unwrap();
    assert_eq!(check(&dpop, "https://api.example/a", "/a", &[]), Ok(None));
    assert_eq!(check(&dpop, "http://localhost:3000/a", "/a", &[]), Ok(None));
    assert_eq!(check(&dpop, "http://localhost/a", "/a", &[]), OTHER);
}

#[test]
fn grpc_method_is_the_path() {
    let (client, dpop) = (Client::new(), dpop());
    let htu = "https://api.example/pkg.Service/Method";
    let proof = client.proof(&json!({}), &json!({"htm": "POST", "htu": htu}));
    let mut head = get("http://api.example/pkg.Service/Method", [&*proof]);
    head.method = http::Method::POST;
    head.version = http::Version::HTTP_2;
    assert_eq!(client.check_request(&dpop, &head), Ok(None));
    head.uri = "/pkg.Service/Other".parse().unwrap();
    assert_eq!(client.check_request(&dpop, &head), OTHER);
}

#[test]
fn forwarded_headers_have_no_effect_by_default() {
    let spoofed = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.example;proto=https"),
        ("host", "evil.example"),
    ];
    let dpop = dpop();
    assert_eq!(check(&dpop, "https://evil.example/a", "/a", &spoofed), OTHER);
    assert_eq!(check(&dpop, "https://api.example/a", "/a", &spoofed), Ok(None));
}

/// Behind a proxy with two names, each with its own prefix. Requests with `x-proxy` are from the proxy.
fn behind_proxy(headers: ProxyHeaders) -> Dpop {
    let dpop = Dpop::new("https://api.example/v1").unwrap().with_clock(clock());
    let dpop = dpop.add_public_url("https://tenant.example:8443").unwrap();
    dpop.with_trusted_proxy(headers, |head| head.headers.contains_key("x-proxy"))
}

#[test]
fn forwarded_headers_of_a_trusted_proxy_alone_count() {
    let dpop = behind_proxy(ProxyHeaders::Forwarded);
    let forwarded = ("forwarded", "host=\"tenant.example:8443\";proto=https");
    let (fields, spoofed) = ([("x-proxy", "1"), forwarded], [forwarded]);
    let (tenant, api) = ("https://tenant.example:8443/a", "https://api.example/v1/a");
    assert_eq!(check(&dpop, tenant, "/a", &fields), Ok(None));
    assert_eq!(check(&dpop, api, "/a", &fields), OTHER);
    // From another peer, the header has no effect: each of the public URLs is accepted.
    assert_eq!(check(&dpop, tenant, "/a", &spoofed), Ok(None));
    assert_eq!(check(&dpop, api, "/a", &spoofed), Ok(None));
    // The proxy tells nothing, or something that cannot be read, or writes the other headers.
    assert_eq!(check(&dpop, api, "/a", &[("x-proxy", "1")]), Ok(None));
    let broken = [("x-proxy", "1"), ("forwarded", "host=api.example; proto=https")];
    assert_eq!(check(&dpop, api, "/a", &broken), UNUSABLE);
    let other =
        [("x-proxy", "1"), ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https")];
    assert_eq!(check(&dpop, "https://evil.example/v1/a", "/a", &other), OTHER);
}

#[test]
fn trusted_proxy_selects_among_the_public_urls_alone() {
    let dpop = behind_proxy(ProxyHeaders::XForwarded);
    let request = |host: &str, proto: &str, htu: &str| {
        let fields = [("x-proxy", "1"), ("x-forwarded-host", host), ("x-forwarded-proto", proto)];
        check(&dpop, htu, "/a", &fields)
    };
    // Each with its own prefix, in any spelling of its origin.
    assert_eq!(request("api.example", "https", "https://api.example/v1/a"), Ok(None));
    assert_eq!(request("API.example:443", "HTTPS", "https://api.example/v1/a"), Ok(None));
    assert_eq!(request("api.example", "https", "https://api.example/a"), OTHER);
    let tenant = "https://tenant.example:8443";
    assert_eq!(request("tenant.example:8443", "https", &format!("{tenant}/a")), Ok(None));
    assert_eq!(request("tenant.example:8443", "https", &format!("{tenant}/v1/a")), OTHER);
    // A host or a scheme that is not configured, also with a proof for it.
    for (host, proto) in [
        ("evil.example", "https"),
        ("api.example.evil.example", "https"),
        ("pi.example", "https"),
        ("api.example:8443", "https"),
        ("tenant.example", "https"),
        ("api.example", "http"),
    ] {
        for path in ["/a", "/v1/a"] {
            let htu = format!("{proto}://{host}{path}");
            assert_eq!(request(host, proto, &htu), UNUSABLE, "{htu}");
        }
        assert_eq!(request(host, proto, "https://api.example/v1/a"), UNUSABLE, "{host}");
    }
}

#[test]
fn root_below_a_prefix_is_accepted_with_and_without_a_slash() {
    let dpop = Dpop::new("https://api.example/mcp").unwrap().with_clock(clock());
    for htu in ["https://api.example/mcp", "https://api.example/mcp/", "https://API.example/mc%70"]
    {
        assert_eq!(check(&dpop, htu, "/", &[]), Ok(None), "{htu}");
        assert_eq!(check(&dpop, htu, "/?q", &[]), Ok(None), "{htu}");
        assert_eq!(check(&dpop, htu, "/a", &[]), OTHER, "{htu}");
    }
    for htu in ["https://api.example/", "https://api.example", "https://api.example/mcp//"] {
        assert_eq!(check(&dpop, htu, "/", &[]), OTHER, "{htu}");
    }
    // Below the root, the slash counts.
    assert_eq!(check(&dpop, "https://api.example/mcp/a", "/a/", &[]), OTHER);
    assert_eq!(check(&dpop, "https://api.example/mcp/a/", "/a", &[]), OTHER);
}

#[test]
fn forwarded_host_with_a_path_or_a_user_is_refused() {
    let dpop = Dpop::new("https://a.example").unwrap().with_clock(clock());
    let dpop = dpop.with_trusted_proxy(ProxyHeaders::XForwarded, |_| true);
    for host in ["a.example/b", "u@a.example", "a.example?", "a.example#", "", "a b"] {
        let fields = [("x-forwarded-host", host), ("x-forwarded-proto", "https")];
        assert_eq!(check(&dpop, "https://a.example/a", "/a", &fields), UNUSABLE, "{host}");
    }
    let good = [("x-forwarded-host", "A.example:443"), ("x-forwarded-proto", "HTTPS")];
    assert_eq!(check(&dpop, "https://a.example/a", "/a", &good), Ok(None));
}

#[test]
fn proxy_tells_the_host_where_that_of_the_request_is_taken() {
    let dpop = Dpop::dangerous_host_of_request("http").unwrap().with_clock(clock());
    let dpop = dpop.with_trusted_proxy(ProxyHeaders::XForwarded, |_| true);
    let fields =
        [("host", "10.0.0.1"), ("x-forwarded-host", "t1.example"), ("x-forwarded-proto", "https")];
    assert_eq!(check(&dpop, "https://t1.example/a", "/a", &fields), Ok(None));
    assert_eq!(check(&dpop, "http://10.0.0.1/a", "/a", &fields), OTHER);
    assert_eq!(dpop.danger(), Some("Dpop::dangerous_host_of_request"));
}

#[test]
fn host_of_the_request_counts_where_it_is_taken() {
    let dpop = Dpop::dangerous_host_of_request("https").unwrap().with_clock(clock());
    let host = [("host", "api.example")];
    assert_eq!(check(&dpop, "https://api.example/a", "/a", &host), Ok(None));
    assert_eq!(check(&dpop, "http://api.example/a", "/a", &host), OTHER);
    assert_eq!(check(&dpop, "https://other.example/a", "/a", &host), OTHER);
    // HTTP/2 has a scheme and an authority.
    assert_eq!(check(&dpop, "http://h2.example:81/a", "http://h2.example:81/a", &[]), Ok(None));
    assert_eq!(check(&dpop, "https://h2.example/a", "https://h2.example/a", &[]), Ok(None));
    let same = [("host", "H2.example")];
    assert_eq!(check(&dpop, "https://h2.example/a", "https://h2.example/a", &same), Ok(None));
    assert_eq!(check(&dpop, "https://h2.example/a", "https://h2.example/a", &host), UNUSABLE);
    for bad in [
        &[][..],
        &[("host", "")],
        &[("host", "api.example"), ("host", "api.example")],
        &[("host", "api.example/a")],
        &[("host", "u@api.example")],
        &[("host", "api.example:x")],
        &[("host", "\u{e9}")],
    ] {
        assert_eq!(check(&dpop, "https://api.example/a/a", "/a", bad), UNUSABLE, "{bad:?}");
    }
}
