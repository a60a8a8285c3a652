//! Sources that are made because a stranger's token names their issuer.

#[cfg(feature = "jwks-url")]
use std::cell::Cell;

#[cfg(feature = "jwks-url")]
thread_local! {
    static IS_ASKED_FOR: Cell<bool> = const { Cell::new(false) };
}

/// Makes sources that log nothing above `debug` until their keys have been there: their names may be
/// made up. It holds for those that are made in here, on this thread: others, which the application
/// shares between issuers, have names of its own.
pub(crate) fn for_a_stranger<T>(make: impl FnOnce() -> T) -> T {
    #[cfg(feature = "jwks-url")]
    struct Restore(bool);

    #[cfg(feature = "jwks-url")]
    impl Drop for Restore {
        fn drop(&mut self) {
            IS_ASKED_FOR.set(self.0);
        }
    }

    #[cfg(feature = "jwks-url")]
    let _restore = Restore(IS_ASKED_FOR.replace(true));
    make()
}

/// Whether a source that is made now is made for a stranger.
#[cfg(feature = "jwks-url")]
pub(super) fn is_for_a_stranger() -> bool {
    IS_ASKED_FOR.get()
}
