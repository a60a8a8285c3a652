//! Measures the operations of a store.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Store, StoreError};
use crate::observe::meters::{self, Stored};

/// A store whose operations are measured.
pub(crate) struct Measured {
    store: Arc<dyn Store>,
    running: Arc<AtomicUsize>,
}

impl Measured {
    /// Around this store. Also returns the number of operations that run or wait.
    pub(crate) fn new(store: Arc<dyn Store>) -> (Self, Arc<AtomicUsize>) {
        for operation in OPERATIONS {
            meters::store_operation(operation);
        }
        let running = Arc::new(AtomicUsize::new(0));
        (Self { store, running: Arc::clone(&running) }, running)
    }

    async fn measure<T>(
        &self,
        operation: &'static str,
        future: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut running = Running::new(&self.running, operation);
        let result = future.await;
        running.outcome = if result.is_ok() { Stored::Done } else { Stored::Failed };
        result
    }
}

/// One operation. It is counted when it is dropped, so also if it is cancelled: a database that hangs ends none.
struct Running<'a> {
    number: &'a AtomicUsize,
    operation: &'static str,
    began: Instant,
    outcome: Stored,
}

impl<'a> Running<'a> {
    fn new(number: &'a AtomicUsize, operation: &'static str) -> Self {
        number.fetch_add(1, Ordering::Relaxed);
        Self { number, operation, began: Instant::now(), outcome: Stored::Cancelled }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.number.fetch_sub(1, Ordering::Relaxed);
        meters::stored(self.operation, self.outcome, self.began.elapsed());
    }
}

impl Debug for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Measured").field(&self.store).finish()
    }
}

macro_rules! measured {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        /// The operations, as the metrics name them.
        const OPERATIONS: &[&str] = &[$(stringify!($name)),*];

        #[async_trait]
        impl Store for Measured {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$result, StoreError> {
                self.measure(stringify!($name), self.store.$name($($argument),*)).await
            })*

            async fn close(&self) {
                self.store.close().await;
            }
        }
    };
}

crate::store_operations!(measured);

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use metrics_exporter_prometheus::PrometheusBuilder;
    use tokio::runtime::Builder;
    use tokio::time::timeout;

    use super::*;
    use crate::store::SqlStore;

    #[test]
    fn an_operation_that_is_cancelled_is_a_failure() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let operations = async {
            let (store, running) = Measured::new(Arc::new(SqlStore::in_memory().await.unwrap()));
            store.ping().await.unwrap();
            let hanging = store.measure("ping", pending::<Result<(), StoreError>>());
            timeout(Duration::from_millis(20), hanging).await.unwrap_err();
            let failing = async { Err::<(), _>(StoreError::from(sqlx::Error::PoolClosed)) };
            store.measure("ping", failing).await.unwrap_err();
            assert_eq!(running.load(Ordering::Relaxed), 0);
        };
        metrics::with_local_recorder(&recorder, || runtime.block_on(operations));
        let text = recorder.handle().render();
        let lines: Vec<_> =
            text.lines().filter(|line| line.contains(r#"operation="ping""#)).collect();
        for (kind, number) in [("error", 1), ("cancelled", 1)] {
            let line = lines.iter().find(|line| line.contains(&format!("kind=\"{kind}\"")));
            let line = line.unwrap_or_else(|| panic!("no {kind}: {lines:?}"));
            assert!(line.starts_with("token_service_store_failures_total{"), "{line}");
            assert!(line.ends_with(&format!(" {number}")), "{line}");
        }
        assert!(
            lines.iter().any(|line| line.contains("duration") && line.ends_with(" 3")),
            "{text}"
        );
    }
}
