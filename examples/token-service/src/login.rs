//! One login: the limits on guessing, a slot for hashing, the password.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout, timeout_at};
use tower_jwt_auth::Clock;

use crate::limits::{Guess, LimitError, Limits};
use crate::observe::meters;
use crate::passwords::{self, Memory};
use crate::store::{Store, StoreError, User, deadline};

/// How long a login waits for a slot.
const PATIENCE: Duration = Duration::from_secs(4);

/// The users, and the limits on logins.
pub struct Login {
    store: Arc<dyn Store>,
    /// The hash that is verified for a user that does not exist.
    nobody: String,
    verifications: AtomicU64,
    pub(crate) limits: Arc<Limits>,
    /// The slots. Each running hash occupies a processor and one memory.
    places: Arc<Semaphore>,
    /// How long a login waits for a slot.
    patience: Duration,
    /// The memories of the free slots. They are allocated once and kept, so there are never more than 19 MiB for each
    /// slot.
    memories: Mutex<Vec<Memory>>,
}

/// Why a login fails.
#[derive(Debug)]
pub enum LoginError {
    /// The user is unknown or the password is wrong. Which of the two is not revealed.
    Wrong,
    /// Too many wrong guesses. The next one is possible after this time.
    TooMany(Duration),
    /// Too many logins at once.
    Busy,
    /// The store failed.
    Store(StoreError),
}

impl From<LimitError> for LoginError {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Exhausted(wait) => Self::TooMany(wait),
            LimitError::Busy => Self::Busy,
            LimitError::Store(error) => Self::Store(error),
        }
    }
}

/// Counts a login that failed.
fn count(error: &LoginError) {
    meters::login(match error {
        LoginError::Wrong => meters::Login::Wrong,
        LoginError::TooMany(_) => meters::Login::Limited,
        LoginError::Busy => meters::Login::Busy,
        LoginError::Store(_) => meters::Login::Failed,
    });
}

impl Login {
    /// # Errors
    ///
    /// None in practice: it hashes one password.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        places: usize,
    ) -> Result<Self, argon2::password_hash::Error> {
        Ok(Self {
            limits: Arc::new(Limits::new(Arc::clone(&store), clock)),
            store,
            nobody: passwords::hash("")?,
            verifications: AtomicU64::new(0),
            places: Arc::new(Semaphore::new(places)),
            patience: PATIENCE,
            memories: Mutex::default(),
        })
    }

    /// The user with this name and password, if it is not disabled. The address is that of the client.
    ///
    /// It is slow on purpose, and takes the same time for an unknown user: it always verifies one hash.
    pub async fn check(
        self: Arc<Self>,
        name: String,
        password: String,
        address: IpAddr,
    ) -> Result<User, LoginError> {
        let (guess, place, user) = self.begin(&name, address).await.inspect_err(count)?;
        // It goes on when the client disconnects or its time is over, so that a wrong guess is counted then too.
        let checked = tokio::spawn(async move {
            let result = self.end(guess, place, user, password).await;
            match &result {
                Ok(_) => meters::login(meters::Login::Right),
                Err(error) => count(error),
            }
            result
        });
        match timeout_at(deadline::deadline(), checked).await {
            Ok(Ok(checked)) => checked,
            Ok(Err(_)) | Err(_) => Err(LoginError::Busy),
        }
    }

    /// Waits for a turn, and finds the user.
    async fn begin(
        &self,
        name: &str,
        address: IpAddr,
    ) -> Result<(Guess, OwnedSemaphorePermit, Option<User>), LoginError> {
        let turn = timeout(self.patience, async {
            let guess = self.limits.guess(name, address).await?;
            let place = Arc::clone(&self.places).acquire_owned().await;
            Ok((guess, place.map_err(|_| LoginError::Busy)?))
        });
        let (guess, place) = turn.await.unwrap_or(Err(LoginError::Busy))?;
        let user = self.store.user(name).await.map_err(LoginError::Store)?;
        Ok((guess, place, user.filter(|user| user.disabled_at.is_none())))
    }

    /// Checks the password.
    async fn end(
        self: Arc<Self>,
        guess: Guess,
        place: OwnedSemaphorePermit,
        user: Option<User>,
        password: String,
    ) -> Result<User, LoginError> {
        let user = self.verify(user, password, place).await?;
        if user.is_none() {
            guess.was_wrong().await.map_err(LoginError::Store)?;
        }
        user.ok_or(LoginError::Wrong)
    }

    /// The user, if the password is right.
    async fn verify(
        self: Arc<Self>,
        user: Option<User>,
        password: String,
        place: OwnedSemaphorePermit,
    ) -> Result<Option<User>, LoginError> {
        // The slot and the memory are held until the work ends.
        let verified = tokio::task::spawn_blocking(move || {
            let _place = place;
            let mut memory = self.memories().pop().unwrap_or_default();
            let hash = user.as_ref().map_or(&self.nobody, |user| &user.password_hash);
            self.verifications.fetch_add(1, Ordering::Relaxed);
            let is_right = passwords::is_right(&password, hash, &mut memory);
            self.memories().push(memory);
            user.filter(|_| is_right)
        });
        verified.await.map_err(|_| LoginError::Busy)
    }

    fn memories(&self) -> MutexGuard<'_, Vec<Memory>> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of password hashes that were verified so far.
    pub fn verifications(&self) -> u64 {
        self.verifications.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Login {
    /// Leaves out the content of the memories.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("store", &self.store)
            .field("limits", &self.limits)
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower_jwt_auth::SystemClock;

    use super::*;
    use crate::store::SqlStore;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// One with the user alice, and a disabled user bob with the same password.
    async fn login(places: usize) -> Arc<Login> {
        let store = SqlStore::in_memory().await.unwrap();
        let password_hash = passwords::hash("wonderland").unwrap();
        for (name, disabled_at) in [("alice", None), ("bob", Some(0))] {
            let (name, password_hash) = (name.to_owned(), password_hash.clone());
            let user = User { name, password_hash, scopes: Vec::new(), created_at: 0, disabled_at };
            assert!(store.add_user(&user).await.unwrap());
        }
        Arc::new(Login::new(Arc::new(store), Arc::new(SystemClock), places).unwrap())
    }

    /// The name of the user, or the error by its name.
    async fn check(login: &Arc<Login>, name: &str, password: &str) -> Result<String, String> {
        let checked = Arc::clone(login).check(name.into(), password.into(), HERE).await;
        checked.map(|user| user.name).map_err(|error| format!("{error:?}"))
    }

    #[tokio::test]
    async fn every_guess_verifies_one_hash() {
        let login = login(1).await;
        for (number, (name, password, expected)) in [
            ("alice", "wonderland", Ok("alice".to_owned())),
            ("alice", "looking-glass", Err("Wrong".to_owned())),
            ("bob", "wonderland", Err("Wrong".to_owned())),
            ("nobody", "wonderland", Err("Wrong".to_owned())),
            // The password of the hash for unknown users does not log in.
            ("nobody", "", Err("Wrong".to_owned())),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(check(&login, name, password).await, expected, "{name} {password}");
            assert_eq!(login.verifications(), number as u64 + 1);
        }
    }

    #[test]
    fn a_guess_whose_client_goes_away_is_in_the_metrics() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let wrong = || {
            let text = recorder.handle().render();
            text.contains("token_service_logins_total{result=\"wrong\"} 1")
        };
        let guess = async {
            let login = login(1).await;
            let begun = poll_fn(|context| {
                context.waker().wake_by_ref();
                if login.verifications() == 1 { Poll::Ready(()) } else { Poll::Pending }
            });
            tokio::select! {
                biased;
                () = begun => {}
                _ = check(&login, "alice", "wrong") => panic!("it ended before the client went away"),
            }
            assert!(!wrong());
            let end = tokio::time::Instant::now() + Duration::from_secs(20);
            while !wrong() {
                assert!(tokio::time::Instant::now() < end, "{}", recorder.handle().render());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        metrics::with_local_recorder(&recorder, || runtime.block_on(guess));
    }

    #[tokio::test]
    async fn a_hundred_guesses_at_once_get_no_further_than_ten() {
        let login = login(2).await;
        let guesses: Vec<_> = (0..100)
            .map(|guess| {
                let login = Arc::clone(&login);
                tokio::spawn(async move { check(&login, "alice", &guess.to_string()).await })
            })
            .collect();
        for guess in guesses {
            guess.await.unwrap().unwrap_err();
        }
        // The budget grows by one guess in 6 s, which may have passed on a busy machine.
        assert!((1..20).contains(&login.verifications()), "{}", login.verifications());
    }

    async fn assert_twenty_log_in_at_once(login: &Arc<Login>) {
        let logins: Vec<_> = (0..20)
            .map(|_| {
                let login = Arc::clone(login);
                tokio::spawn(async move { check(&login, "alice", "wonderland").await })
            })
            .collect();
        for login in logins {
            assert_eq!(login.await.unwrap().as_deref(), Ok("alice"));
        }
    }

    #[tokio::test]
    async fn right_passwords_do_not_count_also_at_once() {
        let login = login(2).await;
        assert_twenty_log_in_at_once(&login).await;
        // There are not more memories than slots.
        assert!((1..=2).contains(&login.memories().len()));
        assert!(login.memories().iter().all(|memory| memory.len() == 19 * 1024));
    }

    #[tokio::test]
    async fn the_last_guess_is_enough_for_twenty_right_passwords_at_once() {
        let login = login(2).await;
        for _ in 0..9 {
            assert_eq!(check(&login, "alice", "wrong").await, Err("Wrong".to_owned()));
        }
        assert_twenty_log_in_at_once(&login).await;
    }

    #[tokio::test]
    async fn without_a_place_it_is_busy_and_counts_nothing() {
        let mut login = login(0).await;
        Arc::get_mut(&mut login).unwrap().patience = Duration::from_millis(20);
        for _ in 0..20 {
            assert_eq!(check(&login, "alice", "wrong").await, Err("Busy".to_owned()));
        }
        assert_eq!(login.verifications(), 0);
    }
}
