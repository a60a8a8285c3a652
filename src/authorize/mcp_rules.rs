use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use base64_simd::STANDARD;
use http::request::Parts;
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::authorize::{Authorize, Rule};
use crate::claims::{RegisteredClaims, Scope};
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::rejection::{Rejection, RejectionKind};
use crate::verify::VerifiedToken;

/// The first revision of the protocol whose servers compare the headers with the body.
const FIRST_WITH_HEADERS: &str = "2026-07-28";

/// The methods that list what a server offers.
const DISCOVERY: [&str; 5] =
    ["server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list"];

const CALL_TOOL: &str = "tools/call";
const GET_PROMPT: &str = "prompts/get";
const READ_RESOURCE: &str = "resources/read";

/// Authorization rules for the operations of an MCP server, by the method of the JSON-RPC message and by the name of
/// the tool, prompt or resource.
///
/// The layer reads the operation from the headers `Mcp-Method` and `Mcp-Name`, and never from the body. It trusts them
/// only in a `POST` with one `MCP-Protocol-Version` of 2026-07-28 or later. Servers compare the headers with the body
/// only since that revision.
///
/// | the request | its token must meet |
/// |---|---|
/// | calls a tool, gets a prompt or reads a resource whose name has a rule | the rule of the name |
/// | has another method or name, and the method has a rule | the rule of the method |
/// | has another method or name, and the method has no rule | all rules of the table |
/// | has an older or no version, one of these headers twice, or an unreadable name | all rules of the table |
/// | is not a `POST`, or has a method that needs a name, but no name | all rules of the table |
///
/// So a client of an older revision, such as 2025-11-25, needs every scope of the table for any request. An empty table
/// refuses every request. Methods and names are compared byte by byte. A name can be encoded: `=?base64?…?=`.
///
/// A refusal is 403 `insufficient_scope`. Its challenge names all scopes of the operation, also those that the token
/// has, so that a client does not lose them when it requests a new token.
///
/// # What the server must check
///
/// The server **must** refuse a request whose headers differ from its body, under every version from 2026-07-28 on. It
/// must also refuse versions that it does not know. The specification requires both, and `rmcp` does both. With a
/// server that does not, a client can name one tool in the headers and call another one in the body. Then do not use
/// the table in a layer. Call [`check_message`](Self::check_message) after the body is parsed.
///
/// # Example: one tool that needs more
///
/// ```
/// use tower_jwt_auth::{AuthorizeLayer, ConfigError, McpRules, Rule};
///
/// fn layer() -> Result<AuthorizeLayer, ConfigError> {
///     let rules = McpRules::new()
///         .add_discovery(Rule::scope("notes:read")?)?
///         .add_tool("search_notes", Rule::scope("notes:read")?)?
///         .add_tool("delete_note", Rule::all_scopes(["notes:read", "notes:write"])?)?;
///     Ok(AuthorizeLayer::new(rules))
/// }
/// # assert!(layer().is_ok());
/// ```
pub struct McpRules<C = RegisteredClaims> {
    methods: Table<C>,
    tools: Table<C>,
    prompts: Table<C>,
    resources: Table<C>,
    /// All rules, joined by `and`. `None` for an empty table.
    strictest: Option<Rule<C>>,
}

type Table<C> = HashMap<Box<str>, Rule<C>>;

/// The operation that the headers of a request name.
struct Operation<'h> {
    method: &'h str,
    name: Option<Cow<'h, str>>,
}

impl<C> McpRules<C> {
    /// Creates an empty table, which refuses every request.
    pub fn new() -> Self {
        let [methods, tools, prompts, resources] = [(); 4].map(|()| HashMap::new());
        Self { methods, tools, prompts, resources, strictest: None }
    }

    /// Adds a rule for calls of one tool (`tools/call`).
    ///
    /// # Errors
    ///
    /// When the name is empty or has a rule already, or when the rule can ask for the scope `offline_access`, which a
    /// challenge of an MCP server must not contain.
    pub fn add_tool(mut self, name: &str, rule: Rule<C>) -> Result<Self, ConfigError> {
        check_name("tool", name)?;
        add(&mut self.tools, &mut self.strictest, name, rule)?;
        Ok(self)
    }

    /// Adds a rule for one prompt (`prompts/get`).
    ///
    /// # Errors
    ///
    /// As for [`add_tool`](Self::add_tool).
    pub fn add_prompt(mut self, name: &str, rule: Rule<C>) -> Result<Self, ConfigError> {
        check_name("prompt", name)?;
        add(&mut self.prompts, &mut self.strictest, name, rule)?;
        Ok(self)
    }

    /// Adds a rule for one resource (`resources/read`), by its URI.
    ///
    /// # Errors
    ///
    /// As for [`add_tool`](Self::add_tool).
    pub fn add_resource(mut self, uri: &str, rule: Rule<C>) -> Result<Self, ConfigError> {
        check_name("resource", uri)?;
        add(&mut self.resources, &mut self.strictest, uri, rule)?;
        Ok(self)
    }

    /// Adds a rule for one method, such as `completion/complete`. For `tools/call`, `prompts/get` and `resources/read`
    /// it is the rule of every name without a rule. If there is no rule for the method either, such a name needs all
    /// rules of the table.
    ///
    /// **Names are compared exactly.** If the server accepts other spellings of a tool, a prompt or a URI (it trims
    /// them, ignores case or has aliases), then do not give these three methods a weaker rule. The other spellings
    /// would get it.
    ///
    /// # Errors
    ///
    /// When the text is not printable ASCII without spaces, when the method has a rule already, or when the rule can
    /// ask for the scope `offline_access`.
    pub fn add_method(mut self, method: &str, rule: Rule<C>) -> Result<Self, ConfigError> {
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unusable(format!("{method:?} is not the name of an MCP method")));
        }
        add(&mut self.methods, &mut self.strictest, method, rule)?;
        Ok(self)
    }

    /// Adds one rule for each method that lists what the server offers: `server/discover`, `tools/list`,
    /// `prompts/list`, `resources/list` and `resources/templates/list`.
    ///
    /// # Errors
    ///
    /// As for [`add_method`](Self::add_method).
    pub fn add_discovery(mut self, rule: Rule<C>) -> Result<Self, ConfigError> {
        let [first, others @ ..] = DISCOVERY;
        for method in others {
            self = self.add_method(method, rule.clone())?;
        }
        self.add_method(first, rule)
    }

    /// Checks a token against the operation of a parsed message. Use this method in a handler that reads the body
    /// itself, and return the [`Rejection`]: the outer [`JwtAuthLayer`](crate::JwtAuthLayer) writes the 403. It reads
    /// no header, so it works under every revision of the protocol.
    ///
    /// Pass the same message that the handler then runs. In a batch, check each message. A value that is not a request
    /// or notification of MCP needs all rules of the table.
    ///
    /// # Errors
    ///
    /// When the token does not meet the rule.
    ///
    /// # Example: a handler that parses the message
    ///
    /// ```
    /// use serde_json::Value;
    /// use tower_jwt_auth::{McpRules, Rejection, VerifiedToken};
    ///
    /// fn parse(rules: &McpRules, token: &VerifiedToken, message: Value) -> Result<Value, Rejection> {
    ///     rules.check_message(token, &message)?;
    ///     Ok(message)
    /// }
    /// # let _ = parse;
    /// ```
    pub fn check_message(
        &self,
        token: &VerifiedToken<C>,
        message: &Value,
    ) -> Result<(), Rejection> {
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
        let member = if method == READ_RESOURCE { "uri" } else { "name" };
        let name = message.get("params").and_then(|params| params.get(member));
        self.check_call(token, method, name.and_then(Value::as_str))
    }

    /// Checks a token against an operation, for a server that has already read it into custom types. The name is the
    /// `name` of a tool or a prompt, or the `uri` of a resource. For JSON, use [`check_message`](Self::check_message),
    /// which chooses the member by the method.
    ///
    /// # Errors
    ///
    /// When the token does not meet the rule.
    pub fn check_call(
        &self,
        token: &VerifiedToken<C>,
        method: &str,
        name: Option<&str>,
    ) -> Result<(), Rejection> {
        self.check(token, self.rule(method, name))
    }

    /// Returns all scopes that a challenge can ask for, without duplicates. Use them as `scopes_supported` of the
    /// protected resource metadata. `None` if the table names no scope.
    pub fn scopes(&self) -> Option<Scope> {
        self.strictest.as_ref()?.required_scope()
    }

    /// The rule of an operation. A name without a rule has the rule of its method.
    fn rule(&self, method: &str, name: Option<&str>) -> Option<&Rule<C>> {
        let Some(names) = self.names(method) else { return self.methods.get(method) };
        let name = name.filter(|name| !name.is_empty())?;
        names.get(name).or_else(|| self.methods.get(method))
    }

    /// The rules by name, if the method has names.
    fn names(&self, method: &str) -> Option<&Table<C>> {
        match method {
            CALL_TOOL => Some(&self.tools),
            GET_PROMPT => Some(&self.prompts),
            READ_RESOURCE => Some(&self.resources),
            _ => None,
        }
    }

    /// Checks this rule, or all rules of the table.
    fn check(&self, token: &VerifiedToken<C>, rule: Option<&Rule<C>>) -> Result<(), Rejection> {
        let rule = rule.or(self.strictest.as_ref());
        let rule = rule.ok_or(RejectionKind::InsufficientScope)?;
        // Name all scopes of the rule where the refusal names some. That of a step-up names all already.
        rule.check(token).map_err(|rejection| match rejection.scope().is_some() {
            true => match rule.required_scope() {
                Some(scope) => rejection.with_scope(scope),
                None => rejection,
            },
            false => rejection,
        })
    }
}

impl<C: 'static> Authorize<C> for McpRules<C> {
    fn authorize(&self, token: &VerifiedToken<C>, head: &Parts) -> Result<(), Rejection> {
        let operation = Operation::of(head);
        let rule =
            operation.and_then(|Operation { method, name }| self.rule(method, name.as_deref()));
        self.check(token, rule)
    }
}

impl<'h> Operation<'h> {
    /// `None` if the headers cannot be trusted or cannot be read.
    fn of(head: &'h Parts) -> Option<Self> {
        let headers = &head.headers;
        let version = single(headers, "mcp-protocol-version")??;
        let method = single(headers, "mcp-method")??;
        let name = single(headers, "mcp-name")?;
        if head.method != Method::POST || !is_date(version) || version < FIRST_WITH_HEADERS {
            return None;
        }
        let name = match name {
            Some(name) => Some(decoded(name)?),
            None => None,
        };
        Some(Self { method, name })
    }
}

/// The only value of a header. `Some(None)` if the header is absent, and `None` if it is repeated or is not printable
/// ASCII.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Option<Option<&'h str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

/// Whether a version has the form `YYYY-MM-DD`, so that versions can be compared as texts.
fn is_date(version: &str) -> bool {
    let has_form = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    version.len() == FIRST_WITH_HEADERS.len() && version.bytes().enumerate().all(has_form)
}

/// Decodes a name to the text that is in the body.
fn decoded(name: &str) -> Option<Cow<'_, str>> {
    if !name.starts_with("=?") {
        return Some(Cow::Borrowed(name));
    }
    let encoded = name.strip_prefix("=?base64?")?.strip_suffix("?=")?;
    let bytes = STANDARD.decode_to_vec(encoded).ok()?;
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn check_name(what: &str, name: &str) -> Result<(), ConfigError> {
    match name.is_empty() {
        true => Err(unusable(format!("the name of a {what} must not be empty"))),
        false => Ok(()),
    }
}

/// Adds a rule to a part of the table, and to the strictest rule.
fn add<C>(
    table: &mut Table<C>,
    strictest: &mut Option<Rule<C>>,
    name: &str,
    rule: Rule<C>,
) -> Result<(), ConfigError> {
    if rule.required_scope().is_some_and(|scope| scope.contains("offline_access")) {
        return Err(unusable(format!(
            "the rule of {name:?} must not ask for `offline_access`: a client asks for it on its own"
        )));
    }
    let all = match strictest.take() {
        Some(all) => all.and(rule.clone()),
        None => rule.clone(),
    };
    *strictest = Some(all);
    match table.insert(name.into(), rule) {
        None => Ok(()),
        Some(_) => Err(unusable(format!("{name:?} has two rules"))),
    }
}

fn unusable(message: String) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Rule, message)
}

impl<C> Clone for McpRules<C> {
    fn clone(&self) -> Self {
        Self {
            methods: self.methods.clone(),
            tools: self.tools.clone(),
            prompts: self.prompts.clone(),
            resources: self.resources.clone(),
            strictest: self.strictest.clone(),
        }
    }
}

impl<C> Default for McpRules<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> fmt::Debug for McpRules<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpRules")
            .field("methods", &self.methods.keys())
            .field("tools", &self.tools.keys())
            .field("prompts", &self.prompts.keys())
            .field("resources", &self.resources.keys())
            .finish_non_exhaustive()
    }
}
