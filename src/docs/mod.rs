//! Guides, the threat model and the design record.
//!
//! Each page is a Markdown file in `src/docs`, which is also readable outside of rustdoc.

/// Makes a page from each Markdown file, for readers of rustdoc and for readers of the file.
///
/// A file ends in the link definitions that a plain Markdown viewer needs. Rustdoc reads those of `links.txt`
/// first, and the first definition counts: there the same links lead to the items of this build. They need
/// the features whose items they name; without these, rustdoc has the links of the file. `needs` names the
/// features that the code of a page is compiled with.
macro_rules! pages {
    ($($(#[needs($($feature:tt),+)])? $name:ident: $file:literal;)+) => {$(
        #[cfg_attr(
            all(
                not(doctest),
                feature = "axum",
                feature = "dpop",
                feature = "config",
                feature = "grpc-error-info",
                feature = "introspection",
                feature = "key-file",
                feature = "mcp",
                feature = "oidc-discovery",
                feature = "reqwest-0_13",
                feature = "resource-metadata",
                feature = "stream-expiry",
                feature = "test-util",
                feature = "tracing"
            ),
            doc = include_str!("links.txt")
        )]
        #[cfg_attr(any(not(doctest), all($($(feature = $feature),+)?)), doc = include_str!($file))]
        pub mod $name {}
    )+};
}

pages! {
    #[needs("axum", "oidc-discovery", "reqwest-0_13")]
    axum: "axum.md";
    #[needs("grpc-error-info", "stream-expiry")]
    tonic: "tonic.md";
    #[needs("axum")]
    authorization: "authorization.md";
    hyper: "hyper.md";
    #[needs("axum", "mcp", "oidc-discovery", "reqwest-0_13", "resource-metadata")]
    mcp: "mcp.md";
    #[needs("issuer")]
    token_types: "token_types.md";
    #[needs("axum", "issuer")]
    issuing: "issuing.md";
    #[needs("test-util")]
    without_a_request: "without_a_request.md";
    #[needs("axum", "test-util", "jwks-url")]
    testing: "testing.md";
    #[needs("axum", "tracing", "metrics")]
    logging: "logging.md";
    #[needs("axum", "introspection", "reqwest-0_13")]
    introspection: "introspection.md";
    #[needs("axum", "test-util")]
    websockets_and_cookies: "websockets_and_cookies.md";
    #[needs("axum", "dpop", "test-util")]
    dpop: "dpop.md";
    #[needs("test-util")]
    mtls: "mtls.md";
    #[needs("axum", "resource-metadata")]
    resource_metadata: "resource_metadata.md";
    #[needs("axum", "test-util")]
    upstreams: "upstreams.md";
    #[needs("axum", "test-util")]
    revocation: "revocation.md";
    #[needs("axum", "issuer", "jsonwebtoken-12")]
    from_jsonwebtoken: "from_jsonwebtoken.md";
    #[needs("axum", "issuer")]
    from_fastapi: "from_fastapi.md";
    #[needs("axum", "oidc-discovery", "reqwest-0_13")]
    from_spring_security: "from_spring_security.md";
    #[needs("oidc-discovery", "reqwest-0_13")]
    providers: "providers.md";
    #[needs("key-file", "oidc-discovery", "reqwest-0_13")]
    cold_starts: "cold_starts.md";
    #[needs("config")]
    configuration: "configuration.md";
    #[needs("axum")]
    layer_order: "layer_order.md";
    security: "security.md";
    design: "design.md";
}
