use std::sync::Arc;
use std::thread::available_parallelism;

use quick_cache::OptionsBuilder;
use quick_cache::sync::Cache;

use crate::clock::Position;
use crate::extract::RawBearer;
use crate::verify::token_cache::entry::{ByLength, DroppedLater, Entry, Key, Note, TokenHash};
use crate::verify::token_cache::{Bound, Caller, Current, Settings, Sought, Validity};
use crate::verify::verified_token::VerifiedToken;

type Tokens<C, B> = Cache<Key, Entry<C, B>, ByLength, TokenHash, DroppedLater>;

/// A cache of verified tokens. Clones share its entries. `B` is what an entry is bound to beside the keys.
///
/// An entry says that exactly these bytes were verified by the rules of one verifier. So a change of the rules needs
/// a [fresh](Self::fresh) cache.
pub(in crate::verify) struct TokenCache<C, B = ()> {
    settings: Settings,
    /// `None` without a cache, by default.
    tokens: Option<Arc<Tokens<C, B>>>,
}

impl<C, B: Bound> TokenCache<C, B> {
    pub(in crate::verify) fn new(settings: Settings) -> Self {
        let is_on = settings.capacity() > 0;
        Self { settings, tokens: is_on.then(|| tokens(settings)).flatten().map(Arc::new) }
    }

    pub(in crate::verify) fn settings(&self) -> Settings {
        self.settings
    }

    /// An empty cache of the same size.
    pub(in crate::verify) fn fresh<D>(&self) -> TokenCache<D, B> {
        TokenCache::new(self.settings)
    }

    pub(in crate::verify) fn is_on(&self) -> bool {
        self.tokens.is_some()
    }

    /// A token that was not extracted yet, for a layer; `None` without a cache.
    pub(in crate::verify) fn sought<'a>(&self, token: &'a mut RawBearer<'_>) -> Option<Sought<'a>> {
        self.tokens.as_ref()?;
        Some(Sought { text: token.text()?, caller: Caller::Layer })
    }

    /// The token, if it was verified and would be verified now. `current` is what holds now, for a token that is
    /// bound to this; `None` if the entry is of no use any more.
    #[inline]
    pub(in crate::verify) fn find(
        &self,
        sought: Sought<'_>,
        current: impl FnOnce(&B, Validity) -> Option<Current>,
    ) -> Option<VerifiedToken<C>> {
        let tokens = self.tokens.as_ref()?;
        let entry = tokens.get(&sought)?;
        let Validity { generation, .. } = entry.validity;
        let is_over = match current(&entry.bound, entry.validity) {
            Some(current) if generation.is_some() && generation == current.generation => {
                match current.position {
                    Position::Within => return Some(entry.token),
                    Position::Before => false,
                    Position::After => true,
                }
            }
            // The keys are not known at the moment: they may be the same again.
            Some(Current { generation: None, .. }) => false,
            _ => true,
        };
        if is_over {
            // Not one that replaced it in the meantime.
            tokens.remove_if(&sought, |now| now.validity == entry.validity);
        }
        None
    }

    /// Forgets a token, for each caller.
    #[cfg(feature = "introspection")]
    pub(in crate::verify) fn remove(&self, text: &[u8]) {
        use Caller::{ChecksConfirmation, Layer, WithoutRequest};

        let Some(tokens) = &self.tokens else { return };
        for caller in [WithoutRequest, Layer, ChecksConfirmation] {
            drop(tokens.remove(&Sought { text, caller }));
        }
    }

    /// Records a verification, for [`store`](Self::store).
    #[inline]
    pub(in crate::verify) fn note(&self) -> Note {
        Note::new(if self.tokens.is_some() { self.settings.max_length() } else { 0 })
    }

    /// Keeps a verified token. The result of a verification that failed is never kept.
    pub(in crate::verify) fn store(
        &self,
        note: Note,
        token: &VerifiedToken<C>,
        bound: impl FnOnce() -> B,
    ) {
        if let (Some(tokens), Some((key, validity))) = (&self.tokens, note.into_kept()) {
            tokens.insert(key, Entry { token: token.clone(), validity, bound: bound() });
        }
    }
}

/// `None` if the options were invalid, which they are not.
fn tokens<C, B: Bound>(settings: Settings) -> Option<Tokens<C, B>> {
    let longest = Settings::weight(settings.max_length()).saturating_mul(2);
    let capacity = settings.capacity();
    let slots = u64::try_from(capacity).unwrap_or(u64::MAX);
    // Each shard takes the longest token. With a small capacity, more tokens than that may fit in.
    let weight = slots.saturating_mul(Settings::SLOT).max(longest);
    let at_most = weight.checked_div(longest).unwrap_or(1);
    let wanted = available_parallelism().map_or(1, usize::from).saturating_mul(4);
    let shards = wanted.min(usize::try_from(at_most).unwrap_or(usize::MAX)).max(1);
    // Rounded down, since the cache rounds up.
    let shards = 1_usize.checked_shl(shards.ilog2()).unwrap_or(1);
    let mut options = OptionsBuilder::new();
    options.shards(shards).estimated_items_capacity(capacity).weight_capacity(weight);
    let options = options.build().ok()?;
    Some(Cache::with_options(options, ByLength, TokenHash::new(B::OF_SIGNED), DroppedLater))
}

impl<C, B> Clone for TokenCache<C, B> {
    fn clone(&self) -> Self {
        Self { settings: self.settings, tokens: self.tokens.clone() }
    }
}

impl<C, B> Default for TokenCache<C, B> {
    fn default() -> Self {
        Self { settings: Settings::default(), tokens: None }
    }
}
