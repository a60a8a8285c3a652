use std::fmt;
use std::ops::Not;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use serde::Serialize;
use serde_json::Value;

use crate::authorize::Authorize;
use crate::authorize::claim_path::ClaimPath;
use crate::authorize::evaluate;
use crate::claims::{Actor, RegisteredClaims, Scope};
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::rejection::Rejection;
use crate::verify::VerifiedToken;

/// What a token must have: scopes, claims, a recent or strong login, an actor. Rules compose by
/// [`and`](Self::and), [`or`](Self::or) and `!`.
///
/// | rule | the token |
/// |---|---|
/// | [`scope`](Self::scope), [`all_scopes`](Self::all_scopes), [`any_scope`](Self::any_scope) | has the scope, all or any of them, in `scope` or `scp` |
/// | [`claim`](Self::claim) | has a claim with exactly this value |
/// | [`contains`](Self::contains) | has a claim that is a list with this element |
/// | [`claims`](Self::claims) | has claims that a predicate over their type accepts |
/// | [`acr`](Self::acr), [`max_age`](Self::max_age) | shows a login that is strong or recent enough (RFC 9470) |
/// | [`actor`](Self::actor) | is used by an actor that a predicate accepts (RFC 8693 section 4.1) |
///
/// A refusal is 403 `insufficient_scope` (gRPC 7) and names all scopes that are missing: of `or` those of the
/// first alternative; of `!` none; of the right side of `and` none, if it has a predicate and the left side does
/// not hold. Where a new login, and perhaps more scopes, would be enough, the refusal is 401
/// `insufficient_user_authentication` instead, and also names the required `acr` values or `max_age`.
///
/// All rules but `claims` look up the claims by name in the token, whatever the type `C`. A rule about a claim that
/// cannot be read (a token that is not a JWT, a name that is duplicated, another type than the rule is about) does
/// not accept the token, and neither does its `!`; another alternative of `or` still can. The first such rule
/// decodes the token of a request; see [`VerifiedToken::scope`] for its cost, and for tokens without a request.
///
/// # Example: a route, and a guard in a handler
///
/// ```
/// use serde::Deserialize;
/// use tower_jwt_auth::{AuthorizeLayer, ConfigError, Rejection, Rule, VerifiedToken};
///
/// #[derive(Deserialize)]
/// struct Claims {
///     tenant: String,
/// }
///
/// fn layer() -> Result<AuthorizeLayer<Claims>, ConfigError> {
///     let writers = Rule::scope("orders:write")?.or(Rule::contains("realm_access.roles", "admin")?);
///     Ok(AuthorizeLayer::new(writers.and(Rule::claims(|claims: &Claims| claims.tenant == "acme"))))
/// }
///
/// // For a handler that knows what is needed when it has read the body.
/// fn guard(token: &VerifiedToken<Claims>, rule: &Rule<Claims>) -> Result<(), Rejection> {
///     rule.check(token)
/// }
/// # assert!(layer().is_ok());
/// # let _ = guard;
/// ```
pub struct Rule<C = RegisteredClaims>(pub(super) Arc<Node<C>>);

pub(super) enum Node<C> {
    AllScopes(Vec<String>),
    AnyScope(Vec<String>),
    Claim(ClaimPath, Value),
    Contains(ClaimPath, Value),
    Claims(Box<dyn Fn(&C) -> bool + Send + Sync>),
    Acr(Vec<String>),
    MaxAge(Duration),
    Actor(Box<dyn Fn(&Actor) -> bool + Send + Sync>),
    And(Rule<C>, Rule<C>),
    Or(Rule<C>, Rule<C>),
    Not(Rule<C>),
}

impl<C> Rule<C> {
    /// The token has this scope.
    ///
    /// # Errors
    ///
    /// When it is empty or holds a space or another character that no scope has (RFC 6749 section 3.3).
    pub fn scope(scope: &str) -> Result<Self, ConfigError> {
        Self::all_scopes([scope])
    }

    /// The token has all of these scopes.
    ///
    /// # Errors
    ///
    /// As [`scope`](Self::scope), for each of them; and when the list is empty.
    pub fn all_scopes<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Self, ConfigError> {
        Ok(Self::new(Node::AllScopes(scope_values(scopes)?)))
    }

    /// The token has at least one of these scopes. A refusal names the first.
    ///
    /// # Errors
    ///
    /// As [`all_scopes`](Self::all_scopes).
    pub fn any_scope<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Self, ConfigError> {
        Ok(Self::new(Node::AnyScope(scope_values(scopes)?)))
    }

    /// The token has a claim with exactly this value: a text, a number, a boolean or any other JSON.
    ///
    /// # Errors
    ///
    /// When the [path](ClaimPath) is not one, or the value cannot be written as JSON.
    ///
    /// # Example: of a JSON type
    ///
    /// ```
    /// use tower_jwt_auth::Rule;
    ///
    /// let rule: Rule = Rule::claim("tenant", "acme")?
    ///     .and(Rule::claim("level", 3)?)
    ///     .and(Rule::claim(["https://acme.example/is_staff"], true)?);
    /// # let _ = rule;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn claim(path: impl Into<ClaimPath>, value: impl Serialize) -> Result<Self, ConfigError> {
        Ok(Self::new(Node::Claim(path.into().checked()?, json(value)?)))
    }

    /// The token has a claim that is a list with this element. A claim that is not a list refuses the token.
    ///
    /// # Errors
    ///
    /// As [`claim`](Self::claim).
    pub fn contains(
        path: impl Into<ClaimPath>,
        value: impl Serialize,
    ) -> Result<Self, ConfigError> {
        Ok(Self::new(Node::Contains(path.into().checked()?, json(value)?)))
    }

    /// The predicate accepts the claims.
    pub fn claims(predicate: impl Fn(&C) -> bool + Send + Sync + 'static) -> Self {
        Self::new(Node::Claims(Box::new(predicate)))
    }

    /// The user logged in by one of these authentication context classes: `acr` is exactly one of them (RFC
    /// 9470 section 5). The challenge lists them in this order.
    ///
    /// # Errors
    ///
    /// When there is none, or one is empty or holds a space, a quotation mark, a backslash or anything but
    /// printable ASCII.
    pub fn acr<'a>(classes: impl IntoIterator<Item = &'a str>) -> Result<Self, ConfigError> {
        let classes: Vec<String> = classes.into_iter().map(String::from).collect();
        match !classes.is_empty() && classes.iter().all(|class| Scope::is_value(class)) {
            true => Ok(Self::new(Node::Acr(classes))),
            false => Err(ConfigError::new(
                ConfigErrorKind::Rule,
                "an authentication context class is printable ASCII without spaces, and at least one is needed",
            )),
        }
    }

    /// The user logged in at most this long ago, in whole seconds, by `auth_time` (RFC 9470 section 5) and the
    /// clock of the verifier, whose leeway is added.
    pub fn max_age(max_age: Duration) -> Self {
        Self::new(Node::MaxAge(max_age))
    }

    /// The token is used by an actor on behalf of its subject, and the predicate accepts that actor. Earlier
    /// actors are not to be considered (RFC 8693 section 4.1).
    ///
    /// # Example: by one service alone
    ///
    /// ```
    /// use tower_jwt_auth::{Actor, Rule};
    ///
    /// let rule: Rule = Rule::actor(|actor: &Actor| actor.sub.as_deref() == Some("billing"));
    /// # let _ = rule;
    /// ```
    pub fn actor(predicate: impl Fn(&Actor) -> bool + Send + Sync + 'static) -> Self {
        Self::new(Node::Actor(Box::new(predicate)))
    }

    /// Both rules accept the token.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::new(Node::And(self, other))
    }

    /// One of the two rules accepts the token, or both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::new(Node::Or(self, other))
    }

    /// Checks a token: for handlers that know what is needed when they have read the body, and for tokens
    /// without a request.
    ///
    /// # Errors
    ///
    /// When the token does not permit it. With axum, the [`Rejection`] is a response.
    pub fn check(&self, token: &VerifiedToken<C>) -> Result<(), Rejection> {
        evaluate::check(self, token)
    }

    /// The scopes that a client has to ask for: those that a refusal can name. `None` when there are none.
    ///
    /// # Example: in an OpenAPI document
    ///
    /// ```
    /// use tower_jwt_auth::Rule;
    ///
    /// let rule: Rule = Rule::all_scopes(["orders:read", "orders:write"])?;
    /// let scopes = rule.required_scope().unwrap_or_default();
    /// // As the scopes of utoipa's `SecurityRequirement::new("oauth2", scopes.iter())`.
    /// assert_eq!(scopes.iter().collect::<Vec<_>>(), ["orders:read", "orders:write"]);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn required_scope(&self) -> Option<Scope> {
        let names = evaluate::required_scopes(self);
        (!names.is_empty()).then(|| names.into_iter().collect())
    }

    fn new(node: Node<C>) -> Self {
        Self(Arc::new(node))
    }
}

fn scope_values<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Vec<String>, ConfigError> {
    let scopes: Vec<String> = scopes.into_iter().map(String::from).collect();
    scopes.iter().try_for_each(|scope| Scope::check_value(scope))?;
    match scopes.is_empty() {
        true => Err(ConfigError::new(ConfigErrorKind::Rule, "no scope is named")),
        false => Ok(scopes),
    }
}

fn json(value: impl Serialize) -> Result<Value, ConfigError> {
    serde_json::to_value(value).map_err(|error| {
        ConfigError::new(ConfigErrorKind::Rule, "a value that cannot be written as JSON")
            .with_source(error)
    })
}

impl<C: 'static> Authorize<C> for Rule<C> {
    fn authorize(&self, token: &VerifiedToken<C>, _: &Parts) -> Result<(), Rejection> {
        self.check(token)
    }

    fn required_scope(&self) -> Option<Scope> {
        self.required_scope()
    }
}

impl<C> Not for Rule<C> {
    type Output = Self;

    /// The rule refuses the token, and could read all that it is about: `!rule`.
    ///
    /// # Example: not a service account
    ///
    /// ```
    /// use tower_jwt_auth::Rule;
    ///
    /// let rule: Rule = Rule::scope("orders:write")?.and(!Rule::claim("is_service", true)?);
    /// # let _ = rule;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    fn not(self) -> Self {
        Self::new(Node::Not(self))
    }
}

impl<C> Clone for Rule<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for Rule<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Node::AllScopes(scopes) => f.debug_tuple("AllScopes").field(scopes).finish(),
            Node::AnyScope(scopes) => f.debug_tuple("AnyScope").field(scopes).finish(),
            Node::Claim(path, _) => f.debug_tuple("Claim").field(path).finish_non_exhaustive(),
            Node::Contains(path, _) => {
                f.debug_tuple("Contains").field(path).finish_non_exhaustive()
            }
            Node::Claims(_) => f.debug_tuple("Claims").finish_non_exhaustive(),
            Node::Acr(classes) => f.debug_tuple("Acr").field(classes).finish(),
            Node::MaxAge(age) => f.debug_tuple("MaxAge").field(age).finish(),
            Node::Actor(_) => f.debug_tuple("Actor").finish_non_exhaustive(),
            Node::And(one, other) => f.debug_tuple("And").field(one).field(other).finish(),
            Node::Or(one, other) => f.debug_tuple("Or").field(one).field(other).finish(),
            Node::Not(rule) => f.debug_tuple("Not").field(rule).finish(),
        }
    }
}
