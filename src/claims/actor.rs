use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};
use serde::{Deserialize as DeriveDeserialize, Serialize};

/// The party that uses a token on behalf of the token's subject: the claim `act` (RFC 8693 section 4.1).
///
/// Decide about access by the claims of the token and by this actor, not by the actors nested in it: they are a
/// record of earlier delegations. A chain of more than 8 actors does not deserialize, nor does an actor whose `sub`, `iss` or
/// `client_id` is not a string. Other members of the object are ignored.
///
/// # Example: in a claims type
///
/// ```
/// use serde::Deserialize;
/// use tower_jwt_auth::Actor;
///
/// #[derive(Deserialize)]
/// struct Claims {
///     sub: String,
///     act: Option<Actor>,
/// }
///
/// let claims = r#"{"sub": "alice", "act": {"sub": "billing", "act": {"sub": "shop"}}}"#;
/// let claims: Claims = serde_json::from_str(claims)?;
/// let actor = claims.act.unwrap();
/// assert_eq!(actor.sub.as_deref(), Some("billing"));
/// assert_eq!(actor.previous().unwrap().sub.as_deref(), Some("shop"));
/// # let _ = claims.sub;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// The subject of the actor (RFC 7519 section 4.1.2); `None` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The issuer that `sub` belongs to, if it is not the issuer of the token; `None` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The client ID of the actor, if the issuer names the actor by it; `None` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(rename = "act", skip_serializing_if = "Option::is_none")]
    previous: Option<Box<Self>>,
}

impl Actor {
    /// The maximum number of actors in a chain.
    const MAX_DEPTH: usize = 8;

    /// The actor that used the token before this one, for a log and not for access control; `None` if this
    /// actor was the first to use it.
    pub fn previous(&self) -> Option<&Self> {
        self.previous.as_deref()
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ActorSeed { left: Self::MAX_DEPTH }.deserialize(deserializer)
    }
}

/// Reads a chain of at most `left` actors.
struct ActorSeed {
    left: usize,
}

#[derive(DeriveDeserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    Sub,
    Iss,
    ClientId,
    Act,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for ActorSeed {
    type Value = Actor;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Actor, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ActorSeed {
    type Value = Actor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an actor, as an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Actor, A::Error> {
        fn once<T, E: Error>(place: &mut Option<T>, value: T) -> Result<(), E> {
            match place.replace(value) {
                None => Ok(()),
                Some(_) => Err(E::custom("a name is duplicated")),
            }
        }

        let left = self.left.checked_sub(1);
        let left = left.ok_or_else(|| A::Error::custom("a chain of too many actors"))?;
        let (mut sub, mut iss, mut client_id, mut previous) = (None, None, None, None);
        while let Some(name) = map.next_key()? {
            match name {
                Name::Sub => once(&mut sub, map.next_value()?)?,
                Name::Iss => once(&mut iss, map.next_value()?)?,
                Name::ClientId => once(&mut client_id, map.next_value()?)?,
                Name::Act => once(&mut previous, Box::new(map.next_value_seed(Self { left })?))?,
                Name::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Actor { sub, iss, client_id, previous })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(depth: usize) -> String {
        let inner = (1..depth).map(|n| format!(r#"{{"sub":"{n}","act":"#)).collect::<String>();
        format!(r#"{inner}{{"sub":"{depth}"}}{}"#, "}".repeat(depth - 1))
    }

    #[test]
    fn chain_is_read_up_to_eight_actors() {
        let mut actor = &serde_json::from_str::<Actor>(&chain(8)).unwrap();
        for n in 1..8 {
            assert_eq!(actor.sub, Some(n.to_string()));
            actor = actor.previous().unwrap();
        }
        assert_eq!(actor.previous(), None);
        assert!(serde_json::from_str::<Actor>(&chain(9)).is_err());
        assert!(serde_json::from_str::<Actor>(&chain(60)).is_err());
    }

    #[test]
    fn actor_of_another_form_is_an_error() {
        for json in [
            "\"billing\"",
            "[]",
            "null",
            "true",
            r#"{"sub": 7}"#,
            r#"{"act": "shop"}"#,
            r#"{"sub": "a", "sub": "b"}"#,
            r#"{"act": {}, "act": {}}"#,
        ] {
            assert!(serde_json::from_str::<Actor>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn actor_is_written_as_it_was_read() {
        let json = r#"{"sub":"a","iss":"b","client_id":"c","act":{"sub":"d"}}"#;
        let actor: Actor = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&actor).unwrap(), json);
        let more: Actor = serde_json::from_str(r#"{"more": [{}], "sub": "a"}"#).unwrap();
        assert_eq!(serde_json::to_string(&more).unwrap(), r#"{"sub":"a"}"#);
    }
}
