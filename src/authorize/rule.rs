use std::fmt;
use std::ops::Not;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use serde::Serialize;
use serde_json::Value;

use crate::authorize::Authorize;
use crate::authorize::claim_path::ClaimPath;
use crate::authorize::leaf::Leaf;
use crate::authorize::tree::{Operator, Tree};
use crate::claims::{Actor, RegisteredClaims, Scope};
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::rejection::Rejection;
use crate::verify::VerifiedToken;

/// A requirement that a token must meet: scopes, claims, a recent or strong login, or an actor. Combine rules with
/// [`and`](Self::and), [`or`](Self::or) and `!`.
///
/// | rule | the token must |
/// |---|---|
/// | [`scope`](Self::scope), [`all_scopes`](Self::all_scopes), [`any_scope`](Self::any_scope) | have the scope, all of the scopes, or one of them: see [`VerifiedToken::scope`] |
/// | [`claim`](Self::claim) | have a claim with exactly this value |
/// | [`contains`](Self::contains) | have a claim that is an array with this element |
/// | [`claims`](Self::claims) | have claims that a predicate over the claims type accepts |
/// | [`acr`](Self::acr), [`max_age`](Self::max_age) | show a login that is strong or recent enough (RFC 9470) |
/// | [`actor`](Self::actor) | name an actor that a predicate accepts (RFC 8693 section 4.1) |
///
/// The parts of a rule are evaluated from left to right, until one decides. So a predicate runs at most once in a
/// check. It does not run if an earlier part of the same `and` is false, or an earlier alternative of the same
/// `or` is true. After an earlier part that is unreadable (see below) it runs. A chain such as `a.and(b).and(c)`
/// may have any length. Rules that are nested otherwise are evaluated recursively: nest at most a few hundred
/// levels, since more can overflow the stack.
///
/// A refusal is 403 `insufficient_scope` (gRPC status 7), and its challenge names all missing scopes. Three parts
/// of a rule add no scope: the alternatives of `or` after the first; a rule after `!`; and the right side of
/// `and`, if it contains a predicate and the left side is not met. If a new login, together with more scopes,
/// would be enough, the refusal is 401 `insufficient_user_authentication` (gRPC status 16) instead. Its challenge
/// names the [`required_scope`](Self::required_scope), also the scopes that the token has, since a new token takes its
/// place; the `acr` values of the first `acr` rule that is not met; and the shortest `max_age`.
///
/// All rules except `claims` find claims by name in the token, so `C` needs no fields for them. A claim that is
/// absent or `null` does not meet the rule, so it meets the rule with `!`. A claim can also be unreadable: the
/// token is not a JWT, a name is duplicated, or the claim has another type than the rule expects. A rule about an
/// unreadable claim does not accept the token, and neither does the rule with `!`. Another alternative of `or` can
/// still accept it. The first such rule decodes the token of the request: see [`VerifiedToken::scope`] for the
/// cost, and for tokens without a request.
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
/// // For a handler that decides after it has read the body.
/// fn guard(token: &VerifiedToken<Claims>, rule: &Rule<Claims>) -> Result<(), Rejection> {
///     rule.check(token)
/// }
/// # assert!(layer().is_ok());
/// # let _ = guard;
/// ```
pub struct Rule<C = RegisteredClaims>(Arc<Tree<C>>);

impl<C> Rule<C> {
    /// Requires this scope.
    ///
    /// # Errors
    ///
    /// When the scope is empty, or contains a space or another character that a scope cannot contain (RFC 6749
    /// section 3.3).
    pub fn scope(scope: &str) -> Result<Self, ConfigError> {
        Self::all_scopes([scope])
    }

    /// Requires all of these scopes.
    ///
    /// # Errors
    ///
    /// When the list is empty, or when [`scope`](Self::scope) refuses one of the scopes.
    pub fn all_scopes<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Self, ConfigError> {
        Ok(Self::new(Leaf::AllScopes(scope_values(scopes)?)))
    }

    /// Requires at least one of these scopes. A refusal names the first scope of the list only.
    ///
    /// # Errors
    ///
    /// When the list is empty, or when [`scope`](Self::scope) refuses one of the scopes.
    pub fn any_scope<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Self, ConfigError> {
        Ok(Self::new(Leaf::AnyScope(scope_values(scopes)?)))
    }

    /// Requires a claim with exactly this value: a string, a number, a boolean or any other JSON value. Strings
    /// are case-sensitive, `7` equals `7.0`, and the order counts in arrays, but not in objects. `null` equals
    /// only `null`. A claim of another JSON type is unreadable: see [`Rule`].
    ///
    /// # Errors
    ///
    /// When the [path](ClaimPath) is empty, has an empty name, or looks like a single name with dots in it; or when
    /// the value cannot be written as JSON.
    ///
    /// # Example: a string, a number and a boolean
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
        Ok(Self::new(Leaf::Claim(path.into().checked()?, json(value)?)))
    }

    /// Requires a claim that is an array with this element, such as a list of roles; [`claim`](Self::claim) says
    /// which elements are equal. A claim that is not an array is unreadable: see [`Rule`]. So is an array without
    /// this element, if it has elements of another JSON type.
    ///
    /// # Errors
    ///
    /// When [`claim`](Self::claim) refuses the path or the value.
    pub fn contains(
        path: impl Into<ClaimPath>,
        value: impl Serialize,
    ) -> Result<Self, ConfigError> {
        Ok(Self::new(Leaf::Contains(path.into().checked()?, json(value)?)))
    }

    /// Requires claims that the predicate accepts. The predicate must not block.
    pub fn claims(predicate: impl Fn(&C) -> bool + Send + Sync + 'static) -> Self {
        Self::new(Leaf::Claims(Box::new(predicate)))
    }

    /// Requires a login with one of these authentication context classes: the claim `acr` must equal one of them (RFC
    /// 9470 section 5). The challenge lists the classes in this order.
    ///
    /// # Errors
    ///
    /// When the list is empty; or when a class is empty, or contains a space, a quotation mark, a backslash or a
    /// character that is not printable ASCII.
    pub fn acr<'a>(classes: impl IntoIterator<Item = &'a str>) -> Result<Self, ConfigError> {
        let classes: Vec<String> = classes.into_iter().map(String::from).collect();
        match !classes.is_empty() && classes.iter().all(|class| Scope::is_value(class)) {
            true => Ok(Self::new(Leaf::Acr(classes))),
            false => Err(ConfigError::new(
                ConfigErrorKind::Rule,
                "an authentication context class is printable ASCII without spaces, and at least one is needed",
            )),
        }
    }

    /// Requires a login at most this long ago: the claim `auth_time` is compared with the verifier's clock (RFC
    /// 9470 section 5). A fraction of a second is dropped from `max_age`, and the verifier's leeway is added. A
    /// token without `auth_time` does not meet the rule. An `auth_time` that is further in the future than the
    /// leeway is unreadable: see [`Rule`].
    pub fn max_age(max_age: Duration) -> Self {
        Self::new(Leaf::MaxAge(max_age))
    }

    /// Requires that an actor uses the token on behalf of the token's subject (the claim `act`), and that the
    /// predicate accepts this actor. The predicate must not decide by [previous](Actor::previous) actors (RFC 8693
    /// section 4.1), and must not block. An `act` that is not an [`Actor`] is unreadable: see [`Rule`].
    ///
    /// # Example: only one service may act for users
    ///
    /// ```
    /// use tower_jwt_auth::{Actor, Rule};
    ///
    /// let rule: Rule = Rule::actor(|actor: &Actor| actor.sub.as_deref() == Some("billing"));
    /// # let _ = rule;
    /// ```
    pub fn actor(predicate: impl Fn(&Actor) -> bool + Send + Sync + 'static) -> Self {
        Self::new(Leaf::Actor(Box::new(predicate)))
    }

    /// Requires both rules.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.join(Operator::And, other.0))
    }

    /// Requires at least one of the two rules.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0.join(Operator::Or, other.0))
    }

    /// Checks a token. Use this method in handlers that decide after they have read the body, and for tokens without
    /// a request.
    ///
    /// # Errors
    ///
    /// When the token does not meet the rule. With axum, a handler can return the [`Rejection`].
    pub fn check(&self, token: &VerifiedToken<C>) -> Result<(), Rejection> {
        self.0.check(token)
    }

    /// The scopes that a client should request to meet this rule. Of alternatives ([`or`](Self::or) and
    /// [`any_scope`](Self::any_scope)), only the first one counts, and a rule after `!` does not count. `None` if
    /// no scope is left: the rule may still require something else.
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
        let names = self.0.required_scopes();
        (!names.is_empty()).then(|| names.into_iter().collect())
    }

    fn new(leaf: Leaf<C>) -> Self {
        Self(Tree::leaf(leaf))
    }
}

fn scope_values<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Vec<String>, ConfigError> {
    let scopes: Vec<String> = scopes.into_iter().map(String::from).collect();
    scopes.iter().try_for_each(|scope| Scope::check_value(scope))?;
    match scopes.is_empty() {
        true => {
            Err(ConfigError::new(ConfigErrorKind::Rule, "no scope was given: name at least one"))
        }
        false => Ok(scopes),
    }
}

fn json(value: impl Serialize) -> Result<Value, ConfigError> {
    serde_json::to_value(value).map_err(|error| {
        ConfigError::new(ConfigErrorKind::Rule, "the value of a claim cannot be written as JSON")
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

    /// Requires that the rule is not met: `!rule`. A token with an unreadable claim meets neither `rule` nor `!rule`:
    /// see [`Rule`].
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
        Self(self.0.not())
    }
}

impl<C> Clone for Rule<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for Rule<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
