//! Encryption at rest of the signing keys and of the service's other secrets.
//!
//! The encrypted text of a row is `encrypted:1:KEYID:TEXT`. `KEYID` names the key that encrypted it. `TEXT` is base64url of a
//! random nonce, the ciphertext and the tag of AES-256-GCM-SIV. The version, the key ID, the table and the name of the row
//! are authenticated with it, so a text is not accepted in another row.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, general_purpose};
use zeroize::{Zeroize, Zeroizing};

/// What every encrypted text begins with. Neither a PEM text nor a secret in base64url does.
const ENCRYPTED: &str = "encrypted:";
/// The version of the format.
const VERSION: &str = "1:";
/// The length of a key, in bytes.
const KEY_LENGTH: usize = 32;
/// The characters of a key ID: 96 bits.
const ID_LENGTH: usize = 16;
const TAG_LENGTH: usize = 16;

/// Base64 of a key, with or without padding.
const CONFIG: GeneralPurposeConfig =
    general_purpose::PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// The row that a text is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRow<'a> {
    /// A signing key, by its key ID.
    SigningKey(&'a str),
    /// Another secret of the service, by its name.
    Secret(&'a str),
}

impl KeyRow<'_> {
    const fn table(self) -> &'static str {
        match self {
            Self::SigningKey(_) => "signing_keys",
            Self::Secret(_) => "secrets",
        }
    }

    /// What is authenticated with a text. The name is at the end, so no two rows have the same.
    fn context(self, key_id: &str) -> String {
        let (Self::SigningKey(name) | Self::Secret(name)) = self;
        format!("{ENCRYPTED}{VERSION}{key_id}:{}:{name}", self.table())
    }
}

impl fmt::Display for KeyRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SigningKey(name) => write!(f, "the signing key {name:?}"),
            Self::Secret(name) => write!(f, "the secret {name:?}"),
        }
    }
}

/// How the text of a row is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection<'a> {
    /// It can be read by everyone who reads the database.
    Plaintext,
    /// It is encrypted with the key that has this ID.
    Encrypted { key_id: &'a str },
    /// It begins as an encrypted text does, and goes on in a way that this version does not know.
    Unknown,
}

impl<'a> Protection<'a> {
    /// That of a text.
    pub fn of(text: &'a str) -> Self {
        match parts(text) {
            None => Self::Plaintext,
            Some(Ok((key_id, _))) => Self::Encrypted { key_id },
            Some(Err(_)) => Self::Unknown,
        }
    }
}

/// The ID of the key and the rest of an encrypted text. `None` if it is not encrypted.
fn parts(text: &str) -> Option<Result<(&str, &str), Fault>> {
    let rest = text.strip_prefix(ENCRYPTED)?;
    let Some(rest) = rest.strip_prefix(VERSION) else {
        let (version, _) = rest.split_once(':').unwrap_or_default();
        let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        return Some(Err(if is_number { Fault::NewerFormat } else { Fault::Damaged }));
    };
    let is_id = |id: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        id.len() == ID_LENGTH && id.bytes().all(is_allowed)
    };
    Some(rest.split_once(':').filter(|(id, _)| is_id(id)).ok_or(Fault::Damaged))
}

/// A key that encrypts keys.
pub struct KeyEncryptionKey {
    id: String,
    key: RandomizedNonceKey,
}

impl KeyEncryptionKey {
    /// A new key, as the text that [`from_text`](Self::from_text) reads.
    pub fn generate() -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
        // It fails only if the system has no random numbers.
        rand::fill(&mut *bytes).expect("the system has random numbers");
        Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes))
    }

    /// Reads a key: 32 random bytes in base64 or base64url.
    ///
    /// # Errors
    ///
    /// If it is not that.
    pub fn from_text(text: &str) -> Result<Self, KeyEncryptionError> {
        let text = text.trim();
        let bytes = URL_SAFE.decode(text).or_else(|_| STANDARD.decode(text));
        let bytes = Zeroizing::new(bytes.unwrap_or_default());
        let key = RandomizedNonceKey::new(&AES_256_GCM_SIV, &bytes);
        let key = key.ok().filter(|_| bytes.len() == KEY_LENGTH);
        let key = key.ok_or_else(|| KeyEncryptionError::new(Fault::NoKey))?;
        Ok(Self { id: id(&bytes), key })
    }

    /// The ID, which is derived from the key and does not reveal it.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn encrypt(&self, row: KeyRow<'_>, text: &str) -> Result<String, Fault> {
        // With room for the tag, so that the plaintext is not moved and then left behind.
        let mut bytes = Vec::with_capacity(text.len().saturating_add(TAG_LENGTH));
        bytes.extend_from_slice(text.as_bytes());
        let context = row.context(&self.id);
        let Ok(nonce) =
            self.key.seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut bytes)
        else {
            bytes.zeroize();
            return Err(Fault::NotEncrypted);
        };
        let text = URL_SAFE_NO_PAD.encode([&nonce.as_ref()[..], &bytes].concat());
        Ok(format!("{ENCRYPTED}{VERSION}{}:{text}", self.id))
    }

    fn decrypt(&self, row: KeyRow<'_>, text: &str) -> Option<Zeroizing<String>> {
        let mut bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let (nonce, ciphertext) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let context = row.context(&self.id);
        let plaintext =
            self.key.open_in_place(nonce, Aad::from(context.as_bytes()), ciphertext).ok()?;
        std::str::from_utf8(plaintext).ok().map(|text| Zeroizing::new(text.to_owned()))
    }
}

/// A hash of the key, for this purpose alone.
fn id(key: &[u8]) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(b"token-service: ID of a key encryption key\0");
    hash.update(key);
    let mut id = URL_SAFE_NO_PAD.encode(hash.finish());
    id.truncate(ID_LENGTH);
    id
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEncryptionKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The keys that encrypt the keys in a store; by default none, which leaves them readable in the database. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct KeyEncryption {
    keys: Arc<[KeyEncryptionKey]>,
}

impl KeyEncryption {
    /// All of these keys decrypt. The first one encrypts.
    pub fn new(keys: impl IntoIterator<Item = KeyEncryptionKey>) -> Self {
        Self { keys: keys.into_iter().collect() }
    }

    /// The keys, in order.
    pub fn keys(&self) -> &[KeyEncryptionKey] {
        &self.keys
    }

    /// The text of a row, decrypted if it is encrypted.
    ///
    /// # Errors
    ///
    /// If the key is not among these, or the text was changed or belongs to another row.
    pub fn decrypt(
        &self,
        row: KeyRow<'_>,
        text: &str,
    ) -> Result<Zeroizing<String>, KeyEncryptionError> {
        let decrypted = match parts(text) {
            None => Ok(Zeroizing::new(text.to_owned())),
            Some(Err(fault)) => Err(fault),
            Some(Ok((key_id, rest))) => match self.keys.iter().find(|key| key.id == key_id) {
                None => Err(Fault::MissingKey(key_id.to_owned())),
                Some(key) => key.decrypt(row, rest).ok_or(Fault::Damaged),
            },
        };
        decrypted.map_err(|fault| KeyEncryptionError::of(row, fault))
    }

    /// The text of a row, encrypted with the first key.
    ///
    /// # Errors
    ///
    /// If there is no key.
    pub fn encrypt(&self, row: KeyRow<'_>, text: &str) -> Result<String, KeyEncryptionError> {
        let encrypted = self.keys.first().ok_or(Fault::NotEncrypted);
        encrypted
            .and_then(|key| key.encrypt(row, text))
            .map_err(|fault| KeyEncryptionError::of(row, fault))
    }

    /// The text of a new row, stored as the texts beside it are: encrypted with the key that encrypts them, the first one if
    /// there is a choice or no text, and readable if they are. So an instance that knows more keys than the others
    /// writes nothing that they cannot read.
    pub(crate) fn encrypt_as(
        &self,
        beside: &[&str],
        row: KeyRow<'_>,
        text: &str,
    ) -> Result<String, KeyEncryptionError> {
        let is_used = |key: &&KeyEncryptionKey| {
            beside
                .iter()
                .any(|text| Protection::of(text) == Protection::Encrypted { key_id: &key.id })
        };
        let key = match self.keys.iter().find(is_used) {
            None if beside.is_empty() => self.keys.first(),
            found => found,
        };
        let encrypted = match key {
            Some(key) => key.encrypt(row, text),
            None if beside.iter().all(|text| Protection::of(text) == Protection::Plaintext) => {
                Ok(text.to_owned())
            }
            // It would be the only readable one.
            None => Err(Fault::NotEncrypted),
        };
        encrypted.map_err(|fault| KeyEncryptionError::of(row, fault))
    }
}

/// A key in the store cannot be read or written. The text has no part of it.
#[derive(Debug)]
pub struct KeyEncryptionError {
    row: Option<String>,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    NoKey,
    MissingKey(String),
    NewerFormat,
    Damaged,
    NotEncrypted,
}

impl KeyEncryptionError {
    fn new(fault: Fault) -> Self {
        Self { row: None, fault }
    }

    fn of(row: KeyRow<'_>, fault: Fault) -> Self {
        Self { row: Some(row.to_string()), fault }
    }
}

impl fmt::Display for KeyEncryptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.row.as_deref().unwrap_or("a key");
        match &self.fault {
            Fault::NoKey => f.write_str("a key encryption key must be 32 random bytes in base64"),
            Fault::MissingKey(id) => {
                write!(f, "{row} is encrypted with the key {id}, which is not given")
            }
            Fault::NewerFormat => {
                write!(f, "{row} was encrypted by a newer version of this program")
            }
            Fault::Damaged => write!(f, "{row} is damaged, or is that of another row"),
            Fault::NotEncrypted => {
                write!(f, "{row} cannot be encrypted as the other keys in the database are")
            }
        }
    }
}

impl Error for KeyEncryptionError {}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: KeyRow<'static> = KeyRow::SigningKey("kid");
    const TEXT: &str = "-----BEGIN PRIVATE KEY-----";

    /// A key of one byte, again and again.
    fn key(byte: u8) -> KeyEncryptionKey {
        KeyEncryptionKey::from_text(&URL_SAFE_NO_PAD.encode([byte; 32])).unwrap()
    }

    fn keys(bytes: &[u8]) -> KeyEncryption {
        KeyEncryption::new(bytes.iter().map(|byte| key(*byte)))
    }

    #[test]
    fn a_text_is_encrypted_with_the_first_key_and_decrypted_with_any() {
        let text = keys(&[1, 2]).encrypt(ROW, TEXT).unwrap();
        assert_eq!(Protection::of(&text), Protection::Encrypted { key_id: key(1).id() });
        assert!(!text.contains("PRIVATE"));
        assert_eq!(*keys(&[2, 1]).decrypt(ROW, &text).unwrap(), TEXT);
        assert_ne!(keys(&[1]).encrypt(ROW, TEXT).unwrap(), text);
        assert_eq!(*keys(&[]).decrypt(ROW, TEXT).unwrap(), TEXT);
        assert!(keys(&[]).encrypt(ROW, TEXT).is_err());
    }

    #[test]
    fn a_text_of_the_first_release_can_be_read() {
        let text = "encrypted:1:JuKy7LPmimEDEpzx:\
            d1bpiXcaP3e2zxCz20Hux5qm2TshMZCmardIGXZQRXJGO0FJ-AqiSu4YHSc1pNWvFyZ-8AmjoA";
        assert_eq!(*keys(&[7]).decrypt(ROW, text).unwrap(), TEXT);
    }

    #[test]
    fn a_key_is_32_bytes_in_base64() {
        let bytes = [0xfb; 32];
        let id = KeyEncryptionKey::from_text(&URL_SAFE_NO_PAD.encode(bytes)).unwrap().id;
        for text in [
            general_purpose::STANDARD.encode(bytes),
            general_purpose::STANDARD_NO_PAD.encode(bytes),
            general_purpose::URL_SAFE.encode(bytes),
            format!("  {}\r\n", URL_SAFE_NO_PAD.encode(bytes)),
        ] {
            assert_eq!(KeyEncryptionKey::from_text(&text).unwrap().id, id, "{text}");
        }
        for text in [
            String::new(),
            "correct horse battery staple".to_owned(),
            URL_SAFE_NO_PAD.encode([1; 31]),
            URL_SAFE_NO_PAD.encode([1; 33]),
            URL_SAFE_NO_PAD.encode([1; 16]),
            "01".repeat(32),
            format!("{0}\n{0}", URL_SAFE_NO_PAD.encode(bytes)),
        ] {
            let error = KeyEncryptionKey::from_text(&text).unwrap_err().to_string();
            assert_eq!(error, "a key encryption key must be 32 random bytes in base64", "{text}");
        }
    }

    #[test]
    fn generated_keys_differ() {
        let [one, other] = [(); 2].map(|()| KeyEncryptionKey::generate());
        assert_ne!(*one, *other);
        let ids = [one, other].map(|text| KeyEncryptionKey::from_text(&text).unwrap().id);
        assert_ne!(ids[0], ids[1]);
        assert!(ids.iter().all(|id| id.len() == ID_LENGTH));
    }

    #[test]
    fn a_text_of_another_row_is_refused() {
        let keys = keys(&[1]);
        let text = keys.encrypt(ROW, TEXT).unwrap();
        for row in [KeyRow::SigningKey("other"), KeyRow::SigningKey(""), KeyRow::Secret("kid")] {
            let error = keys.decrypt(row, &text).unwrap_err().to_string();
            assert!(error.ends_with("is damaged, or is that of another row"), "{error}");
        }
    }

    #[test]
    fn a_text_that_was_cut_or_changed_anywhere_is_refused() {
        let keys = keys(&[1]);
        let text = keys.encrypt(ROW, TEXT).unwrap();
        for length in ENCRYPTED.len()..text.len() {
            assert!(keys.decrypt(ROW, &text[..length]).is_err(), "{length}");
        }
        for at in ENCRYPTED.len()..text.len() {
            for other in ["A", "B", ":", " ", "é", "", "AA"] {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert!(changed == text || keys.decrypt(ROW, &changed).is_err(), "{changed}");
            }
        }
    }

    #[test]
    fn an_error_names_the_row_and_the_key_id_and_nothing_else() {
        let text = keys(&[1]).encrypt(ROW, TEXT).unwrap();
        let error = keys(&[2]).decrypt(ROW, &text).unwrap_err();
        let id = key(1).id;
        assert_eq!(
            error.to_string(),
            format!("the signing key \"kid\" is encrypted with the key {id}, which is not given")
        );
        // The key ID of a stranger who can write the database, with a line break for the log.
        let error = keys(&[2]).decrypt(ROW, "encrypted:1:two\nlines").unwrap_err();
        assert!(!error.to_string().contains("two"), "{error}");
        let error = keys(&[2]).decrypt(ROW, "encrypted:2:x").unwrap_err();
        assert!(error.to_string().ends_with("by a newer version of this program"), "{error}");
    }

    #[test]
    fn a_key_with_the_id_of_another_one_decrypts_nothing() {
        let text = keys(&[1]).encrypt(ROW, TEXT).unwrap();
        let mut wrong = key(2);
        wrong.id = key(1).id;
        let error = KeyEncryption::new([wrong]).decrypt(ROW, &text).unwrap_err();
        assert!(matches!(error.fault, Fault::Damaged));
    }

    #[test]
    fn a_new_text_is_stored_as_those_beside_it() {
        let [one, two] = [1, 2].map(|byte| keys(&[byte]).encrypt(ROW, TEXT).unwrap());
        let new = KeyRow::Secret("new");
        let id = |given: &[u8], beside: &[&str]| {
            let text = keys(given).encrypt_as(beside, new, "value").map_err(drop)?;
            assert_eq!(*keys(&[1, 2, 3]).decrypt(new, &text).unwrap(), "value");
            Ok::<_, ()>(match Protection::of(&text) {
                Protection::Encrypted { key_id } => (1..4).find(|byte| key(*byte).id == key_id),
                _ => None,
            })
        };
        assert_eq!(id(&[], &[]), Ok(None));
        assert_eq!(id(&[], &[TEXT]), Ok(None));
        assert_eq!(id(&[], &[TEXT, &one]), Err(()));
        assert_eq!(id(&[], &["encrypted:2:x"]), Err(()));
        assert_eq!(id(&[1], &[]), Ok(Some(1)));
        assert_eq!(id(&[1], &[TEXT]), Ok(None));
        assert_eq!(id(&[1], &[TEXT, &one]), Ok(Some(1)));
        assert_eq!(id(&[2, 1], &[&one]), Ok(Some(1)));
        assert_eq!(id(&[2, 1], &[&one, &two]), Ok(Some(2)));
        assert_eq!(id(&[3], &[&one]), Err(()));
    }

    #[test]
    fn debug_shows_the_id_alone() {
        let text = URL_SAFE_NO_PAD.encode([1; 32]);
        let shown = format!("{:?}", keys(&[1]));
        assert!(shown.contains(key(1).id()) && !shown.contains(&text), "{shown}");
    }
}
