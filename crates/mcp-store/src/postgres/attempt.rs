//! One commit, and what becomes of it when its answer is lost.
//!
//! Every attempt leaves a row in the same transaction. Whoever gets no answer asks for it; if it is not there, the question
//! itself puts a fence in its place, and an attempt that arrives late finds the fence and does nothing. The question waits
//! for an attempt that is under way. So it always has an answer, and trying again is safe.

use std::time::Duration;

use mcp_core::{Timestamp, random_bytes};
use tokio::time::{Instant, sleep_until};
use tokio_postgres::Row;

use super::PostgresStore;
use super::pool::Failure;
use super::rows::to_column;
use crate::{Batch, Committed, Name, Operation, Partition, Precondition, StoreError};

/// How long after its beginning an attempt may be asked about: it is remembered for two minutes.
const ASKABLE: Duration = Duration::from_secs(30);
/// How often a commit is tried when connections break.
const TRIES: usize = 3;

pub(super) async fn commit(
    store: &PostgresStore,
    partition: &Partition,
    batch: &Batch,
    now: Timestamp,
) -> Result<Committed, StoreError> {
    let (now, revision) = (to_column(now), batch.revision().as_u64().cast_signed());
    let Columns { need_names, need_revisions, put_names, put_ends, put_values, delete_names } =
        columns(batch);
    let deadline = Instant::now() + store.setup.timeout;
    for last in (0..TRIES).rev() {
        let attempt = i64::from_le_bytes(random_bytes());
        let begun = Instant::now();
        let answer = store
            .connections
            .run(
                &store.setup,
                &store.statements.commit,
                &[
                    &partition.as_str(),
                    &attempt,
                    &revision,
                    &now,
                    &need_names,
                    &need_revisions,
                    &put_names,
                    &put_ends,
                    &put_values,
                    &delete_names,
                ],
                deadline,
            )
            .await;
        let lost = match answer {
            Ok(rows) => match outcome(batch, rows.first()) {
                Some(committed) => return Ok(committed),
                None => "an answer that no commit gives".to_owned(),
            },
            // A connection that lay idle may have been closed by the other side.
            Err(Failure::Unsent(_)) if last > 0 && Instant::now() < deadline => continue,
            Err(Failure::Lost(text)) => text,
            Err(failure) => return Err(failure.into()),
        };
        match settle(store, partition, attempt, begun).await {
            Some(true) => return Ok(Committed::Done(batch.revision())),
            Some(false) if last > 0 && Instant::now() < deadline => {}
            Some(false) => return Err(StoreError::unavailable(lost)),
            None => return Err(StoreError::unknown(lost)),
        }
    }
    Err(StoreError::unavailable("the connection to PostgreSQL breaks again and again"))
}

/// Whether an attempt happened, or else makes sure that it never will; `None` when nobody answers in time.
async fn settle(store: &PostgresStore, partition: &Partition, attempt: i64, begun: Instant) -> Option<bool> {
    let deadline = (Instant::now() + store.setup.timeout).min(begun + ASKABLE);
    loop {
        let parameters: super::pool::Parameters<'_> = &[&partition.as_str(), &attempt];
        let answer =
            store.connections.run(&store.setup, &store.statements.settle, parameters, deadline).await;
        // What the answer says was true when it was made: perhaps only now is it too late.
        if Instant::now() > begun + ASKABLE {
            return None;
        }
        if let Ok(rows) = answer {
            return rows.first()?.try_get(0).ok();
        }
        let again = Instant::now() + Duration::from_millis(50);
        if again >= deadline {
            return None;
        }
        sleep_until(again).await;
    }
}

/// `None` for an answer that says nothing, or that the attempt is fenced off, which only happens above.
fn outcome(batch: &Batch, row: Option<&Row>) -> Option<Committed> {
    match row?.try_get::<_, i32>(0).ok()? {
        0 => Some(Committed::Done(batch.revision())),
        1 => Some(Committed::Refused(Name::new(row?.try_get::<_, &str>(1).ok()?).ok()?)),
        _ => None,
    }
}

/// A batch as arrays, one for each column.
#[derive(Default)]
struct Columns<'a> {
    need_names: Vec<&'a str>,
    need_revisions: Vec<Option<i64>>,
    put_names: Vec<&'a str>,
    put_ends: Vec<Option<i64>>,
    put_values: Vec<&'a [u8]>,
    delete_names: Vec<&'a str>,
}

fn columns(batch: &Batch) -> Columns<'_> {
    let mut columns = Columns::default();
    for (name, precondition) in batch.preconditions() {
        columns.need_names.push(name.as_str());
        columns.need_revisions.push(match precondition {
            Precondition::Absent => None,
            Precondition::At(revision) => Some(revision.as_u64().cast_signed()),
        });
    }
    for (name, operation) in batch.operations() {
        match operation {
            Operation::Put { value, expires_at } => {
                columns.put_names.push(name.as_str());
                columns.put_ends.push(expires_at.map(to_column));
                columns.put_values.push(value);
            }
            Operation::Delete => columns.delete_names.push(name.as_str()),
        }
    }
    columns
}
