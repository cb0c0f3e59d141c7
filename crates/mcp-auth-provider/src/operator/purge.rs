//! Taking out what is left of grants that have ended.
//!
//! Records that expire are deleted by the store itself. What is left to do is rare: a process that died in the middle of ending
//! a grant leaves records that mean nothing, and consent whose code nobody redeemed leaves entries in the lists of a user and a
//! client.

use mcp_store::Cursor;

use crate::grant::{self, Remains};

use super::{Operator, OperatorError};

/// How many partitions one step looks through.
const PAGE: usize = 200;

/// What [`Operator::purge`] took out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// Grants that had ended and were still there.
    pub grants: usize,
    /// Entries of lists that led to no grant.
    pub entries: usize,
}

impl Operator {
    /// Walks through the whole store and takes out what is left of grants that have ended. Changes nothing that anybody could
    /// notice but the size of the store; may run beside everything else, at several nodes too.
    ///
    /// # Errors
    /// When the store does not answer; then some of it is done.
    pub async fn purge(&self) -> Result<Purged, OperatorError> {
        let mut purged = Purged::default();
        let mut after: Option<Cursor> = None;
        loop {
            let page = self.engine.vault.partitions(after.as_ref(), PAGE).await?;
            for partition in &page.partitions {
                match grant::tidy(&self.engine, partition).await? {
                    Remains::Grant => purged.grants += 1,
                    Remains::Entries(count) => purged.entries += count,
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let Purged { grants, entries } = purged;
        let what = format!("take out {grants} ended grants and {entries} entries of lists");
        self.record("operator_purged", None, None, what);
        Ok(purged)
    }
}
