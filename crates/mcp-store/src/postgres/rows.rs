//! Columns and what they mean.

use mcp_core::Timestamp;
use tokio_postgres::Row;

use crate::{Record, Revision, StoreError};

/// The highest bit of a `bigint` is its sign: turned over, all moments are in order.
pub(super) fn to_column(moment: Timestamp) -> i64 {
    (moment.as_millis() ^ (1 << 63)).cast_signed()
}

fn to_moment(column: i64) -> Timestamp {
    Timestamp::from_millis(column.cast_unsigned() ^ (1 << 63))
}

/// A record from the columns name, revision, expires_at and value.
pub(super) fn read_record(row: &Row) -> Result<Record, StoreError> {
    let revision: i64 = row.try_get(1).map_err(unreadable)?;
    let expires_at: Option<i64> = row.try_get(2).map_err(unreadable)?;
    let value: &[u8] = row.try_get(3).map_err(unreadable)?;
    Ok(Record::new(value.to_vec(), Revision::from_u64(revision.cast_unsigned()), expires_at.map(to_moment)))
}

pub(super) fn to_limit(limit: usize) -> i64 {
    i64::try_from(limit.clamp(1, 1000)).unwrap_or(1000)
}

/// A column of another type than the schema has.
pub(super) fn unreadable(_: tokio_postgres::Error) -> StoreError {
    StoreError::corrupt("a table in PostgreSQL has other columns than were made")
}

pub(super) fn damaged(_: crate::InvalidKey) -> StoreError {
    StoreError::corrupt("a row in PostgreSQL has a name that none can have")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn moments_keep_their_order(one in any::<u64>(), other in any::<u64>()) {
            let (one, other) = (Timestamp::from_millis(one), Timestamp::from_millis(other));
            prop_assert_eq!(to_moment(to_column(one)), one);
            prop_assert_eq!(to_column(one).cmp(&to_column(other)), one.cmp(&other));
        }
    }
}
