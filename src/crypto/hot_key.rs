//! Feature `precomputed-tables`: a key that verifies many tokens gets tables, by which each further
//! check is faster than by the backend.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crate::crypto::algorithm::KeyType;
use crate::crypto::material::KeyMaterial;
use crate::crypto::tables::KeyTables;

/// The valid signatures after which a key gets its tables. To compute them takes as long as some 30
/// checks save with Ed25519, and some 50 with P-256.
const VALID_SIGNATURES: u32 = 256;

/// The most keys of the process that have tables at a time: 3.4 MiB.
const MOST_KEYS: usize = 16;

static SLOTS: Slots = Slots::new(MOST_KEYS);

/// Counts the valid signatures of one key, and holds its tables.
///
/// Only valid signatures count, so forged tokens cause no work and take no slot. One thread computes
/// the tables, while it verifies the signature that makes them due; the others do not wait for it.
pub(crate) struct HotKey {
    key: PublicPoint,
    valid: AtomicU32,
    /// `None` inside: there will be no tables.
    tables: OnceLock<Option<HeldTables>>,
    slots: &'static Slots,
}

/// A key whose algorithm has tables.
enum PublicPoint {
    Ed25519([u8; 32]),
    P256(Box<[u8]>),
}

struct HeldTables {
    tables: KeyTables,
    /// Given back when the tables are dropped.
    _slot: Slot,
}

impl HotKey {
    /// `None` for a type of key without tables.
    pub(crate) fn new(material: &KeyMaterial<'_>) -> Option<Self> {
        Self::with_slots(material, &SLOTS)
    }

    fn with_slots(material: &KeyMaterial<'_>, slots: &'static Slots) -> Option<Self> {
        let key = match material {
            KeyMaterial::Ed25519(key) => PublicPoint::Ed25519(*key),
            KeyMaterial::Ec { key_type: KeyType::P256, point } => {
                PublicPoint::P256(point.as_ref().into())
            }
            KeyMaterial::Ec { .. }
            | KeyMaterial::Rsa { .. }
            | KeyMaterial::MlDsa { .. }
            | KeyMaterial::Secret(_) => {
                return None;
            }
        };
        Some(Self { key, valid: AtomicU32::new(0), tables: OnceLock::new(), slots })
    }

    /// Checks a signature by the tables or, before they exist, by the backend.
    pub(crate) fn verify(
        &self,
        message: &[u8],
        signature: &[u8],
        by_backend: impl FnOnce() -> bool,
    ) -> bool {
        match self.tables.get() {
            Some(Some(held)) => held.tables.verify(message, signature),
            Some(None) => by_backend(),
            None => {
                let valid = by_backend();
                if valid && self.is_due() {
                    self.compute(message, signature);
                }
                valid
            }
        }
    }

    /// Counts a valid signature. One thread is told that the tables are due. If no slot was free, it
    /// is told again after as many signatures.
    fn is_due(&self) -> bool {
        self.valid.fetch_add(1, Ordering::Relaxed) % VALID_SIGNATURES
            == const { VALID_SIGNATURES - 1 }
    }

    /// Computes the tables if a slot is free. They are used only if they accept this signature, which
    /// the backend has accepted.
    fn compute(&self, message: &[u8], signature: &[u8]) {
        let Some(slot) = self.slots.take() else { return };
        let tables = self.key.tables().filter(|tables| tables.verify(message, signature));
        // Another thread would need as many valid signatures while this one computes.
        let _ = self.tables.set(tables.map(|tables| HeldTables { tables, _slot: slot }));
    }
}

impl PublicPoint {
    fn tables(&self) -> Option<KeyTables> {
        match self {
            Self::Ed25519(key) => KeyTables::ed25519(key),
            Self::P256(point) => KeyTables::p256(point),
        }
    }
}

/// How many keys may still get tables.
struct Slots(AtomicUsize);

/// The right to one key's tables.
struct Slot(&'static Slots);

impl Slots {
    const fn new(most: usize) -> Self {
        Self(AtomicUsize::new(most))
    }

    fn take(&'static self) -> Option<Slot> {
        let less = |free: usize| free.checked_sub(1);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        // Made only then, since it gives the slot back when it is dropped.
        taken.ok().map(|_| Slot(self))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl HotKey {
    pub(crate) fn has_tables(&self) -> bool {
        matches!(self.tables.get(), Some(Some(_)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::crypto::algorithm::Algorithm;
    use crate::key::test_keys::SigningKey;
    use crate::key::{VerificationKey, der};

    const MESSAGE: &[u8] = b"header.payload";

    /// A key with slots of its own, and a valid signature.
    fn hot_key(algorithm: Algorithm, slots: &'static Slots) -> (HotKey, Vec<u8>) {
        let signer = SigningKey::new(algorithm);
        let spki = signer.spki();
        let key = HotKey::with_slots(&der::public_key(&spki).unwrap(), slots).unwrap();
        (key, signer.sign(algorithm, MESSAGE))
    }

    fn slots(most: usize) -> &'static Slots {
        Box::leak(Box::new(Slots::new(most)))
    }

    /// Verifies as often as the tables need, less one.
    fn warm_up(key: &HotKey, signature: &[u8]) {
        for _ in 1..VALID_SIGNATURES {
            assert!(key.verify(MESSAGE, signature, || true));
            assert!(!key.has_tables());
        }
    }

    #[test]
    fn key_has_its_tables_after_256_valid_signatures() {
        for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
            let (key, signature) = hot_key(algorithm, slots(1));
            warm_up(&key, &signature);
            assert!(key.verify(MESSAGE, &signature, || true));
            assert!(key.has_tables());
            let backend = || -> bool { panic!("the backend is not asked") };
            assert!(key.verify(MESSAGE, &signature, backend));
            assert!(!key.verify(b"header.other", &signature, backend));
            assert!(!key.verify(MESSAGE, &signature[1..], backend));
        }
    }

    #[test]
    fn forged_signatures_bring_no_tables_nearer() {
        let (key, signature) = hot_key(Algorithm::EdDSA, slots(1));
        warm_up(&key, &signature);
        for _ in 0..2 * VALID_SIGNATURES {
            assert!(!key.verify(MESSAGE, &[0; 64], || false));
        }
        assert!(!key.has_tables());
        assert!(key.verify(MESSAGE, &signature, || true));
        assert!(key.has_tables());
    }

    #[test]
    fn tables_are_bounded_and_dropped_with_their_key() {
        let slots = slots(2);
        let [(first, _), (second, _), (third, signature)] =
            [Algorithm::ES256, Algorithm::EdDSA, Algorithm::ES256].map(|algorithm| {
                let (key, signature) = hot_key(algorithm, slots);
                warm_up(&key, &signature);
                assert!(key.verify(MESSAGE, &signature, || true));
                (key, signature)
            });
        assert!(first.has_tables() && second.has_tables() && !third.has_tables());
        assert!(slots.take().is_none());

        drop(first);
        warm_up(&third, &signature);
        assert!(third.verify(MESSAGE, &signature, || true));
        assert!(third.has_tables() && slots.take().is_none());

        drop((second, third));
        assert_eq!(slots.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn tables_that_refuse_what_the_backend_accepted_are_never_used() {
        for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
            let slots = slots(1);
            let (key, _) = hot_key(algorithm, slots);
            let another = SigningKey::new(algorithm).sign(algorithm, MESSAGE);
            for _ in 0..3 * VALID_SIGNATURES {
                assert!(key.verify(MESSAGE, &another, || true));
                assert!(!key.has_tables());
            }
            assert_eq!(slots.0.load(Ordering::Relaxed), 1);
        }
    }

    #[test]
    fn only_keys_of_ed25519_and_p256_have_tables() {
        for &algorithm in Algorithm::ALL.iter().filter(|a| a.key_type() != KeyType::Secret) {
            let spki = SigningKey::new(algorithm).spki();
            let has = HotKey::new(&der::public_key(&spki).unwrap()).is_some();
            let expected = matches!(algorithm.key_type(), KeyType::Ed25519 | KeyType::P256);
            assert_eq!(has, expected, "{algorithm}");
        }
        let secret = KeyMaterial::secret(&[7; 32], Algorithm::HS256).unwrap();
        assert!(HotKey::new(&secret).is_none());
    }

    #[test]
    fn clones_and_names_of_a_key_share_its_tables() {
        let signer = SigningKey::new(Algorithm::EdDSA);
        let key = VerificationKey::from_jwk(&signer.jwk().to_string()).unwrap();
        let named = key.clone().with_kid("a");
        let one = named.clone().without(Algorithm::EdDSA.into()).unwrap();
        let signature = signer.sign(Algorithm::EdDSA, MESSAGE);
        for _ in 0..VALID_SIGNATURES / 2 {
            assert!(key.verify(Algorithm::EdDSA, MESSAGE, &signature));
            assert!(named.verify(Algorithm::Ed25519, MESSAGE, &signature));
        }
        assert!(one.hot_key().unwrap().has_tables());
        assert!(one.verify(Algorithm::Ed25519, MESSAGE, &signature));
        // The algorithm is still that of the key.
        assert!(!one.verify(Algorithm::EdDSA, MESSAGE, &signature));
        assert!(!one.verify(Algorithm::ES256, MESSAGE, &signature));
    }

    #[test]
    fn threads_agree_while_the_tables_are_computed() {
        for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
            let signer = SigningKey::new(algorithm);
            let key = VerificationKey::from_der(&signer.spki(), algorithm).unwrap();
            let signature = Arc::new(signer.sign(algorithm, MESSAGE));
            let threads: [_; 4] = std::array::from_fn(|_| {
                let (key, signature) = (key.clone(), Arc::clone(&signature));
                thread::spawn(move || {
                    let mut forged = signature.to_vec();
                    forged[40] ^= 1;
                    for _ in 0..VALID_SIGNATURES {
                        assert!(key.verify(algorithm, MESSAGE, &signature));
                        assert!(!key.verify(algorithm, MESSAGE, &forged));
                        assert!(!key.verify(algorithm, b"header.other", &signature));
                    }
                })
            });
            for thread in threads {
                thread.join().unwrap();
            }
            assert!(key.hot_key().is_none_or(HotKey::has_tables));
        }
    }
}
