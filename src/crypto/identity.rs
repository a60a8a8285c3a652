//! The identity of a key: bytes that are compared to recognise the same key.

use crate::crypto::algorithm::AlgorithmSet;
use crate::crypto::material::KeyMaterial;
use crate::crypto::signature;

impl KeyMaterial<'_> {
    /// Bytes that only the same key has. For a secret they are its MAC over a message that is not a
    /// token, so they do not contain the secret.
    pub(crate) fn identity(&self, algorithms: AlgorithmSet) -> Vec<u8> {
        const MESSAGE: &[u8] = b"which key is it?";

        let name = self.key_type().to_string();
        let of = |parts: &[&[u8]]| [name.as_bytes(), &parts.concat()].concat();
        match self {
            Self::Secret(secret) => {
                let macs = algorithms.iter().map(|one| signature::mac(secret, one, MESSAGE));
                of(&[&macs.flatten().flatten().collect::<Vec<u8>>()])
            }
            Self::Rsa { modulus, exponent } => {
                of(&[&exponent.len().to_be_bytes(), exponent, modulus])
            }
            Self::Ec { point, .. } => of(&[point]),
            Self::Ed25519(key) => of(&[key]),
            Self::MlDsa { key, .. } => of(&[key]),
        }
    }
}
