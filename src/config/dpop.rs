//! Proofs of possession.

#[cfg(feature = "dpop")]
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

#[cfg(feature = "dpop")]
use crate::config::files::{Contents, read};
#[cfg(feature = "dpop")]
use crate::config::issuer::secret_in_data;
#[cfg(feature = "dpop")]
use crate::config::place::{At, Place, exactly_one, first_given};
#[cfg(feature = "dpop")]
use crate::config::replay::memory_store;
use crate::config::values::{Given, Switch, Texts, Whole};
#[cfg(feature = "dpop")]
use crate::config_error::ConfigError;
#[cfg(feature = "dpop")]
use crate::dpop::Dpop;

#[cfg_attr(not(feature = "dpop"), allow(dead_code, reason = "an error without it"))]
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DpopConfig {
    public_urls: Given<Texts>,
    dangerous_host_of_request: Given<String>,
    pub(super) required: Switch,
    algorithms: Given<Texts>,
    max_age_seconds: Given<Whole>,
    leeway_seconds: Given<Whole>,
    require_nonce: Switch,
    nonce_key_file: Given<String>,
    previous_nonce_key_file: Given<Texts>,
    /// Only for a helpful error.
    nonce_key: Given<IgnoredAny>,
    nonce_lifetime_seconds: Given<Whole>,
    replay_capacity: Given<Whole>,
    replay_share: Given<Whole>,
}

#[cfg(feature = "dpop")]
impl DpopConfig {
    pub(super) fn dpop(&self, place: &Place) -> Result<Dpop, ConfigError> {
        let mut dpop = self.at_its_url(place)?;
        if let Some(names) = &*self.algorithms {
            let at = place.member("algorithms");
            let parse = |(entry, name): &(_, String)| name.parse().at(&at.entry(entry));
            let algorithms = names.0.0.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
            dpop = dpop.with_algorithms(algorithms).at(&at)?;
        }
        if let Some(Whole(age)) = *self.max_age_seconds {
            let at = place.member("max_age_seconds");
            dpop = dpop.with_max_age(Duration::from_secs(age)).at(&at)?;
        }
        if let Some(Whole(leeway)) = *self.leeway_seconds {
            let at = place.member("leeway_seconds");
            dpop = dpop.with_leeway(Duration::from_secs(leeway)).at(&at)?;
        }
        let dpop = self.with_nonces(dpop, place)?;
        if self.replay_capacity.is_none() && self.replay_share.is_none() {
            return Ok(dpop);
        }
        Ok(dpop.with_replay_store(memory_store(
            (place.member("replay_capacity"), *self.replay_capacity),
            (place.member("replay_share"), *self.replay_share),
        )?))
    }

    fn at_its_url(&self, place: &Place) -> Result<Dpop, ConfigError> {
        let members = [
            ("public_urls", self.public_urls.is_some()),
            ("dangerous_host_of_request", self.dangerous_host_of_request.is_some()),
        ];
        let at = place.member(exactly_one(place, "the URL of this server", &members)?);
        if let Some(scheme) = &*self.dangerous_host_of_request {
            return Dpop::dangerous_host_of_request(scheme).at(&at);
        }
        let urls = self.public_urls.iter().flat_map(|urls| &urls.0.0);
        let add = |dpop: Option<Dpop>, (entry, url): &(_, String)| {
            let dpop = match dpop {
                Some(dpop) => dpop.add_public_url(url),
                None => Dpop::new(url),
            };
            dpop.map(Some).at(&at.entry(entry))
        };
        let dpop = urls.into_iter().try_fold(None, add)?;
        dpop.ok_or_else(|| at.error("no URL is given: name at least one"))
    }

    fn with_nonces(&self, mut dpop: Dpop, place: &Place) -> Result<Dpop, ConfigError> {
        if self.nonce_key.is_some() {
            return Err(secret_in_data(&place.member("nonce_key"), "nonce_key_file"));
        }
        if !self.require_nonce.0 {
            let members = [
                ("nonce_key_file", self.nonce_key_file.is_some()),
                ("previous_nonce_key_file", self.previous_nonce_key_file.is_some()),
                ("nonce_lifetime_seconds", self.nonce_lifetime_seconds.is_some()),
            ];
            return match first_given(members) {
                Some(name) => Err(place
                    .member(name)
                    .error("this has no effect unless `require_nonce` is true")),
                None => Ok(dpop),
            };
        }
        if self.nonce_key_file.is_none() && self.previous_nonce_key_file.is_some() {
            return Err(place.member("previous_nonce_key_file").error(
                "this needs `nonce_key_file`: the key that replaces it is not a random one",
            ));
        }
        dpop = match &*self.nonce_key_file {
            Some(path) => {
                let at = place.member("nonce_key_file");
                dpop.with_nonce_key(&read(path, Contents::Secret, &at)?).at(&at)?
            }
            None => dpop.require_nonce().at(&place.member("require_nonce"))?,
        };
        let at = place.member("previous_nonce_key_file");
        for (entry, path) in self.previous_nonce_key_file.iter().flat_map(|paths| &paths.0.0) {
            let at = at.entry(entry);
            let key = read(path, Contents::Secret, &at)?;
            dpop = dpop.add_previous_nonce_key(&key).at(&at)?;
        }
        match *self.nonce_lifetime_seconds {
            Some(Whole(lifetime)) => {
                let at = place.member("nonce_lifetime_seconds");
                dpop.with_nonce_lifetime(Duration::from_secs(lifetime)).at(&at)
            }
            None => Ok(dpop),
        }
    }
}
