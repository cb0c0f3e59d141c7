//! How a record is written: a byte (0: stays for ever, 1: ends), the revision, the end, the value. Numbers are big-endian.

use bytes::Bytes;
use mcp_core::Timestamp;
use redis::Value;

use super::link::nonsense;
use crate::{Entry, Name, Record, Revision, StoreError};

/// Kind, revision and end.
const HEADER: usize = 17;

/// Sorted sets have scores of 53 bits. What ends later than the year 287396 stays for ever, as far as deleting goes.
const LAST_SCORE: u64 = 1 << 53;

pub(super) fn encode(value: &[u8], revision: Revision, expires_at: Option<Timestamp>) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEADER + value.len());
    record.push(u8::from(expires_at.is_some()));
    record.extend_from_slice(&revision.as_u64().to_be_bytes());
    record.extend_from_slice(&expires_at.unwrap_or_default().as_millis().to_be_bytes());
    record.extend_from_slice(value);
    record
}

fn decode(record: Vec<u8>) -> Option<Record> {
    let record = Bytes::from(record);
    let (header, _) = record.split_at_checked(HEADER)?;
    let number = |at: usize| header.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
    let expires_at = match header.first()? {
        0 => None,
        1 => Some(Timestamp::from_millis(number(9)?)),
        _ => return None,
    };
    Some(Record::new(record.slice(HEADER..), Revision::from_u64(number(1)?), expires_at))
}

/// A record that Redis sent, if it is there and may still be seen.
pub(super) fn found(value: Value, now: Timestamp) -> Result<Option<Record>, StoreError> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => {
            let record = decode(bytes).ok_or(StoreError::corrupt("a record in Redis is damaged"))?;
            Ok(record.is_live(now).then_some(record))
        }
        _ => Err(nonsense()),
    }
}

/// Names and records in turn.
pub(super) fn page(answer: Value) -> Result<Vec<Entry>, StoreError> {
    let Value::Array(items) = answer else {
        return Err(nonsense());
    };
    let mut entries = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    while let (Some(name), Some(record)) = (items.next(), items.next()) {
        let (Value::BulkString(name), Value::BulkString(record)) = (name, record) else {
            return Err(nonsense());
        };
        let name = String::from_utf8(name).ok().and_then(|name| Name::new(name).ok());
        let entry = name.zip(decode(record)).map(|(name, record)| Entry { name, record });
        entries.push(entry.ok_or(StoreError::corrupt("a record in Redis is damaged"))?);
    }
    Ok(entries)
}

/// The upper and lower 32 bits of a moment: the numbers of a script have only 53.
pub(super) fn halves(moment: Timestamp) -> [String; 2] {
    let millis = moment.as_millis();
    [(millis >> 32).to_string(), (millis & 0xffff_ffff).to_string()]
}

/// Where a record stands among those that end.
pub(super) fn score(expires_at: Option<Timestamp>) -> Option<u64> {
    expires_at.map(Timestamp::as_millis).filter(|&millis| millis < LAST_SCORE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_written(
            value in proptest::collection::vec(any::<u8>(), 0..100),
            revision in any::<u64>(),
            end in any::<Option<u64>>(),
        ) {
            let end = end.map(Timestamp::from_millis);
            let record = decode(encode(&value, Revision::from_u64(revision), end)).unwrap();
            prop_assert_eq!(record, Record::new(value, Revision::from_u64(revision), end));
        }

        #[test]
        fn foreign_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let good = bytes.len() >= HEADER && bytes[0] < 2;
            prop_assert_eq!(decode(bytes).is_some(), good);
        }
    }
}
