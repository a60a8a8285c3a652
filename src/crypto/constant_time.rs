//! Comparison of secrets in a time that does not depend on where they differ.

#[cfg(feature = "aws-lc-rs")]
pub(crate) use self::aws_lc::are_equal;
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
pub(crate) use self::rust_crypto::are_equal;

#[cfg(feature = "aws-lc-rs")]
mod aws_lc {
    use aws_lc_rs::constant_time::verify_slices_are_equal;
    use aws_lc_rs::digest::{SHA256, digest};

    /// Both are hashed first, so that the time depends neither on the length of the common prefix
    /// nor on whether the lengths are equal.
    pub(crate) fn are_equal(one: &[u8], other: &[u8]) -> bool {
        let (one, other) = (digest(&SHA256, one), digest(&SHA256, other));
        verify_slices_are_equal(one.as_ref(), other.as_ref()).is_ok()
    }
}

// With both backends it is compiled only for the tests.
#[cfg(all(feature = "rust-crypto", any(test, not(feature = "aws-lc-rs"))))]
mod rust_crypto {
    use hmac::digest::CtOutput;
    use sha2::{Digest, Sha256};

    /// Hashes both, like the other backend. `CtOutput` compares in constant time.
    pub(crate) fn are_equal(one: &[u8], other: &[u8]) -> bool {
        let hash = |value| CtOutput::<Sha256>::new(Sha256::digest(value));
        hash(one) == hash(other)
    }
}

#[cfg(test)]
mod tests {
    const PAIRS: [(&[u8], &[u8], bool); 8] = [
        (b"secret", b"secret", true),
        (b"secret", b"secreT", false),
        (b"Secret", b"secret", false),
        (b"secret", b"secre", false),
        (b"secre", b"secret", false),
        (b"secret", b"", false),
        (b"", b"secret", false),
        (&[7; 1000], &[7; 1000], true),
    ];

    #[test]
    #[cfg(feature = "aws-lc-rs")]
    fn equal_secrets_are_told_from_others_by_aws_lc() {
        for (one, other, equal) in PAIRS {
            assert_eq!(super::aws_lc::are_equal(one, other), equal, "{one:?} {other:?}");
        }
    }

    #[test]
    #[cfg(feature = "rust-crypto")]
    fn equal_secrets_are_told_from_others_by_rust_crypto() {
        for (one, other, equal) in PAIRS {
            assert_eq!(super::rust_crypto::are_equal(one, other), equal, "{one:?} {other:?}");
        }
    }
}
