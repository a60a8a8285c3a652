//! The line at the start: what a layer accepts, and what is dangerous of it.

use std::sync::Arc;

use tower_jwt_auth::{
    Algorithm, ExpectedAudience, ExpectedIssuer, IssuerSet, IssuerTemplate, JwkSet, JwtAuthLayer,
    JwtVerifier, PresentedToken, RegisteredClaims, Summary, TokenKinds, Verification, VerifyToken,
    dangerous_any_bearer, verify_fn,
};

use crate::support::{AUDIENCE, ISSUER, key};

fn line<C: Send + Sync + 'static>(verifier: impl VerifyToken<C>) -> String {
    JwtAuthLayer::new(verifier).describe().to_string()
}

fn dangers<C: Send + Sync + 'static>(verifier: impl VerifyToken<C>) -> Vec<String> {
    JwtAuthLayer::new(verifier).describe().dangers().to_vec()
}

#[test]
fn line_has_issuer_audience_algorithms_and_keys() {
    let (es256, rs256) = (key(Algorithm::ES256), key(Algorithm::RS256));
    let one = es256.verification_key();
    assert_eq!(
        line(JwtVerifier::new(ISSUER, AUDIENCE, one.clone()).unwrap()),
        "issuer https://issuer.example, audience https://api.example, algorithms of the keys, \
         keys in memory (1: ES256)"
    );
    let two = JwkSet::from_keys([one, rs256.verification_key()]).unwrap();
    let names = (["https://a.example", "https://b.example"], ["orders", "invoices"]);
    let verifier = JwtVerifier::new(names.0, names.1, two).unwrap();
    assert_eq!(
        line(verifier.with_algorithms([Algorithm::ES256]).unwrap()),
        "issuer https://a.example or https://b.example, audience orders or invoices, \
         algorithms ES256, keys in memory (2: RS256, ES256)"
    );
}

#[test]
fn claim_in_place_of_the_audience_is_named() {
    let keys = key(Algorithm::ES256).verification_key();
    let clients = ExpectedAudience::clients(["web", "app"]);
    let text = line(JwtVerifier::new(ISSUER, clients, keys).unwrap());
    assert!(text.contains(", client_id web or app, "), "{text}");
}

#[test]
fn each_weakening_in_force_is_named() {
    let keys = || key(Algorithm::ES256).verification_key();
    let verifier = || JwtVerifier::new(ISSUER, AUDIENCE, keys()).unwrap();
    assert_eq!(dangers(verifier()), [""; 0]);
    assert_eq!(
        dangers(verifier().dangerous_ignore_confirmation()),
        ["dangerous_ignore_confirmation"]
    );
    assert_eq!(
        dangers(verifier().dangerous_accept_id_tokens().allow_at_hash()),
        ["dangerous_accept_id_tokens"]
    );
    let (issuer, audience) = (ExpectedIssuer::dangerous_any(), ExpectedAudience::dangerous_any());
    let any = JwtVerifier::new(issuer, audience, keys()).unwrap();
    assert_eq!(
        dangers(any.clone()),
        ["ExpectedIssuer::dangerous_any", "ExpectedAudience::dangerous_any"]
    );
    assert!(
        line(any).ends_with(
            "; dangerous: ExpectedIssuer::dangerous_any, ExpectedAudience::dangerous_any"
        )
    );
    assert_eq!(dangers(dangerous_any_bearer()), ["dangerous_any_bearer"]);
    // Behind an `Arc`, as elsewhere.
    assert_eq!(dangers(Arc::new(dangerous_any_bearer())), ["dangerous_any_bearer"]);
    #[cfg(feature = "test-util")]
    assert_eq!(dangers(tower_jwt_auth::test_util::accept_all(7)), ["test_util::accept_all"]);
}

/// Each name that begins with `dangerous_` in the crate's public API is looked for in a line.
#[test]
fn no_weakening_of_the_crate_is_missing_in_the_line() {
    const SHOWN: [&str; 11] = [
        "dangerous_accept_id_tokens",
        "dangerous_allow_http_hosts",
        "dangerous_allow_missing_audience",
        "dangerous_allow_missing_jti",
        "dangerous_any",
        "dangerous_any_bearer",
        "dangerous_from_client_cert_header",
        "dangerous_from_headers",
        "dangerous_host_of_request",
        "dangerous_ignore_confirmation",
        "dangerous_query",
    ];

    let api = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/public-api.txt");
    let api = std::fs::read_to_string(api).unwrap();
    let names = api.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = names.filter(|name| name.starts_with("dangerous_"));
    let mut names: Vec<&str> = names.map(|name| name.trim_end_matches("_with")).collect();
    names.sort_unstable();
    names.dedup();
    // Of a client for documents, which no layer has.
    names.retain(|name| *name != "dangerous_allow_hosts");
    assert_eq!(names, SHOWN, "a new one belongs in the line at the start");
}

#[cfg(all(feature = "oidc-discovery", feature = "test-util"))]
#[test]
fn keys_that_are_fetched_are_named_by_their_place_and_plain_http_is_dangerous() {
    use tower_jwt_auth::test_util::MockIssuer;
    use tower_jwt_auth::{JwksUrl, KeySource, OidcDiscovery};

    let mock = MockIssuer::new();
    let describe = |keys: &dyn KeySource| keys.describe().unwrap();
    let keys = JwksUrl::new_with("https://a.test/jwks?key=1", mock.clone()).unwrap();
    assert_eq!(describe(&keys).to_string(), "at https://a.test/jwks");
    let keys = JwksUrl::new_with("http://localhost/jwks", mock.clone()).unwrap();
    assert_eq!(describe(&keys).dangers(), [""; 0]);
    let (url, hosts) = ("http://keys:8080/jwks", ["keys", "other"]);
    let keys = JwksUrl::dangerous_allow_http_hosts_with(url, hosts, mock.clone()).unwrap();
    assert_eq!(describe(&keys).dangers(), ["dangerous_allow_http_hosts(keys)"]);

    let keys = OidcDiscovery::new_with("https://a.test", mock.clone()).unwrap();
    assert_eq!(describe(&keys).to_string(), "by the metadata of https://a.test");
    let (issuer, hosts) = ("https://a.test", ["keys"]);
    let keys = OidcDiscovery::dangerous_allow_http_hosts_with(issuer, hosts, mock).unwrap();
    let verifier = JwtVerifier::new(issuer, AUDIENCE, keys).unwrap();
    assert_eq!(dangers(verifier), ["dangerous_allow_http_hosts(keys)"]);
}

#[test]
fn set_of_issuers_lists_each_of_them_and_its_templates() {
    let keys = || key(Algorithm::ES256).verification_key();
    let issuers: IssuerSet = IssuerSet::new();
    let layer = JwtAuthLayer::new(issuers.clone());
    assert_eq!(layer.describe().to_string(), "no issuer yet");

    let two_names = ["https://a.example", "https://b.example"];
    issuers.add(JwtVerifier::new(two_names, "orders", keys()).unwrap()).unwrap();
    let other = JwtVerifier::new("https://c.example", "orders", keys()).unwrap();
    issuers.add(other.dangerous_ignore_confirmation()).unwrap();
    let template = |text: &str| {
        IssuerTemplate::new(text, move |found| JwtVerifier::new(found.issuer(), AUDIENCE, keys()))
            .unwrap()
    };
    issuers.add_template(template("https://d.example/{t}").allow_tenants(["one", "two"]));
    issuers.add_template(template("https://e.example/{t}").allow_if(|_| true));
    let summary = layer.describe();
    let accepts = summary.accepts();
    assert_eq!(accepts.len(), 4, "{summary}");
    assert!(accepts[0].starts_with("issuer https://a.example or https://b.example, "));
    assert!(accepts[1].starts_with("issuer https://c.example, "));
    assert_eq!(accepts[2], "issuer https://d.example/{t} (2 tenants by name)");
    assert_eq!(accepts[3], "issuer https://e.example/{t} (tenants by a predicate)");
    assert_eq!(summary.dangers(), ["dangerous_ignore_confirmation"]);
}

#[test]
fn long_list_is_cut_short_and_no_danger_with_it() {
    let parts = (0..100).map(|n| Summary::new(format!("part-{n}")).with_danger(format!("d{n}")));
    let summary = parts.reduce(Summary::and).unwrap();
    let text = summary.to_string();
    assert!(text.contains("part-15; 84 more; dangerous: d0, d1,"), "{text}");
    assert!(!text.contains("part-16") && text.ends_with("d99"), "{text}");
}

#[test]
fn text_is_one_line_whatever_the_configuration_holds() {
    let keys = key(Algorithm::ES256).verification_key();
    let verifier = JwtVerifier::new("https://a.example\r\nforged: line", "orders\u{1b}[2J", keys);
    let text = line(verifier.unwrap());
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(!Summary::new("a").with_danger("b\nc").to_string().contains('\n'));
}

#[test]
fn requests_that_pass_without_a_token_are_named() {
    let layer = JwtAuthLayer::new(key(Algorithm::ES256).verifier());
    let text = layer.clone().optional().exempt(|_| false).describe().to_string();
    assert!(text.ends_with("; requests without a token; requests that are exempt"), "{text}");
}

#[test]
fn rule_of_the_application_describes_itself_or_is_called_one() {
    struct Described;

    impl VerifyToken<RegisteredClaims> for Described {
        fn verify_token(
            &self,
            _: &PresentedToken,
            _: &http::request::Parts,
        ) -> Verification<RegisteredClaims> {
            unreachable!("no request is sent")
        }

        fn describe(&self) -> Option<Summary> {
            Some(Summary::new("API keys"))
        }
    }

    assert_eq!(line(Described), "API keys");
    assert_eq!(line(verify_fn(|_: &PresentedToken| Ok(()))), "tokens by a custom verifier");
}

#[cfg(feature = "tracing")]
mod log {
    use tower::{Layer, service_fn};
    use tracing::Level;

    use super::*;
    use crate::support::log_text::Log;

    fn serve(layer: &JwtAuthLayer) {
        drop(layer.layer(service_fn(async |_: http::Request<()>| {
            Ok::<_, std::convert::Infallible>(http::Response::new(()))
        })));
    }

    #[test]
    fn line_is_one_info_event_for_a_layer_however_many_services_it_makes() {
        let (log, _guard) = Log::start(Level::INFO);
        let verifier = key(Algorithm::ES256).verifier().dangerous_ignore_confirmation();
        let layer = JwtAuthLayer::new(verifier);
        assert_eq!(log.text(), "", "nothing before there is a service");
        serve(&layer);
        serve(&layer);
        serve(&layer.clone());
        let text = log.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("INFO tower_jwt_auth: a layer accepts tokens accepts="), "{text}");
        assert!(text.contains("issuer https://issuer.example, audience https://api"), "{text}");
        assert!(text.contains(r#"dangerous="dangerous_ignore_confirmation""#), "{text}");

        // Another configuration is another layer.
        serve(&layer.optional());
        assert_eq!(log.count("a layer accepts tokens"), 2);
    }

    #[test]
    fn line_is_kept_for_a_log_that_begins_later() {
        let layer = JwtAuthLayer::new(key(Algorithm::ES256).verifier());
        let (log, guard) = Log::start(Level::WARN);
        serve(&layer);
        drop(guard);
        assert_eq!(log.text(), "");
        let (log, _guard) = Log::start(Level::INFO);
        serve(&layer);
        assert_eq!(log.count("a layer accepts tokens"), 1);
        assert_eq!(log.count("dangerous"), 0, "{}", log.text());
    }
}

#[test]
fn combinators_describe_what_they_are_made_of() {
    let jwts = || key(Algorithm::ES256).verifier().dangerous_ignore_confirmation();
    let keys = || verify_fn(|_: &PresentedToken| Ok(()));
    let alone = line(jwts());
    assert!(alone.ends_with("dangerous: dangerous_ignore_confirmation"), "{alone}");
    assert_eq!(line(jwts().with_check(async |_, _| Ok(()))), alone);
    assert_eq!(line(jwts().map_claims(|_| ())), alone);

    let kinds = TokenKinds::new().add_prefix("sk_", keys()).unwrap();
    let both =
        line(kinds.with_jwt(jwts().map_claims(|_| ())).with_otherwise(dangerous_any_bearer()));
    assert!(both.contains("tokens by a custom verifier"), "{both}");
    assert!(both.contains("dangerous_ignore_confirmation"), "{both}");
    assert!(both.contains("dangerous_any_bearer"), "{both}");
}
