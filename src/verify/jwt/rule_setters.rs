//! The setters for rules over verified tokens.

use std::sync::Arc;

use crate::claims::ScopeHierarchy;
use crate::verify::jwt::JwtVerifier;
use crate::verify::rule_context::RuleContext;

impl<C> JwtVerifier<C> {
    /// Replaces the scope hierarchy, which every [rule](crate::Rule) and
    /// [`VerifiedToken::scope`](crate::VerifiedToken::scope) use; none by default.
    ///
    /// The claims do not change: `token.scope` contains the scopes that the issuer wrote.
    ///
    /// # Example: a scope for writing includes the one for reading
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::test_util::TestIssuer;
    /// use tower_jwt_auth::{Rule, ScopeHierarchy};
    ///
    /// let issuer = TestIssuer::new();
    /// let verifier = issuer
    ///     .verifier()
    ///     .with_scope_hierarchy(ScopeHierarchy::new([("orders:write", "orders:read")])?)
    ///     .with_claims_by_name(); // For `verify_now`.
    /// let token = issuer.token().claim("scope", "orders:write").build();
    /// let token = verifier.verify_now(&token).unwrap();
    /// assert!(Rule::scope("orders:read")?.check(&token).is_ok());
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_scope_hierarchy(mut self, hierarchy: ScopeHierarchy) -> Self {
        self.context_mut().hierarchy = Some(hierarchy);
        self
    }

    /// Keeps a copy of the text of each token that is verified without a request ([`verify`](Self::verify),
    /// [`verify_now`](Self::verify_now)), so that [rules](crate::Rule) can read its scopes and its claims by
    /// name. By default no copy is kept, and these rules refuse such a token.
    ///
    /// The copy costs one allocation for each token. The text of a token in a request is kept in any case,
    /// without a copy.
    #[must_use]
    pub fn with_claims_by_name(mut self) -> Self {
        self.rules_mut().copies_text = true;
        self
    }

    pub(super) fn context_mut(&mut self) -> &mut RuleContext {
        Arc::make_mut(&mut self.rules_mut().context)
    }
}
