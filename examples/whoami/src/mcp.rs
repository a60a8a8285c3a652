//! `--resource` and `--mcp-scope`: a minimal MCP server with one tool.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::Uri;
use axum::http::request::Parts;
use axum::routing::{MethodRouter, get_service};
use rmcp::handler::server::tool::Extension;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, tool, tool_router};
use tower_jwt_auth::{
    AuthorizeLayer, ConfigError, LayerConfig, McpRules, Rule, Scope, VerifiedToken,
};

use crate::flags::Flags;
use crate::verifier::Claims;
use crate::with_causes;

const TOOL: &str = "whoami";

struct Whoami;

#[tool_router(server_handler)]
impl Whoami {
    #[tool(description = "Names the subject of the token", annotations(read_only_hint = true))]
    fn whoami(&self, Extension(head): Extension<Parts>) -> Result<String, ErrorData> {
        let token = VerifiedToken::<Claims>::from_extensions(&head.extensions)
            .map_err(|_| ErrorData::internal_error("no authentication", None))?;
        let sub = token.get("sub").and_then(|sub| serde_json::from_str(sub.get()).ok());
        Ok(sub.unwrap_or_else(|| "a token without sub".to_owned()))
    }
}

/// The server, and the scopes that its challenges can name; nothing without `--resource`.
#[derive(Default)]
pub(crate) struct Mcp {
    /// `GET` and `POST`.
    pub(crate) routes: Option<MethodRouter>,
    pub(crate) scopes: Option<Scope>,
}

impl Mcp {
    pub(crate) fn new(flags: &Flags, config: Option<&LayerConfig>) -> Result<Self, String> {
        let resource = flags.resource.as_deref().or_else(|| config?.resource());
        let Some(resource) = resource else {
            return match flags.mcp_scopes.is_empty() {
                true => Ok(Self::default()),
                false => Err("--mcp-scope needs resource_metadata in the file of --config".into()),
            };
        };
        let url: Uri =
            resource.parse().map_err(|error| format!("cannot use {resource}: {error}"))?;
        let mut config = StreamableHttpServerConfig::default();
        config.allowed_hosts.extend(url.host().map(String::from));
        let server = StreamableHttpService::new(
            || Ok(Whoami),
            Arc::new(NeverSessionManager::default()),
            config.with_legacy_session_mode(false).with_json_response(true),
        );
        let rules = rules(flags)
            .map_err(|error| format!("cannot use --mcp-scope: {}", with_causes(&error)))?;
        let scopes = rules.scopes();
        let routes = get_service(server.clone()).post_service(server);
        let routes = Some(routes.route_layer(AuthorizeLayer::new(rules)));
        Ok(Self { routes, scopes })
    }
}

/// A tool needs all scopes that the flags give it. What has none needs a good token only.
fn rules(flags: &Flags) -> Result<McpRules<Claims>, ConfigError> {
    let any = Rule::claims(|_| true);
    let mut tools = BTreeMap::from([(TOOL, any.clone())]);
    for (name, scope) in &flags.mcp_scopes {
        let rule = Rule::scope(scope)?;
        let before = tools.remove(&**name).unwrap_or_else(|| any.clone());
        tools.insert(name, rule.and(before));
    }
    tools.into_iter().try_fold(McpRules::new().add_discovery(any)?, |rules, (name, rule)| {
        rules.add_tool(name, rule)
    })
}

/// `NAME=SCOPE`. A scope can contain `=`, the name of a tool cannot.
pub(crate) fn name_and_scope(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, scope)) => Ok((name.to_owned(), scope.to_owned())),
        None => Err("write it as NAME=SCOPE".to_owned()),
    }
}
