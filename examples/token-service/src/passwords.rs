//! Hashes of passwords: Argon2id, as PHC strings.

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::password_hash::{Error, PasswordHasher};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// The working memory of Argon2: 19 MiB after the first use.
pub type Memory = Vec<Block>;

/// Hashes with the defaults of `argon2`: Argon2id with 19 MiB, two passes and a random salt. It is slow on purpose.
///
/// # Errors
///
/// If the password is longer than Argon2 allows, 4 GiB.
pub fn hash(password: &str) -> Result<String, Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

/// Whether the password is right. `false` if the hash cannot be read.
pub fn is_right(password: &str, hash: &str, memory: &mut Memory) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| verify(password, &hash, memory).unwrap_or(false))
}

/// Does what `PasswordVerifier` does, in memory that is reused. `PasswordVerifier` allocates it for each call, and the
/// allocator may keep it for every thread that has hashed.
fn verify(password: &str, hash: &PasswordHash, memory: &mut Memory) -> Result<bool, Error> {
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

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordVerifier;

    use super::*;

    #[test]
    fn it_agrees_with_the_verifier_of_argon2() {
        let hash = hash("wonderland").unwrap();
        let phc = PasswordHash::new(&hash).unwrap();
        for password in ["wonderland", "wonderlanD", ""] {
            let expected = Argon2::default().verify_password(password.as_bytes(), &phc).is_ok();
            assert_eq!(is_right(password, &hash, &mut Memory::new()), expected);
        }
    }

    #[test]
    fn each_hash_has_the_same_cost_and_its_own_salt() {
        let hashes = [hash("").unwrap(), hash("wonderland").unwrap()];
        let [one, other] = hashes.each_ref().map(|hash| PasswordHash::new(hash).unwrap());
        assert_eq!(one.algorithm.as_str(), "argon2id");
        assert_eq!((&one.algorithm, one.version), (&other.algorithm, other.version));
        assert_eq!(one.params.to_string(), other.params.to_string());
        assert_ne!(one.salt, other.salt);
    }

    #[test]
    fn a_hash_that_cannot_be_read_is_wrong() {
        for hash in ["", "wonderland", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ"] {
            assert!(!is_right("wonderland", hash, &mut Memory::new()), "{hash}");
        }
    }
}
