//! The cryptography of `jsonwebtoken` 10, which has one provider per process.
//!
//! Two peers use that version: axum-jose with aws-lc-rs, and axum-jwt-auth, which turns on RustCrypto. The provider
//! installed here reads a flag, with one relaxed load, and forwards to one of the two.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use jsonwebtoken10::crypto::{CryptoProvider, JwkUtils, aws_lc, rust_crypto};

static RUST_CRYPTO: AtomicBool = AtomicBool::new(false);

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| (aws_lc::DEFAULT_PROVIDER.signer_factory)(algorithm, key),
    verifier_factory: |algorithm, key| {
        if RUST_CRYPTO.load(Relaxed) {
            (rust_crypto::DEFAULT_PROVIDER.verifier_factory)(algorithm, key)
        } else {
            (aws_lc::DEFAULT_PROVIDER.verifier_factory)(algorithm, key)
        }
    },
    jwk_utils: JwkUtils::new_unimplemented(),
};

pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| PROVIDER.install_default().expect("the only provider"));
}

pub fn use_aws_lc() {
    RUST_CRYPTO.store(false, Relaxed);
}

pub fn use_rust_crypto() {
    RUST_CRYPTO.store(true, Relaxed);
}
