//! Runs a test and all its tasks on one thread.

use tokio::task::LocalSet;

/// Runs a test on the current thread, together with all local tasks that the test spawns.
pub async fn locally<F: Future<Output = ()>>(test: F) {
    LocalSet::new().run_until(test).await;
}
