//! In place of the cache, without feature `token-cache`: it keeps nothing.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::extract::PresentedToken;
use crate::verify::by_name::Input;
use crate::verify::token_cache::{Current, Sought, Validity};
use crate::verify::verified_token::VerifiedToken;

/// `Send` and `Sync` like the cache of the feature.
pub(in crate::verify) struct TokenCache<C, B = ()>(PhantomData<Arc<(C, B)>>);

pub(in crate::verify) struct Note;

impl Note {
    #[inline(always)]
    pub(in crate::verify) fn keep(
        &mut self,
        token: Input<'_>,
        copies_text: bool,
        _: Validity,
    ) -> Option<PresentedToken> {
        token.kept(copies_text)
    }
}

impl<C, B> TokenCache<C, B> {
    pub(in crate::verify) fn fresh<D>(&self) -> TokenCache<D, B> {
        TokenCache::default()
    }

    #[inline(always)]
    pub(in crate::verify) fn is_on(&self) -> bool {
        false
    }

    #[inline(always)]
    pub(in crate::verify) fn find(
        &self,
        _: Sought<'_>,
        _: impl FnOnce(&B, Validity) -> Option<Current>,
    ) -> Option<VerifiedToken<C>> {
        None
    }

    #[inline(always)]
    pub(in crate::verify) fn note(&self) -> Note {
        Note
    }

    #[inline(always)]
    pub(in crate::verify) fn store(&self, _: Note, _: &VerifiedToken<C>, _: impl FnOnce() -> B) {}
}

impl<C, B> Clone for TokenCache<C, B> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<C, B> Default for TokenCache<C, B> {
    fn default() -> Self {
        Self(PhantomData)
    }
}
