//! What is counted, with the feature `metrics`; without it, nothing.

#[cfg(feature = "metrics")]
use std::time::Instant;

use crate::{Committed, StoreError};

/// Runs an operation and counts how it ended.
pub(super) async fn observed<T>(
    operation: &'static str,
    running: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    count(operation, |_| "done", running).await
}

/// The same for a commit, which may be refused.
pub(super) async fn observed_commit(
    running: impl Future<Output = Result<Committed, StoreError>>,
) -> Result<Committed, StoreError> {
    count("commit", |committed| if committed.is_done() { "done" } else { "refused" }, running).await
}

#[cfg(feature = "metrics")]
async fn count<T>(
    operation: &'static str,
    outcome: impl FnOnce(&T) -> &'static str,
    running: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    // How long it took is no question of what time it is: the clock of the server may stand still or be set.
    let began = Instant::now();
    let result = running.await;
    let outcome = match &result {
        Ok(value) => outcome(value),
        Err(error) => error.label(),
    };
    metrics::counter!("mcp_store_operations_total", "operation" => operation, "outcome" => outcome)
        .increment(1);
    metrics::histogram!("mcp_store_operation_seconds", "operation" => operation).record(began.elapsed());
    result
}

#[cfg(not(feature = "metrics"))]
async fn count<T>(
    _: &'static str,
    _: impl FnOnce(&T) -> &'static str,
    running: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    running.await
}

/// Counts records that a sweep deleted.
pub(super) fn count_swept(records: usize) {
    #[cfg(feature = "metrics")]
    metrics::counter!("mcp_store_swept_records_total").increment(records as u64);
    #[cfg(not(feature = "metrics"))]
    let _ = records;
}

/// Counts records that were sealed anew, and those that could not be.
pub(super) fn count_resealed(resealed: usize, unreadable: usize) {
    #[cfg(feature = "metrics")]
    {
        metrics::counter!("mcp_store_resealed_records_total").increment(resealed as u64);
        metrics::counter!("mcp_store_unreadable_records_total").increment(unreadable as u64);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (resealed, unreadable);
}

/// Says how many keys are in the ring.
pub(super) fn show_keys(keys: usize) {
    #[cfg(feature = "metrics")]
    metrics::gauge!("mcp_store_keys").set(u32::try_from(keys).unwrap_or(u32::MAX));
    #[cfg(not(feature = "metrics"))]
    let _ = keys;
}
