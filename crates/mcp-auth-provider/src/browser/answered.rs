//! Requests that are answered once, however many windows a user has open on them: those that are kept in a partition before
//! any browser comes.

use std::time::Duration;

use mcp_core::Timestamp;
use mcp_store::{Batch, StoreError};

use crate::grant::{Answered, answered_name};

/// How long it is remembered: longer than any request and any sign-in that is begun with it ([`Lifetimes`](crate::Lifetimes)).
const MEMORY: Duration = Duration::from_secs(2 * 3600);

/// Notes down how the request of this partition is answered; the batch holds only if it was not.
pub(super) fn answered(batch: Batch, answer: &Answered, now: Timestamp) -> Result<Batch, StoreError> {
    let batch = batch.require_absent(answered_name());
    batch.put_json(answered_name(), answer, Some(now + MEMORY))
}
