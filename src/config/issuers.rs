//! The verifiers of all issuers, as one.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::config::issuer::{IssuerConfig, Shared};
use crate::config::layer_config::LayerConfig;
use crate::config::place::{At, Place};
use crate::config::values::{Name, Table, Texts};
use crate::config_error::ConfigError;
#[cfg(feature = "introspection")]
use crate::verify::{Introspection, TokenKinds};
use crate::verify::{IssuerSet, JwtVerifier, VerifyToken};

/// The issuers whose keys are known, and the one that is asked about its tokens.
pub(super) struct Issuers<C> {
    pub(super) jwts: Option<Jwts<C>>,
    #[cfg(feature = "introspection")]
    pub(super) asked: Option<Asked<C>>,
}

pub(super) enum Jwts<C> {
    One(JwtVerifier<C>),
    Several(IssuerSet<C>),
}

#[cfg(feature = "introspection")]
pub(super) struct Asked<C> {
    pub(super) verifier: Introspection<C>,
    /// The names of the issuer that no other one lists.
    names: Vec<String>,
}

type Entry = (Name, Table<IssuerConfig>);

impl LayerConfig {
    pub(super) fn issuers<C>(&self, shared: &Shared) -> Result<Issuers<C>, ConfigError>
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        let place = Place::default().member("issuers");
        if self.0.issuers.0.is_empty() {
            return Err(place.error("no issuer is given: name at least one"));
        }
        for (name, issuer) in &self.0.issuers.0 {
            self.check_with_the_rest(issuer, &place.entry(name))?;
        }
        let (asked, with_keys): (Vec<&Entry>, Vec<&Entry>) =
            self.0.issuers.0.iter().partition(|(_, issuer)| issuer.introspection.is_some());
        let mut names = Vec::new();
        let jwts = match with_keys.as_slice() {
            [] => None,
            [(name, issuer)] => {
                let verifier = issuer.verifier(&place.entry(name), shared)?;
                names.push(verifier.issuer_names().map(<[String]>::to_vec));
                Some(Jwts::One(self.with_cache_of_one(verifier.with_claims())?))
            }
            issuers => {
                let set = self.with_cache_of_set(IssuerSet::new())?;
                for (name, issuer) in issuers {
                    let place = place.entry(name);
                    let verifier = issuer.verifier(&place, shared)?;
                    names.push(verifier.issuer_names().map(<[String]>::to_vec));
                    set.add(verifier.with_claims()).at(&place)?;
                }
                Some(Jwts::Several(set))
            }
        };
        if jwts.is_none() && self.0.token_cache.is_some() {
            return Err(Place::default()
                .member("token_cache")
                .error("this does not apply to `introspection`, which has `cache_capacity`"));
        }
        self.with_introspection(jwts, &names, &asked, shared)
    }

    /// Refuses an issuer for which a member for all issuers has no effect, or that it would lock out.
    fn check_with_the_rest(&self, issuer: &IssuerConfig, place: &Place) -> Result<(), ConfigError> {
        if self.0.dpop.is_some() && issuer.dangerous_ignore_confirmation.0 {
            return Err(place.member("dangerous_ignore_confirmation").error(
                "this has no effect beside `dpop`, which checks the binding of each token",
            ));
        }
        let is_spiffe = issuer.provider.as_ref().is_some_and(|it| it.spiffe.is_some());
        let is_required =
            |name| issuer.required_claims.iter().flat_map(Texts::iter).any(|claim| claim == name);
        if self.0.one_time_tokens.is_some()
            && is_spiffe
            && !["iss", "jti"].into_iter().all(is_required)
        {
            return Err(Place::default().member("one_time_tokens").error(
                "tokens of `spiffe` need not have `iss` and `jti`, which name a token that is accepted once: list \
                 both in `required_claims` of the issuer",
            ));
        }
        Ok(())
    }

    /// `names` are those of the issuers with keys; `None` for one that accepts any name. A JWT with a name of the other
    /// issuer is not for that one.
    #[cfg(feature = "introspection")]
    fn with_introspection<C>(
        &self,
        jwts: Option<Jwts<C>>,
        names: &[Option<Vec<String>>],
        asked: &[&Entry],
        shared: &Shared,
    ) -> Result<Issuers<C>, ConfigError> {
        let place = Place::default().member("issuers");
        let (name, issuer) = match asked {
            [] => return Ok(Issuers { jwts, asked: None }),
            [(name, issuer)] => (name, issuer),
            [_, (name, _), ..] => {
                return Err(place.entry(name).member("introspection").error(
                    "only one issuer can have this: an opaque token does not name its issuer",
                ));
            }
        };
        let Some(config) = &*issuer.introspection else { return Ok(Issuers { jwts, asked: None }) };
        let verifier = issuer.introspection(config, &place.entry(name), shared)?.with_claims();
        let is_free = |name: &&str| {
            let is_other = |of_one: &Vec<String>| of_one.iter().all(|other| other != name);
            names.iter().flatten().all(is_other)
        };
        let own = issuer.issuer.iter().flat_map(|names| names.iter());
        let mut names: Vec<String> = own.filter(is_free).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        Ok(Issuers { jwts, asked: Some(Asked { verifier, names }) })
    }

    #[cfg(not(feature = "introspection"))]
    fn with_introspection<C>(
        &self,
        jwts: Option<Jwts<C>>,
        _: &[Option<Vec<String>>],
        asked: &[&Entry],
        _: &Shared,
    ) -> Result<Issuers<C>, ConfigError> {
        match asked {
            [] => Ok(Issuers { jwts }),
            [(name, _), ..] => {
                let place = Place::default().member("issuers").entry(name);
                Err(crate::config::place::needs("introspection")).at(&place.member("introspection"))
            }
        }
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Issuers<C> {
    /// One verifier for the tokens of all issuers. With keys and introspection, a JWT is verified with the keys, unless
    /// only the other issuer lists its `iss`; the issuer is asked about all other tokens.
    #[cfg(feature = "introspection")]
    pub(super) fn verifier(&self) -> Result<Arc<dyn VerifyToken<C>>, ConfigError> {
        match (&self.jwts, &self.asked) {
            (Some(jwts), Some(Asked { verifier, names })) => {
                let kinds = TokenKinds::new().with_jwt(jwts.verifier());
                let kinds = names
                    .iter()
                    .try_fold(kinds, |kinds, name| kinds.add_issuer(name, verifier.clone()))?;
                Ok(Arc::new(kinds.with_otherwise(verifier.clone())))
            }
            (Some(jwts), None) => Ok(jwts.verifier()),
            (None, Some(asked)) => Ok(Arc::new(asked.verifier.clone())),
            (None, None) => Ok(Arc::new(IssuerSet::new())),
        }
    }

    #[cfg(not(feature = "introspection"))]
    pub(super) fn verifier(&self) -> Result<Arc<dyn VerifyToken<C>>, ConfigError> {
        match &self.jwts {
            Some(jwts) => Ok(jwts.verifier()),
            None => Ok(Arc::new(IssuerSet::new())),
        }
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Jwts<C> {
    fn verifier(&self) -> Arc<dyn VerifyToken<C>> {
        match self {
            Self::One(verifier) => Arc::new(verifier.clone()),
            Self::Several(issuers) => Arc::new(issuers.clone()),
        }
    }
}

impl<C> Clone for Issuers<C> {
    fn clone(&self) -> Self {
        let jwts = self.jwts.as_ref().map(|jwts| match jwts {
            Jwts::One(verifier) => Jwts::One(verifier.clone()),
            Jwts::Several(issuers) => Jwts::Several(issuers.clone()),
        });
        Self {
            jwts,
            #[cfg(feature = "introspection")]
            asked: self.asked.as_ref().map(|asked| Asked {
                verifier: asked.verifier.clone(),
                names: asked.names.clone(),
            }),
        }
    }
}
