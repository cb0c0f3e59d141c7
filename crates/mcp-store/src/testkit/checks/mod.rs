//! The checks, by what they are about.

mod disconnect;
mod dropped;
mod expiry;
mod names;
mod partitions;
mod preconditions;
mod races;
mod scan;
mod serial;
mod snapshots;
mod sweep;
mod values;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use mcp_core::Timestamp;

use super::database::{Database, Nodes};
use super::outcome::{Broken, Outcome, ensure};
use crate::{Batch, Committed, Name, Partition, Record, Revision, Store, StoreError};

/// One promise of [`Store`], and how it is checked.
pub struct Check {
    name: &'static str,
    promise: &'static str,
    pub(super) body: fn(Arc<dyn Database>) -> Body,
}

type Body = Pin<Box<dyn Future<Output = Outcome> + Send>>;

impl Check {
    /// What its test is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The promise, in a sentence.
    #[must_use]
    pub fn promise(&self) -> &'static str {
        self.promise
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Check({})", self.name)
    }
}

macro_rules! checks {
    ($($module:ident :: $name:ident ($nodes:literal): $promise:literal;)*) => {
        /// Every promise, in the order from simple to hard.
        pub static CHECKS: &[Check] = &[$(Check {
            name: stringify!($name),
            promise: $promise,
            body: |database| Box::pin(async move { $module::$name(Nodes::start(database, $nodes).await?).await }),
        }),*];

        // One list for both, so that no check is missing in a suite.
        #[doc(hidden)]
        #[macro_export]
        macro_rules! store_suite {
            ($make:expr) => {
                $(
                    #[test]
                    fn $name() {
                        $crate::testkit::run(stringify!($name), $make);
                    }
                )*
            };
        }
    };
}

checks! {
    values::a_record_comes_back_as_it_was_put(2):
        "a record is read back with the bytes, the revision and the end it was put with";
    values::a_put_replaces_all_of_a_record(2):
        "a put writes value, revision and end anew; a delete takes the record away";
    values::a_batch_may_be_large(2):
        "a commit of 256 operations with values of 64 KiB is possible, and wholly there";
    values::what_no_store_can_do_is_refused(1):
        "a batch that `Batch::check` refuses is an error that is not transient, and changes nothing";
    values::what_was_written_is_there_after_a_restart(2):
        "what was committed is there for servers that open the database later";
    values::servers_that_start_at_once_all_work(16):
        "servers that start at the same time on an empty database all work, and with each other";
    names::keys_are_told_apart_byte_by_byte(1):
        "partitions and names that differ in anything are different, and none runs into another";
    names::all_keys_are_taken(1):
        "every `Partition` and every `Name` can be used, the longest too";
    preconditions::absent_holds_where_nothing_is(2):
        "`Absent` holds exactly where there is no record";
    preconditions::at_holds_for_one_revision(2):
        "`At` holds exactly for the revision of the commit that put the record last, however alike another is";
    preconditions::all_of_them_must_hold(2):
        "a commit happens only if all of its preconditions hold, of names it writes and of others";
    preconditions::a_refused_commit_changes_nothing(2):
        "a refused commit changes nothing and names a precondition that does not hold";
    expiry::a_record_ends_at_its_millisecond(2):
        "an expired record is absent to get, scan and preconditions from the very millisecond on, and not before";
    expiry::the_callers_clock_decides(2):
        "what the time is, the caller says, years away from the database's own clock";
    scan::a_scan_is_in_order_of_bytes(1):
        "a scan gives the names in the order of their bytes, with their records";
    scan::a_scan_keeps_to_its_prefix(1):
        "a scan gives the names that begin with the prefix, no character of which means anything else";
    scan::pages_follow_each_other(1):
        "a page begins after the given name, and is short only at the end";
    scan::pages_miss_nothing_that_stays(3):
        "a record that is there all the time is in exactly one page, whatever is written meanwhile";
    partitions::all_partitions_are_listed(2):
        "every partition that has records is listed";
    partitions::partitions_that_stay_are_listed(3):
        "a partition that is there from the first page to the last is listed, whatever comes and goes meanwhile";
    sweep::a_sweep_deletes_what_expired(2):
        "sweeping deletes expired records, in bounded portions, and nothing else";
    sweep::a_sweep_spares_what_is_put_anew(3):
        "a sweep never deletes a record that was put anew in the place of an expired one";
    races::one_racer_wins_each_revision(4):
        "of any number of racers that require the same revision, on any server, exactly one gets `Done`";
    races::one_racer_creates(4):
        "of any number of racers that require absence, exactly one gets `Done`";
    races::nothing_counted_is_lost(4):
        "an increment that got `Done` is never overwritten by one that did not see it";
    races::what_is_done_is_seen_everywhere(3):
        "who got `Done` may read what was written on any server, at once";
    serial::preconditions_on_other_names_are_one_step_with_writes(4):
        "of two commits that each require what the other writes, at most one gets `Done`";
    snapshots::a_read_is_one_moment(4):
        "records that are always written together are never read apart, by get or by scan";
    dropped::a_dropped_commit_is_whole_or_nothing(3):
        "a dropped future leaves no half commit and no store that hangs";
    disconnect::a_lost_connection_is_told(2):
        "with a lost connection, `unknown` may have happened, every other error has not, and the store recovers";
}

// In scope by its text; a path to a macro that a macro made is not stable.
pub use store_suite as suite;

/// A moment that is neither now nor near the epoch.
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_900_000_000);

/// How many rounds a race takes: more with `MCP_LONG=1`.
fn rounds(usual: usize) -> usize {
    if super::is_long() { usual * 10 } else { usual }
}

pub(super) fn name(text: impl AsRef<str>) -> Result<Name, Broken> {
    Ok(Name::new(text)?)
}

/// Commits and insists on `Done`.
async fn done(
    store: &dyn Store,
    partition: &Partition,
    batch: Batch,
    now: Timestamp,
) -> Result<Revision, Broken> {
    let revision = batch.revision();
    match store.commit(partition, batch, now).await? {
        Committed::Done(said) => {
            ensure!(said == revision, "a commit of {revision:?} said that it was {said:?}");
            Ok(revision)
        }
        Committed::Refused(name) => Err(Broken::new(format!("a commit was refused because of {name:?}"))),
    }
}

/// Commits and insists on `Refused`, because of one of these.
async fn refused(
    store: &dyn Store,
    partition: &Partition,
    batch: Batch,
    now: Timestamp,
    because: &[&Name],
) -> Outcome {
    let what = format!("{batch:?}");
    match store.commit(partition, batch, now).await? {
        Committed::Done(_) => Err(Broken::new(format!("this was done and must not have been: {what}"))),
        Committed::Refused(name) if because.contains(&&name) => Ok(()),
        Committed::Refused(name) => {
            Err(Broken::new(format!("it was refused because of {name:?}, which holds: {what}")))
        }
    }
}

/// Puts one record and says which revision it has.
async fn put(
    store: &dyn Store,
    partition: &Partition,
    name: &Name,
    value: impl Into<Bytes>,
) -> Result<Revision, Broken> {
    done(store, partition, Batch::new().put(name.clone(), value, None), NOW).await
}

pub(super) async fn get(
    store: &dyn Store,
    partition: &Partition,
    name: &Name,
    now: Timestamp,
) -> Result<Option<Record>, Broken> {
    let mut records = store.get(partition, std::slice::from_ref(name), now).await?;
    ensure!(records.len() == 1, "a get of one name gave {} records", records.len());
    Ok(records.pop().flatten())
}

pub(super) async fn value(
    store: &dyn Store,
    partition: &Partition,
    name: &Name,
) -> Result<Option<Bytes>, Broken> {
    Ok(get(store, partition, name, NOW).await?.map(|record| record.value().clone()))
}

/// Waits for tasks and gives what they found, or the first thing that was broken.
pub(super) async fn join<T: 'static>(
    mut tasks: tokio::task::JoinSet<Result<T, Broken>>,
) -> Result<Vec<T>, Broken> {
    let mut results = Vec::with_capacity(tasks.len());
    while let Some(ended) = tasks.join_next().await {
        results.push(ended??);
    }
    Ok(results)
}

/// Whether a commit happened, where a busy store may say that it cannot do it now.
pub(super) fn settled(result: Result<Committed, StoreError>) -> Result<Option<Committed>, Broken> {
    match result {
        Ok(committed) => Ok(Some(committed)),
        Err(error) if error.is_transient() && !error.is_unknown() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Lets tasks in the background run for as long as it is there, and so not longer than the check.
struct Running(Arc<()>);

struct Watch(std::sync::Weak<()>);

impl Running {
    fn new() -> Self {
        Self(Arc::new(()))
    }

    fn watch(&self) -> Watch {
        Watch(Arc::downgrade(&self.0))
    }
}

impl Watch {
    /// Asked in every round; lets others run, where the store itself never waits.
    async fn is_running(&self) -> bool {
        tokio::task::yield_now().await;
        self.0.strong_count() > 0
    }
}
