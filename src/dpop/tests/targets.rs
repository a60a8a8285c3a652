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

#[test]
fn forwarded_headers_of_a_trusted_proxy_alone_count() {
    let fields = [("x-proxy", "1"), ("forwarded", "host=tenant.example;proto=https")];
    let spoofed = [("forwarded", "host=tenant.example;proto=https")];
    let dpop = Dpop::new("https://api.example/v1").unwrap().with_clock(clock());
    let dpop = dpop
        .with_trusted_proxy(ProxyHeaders::Forwarded, |head| head.headers.contains_key("x-proxy"));
    assert_eq!(check(&dpop, "https://tenant.example/v1/a", "/a", &fields), Ok(None));
    assert_eq!(check(&dpop, "https://api.example/v1/a", "/a", &fields), OTHER);
    assert_eq!(check(&dpop, "https://tenant.example/v1/a", "/a", &spoofed), OTHER);
    assert_eq!(check(&dpop, "https://api.example/v1/a", "/a", &spoofed), Ok(None));
    // The proxy tells nothing, or something that cannot be read, or writes the other headers.
    assert_eq!(check(&dpop, "https://api.example/v1/a", "/a", &[("x-proxy", "1")]), Ok(None));
    let broken = [("x-proxy", "1"), ("forwarded", "host=tenant.example; proto=https")];
    assert_eq!(check(&dpop, "https://tenant.example/v1/a", "/a", &broken), UNUSABLE);
    let other =
        [("x-proxy", "1"), ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https")];
    assert_eq!(check(&dpop, "https://evil.example/v1/a", "/a", &other), OTHER);
}

#[test]
fn forwarded_host_with_a_path_or_a_user_is_refused() {
    let dpop = dpop().with_trusted_proxy(ProxyHeaders::XForwarded, |_| true);
    for host in ["a.example/b", "u@a.example", "a.example?", "a.example#", "", "a b"] {
        let fields = [("x-forwarded-host", host), ("x-forwarded-proto", "https")];
        assert_eq!(check(&dpop, "https://a.example/a", "/a", &fields), UNUSABLE, "{host}");
    }
    let good = [("x-forwarded-host", "A.example:443"), ("x-forwarded-proto", "HTTPS")];
    assert_eq!(check(&dpop, "https://a.example/a", "/a", &good), Ok(None));
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
