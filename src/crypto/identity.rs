//! Which key is it? Bytes to compare keys by.

use crate::crypto::algorithm::AlgorithmSet;
use crate::crypto::material::KeyMaterial;
use crate::crypto::signature;

impl KeyMaterial<'_> {
    /// Bytes that only the same key has. They hold no secret: instead of it, its MAC over a message
    /// that is not a token.
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
        }
    }
}
