use std::fmt;
use std::str::FromStr;

use crate::config_error::{ConfigError, ConfigErrorKind};

/// The table of algorithms: the name in a JOSE header, and the type of key.
macro_rules! algorithms {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $key:ident;)+) => {
        /// A signature algorithm, named as in the `alg` header parameter (RFC 7518 section 3.1,
        /// RFC 8037 section 3.1, RFC 9864 section 2.2, RFC 9964 section 4).
        ///
        /// There is no `none` and no default algorithm: each key is bound to its algorithm, or to
        /// several, when the key is loaded.
        ///
        /// Signatures of ML-DSA are long: 3227, 4412 and 6170 characters of a token. They fit the default
        /// limits of this crate. A token cache needs `with_max_cached_token_length` for tokens over 4096
        /// bytes, and proxies may have lower limits for a header.
        ///
        /// # Example: names are compared exactly
        ///
        /// ```
        /// use tower_jwt_auth::Algorithm;
        ///
        /// assert_eq!("ES256".parse::<Algorithm>()?, Algorithm::ES256);
        /// assert!("es256".parse::<Algorithm>().is_err());
        /// assert!("none".parse::<Algorithm>().is_err());
        /// # Ok::<(), tower_jwt_auth::ConfigError>(())
        /// ```
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Algorithm { $($(#[$doc])* $variant,)+ }

        impl Algorithm {
            /// All algorithms, in the order of the variants, also if the crypto backend lacks one.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in a JOSE header.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }

            pub(crate) fn key_type(self) -> KeyType {
                match self { $(Self::$variant => KeyType::$key,)+ }
            }
        }
    };
}

algorithms! {
    /// HMAC with SHA-256; the secret has at least 32 bytes.
    HS256 = "HS256", Secret;
    /// HMAC with SHA-384; the secret has at least 48 bytes.
    HS384 = "HS384", Secret;
    /// HMAC with SHA-512; the secret has at least 64 bytes.
    HS512 = "HS512", Secret;
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256 = "RS256", Rsa;
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384 = "RS384", Rsa;
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512 = "RS512", Rsa;
    /// RSASSA-PSS with SHA-256.
    PS256 = "PS256", Rsa;
    /// RSASSA-PSS with SHA-384.
    PS384 = "PS384", Rsa;
    /// RSASSA-PSS with SHA-512.
    PS512 = "PS512", Rsa;
    /// ECDSA on P-256 with SHA-256.
    ES256 = "ES256", P256;
    /// ECDSA on P-384 with SHA-384.
    ES384 = "ES384", P384;
    /// ECDSA on P-521 with SHA-512. With feature `rust-crypto` alone, no such key can be loaded.
    ES512 = "ES512", P521;
    /// EdDSA, always with Ed25519 (RFC 8037). Most issuers still use this name.
    EdDSA = "EdDSA", Ed25519;
    /// EdDSA with Ed25519, under its fully specified name (RFC 9864). A key that is bound to only one
    /// of the two names does not verify tokens with the other one.
    Ed25519 = "Ed25519", Ed25519;
    /// ML-DSA-44 (FIPS 204, RFC 9964), the smallest of the three. With feature `rust-crypto` alone, no key for
    /// ML-DSA can be loaded.
    MlDsa44 = "ML-DSA-44", MlDsa44;
    /// ML-DSA-65.
    MlDsa65 = "ML-DSA-65", MlDsa65;
    /// ML-DSA-87.
    MlDsa87 = "ML-DSA-87", MlDsa87;
}

/// The type of key that an algorithm needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    Secret,
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
    MlDsa44,
    MlDsa65,
    MlDsa87,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = ConfigError;

    /// Parses the [name](Self::name) in a JOSE header.
    ///
    /// # Errors
    ///
    /// When the name is not exactly the name of a supported signature algorithm.
    fn from_str(name: &str) -> Result<Self, ConfigError> {
        Self::from_name(name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|algorithm| algorithm.name()).collect();
            ConfigError::new(
                ConfigErrorKind::Algorithm,
                format!("unknown algorithm, the known ones are {}", names.join(", ")),
            )
        })
    }
}

/// A set of algorithms: one bit for each row of the table.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AlgorithmSet(u64);

// A row without its own bit would be mistaken for another one.
const _: () = assert!(Algorithm::ALL.len() <= u64::BITS as usize);

impl AlgorithmSet {
    pub(crate) const EMPTY: Self = Self(0);

    pub(crate) fn of_key_type(key_type: KeyType) -> Self {
        Algorithm::ALL.iter().copied().filter(|a| a.key_type() == key_type).collect()
    }

    pub(crate) fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & Self::from(algorithm).0 != 0
    }

    pub(crate) fn with(self, algorithm: Algorithm) -> Self {
        Self(self.0 | Self::from(algorithm).0)
    }

    /// Whether the other set contains all of these algorithms.
    pub(crate) fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.iter().copied().filter(move |algorithm| self.contains(*algorithm))
    }
}

impl From<Algorithm> for AlgorithmSet {
    fn from(algorithm: Algorithm) -> Self {
        Self(1 << algorithm as u32)
    }
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        algorithms.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Display for AlgorithmSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Algorithm::name).collect();
        f.write_str(&names.join(", "))
    }
}

impl fmt::Debug for AlgorithmSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_algorithm_has_a_bit_of_its_own() {
        for &one in Algorithm::ALL {
            assert!(AlgorithmSet::from(one).iter().eq([one]));
        }
        let all: AlgorithmSet = Algorithm::ALL.iter().copied().collect();
        assert!(all.iter().eq(Algorithm::ALL.iter().copied()));
    }

    #[test]
    fn a_subset_has_nothing_that_the_other_set_lacks() {
        let rsa = AlgorithmSet::of_key_type(KeyType::Rsa);
        let one = AlgorithmSet::from(Algorithm::PS256);
        assert!(one.is_subset(rsa) && rsa.is_subset(rsa) && AlgorithmSet::EMPTY.is_subset(one));
        assert!(!rsa.is_subset(one));
        assert!(!AlgorithmSet::from(Algorithm::ES256).is_subset(rsa));
    }
}
