//! Runs a test and all its tasks on one thread.

use tokio::task::LocalSet;

/// Runs a test and the tasks that it spawns on this thread.
pub async fn locally<F: Future<Output = ()>>(test: F) {
    LocalSet::new().run_until(test).await;
}
