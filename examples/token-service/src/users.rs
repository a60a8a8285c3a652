//! The users, in memory, with Argon2id hashes of their passwords.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::password_hash::{Error, PasswordHasher};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// All scopes, with their meanings.
pub const SCOPES: [(&str, &str); 2] = [("read", "read data"), ("write", "change data")];

/// The user of `--demo`.
pub const DEMO_USER: &str = "alice";
/// The demo user's password.
pub const DEMO_PASSWORD: &str = "wonderland";

/// A user whose password was right.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    /// The scopes that the user may request, the least powerful first.
    pub scopes: Vec<String>,
}

/// The working memory of Argon2: 19 MiB after the first use.
pub type Memory = Vec<Block>;

/// All users.
pub struct Users {
    by_name: HashMap<String, (User, PasswordHash)>,
    /// The hash that is verified for a user that does not exist.
    nobody: PasswordHash,
    verifications: AtomicU64,
}

impl Users {
    /// The demo user alone.
    pub fn demo() -> Result<Self, Error> {
        let mut users =
            Self { by_name: HashMap::new(), nobody: hash("")?, verifications: AtomicU64::new(0) };
        users.add(DEMO_USER, DEMO_PASSWORD, &SCOPES.map(|(scope, _)| scope))?;
        Ok(users)
    }

    fn add(&mut self, name: &str, password: &str, scopes: &[&str]) -> Result<(), Error> {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        let user = User { name: name.to_owned(), scopes };
        self.by_name.insert(name.to_owned(), (user, hash(password)?));
        Ok(())
    }

    /// The user, if the password is right. It is slow on purpose, and takes the same time for an unknown user: it
    /// always verifies one hash.
    pub fn verify(&self, name: &str, password: &str, memory: &mut Memory) -> Option<&User> {
        let found = self.by_name.get(name);
        let hash = found.map_or(&self.nobody, |(_, hash)| hash);
        self.verifications.fetch_add(1, Ordering::Relaxed);
        let is_right = is_right(password, hash, memory).unwrap_or(false);
        found.filter(|_| is_right).map(|(user, _)| user)
    }

    /// The number of hashes that were verified so far.
    pub fn verifications(&self) -> u64 {
        self.verifications.load(Ordering::Relaxed)
    }
}

/// Hashes with the defaults of `argon2`: Argon2id with 19 MiB, two passes and a random salt.
fn hash(password: &str) -> Result<PasswordHash, Error> {
    Argon2::default().hash_password(password.as_bytes())
}

/// Does what `PasswordVerifier` does, in memory that is reused. `PasswordVerifier` allocates it for each call, and the
/// allocator may keep it for every thread that has hashed.
fn is_right(password: &str, hash: &PasswordHash, memory: &mut Memory) -> Result<bool, Error> {
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Ok(false) };
    let algorithm = Algorithm::try_from(hash.algorithm.as_str())?;
    let version = hash.version.map(Version::try_from).transpose()?.unwrap_or_default();
    let params = Params::try_from(hash)?;
    memory.resize(params.block_count(), Block::default());

    let mut output = vec![0; expected.len()];
    Argon2::new(algorithm, version, params).hash_password_into_with_memory(
        password.as_bytes(),
        salt,
        &mut output,
        memory,
    )?;
    // In constant time.
    Ok(Output::new(&output)? == *expected)
}

impl fmt::Debug for Users {
    /// Leaves out the hashes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("number", &self.by_name.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordVerifier;

    use super::*;

    #[test]
    fn every_guess_verifies_one_hash() {
        let users = Users::demo().unwrap();
        // All guesses share it: the data that one leaves does not affect the next.
        let mut memory = Memory::new();
        let mut verify = |name, password| users.verify(name, password, &mut memory);
        assert_eq!(verify("alice", "wonderland").unwrap().name, "alice");
        assert_eq!(users.verifications(), 1);
        assert!(verify("alice", "looking-glass").is_none());
        assert_eq!(users.verifications(), 2);
        assert!(verify("bob", "wonderland").is_none());
        assert_eq!(users.verifications(), 3);
        // The password of the hash for unknown users does not log in.
        assert!(verify("bob", "").is_none());
        assert_eq!(users.verifications(), 4);
    }

    #[test]
    fn the_hash_of_nobody_costs_what_a_real_one_costs() {
        let users = Users::demo().unwrap();
        let (_, alice) = &users.by_name["alice"];
        assert_eq!(alice.algorithm.as_str(), "argon2id");
        assert_eq!(alice.algorithm, users.nobody.algorithm);
        assert_eq!(alice.version, users.nobody.version);
        assert_eq!(alice.params.to_string(), users.nobody.params.to_string());
        assert_ne!(alice.salt, users.nobody.salt);
    }

    #[test]
    fn it_agrees_with_the_verifier_of_argon2() {
        let hash = hash("wonderland").unwrap();
        for password in ["wonderland", "wonderlanD", ""] {
            let expected = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
            assert_eq!(is_right(password, &hash, &mut Memory::new()), Ok(expected));
        }
    }

    #[test]
    fn no_hash_in_debug() {
        let users = Users::demo().unwrap();
        assert!(!format!("{users:?}").contains("argon2"));
    }
}
