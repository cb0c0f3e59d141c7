//! One commit, and what becomes of it when its answer is lost.
//!
//! Every attempt has a key of its own, which the script writes together with the records. Whoever gets no answer asks for
//! it; if it is not there, the question itself puts a fence in its place, and an attempt that arrives late, out of some
//! buffer, finds the fence and does nothing. So the question always has an answer, and trying again is safe.

use std::time::Duration;

use mcp_core::{Timestamp, random_bytes};
use redis::Value;
use tokio::time::{Instant, sleep_until};

use super::keys::Keys;
use super::link::{Failure, Link};
use super::record::{encode, halves, score};
use super::script::{COMMIT, SETTLE};
use crate::{Batch, Committed, Name, Operation, Partition, Precondition, StoreError};

/// How long a partition stays after its last record has ended. The caller's clock may be behind the server's by so much.
const SLACK: Duration = Duration::from_secs(300);
/// How long after its beginning an attempt is asked about, in timeouts: one for itself and one for the question.
const ASKABLE: u32 = 2;
/// How long is known that an attempt happened, in timeouts, and besides: longer than anybody asks, even if the machine of
/// whoever asks stands still for a while. Each is a key.
const KNOWN: u32 = 4;
const KNOWN_BESIDES: Duration = Duration::from_secs(30);
/// How long an attempt is fenced off: longer than a command may lie in a buffer.
const FENCE: Duration = Duration::from_secs(3600);
/// How often a commit is tried when connections break.
const TRIES: usize = 3;

pub(super) async fn commit(
    link: &Link,
    keys: &Keys,
    partition: &Partition,
    batch: &Batch,
    now: Timestamp,
) -> Result<Committed, StoreError> {
    let known = link.timeout() * KNOWN + KNOWN_BESIDES;
    let arguments = arguments(batch, now, known);
    let deadline = Instant::now() + link.timeout();
    for last in (0..TRIES).rev() {
        let attempt = keys.attempt(partition, &format!("{:032x}", u128::from_le_bytes(random_bytes())));
        let all = [keys.records(partition), keys.names(partition), keys.ends(partition), attempt.clone()];
        let begun = Instant::now();
        let lost = match COMMIT.run(link, &all, &arguments, deadline).await {
            Ok(answer) => match outcome(batch, &answer) {
                Some(committed) => return Ok(committed),
                None => "an answer that no commit gives".to_owned(),
            },
            Err(Failure::Lost(text)) => text,
            Err(failure) => return Err(failure.into()),
        };
        match settle(link, &attempt, begun).await {
            Some(true) => return Ok(Committed::Done(batch.revision())),
            Some(false) if last > 0 && Instant::now() < deadline => {}
            Some(false) => return Err(StoreError::unavailable(lost)),
            None => return Err(StoreError::unknown(lost)),
        }
    }
    Err(StoreError::unavailable("the connection to Redis breaks again and again"))
}

/// Whether an attempt happened, or else makes sure that it never will; `None` when nobody answers in time.
async fn settle(link: &Link, attempt: &str, begun: Instant) -> Option<bool> {
    let deadline = begun + link.timeout() * ASKABLE;
    let (keys, arguments) = ([attempt.to_owned()], [FENCE.as_millis().to_string().into_bytes()]);
    loop {
        let answer = SETTLE.run(link, &keys, &arguments, deadline).await;
        // What the answer says was true when it was made: perhaps only now is it too late.
        if Instant::now() > deadline {
            return None;
        }
        match answer {
            Ok(Value::BulkString(state)) if state == b"done" => return Some(true),
            Ok(Value::BulkString(state)) if state == b"fenced" => return Some(false),
            _ => {
                let again = Instant::now() + Duration::from_millis(50);
                if again >= deadline {
                    return None;
                }
                sleep_until(again).await;
            }
        }
    }
}

/// `None` for an answer that says nothing, or that the attempt is fenced off, which only happens above.
fn outcome(batch: &Batch, answer: &Value) -> Option<Committed> {
    let Value::Array(words) = answer else { return None };
    match words.as_slice() {
        [Value::BulkString(word)] if word == b"done" => Some(Committed::Done(batch.revision())),
        [Value::BulkString(word), Value::BulkString(name)] if word == b"refused" => {
            Some(Committed::Refused(Name::new(std::str::from_utf8(name).ok()?).ok()?))
        }
        _ => None,
    }
}

/// What the script is told; see there.
fn arguments(batch: &Batch, now: Timestamp, known: Duration) -> Vec<Vec<u8>> {
    let [high, low] = halves(now);
    let mut arguments: Vec<Vec<u8>> = vec![
        now.as_millis().to_string().into(),
        high.into(),
        low.into(),
        SLACK.as_millis().to_string().into(),
        known.as_millis().to_string().into(),
        batch.preconditions().len().to_string().into(),
    ];
    for (name, precondition) in batch.preconditions() {
        arguments.push(name.as_str().into());
        arguments.push(match precondition {
            Precondition::Absent => Vec::new(),
            Precondition::At(revision) => revision.as_u64().to_be_bytes().to_vec(),
        });
    }
    for (name, operation) in batch.operations() {
        arguments.push(name.as_str().into());
        match operation {
            Operation::Put { value, expires_at } => {
                arguments.push(encode(value, batch.revision(), *expires_at));
                arguments.push(score(*expires_at).map(|score| score.to_string()).unwrap_or_default().into());
            }
            Operation::Delete => arguments.extend([Vec::new(), Vec::new()]),
        }
    }
    arguments
}
