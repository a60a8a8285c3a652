//! Each setter of the builders is a member, or is left out for a reason; and each member is in the guide.

use std::collections::BTreeSet;

use tower_jwt_auth::LayerConfig;

use crate::config::{config, file, layer};

/// How a configuration reaches a setter: by this member, or not, for this reason.
enum Reach {
    By(&'static str),
    Not(&'static str),
}

use Reach::{By, Not};

const CODE: &str = "it takes code of the application, which can still call it";
const CLIENT: &str = "the client is an argument of `from_config_with`";
const NO_REQUEST: &str = "it is for tokens without a request";
const CLOCK: &str = "a clock is code; a server uses that of the system";
const REVOKED: &str =
    "code adds the entries while the server runs, so the application has the store";
const FETCHED_AT: &str = "the set and its time come from the application's own store";
const OPEN_SET: &str = "it is for issuers that are found while the server runs";

const SETTERS: &[(&str, Reach)] = &[
    ("ClientAuthentication::client_secret_basic", By("issuers.introspection.client_secret_file")),
    ("ClientAuthentication::client_secret_post", By("issuers.introspection.client_authentication")),
    ("ClientAuthentication::private_key_jwt", By("issuers.introspection.private_key_file")),
    ("ClientAuthentication::tls_client", By("issuers.introspection.client_authentication")),
    ("DenyList::dangerous_allow_missing_jti", Not(REVOKED)),
    ("DenyList::new", Not(REVOKED)),
    ("DenyList::with_token_id_claim", Not(REVOKED)),
    ("Dpop::add_previous_nonce_key", By("dpop.previous_nonce_key_file")),
    ("Dpop::add_public_url", By("dpop.public_urls")),
    ("Dpop::dangerous_host_of_request", By("dpop.dangerous_host_of_request")),
    ("Dpop::new", By("dpop.public_urls")),
    ("Dpop::require_nonce", By("dpop.require_nonce")),
    ("Dpop::with_algorithms", By("dpop.algorithms")),
    ("Dpop::with_clock", Not(CLOCK)),
    ("Dpop::with_leeway", By("dpop.leeway_seconds")),
    ("Dpop::with_max_age", By("dpop.max_age_seconds")),
    ("Dpop::with_nonce_key", By("dpop.nonce_key_file")),
    ("Dpop::with_nonce_lifetime", By("dpop.nonce_lifetime_seconds")),
    ("Dpop::with_replay_store", By("dpop.replay_capacity")),
    ("Dpop::with_trusted_proxy", Not(CODE)),
    ("GithubJobs::in_environments", By("issuers.provider.github_actions.environments")),
    ("GithubJobs::of_data_residency", By("issuers.provider.github_actions.data_residency")),
    ("GithubJobs::of_enterprise", By("issuers.provider.github_actions.enterprise")),
    ("GithubJobs::of_owner_ids", By("issuers.provider.github_actions.owner_ids")),
    ("GithubJobs::of_owners", By("issuers.provider.github_actions.owners")),
    ("GithubJobs::of_repositories", By("issuers.provider.github_actions.repositories")),
    ("GithubJobs::of_repository_ids", By("issuers.provider.github_actions.repository_ids")),
    ("GithubJobs::of_server", By("issuers.provider.github_actions.server")),
    ("GithubJobs::of_workflows", By("issuers.provider.github_actions.workflows")),
    ("GithubJobs::on_refs", By("issuers.provider.github_actions.refs")),
    ("GitlabJobs::in_environments", By("issuers.provider.gitlab_ci.environments")),
    (
        "GitlabJobs::in_protected_environments",
        By("issuers.provider.gitlab_ci.in_protected_environments"),
    ),
    ("GitlabJobs::of_namespace_ids", By("issuers.provider.gitlab_ci.namespace_ids")),
    ("GitlabJobs::of_namespaces", By("issuers.provider.gitlab_ci.namespaces")),
    ("GitlabJobs::of_project_ids", By("issuers.provider.gitlab_ci.project_ids")),
    ("GitlabJobs::of_projects", By("issuers.provider.gitlab_ci.projects")),
    ("GitlabJobs::on_protected_refs", By("issuers.provider.gitlab_ci.on_protected_refs")),
    ("GitlabJobs::on_refs", By("issuers.provider.gitlab_ci.refs")),
    ("Introspection::add_required_claim", By("issuers.required_claims")),
    ("Introspection::dangerous_allow_http_hosts", By("issuers.dangerous_allow_http_hosts")),
    ("Introspection::dangerous_allow_http_hosts_with", By("issuers.dangerous_allow_http_hosts")),
    (
        "Introspection::dangerous_allow_missing_audience",
        By("issuers.introspection.dangerous_allow_missing_audience"),
    ),
    ("Introspection::dangerous_ignore_confirmation", By("issuers.dangerous_ignore_confirmation")),
    ("Introspection::new", By("issuers.introspection")),
    ("Introspection::new_with", By("issuers.introspection")),
    ("Introspection::refuse_private_addresses", By("issuers.refuse_private_addresses")),
    (
        "Introspection::require_signed_responses",
        By("issuers.introspection.require_signed_responses"),
    ),
    ("Introspection::with_cache_age", By("issuers.introspection.cache_age_seconds")),
    ("Introspection::with_cache_capacity", By("issuers.introspection.cache_capacity")),
    ("Introspection::with_claims", Not("the claims are the type parameter of `from_config`")),
    ("Introspection::with_client", Not(CLIENT)),
    ("Introspection::with_clock", Not(CLOCK)),
    ("Introspection::with_fetcher", Not(CLIENT)),
    ("Introspection::with_leeway", By("issuers.leeway_seconds")),
    (
        "Introspection::with_max_concurrent_requests",
        By("issuers.introspection.max_concurrent_requests"),
    ),
    ("Introspection::with_max_token_length", By("issuers.max_token_length")),
    ("Introspection::with_scope_hierarchy", By("scope_hierarchy")),
    ("MemoryReplayStore::new", By("dpop")),
    ("MemoryReplayStore::with_capacity", By("one_time_tokens.capacity")),
    ("MemoryReplayStore::with_clock", Not(CLOCK)),
    ("MemoryReplayStore::with_share", By("one_time_tokens.share")),
    ("MemoryRevocationStore::new", Not(REVOKED)),
    ("MemoryRevocationStore::with_clock", Not(REVOKED)),
    ("MemoryRevocationStore::with_share", Not(REVOKED)),
    ("OneTimeTokens::new", By("one_time_tokens")),
    ("SenderConstrained::client_certificates", Not(CODE)),
    ("SenderConstrained::dpop", By("dpop")),
    ("SenderConstrained::required", By("dpop.required")),
    ("SenderConstrained::with_client_certificates", Not(CODE)),
    (
        "SenderConstrained::with_dpop",
        Not("client certificates are set up in code, and DPoP then too"),
    ),
    ("SpiffeBundle::at_url", By("issuers.provider.spiffe.bundle_url")),
    ("SpiffeBundle::from_json", By("issuers.provider.spiffe.bundle_file")),
    ("TokenKinds::add_issuer", By("issuers.introspection")),
    ("TokenKinds::add_prefix", Not(CODE)),
    ("TokenKinds::new", By("issuers.introspection")),
    ("TokenKinds::with_jwt", By("issuers.introspection")),
    ("TokenKinds::with_otherwise", By("issuers.introspection")),
    ("ExpectedAudience::authorized_parties", By("issuers.authorized_parties")),
    ("ExpectedAudience::clients", By("issuers.clients")),
    ("ExpectedAudience::cognito_clients", By("issuers.cognito_clients")),
    ("ExpectedAudience::dangerous_any", By("issuers.dangerous_any_audience")),
    ("ExpectedIssuer::dangerous_any", By("issuers.dangerous_any_issuer")),
    ("IssuerSet::new", By("issuers")),
    ("IssuerSet::with_capacity", Not(OPEN_SET)),
    ("IssuerSet::with_max_cached_token_length", By("token_cache.max_token_length")),
    ("IssuerSet::with_token_cache", By("token_cache")),
    ("IssuerTemplate::allow_if", Not(OPEN_SET)),
    ("IssuerTemplate::allow_tenants", Not(OPEN_SET)),
    ("IssuerTemplate::new", Not(OPEN_SET)),
    ("JwkSet::from_json", By("issuers.jwks_file")),
    ("JwkSet::from_json_with_key_use", By("issuers.key_use")),
    ("JwkSet::from_keys", By("issuers.secret_file")),
    ("JwksUrl::dangerous_allow_http_hosts", By("issuers.dangerous_allow_http_hosts")),
    ("JwksUrl::dangerous_allow_http_hosts_with", By("issuers.dangerous_allow_http_hosts")),
    ("JwksUrl::new", By("issuers.jwks_url")),
    ("JwksUrl::new_with", By("issuers.jwks_url")),
    ("JwksUrl::on_changed_keys", Not(CODE)),
    ("JwksUrl::refuse_private_addresses", By("issuers.refuse_private_addresses")),
    ("JwksUrl::with_client", Not(CLIENT)),
    ("JwksUrl::with_fetcher", Not(CLIENT)),
    ("JwksUrl::with_initial_json", Not(FETCHED_AT)),
    ("JwksUrl::with_initial_keys", By("issuers.initial_jwks_file")),
    ("JwksUrl::with_key_file", By("issuers.key_file")),
    ("JwksUrl::with_key_use", By("issuers.key_use")),
    ("JwtAuthLayer::exempt", Not(CODE)),
    ("JwtAuthLayer::new", By("issuers")),
    ("JwtAuthLayer::on_outcome", Not(CODE)),
    ("JwtAuthLayer::optional", By("optional")),
    ("JwtAuthLayer::record_in_span", Not(CODE)),
    ("JwtAuthLayer::remove_credential", By("remove_credential")),
    ("JwtAuthLayer::with_grpc_error_info", By("grpc_error_info")),
    ("JwtAuthLayer::with_grpc_web", By("grpc_web")),
    ("JwtAuthLayer::with_metrics", By("metrics")),
    ("JwtAuthLayer::with_realm", By("realm")),
    ("JwtAuthLayer::with_rejection_fn", Not(CODE)),
    ("JwtAuthLayer::with_rejection_response", Not(CODE)),
    ("JwtAuthLayer::with_resource_metadata", By("resource_metadata")),
    ("JwtAuthLayer::with_scope_in_challenge", By("scope_in_challenge")),
    ("JwtAuthLayer::with_sources", By("sources")),
    ("JwtAuthLayer::without_grpc", By("without_grpc")),
    ("JwtVerifier::add_required_claim", By("issuers.required_claims")),
    ("JwtVerifier::allow_at_hash", By("issuers.allow_at_hash")),
    ("JwtVerifier::dangerous_accept_id_tokens", By("issuers.dangerous_accept_id_tokens")),
    ("JwtVerifier::dangerous_ignore_confirmation", By("issuers.dangerous_ignore_confirmation")),
    ("JwtVerifier::discover", By("issuers.discover")),
    ("JwtVerifier::discover_with", By("issuers.discover")),
    ("JwtVerifier::exclusive_audience", By("issuers.exclusive_audience")),
    ("JwtVerifier::new", By("issuers.issuer")),
    ("JwtVerifier::require_rfc9068", By("issuers.require_rfc9068")),
    ("JwtVerifier::with_algorithms", By("issuers.algorithms")),
    ("JwtVerifier::with_claims", Not("the claims are the type parameter of `from_config`")),
    ("JwtVerifier::with_claims_by_name", Not(NO_REQUEST)),
    ("JwtVerifier::with_clock", Not(CLOCK)),
    ("JwtVerifier::with_leeway", By("issuers.leeway_seconds")),
    ("JwtVerifier::with_max_age", By("issuers.max_age_seconds")),
    ("JwtVerifier::with_max_cached_token_length", By("token_cache.max_token_length")),
    ("JwtVerifier::with_max_header_length", By("issuers.max_header_length")),
    ("JwtVerifier::with_max_token_length", By("issuers.max_token_length")),
    ("JwtVerifier::with_scope_hierarchy", By("scope_hierarchy")),
    ("JwtVerifier::with_token_cache", By("token_cache.capacity")),
    ("JwtVerifier::with_token_type", By("issuers.token_types")),
    ("KnownIssuer::auth0", By("issuers.provider.auth0")),
    ("KnownIssuer::cognito", By("issuers.provider.cognito")),
    ("KnownIssuer::dangerous_allow_http_hosts", By("issuers.dangerous_allow_http_hosts")),
    ("KnownIssuer::dex", By("issuers.provider.dex")),
    ("KnownIssuer::entra_id", By("issuers.provider.entra_id")),
    ("KnownIssuer::entra_id_v1", By("issuers.provider.entra_id_v1")),
    ("KnownIssuer::firebase", By("issuers.provider.firebase")),
    ("KnownIssuer::github_actions", By("issuers.provider.github_actions")),
    ("KnownIssuer::gitlab_ci", By("issuers.provider.gitlab_ci")),
    ("KnownIssuer::google_id_tokens", By("issuers.provider.google_id_tokens")),
    ("KnownIssuer::keycloak", By("issuers.provider.keycloak")),
    ("KnownIssuer::kubernetes", By("issuers.provider.kubernetes")),
    ("KnownIssuer::okta", By("issuers.provider.okta")),
    ("KnownIssuer::spiffe", By("issuers.provider.spiffe")),
    ("KnownIssuer::with_client", Not(CLIENT)),
    ("KnownIssuer::with_fetch_base", By("issuers.fetch_base")),
    ("KnownIssuer::with_jwks_url", By("issuers.jwks_url")),
    ("OidcDiscovery::dangerous_allow_http_hosts", By("issuers.dangerous_allow_http_hosts")),
    ("OidcDiscovery::dangerous_allow_http_hosts_with", By("issuers.dangerous_allow_http_hosts")),
    ("OidcDiscovery::from_fetch_base", By("issuers.fetch_base")),
    ("OidcDiscovery::from_fetch_base_with", By("issuers.fetch_base")),
    ("OidcDiscovery::new", By("issuers.discover")),
    ("OidcDiscovery::new_with", By("issuers.discover")),
    ("OidcDiscovery::on_changed_keys", Not(CODE)),
    ("OidcDiscovery::refuse_private_addresses", By("issuers.refuse_private_addresses")),
    ("OidcDiscovery::with_client", Not(CLIENT)),
    ("OidcDiscovery::with_fetch_base", By("issuers.fetch_base")),
    ("OidcDiscovery::with_fetcher", Not(CLIENT)),
    ("OidcDiscovery::with_initial_json", Not(FETCHED_AT)),
    ("OidcDiscovery::with_initial_keys", By("issuers.initial_jwks_file")),
    ("OidcDiscovery::with_key_file", By("issuers.key_file")),
    ("OidcDiscovery::with_key_use", By("issuers.key_use")),
    (
        "ResourceMetadata::add_authorization_server",
        By("resource_metadata.more_authorization_servers"),
    ),
    ("ResourceMetadata::add_name_in", By("resource_metadata.names")),
    ("ResourceMetadata::add_scopes", By("resource_metadata.scopes")),
    ("ResourceMetadata::also_at_root", By("resource_metadata.also_at_root")),
    ("ResourceMetadata::new", By("resource_metadata.resource")),
    ("ResourceMetadata::with_authorization_servers", By("resource_metadata.authorization_servers")),
    ("ResourceMetadata::with_documentation", By("resource_metadata.documentation")),
    ("ResourceMetadata::with_jwks_url", By("resource_metadata.response_jwks_url")),
    ("ResourceMetadata::with_name", By("resource_metadata.name")),
    ("ResourceMetadata::with_policy", By("resource_metadata.policy")),
    ("ResourceMetadata::with_response_algorithms", By("resource_metadata.response_algorithms")),
    ("ResourceMetadata::with_terms_of_service", By("resource_metadata.terms_of_service")),
    ("Source::authorization_header", By("sources.authorization_header")),
    ("Source::cookie", By("sources.cookies")),
    ("Source::dangerous_query", By("sources.dangerous_query")),
    ("Source::header", By("sources.headers")),
    ("Source::websocket_protocol", By("sources.websocket_protocol")),
    ("Source::websocket_protocol_with_prefix", By("sources.websocket_protocol_prefixes")),
    ("VerificationKey::from_base64_secret", By("issuers.base64_secret_file")),
    ("VerificationKey::from_decoding_key", Not("it takes a key of another crate")),
    ("VerificationKey::from_der", Not("a file with a key in DER can be converted to PEM")),
    ("VerificationKey::from_jwk", Not("a file with one JWK can be made a JWK set")),
    ("VerificationKey::from_pem", By("issuers.public_key_file")),
    ("VerificationKey::from_secret", By("issuers.secret_file")),
    ("VerificationKey::with_kid", Not("a JWK set names its keys")),
];

/// Members that are no setter of a builder.
const OTHERS: &[&str] = &[
    "dpop.nonce_key",
    "dpop.replay_share",
    "issuers.audience",
    "issuers.introspection.client_id",
    "issuers.introspection.client_secret",
    "issuers.introspection.private_key_algorithm",
    "issuers.introspection.private_key_id",
    "issuers.introspection.url",
    "issuers.key_file_max_age_seconds",
    "issuers.provider",
    "issuers.provider.gitlab_ci.instance",
    "issuers.provider.spiffe.trust_domain",
    "issuers.secret",
    "required_scopes",
    "sources.cookies.name",
    "sources.cookies.origins",
];

const TABLES: [&str; 12] = [
    "",
    "dpop",
    "issuers",
    "issuers.introspection",
    "issuers.provider",
    "issuers.provider.github_actions",
    "issuers.provider.gitlab_ci",
    "issuers.provider.spiffe",
    "one_time_tokens",
    "resource_metadata",
    "sources",
    "token_cache",
];

/// The names of the setters and constructors that return the builder, from the list of the public API.
fn setters() -> BTreeSet<String> {
    let builders: BTreeSet<&str> =
        SETTERS.iter().map(|(name, _)| name.split("::").next().unwrap()).collect();
    let mut found = BTreeSet::new();
    for line in include_str!("../../../docs/public-api.txt").lines() {
        let Some(signature) = line.strip_prefix("pub fn tower_jwt_auth::") else { continue };
        let Some((path, _)) = signature.split_once('(') else { continue };
        let Some((builder, rest)) = path.split_once("::") else { continue };
        let builder = builder.split('<').next().unwrap();
        let name = rest.split('<').next().unwrap();
        let signature = signature.split(" where ").next().unwrap();
        let result = signature.rsplit_once(" -> ").map_or("", |(_, result)| result);
        let is_builder = result == "Self"
            || result.starts_with("core::result::Result<Self,")
            || result.starts_with(&format!("tower_jwt_auth::{builder}<"));
        // Traits, and the constructors that take a configuration.
        let is_other = ["clone", "default", "from", "try_from", "from_config", "from_config_with"];
        if builders.contains(builder) && is_builder && !is_other.contains(&name) {
            found.insert(format!("{builder}::{name}"));
        }
    }
    found
}

/// The members of each table, as serde lists them for an unknown one.
pub(super) fn members() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for table in TABLES {
        let toml = match table {
            "" => "unknown = 0".to_owned(),
            table if table.starts_with("issuers") => {
                format!("[issuers.main{}]\nunknown = 0", &table["issuers".len()..])
            }
            table => format!("[{table}]\nunknown = 0"),
        };
        let error = toml::from_str::<LayerConfig>(&toml).unwrap_err();
        let (_, names) = error.message().split_once("expected ").unwrap();
        let names = names.split('`').skip(1).step_by(2);
        let dot = if table.is_empty() { "" } else { "." };
        found.extend(names.map(|name| format!("{table}{dot}{name}")));
    }
    found.extend(["sources.cookies.name", "sources.cookies.origins"].map(String::from));
    found
}

#[test]
fn each_setter_is_a_member_or_is_left_out_for_a_reason() {
    let listed: BTreeSet<String> = SETTERS.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(listed.len(), SETTERS.len(), "a setter is listed twice");
    let setters = setters();
    let missing: Vec<_> = setters.difference(&listed).collect();
    assert!(missing.is_empty(), "list them above, with their members: {missing:#?}");
    let gone: Vec<_> = listed.difference(&setters).collect();
    assert!(gone.is_empty(), "these are not in docs/public-api.txt: {gone:#?}");
}

#[test]
fn each_member_is_a_setter_or_one_of_the_others() {
    let named: BTreeSet<String> = SETTERS
        .iter()
        .filter_map(|(_, reach)| match reach {
            By(member) => Some(*member),
            Not(reason) => {
                assert!(!reason.is_empty());
                None
            }
        })
        .chain(OTHERS.iter().copied())
        .map(String::from)
        .collect();
    assert_eq!(named, members());
}

#[test]
fn each_member_is_in_the_guide() {
    let guide = include_str!("../../../src/docs/configuration.md");
    let words: BTreeSet<&str> =
        guide.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let missing: Vec<String> = members()
        .into_iter()
        .filter(|member| !words.contains(member.rsplit('.').next().unwrap()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn configuration_of_the_guide_is_accepted() {
    let guide = include_str!("../../../src/docs/configuration.md");
    let blocks: Vec<&str> =
        guide.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [_, short, whole, spiffe] = blocks[..] else { panic!("{} blocks", blocks.len()) };
    assert!(layer(spiffe).describe().to_string().contains("https://spire.example.org/bundle"));
    let secret = file("client-secret", "s3cret\n");
    let usable = whole.replace("/run/secrets/introspection", &secret.display().to_string());
    for toml in [short, &usable] {
        let layer = layer(toml);
        assert!(layer.describe().dangers().is_empty());
        assert!(layer.describe().to_string().contains("https://issuer.example"));
    }
    // A comment that is a member is one too.
    let (issuer, _) = whole.split_once("# A known issuer").unwrap();
    let (_, issuer) = issuer.split_once("[issuers.main]").unwrap();
    let commented: Vec<&str> = issuer
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.contains(" = "))
        .collect();
    assert_eq!(commented.len(), 13, "{commented:#?}");
    for member in commented {
        config(&format!("[issuers.main]\n{member}"));
    }
}

#[test]
fn each_weakening_has_dangerous_in_its_name() {
    for (setter, reach) in SETTERS {
        if let By(member) = reach {
            let is_dangerous =
                |name: &str| name.rsplit([':', '.']).next().unwrap().starts_with("dangerous_");
            assert_eq!(is_dangerous(setter), is_dangerous(member), "{setter}: {member}");
        }
    }
}
