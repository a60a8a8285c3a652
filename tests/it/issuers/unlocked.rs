//! What the application gives may use the set: none of it is called while the set is locked.

use std::fmt;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use tokio::runtime::Builder;
use tower_jwt_auth::test_util::MockIssuer;
use tower_jwt_auth::{
    IssuerSet, IssuerTemplate, JwtVerifier, KeyLookup, KeyQuery, KeySource, KeySourceError,
    KeyStatus, VerifyToken,
};

use super::kind;

/// Keys that look at the set whenever they can, in a way that waits for its lock.
#[derive(Clone)]
struct Curious(Arc<OnceLock<IssuerSet>>);

impl Curious {
    fn look(&self) {
        if let Some(issuers) = self.0.get() {
            issuers.remove("https://nobody.test");
        }
    }
}

impl Drop for Curious {
    fn drop(&mut self) {
        self.look();
    }
}

impl fmt::Debug for Curious {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Curious")
    }
}

impl KeySource for Curious {
    fn find_key(&self, _: &KeyQuery<'_>) -> KeyLookup {
        self.look();
        KeyLookup::ready(Err(KeySourceError::new("none")))
    }

    fn status(&self) -> KeyStatus {
        self.look();
        KeyStatus::new(false)
    }
}

/// A writer that looks at the set.
struct Writer(Curious);

impl fmt::Write for Writer {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        self.0.look();
        Ok(())
    }
}

/// Runs it on a thread of its own, and fails if it is not done in good time.
fn without_deadlock(run: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        run();
        done.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(10)).expect("a deadlock, or a panic");
}

const TEXT: &str = "https://login.test/{tenant}/v2.0";

fn set(capacity: usize) -> (IssuerSet, Curious, IssuerTemplate) {
    let curious = Curious(Arc::default());
    let issuers = IssuerSet::new().with_capacity(capacity).unwrap();
    let _ = curious.0.set(issuers.clone());
    let (keys, asked) = (curious.clone(), curious.clone());
    let template = IssuerTemplate::new(TEXT, move |found| {
        let issuer = found.issuer();
        keys.look();
        JwtVerifier::new(issuer, "a", keys.clone())
    });
    let template = template.unwrap().allow_if(move |found| {
        asked.look();
        found.tenant() != "nobody"
    });
    (issuers, curious, template)
}

#[test]
fn the_applications_code_may_use_the_set_when_tokens_come() {
    without_deadlock(|| {
        let (issuers, curious, template) = set(1);
        issuers.add_template(template);
        let mock = MockIssuer::new();
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(async {
            // Some are evicted, and drop their keys.
            for n in 0..40 {
                for tenant in [format!("t{n}"), "one".to_owned(), "nobody".to_owned()] {
                    let token = mock.token().issuer(TEXT.replace("{tenant}", &tenant)).build();
                    assert!(kind(&issuers, &token).await.is_some());
                }
            }
        });
        assert!(issuers.key_status().is_empty());
        drop(curious);
    });
}

#[test]
fn the_applications_code_may_use_the_set_when_issuers_are_removed() {
    without_deadlock(|| {
        let (issuers, curious, template) = set(10);
        for name in ["https://a.test", "https://b.test"] {
            issuers.add(JwtVerifier::new(name, "a", curious.clone()).unwrap()).unwrap();
        }
        let again = JwtVerifier::new("https://a.test", "a", curious.clone()).unwrap();
        assert!(issuers.add(again).is_err());
        assert!(issuers.remove("https://a.test"));
        issuers.add_template(template);
        let mock = MockIssuer::new();
        let token = mock.token().issuer(TEXT.replace("{tenant}", "one")).build();
        let runtime = Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(kind(&issuers, &token)).is_some());
        assert_eq!(issuers.key_status().len(), 1);
        fmt::Write::write_fmt(&mut Writer(curious), format_args!("{issuers:?}")).unwrap();
        assert!(issuers.remove_template(TEXT));
        assert_eq!(issuers.key_status().len(), 1);
    });
}

#[test]
fn description_of_a_set_does_not_wait_for_a_writer_that_waits_for_it() {
    let issuers: IssuerSet = IssuerSet::new();
    let (done, both) = mpsc::channel();
    let (writer, ended) = (issuers.clone(), Arc::new(OnceLock::new()));
    let is_over = Arc::clone(&ended);
    std::thread::spawn(move || {
        while is_over.get().is_none() {
            writer.remove("https://nobody.test");
        }
    });
    std::thread::spawn(move || {
        for _ in 0..20_000 {
            let _ = format!("{issuers:?} {:?} {:?}", issuers.describe(), issuers.accepted_tokens());
        }
        done.send(()).unwrap();
    });
    let outcome = both.recv_timeout(Duration::from_secs(60));
    ended.set(()).unwrap();
    assert_eq!(outcome, Ok(()));
}
