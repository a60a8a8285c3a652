//! SHA-256.

#[cfg(feature = "aws-lc-rs")]
pub(crate) use self::aws_lc::sha256;
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
pub(crate) use self::rust_crypto::sha256;

/// The length of a digest of SHA-256, in bytes.
pub(crate) const SHA256_LENGTH: usize = 32;

#[cfg(feature = "aws-lc-rs")]
mod aws_lc {
    use aws_lc_rs::digest::{Context, SHA256};

    use super::SHA256_LENGTH;

    /// The digest of the parts, as if they were one text.
    pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; SHA256_LENGTH] {
        let mut context = Context::new(&SHA256);
        parts.iter().for_each(|part| context.update(part));
        let mut digest = [0; SHA256_LENGTH];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

// With both backends it is compiled only for the tests.
#[cfg(all(feature = "rust-crypto", any(test, not(feature = "aws-lc-rs"))))]
mod rust_crypto {
    use sha2::{Digest, Sha256};

    use super::SHA256_LENGTH;

    /// The digest of the parts, as if they were one text.
    pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; SHA256_LENGTH] {
        parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::SHA256_LENGTH;

    /// The first vector of FIPS 180-2, appendix B.
    fn digest_of_abc(sha256: fn(&[&[u8]]) -> [u8; SHA256_LENGTH]) {
        let digest = sha256(&[b"a", b"", b"bc"]);
        assert_eq!(digest, sha256(&[b"abc"]));
        assert_eq!(digest[..8], [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea]);
        assert_ne!(digest, sha256(&[b"xyz"]));
    }

    #[test]
    #[cfg(feature = "aws-lc-rs")]
    fn aws_lc_hashes_the_parts_as_one_text() {
        digest_of_abc(super::aws_lc::sha256);
    }

    #[test]
    #[cfg(feature = "rust-crypto")]
    fn rust_crypto_hashes_the_parts_as_one_text() {
        digest_of_abc(super::rust_crypto::sha256);
    }
}
