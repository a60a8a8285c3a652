use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use http::request::Parts;

use crate::authorize::Authorize;
use crate::claims::RegisteredClaims;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::rejection::{Rejection, RejectionKind};
use crate::verify::VerifiedToken;

/// The methods of health checks (`grpc.health.v1`) and of both versions of server reflection.
const HEALTH_AND_REFLECTION: [&str; 5] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/List",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Authorization rules for the methods of a gRPC server, by the path of the request.
///
/// The rule of the called method decides. If the method has no rule, the rule of its service decides. A method
/// without any of the two is refused: 403 (gRPC status 7). Whole paths are compared, byte by byte. The order in
/// which rules and open methods are added does not matter.
///
/// | entry | default | method |
/// |---|---|---|
/// | rule of a whole service | none | [`add_service`](Self::add_service) |
/// | rule of one method, which replaces that of its service | none | [`add_method`](Self::add_method) |
/// | open methods, which need no token | none | [`add_open_method`](Self::add_open_method), [`open_health_and_reflection`](Self::open_health_and_reflection) |
///
/// # Example: a server of tonic
///
/// ```
/// use tower_jwt_auth::{AuthorizeLayer, ConfigError, GrpcRules, JwtAuthLayer, JwtVerifier, Rule};
///
/// fn layers(verifier: JwtVerifier) -> Result<(JwtAuthLayer, AuthorizeLayer), ConfigError> {
///     let rules = GrpcRules::new()
///         .add_service("shop.v1.Orders", Rule::scope("orders:read")?)?
///         .add_method("/shop.v1.Orders/Cancel", Rule::scope("orders:write")?)?
///         .open_health_and_reflection();
///     let auth = JwtAuthLayer::new(verifier).exempt(rules.open_methods());
///     // `Server::builder().layer(auth).layer(authorize)`
///     Ok((auth, AuthorizeLayer::new(rules)))
/// }
/// # let _ = layers;
/// ```
pub struct GrpcRules<C = RegisteredClaims> {
    services: HashMap<Box<str>, Arc<dyn Authorize<C>>>,
    methods: HashMap<Box<str>, Arc<dyn Authorize<C>>>,
    /// Opened by name.
    open: HashSet<Box<str>>,
    opens_health_and_reflection: bool,
}

impl<C> GrpcRules<C> {
    /// Creates an empty table, which refuses every call.
    pub fn new() -> Self {
        let (services, methods, open) = (HashMap::new(), HashMap::new(), HashSet::new());
        Self { services, methods, open, opens_health_and_reflection: false }
    }

    /// Adds a rule for all methods of a service that have no rule of their own. `service` is the full name,
    /// such as `shop.v1.Orders`.
    ///
    /// # Errors
    ///
    /// When the text is not the name of a service, or when the service has a rule already.
    pub fn add_service(
        mut self,
        service: &str,
        rule: impl Authorize<C>,
    ) -> Result<Self, ConfigError> {
        if !service.split('.').all(is_identifier) {
            return Err(unusable(format!("{service:?} is not the full name of a gRPC service")));
        }
        match self.services.insert(service.into(), Arc::new(rule)) {
            None => Ok(self),
            Some(_) => Err(unusable(format!("the service {service} has two rules"))),
        }
    }

    /// Adds a rule for one method, in place of the rule of its service. `path` is the path of the method, such
    /// as `/shop.v1.Orders/Cancel`.
    ///
    /// # Errors
    ///
    /// When the text is not the path of a method, or when the method has a rule already or was opened with
    /// [`add_open_method`](Self::add_open_method).
    pub fn add_method(mut self, path: &str, rule: impl Authorize<C>) -> Result<Self, ConfigError> {
        check_path(path)?;
        if self.open.contains(path) || self.methods.insert(path.into(), Arc::new(rule)).is_some() {
            return Err(unusable(format!("the method {path} has two rules")));
        }
        Ok(self)
    }

    /// Opens a method to all requests, even if its service has a rule. `path` is the path of the method, such as
    /// `/shop.v1.Orders/List`.
    ///
    /// Also give [`open_methods`](Self::open_methods) to the authentication layer. Then a token of such a request is
    /// not verified: an expired one is not refused, and a good one does not reach the handler.
    ///
    /// # Errors
    ///
    /// When the text is not the path of a method, or when the method has a rule of its own.
    pub fn add_open_method(mut self, path: &str) -> Result<Self, ConfigError> {
        check_path(path)?;
        if self.methods.contains_key(path) {
            return Err(unusable(format!("the method {path} has two rules")));
        }
        self.open.insert(path.into());
        Ok(self)
    }

    /// Opens the methods of health checks (`grpc.health.v1.Health`) and of server reflection (`v1` and
    /// `v1alpha`) to all requests, with or without a token. Also give [`open_methods`](Self::open_methods) to
    /// the authentication layer. By default these methods are refused like all others.
    ///
    /// A method is not opened if it or its service has a rule, added before or after this call: the rule decides.
    /// Reflection shows the names and types of all services.
    #[must_use]
    pub fn open_health_and_reflection(mut self) -> Self {
        self.opens_health_and_reflection = true;
        self
    }

    /// Returns a predicate that is `true` for the open methods of this table. Give it to
    /// [`JwtAuthLayer::exempt`](crate::JwtAuthLayer::exempt): otherwise the authentication layer refuses calls
    /// of open methods without a valid token.
    ///
    /// Call this method last: the predicate does not know methods and rules that are added later.
    pub fn open_methods(&self) -> impl Fn(&Parts) -> bool + Clone + Send + Sync + use<C> {
        let mut open = self.open.clone();
        let together = HEALTH_AND_REFLECTION.into_iter().filter(|path| self.is_open(path));
        open.extend(together.map(Box::from));
        let open = Arc::new(open);
        move |head| open.contains(head.uri.path())
    }

    fn is_open(&self, path: &str) -> bool {
        let is_together =
            || self.opens_health_and_reflection && HEALTH_AND_REFLECTION.contains(&path);
        self.open.contains(path) || (is_together() && self.rule(path).is_none())
    }

    fn rule(&self, path: &str) -> Option<&dyn Authorize<C>> {
        let rule = match self.methods.get(path) {
            Some(rule) => rule,
            None => self.services.get(service_of(path)?)?,
        };
        Some(&**rule)
    }
}

impl<C: 'static> Authorize<C> for GrpcRules<C> {
    fn authorize(&self, token: &VerifiedToken<C>, head: &Parts) -> Result<(), Rejection> {
        if self.permits_without_token(head) {
            return Ok(());
        }
        match self.rule(head.uri.path()) {
            Some(rule) => rule.authorize(token, head),
            None => Err(RejectionKind::InsufficientScope.into()),
        }
    }

    fn permits_without_token(&self, head: &Parts) -> bool {
        self.is_open(head.uri.path())
    }
}

/// The service of a path that is exactly `/service/Method`.
fn service_of(path: &str) -> Option<&str> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    is_identifier(method).then_some(service)
}

fn check_path(path: &str) -> Result<(), ConfigError> {
    match service_of(path) {
        Some(service) if service.split('.').all(is_identifier) => Ok(()),
        _ => {
            Err(unusable(format!("{path:?} is not the path of a gRPC method: /pkg.Service/Method")))
        }
    }
}

/// Whether the text is made of the characters of an identifier in Protocol Buffers.
fn is_identifier(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn unusable(message: String) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Rule, message)
}

impl<C> Clone for GrpcRules<C> {
    fn clone(&self) -> Self {
        Self {
            services: self.services.clone(),
            methods: self.methods.clone(),
            open: self.open.clone(),
            opens_health_and_reflection: self.opens_health_and_reflection,
        }
    }
}

impl<C> Default for GrpcRules<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> fmt::Debug for GrpcRules<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcRules")
            .field("services", &self.services.keys())
            .field("methods", &self.methods.keys())
            .field("open", &self.open)
            .field("opens_health_and_reflection", &self.opens_health_and_reflection)
            .finish_non_exhaustive()
    }
}
