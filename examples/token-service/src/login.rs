//! One login: the limits on guessing, a slot for hashing, the password.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::limits::Limits;
use crate::users::{Memory, User, Users};

/// How long a login waits for a slot.
const PATIENCE: Duration = Duration::from_secs(5);

/// The users, and the limits on logins.
pub struct Login {
    users: Users,
    limits: Arc<Limits>,
    /// The slots. Each running hash occupies a processor and one memory.
    places: Arc<Semaphore>,
    /// The memories of the free slots. They are allocated once and kept, so there are never more than 19 MiB for each
    /// slot.
    memories: Mutex<Vec<Memory>>,
}

/// Why a login fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// The user is unknown or the password is wrong. Which of the two is not revealed.
    Wrong,
    /// Too many wrong guesses. The next one is possible after this time.
    TooMany(Duration),
    /// Too many logins at once.
    Busy,
}

impl Login {
    pub fn new(users: Users, places: usize) -> Self {
        let places = Arc::new(Semaphore::new(places));
        Self { users, limits: Arc::default(), places, memories: Mutex::default() }
    }

    /// The user with this name and password. The address is that of the client.
    pub async fn check(
        self: Arc<Self>,
        name: String,
        password: String,
        address: IpAddr,
    ) -> Result<User, LoginError> {
        let turn = timeout(PATIENCE, async {
            let guess = self.limits.guess(&name, address).await.map_err(LoginError::TooMany)?;
            let place = Arc::clone(&self.places).acquire_owned().await;
            Ok((guess, place.map_err(|_| LoginError::Busy)?))
        });
        let (guess, place) = turn.await.unwrap_or(Err(LoginError::Busy))?;

        // The slot and the memory are held until the work ends, also when the client disconnects.
        let checked = tokio::task::spawn_blocking(move || {
            let _place = place;
            let mut memory = self.memories().pop().unwrap_or_default();
            let user = self.users.verify(&name, &password, &mut memory).cloned();
            self.memories().push(memory);
            if user.is_none() {
                guess.was_wrong();
            }
            user.ok_or(LoginError::Wrong)
        });
        checked.await.unwrap_or(Err(LoginError::Busy))
    }

    fn memories(&self) -> MutexGuard<'_, Vec<Memory>> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of password hashes that were verified so far.
    pub fn verifications(&self) -> u64 {
        self.users.verifications()
    }
}

impl fmt::Debug for Login {
    /// Leaves out the content of the memories.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("users", &self.users)
            .field("limits", &self.limits)
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    async fn check(login: &Arc<Login>, name: &str, password: &str) -> Result<String, LoginError> {
        let checked = Arc::clone(login).check(name.into(), password.into(), HERE).await;
        checked.map(|user| user.name)
    }

    #[tokio::test]
    async fn a_hundred_guesses_at_once_get_no_further_than_ten() {
        let login = Arc::new(Login::new(Users::demo().unwrap(), 2));
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
        let login = Arc::new(Login::new(Users::demo().unwrap(), 2));
        assert_twenty_log_in_at_once(&login).await;
        // There are not more memories than slots.
        assert!((1..=2).contains(&login.memories().len()));
        assert!(login.memories().iter().all(|memory| memory.len() == 19 * 1024));
    }

    #[tokio::test]
    async fn the_last_guess_is_enough_for_twenty_right_passwords_at_once() {
        let login = Arc::new(Login::new(Users::demo().unwrap(), 2));
        for _ in 0..9 {
            assert_eq!(check(&login, "alice", "wrong").await, Err(LoginError::Wrong));
        }
        assert_twenty_log_in_at_once(&login).await;
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_place_it_is_busy_and_counts_nothing() {
        let login = Arc::new(Login::new(Users::demo().unwrap(), 0));
        for _ in 0..20 {
            assert_eq!(check(&login, "alice", "wrong").await, Err(LoginError::Busy));
        }
        assert_eq!(login.verifications(), 0);
    }
}
