use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use crate::claims::scope::Scope;
use crate::config_error::{ConfigError, ConfigErrorKind};

/// The maximum number of pairs of a scope and a scope that it includes, directly or through others.
const MAX_PAIRS: usize = 4096;

/// Declares which scopes include others. For example, a token with `orders:admin` may then do everything that
/// requires `orders:write`.
///
/// Inclusion is transitive. Two scopes that include each other are equivalent. Give the hierarchy to a verifier
/// with [`JwtVerifier::with_scope_hierarchy`](crate::JwtVerifier::with_scope_hierarchy): every
/// [`Rule`](crate::Rule) and [`VerifiedToken::scope`](crate::VerifiedToken::scope) then also find the included
/// scopes in a token. A field `scope` of the claims type does not change. A challenge names the scope that the
/// rule requires, not a scope that includes it.
///
/// # Example: an administrator may do everything
///
/// ```
/// use tower_jwt_auth::{Scope, ScopeHierarchy};
///
/// let hierarchy = ScopeHierarchy::new([
///     ("orders:admin", "orders:write orders:delete"),
///     ("orders:write", "orders:read"),
/// ])?;
/// let scope = hierarchy.expand(&Scope::from("openid orders:admin"));
/// assert!(scope.contains("orders:read"));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct ScopeHierarchy(Arc<HashMap<Box<str>, Vec<Box<str>>>>);

impl ScopeHierarchy {
    /// Creates a hierarchy from pairs: a scope, and the scopes that it includes, separated by spaces. A scope
    /// may occur in several pairs.
    ///
    /// # Errors
    ///
    /// When a scope is empty or contains a character that a scope cannot contain (RFC 6749 section 3.3); when a
    /// list of included scopes is empty; or when there are more than 4096 pairs of a scope and a scope that it
    /// includes, directly or through others.
    pub fn new<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ConfigError> {
        let mut direct: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut count = 0_usize;
        for (scope, included) in pairs {
            Scope::check_value(scope)?;
            let included = Scope::checked(included)?;
            count = count.saturating_add(included.len());
            direct.entry(scope).or_default().extend(included);
            if count > MAX_PAIRS {
                return Err(too_many());
            }
        }
        let mut left = MAX_PAIRS;
        let mut all = HashMap::with_capacity(direct.len());
        for scope in direct.keys() {
            let included = reachable(scope, &direct, &mut left)?;
            all.insert(Box::from(*scope), included.into_iter().map(Box::from).collect());
        }
        Ok(Self(Arc::new(all)))
    }

    /// Returns the values of `scope`, followed by all scopes that they include, each of them once.
    pub fn expand(&self, scope: &Scope) -> Scope {
        let mut seen: HashSet<&str> = HashSet::new();
        let granted: Vec<&str> = scope.iter().filter(|value| seen.insert(value)).collect();
        let included = granted.iter().flat_map(|value| self.0.get(*value).into_iter().flatten());
        let added = included.map(|name| &**name).filter(|name| seen.insert(name));
        let added: Vec<&str> = added.collect();
        granted.into_iter().chain(added).collect()
    }
}

/// The scopes that a scope includes, directly or through others, without the scope itself.
fn reachable<'a>(
    scope: &'a str,
    direct: &HashMap<&'a str, Vec<&'a str>>,
    left: &mut usize,
) -> Result<Vec<&'a str>, ConfigError> {
    let mut seen = HashSet::from([scope]);
    let (mut found, mut next) = (Vec::new(), vec![scope]);
    while let Some(one) = next.pop() {
        for name in direct.get(one).into_iter().flatten() {
            if seen.insert(name) {
                *left = left.checked_sub(1).ok_or_else(too_many)?;
                found.push(*name);
                next.push(name);
            }
        }
    }
    Ok(found)
}

fn too_many() -> ConfigError {
    ConfigError::new(
        ConfigErrorKind::Rule,
        "a hierarchy has at most 4096 pairs of a scope and a scope that it includes",
    )
}

impl fmt::Debug for ScopeHierarchy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopeHierarchy").field(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(pairs: &[(&str, &str)], scope: &str) -> Vec<String> {
        let hierarchy = ScopeHierarchy::new(pairs.iter().copied()).unwrap();
        let mut all: Vec<_> =
            hierarchy.expand(&Scope::from(scope)).iter().map(String::from).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn inclusion_is_transitive_and_only_downwards() {
        let pairs = [("admin", "write delete"), ("write", "read"), ("admin", "audit")];
        assert_eq!(expanded(&pairs, "admin"), ["admin", "audit", "delete", "read", "write"]);
        assert_eq!(expanded(&pairs, "write"), ["read", "write"]);
        assert_eq!(expanded(&pairs, "read x"), ["read", "x"]);
        assert_eq!(expanded(&pairs, "administrator Admin"), ["Admin", "administrator"]);
        assert_eq!(expanded(&[], "read"), ["read"]);
    }

    #[test]
    fn scopes_that_include_each_other_are_the_same() {
        let pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "d")];
        for scope in ["a", "b", "c"] {
            assert_eq!(expanded(&pairs, scope), ["a", "b", "c"]);
        }
        assert_eq!(expanded(&pairs, "d"), ["d"]);
    }

    #[test]
    fn names_that_no_scope_has_are_an_error() {
        for pair in [("", "a"), ("a", ""), ("a", " "), ("a b", "c"), ("a", "b\"c"), ("é", "a")] {
            let error = ScopeHierarchy::new([pair]).unwrap_err();
            assert_eq!(error.kind(), ConfigErrorKind::Rule, "{pair:?}");
        }
    }

    #[test]
    fn value_that_is_granted_many_times_is_expanded_once() {
        let hierarchy = ScopeHierarchy::new([("a", "b c")]).unwrap();
        let expanded = hierarchy.expand(&"a b ".repeat(100_000).as_str().into());
        assert_eq!(expanded.iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn size_is_bounded_also_when_it_is_multiplied_out() {
        // A chain of n has n (n - 1) / 2 pairs.
        let chain = |n: usize| {
            let names: Vec<_> = (0..n).map(|n| format!("s{n}")).collect();
            let pairs = names.windows(2).map(|pair| (&*pair[0], &*pair[1]));
            ScopeHierarchy::new(pairs).is_ok()
        };
        assert!(chain(91));
        assert!(!chain(92));
        assert!(!chain(10_000));
    }
}
