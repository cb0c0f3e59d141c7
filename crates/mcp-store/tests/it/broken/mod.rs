//! The suite can fail: each of these stores breaks a promise as a back end might, and is caught.

mod defective;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mcp_core::async_trait;
use mcp_store::testkit::{CHECKS, Database};
use mcp_store::{MemoryStore, Store};

use defective::{Defect, Defective};

struct Ward {
    inner: MemoryStore,
    defect: Defect,
    cut: Arc<AtomicBool>,
}

#[async_trait]
impl Database for Ward {
    async fn open(&self) -> Arc<dyn Store> {
        let inner = if self.defect == Defect::Forgets { MemoryStore::new() } else { self.inner.clone() };
        Arc::new(Defective::new(inner, self.defect, self.cut.clone()))
    }

    async fn disconnect(&self) -> bool {
        self.cut.store(true, Ordering::Relaxed);
        true
    }
}

/// Every check of these names fails on a store with this defect.
fn check(defect: Defect, caught_by: &[&str]) {
    for name in caught_by {
        let check = CHECKS.iter().find(|check| check.name() == *name).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        let ward = Ward { inner: MemoryStore::new(), defect, cut: Arc::default() };
        let found = runtime.block_on(check.run(Arc::new(ward)));
        assert!(found.is_err(), "{defect:?} was not caught by {name}");
    }
}

macro_rules! caught {
    ($($test:ident: $defect:ident by $($name:ident)*;)*) => {$(
        #[test]
        fn $test() {
            check(Defect::$defect, &[$(stringify!($name)),*]);
        }
    )*};
}

caught! {
    checks_then_writes: ChecksThenWrites by one_racer_wins_each_revision one_racer_creates nothing_counted_is_lost;
    locks_written_names_only: LocksWrittenNamesOnly by preconditions_on_other_names_are_one_step_with_writes;
    writes_one_by_one: WritesOneByOne by a_read_is_one_moment a_dropped_commit_is_whole_or_nothing;
    refuses_too_late: RefusesTooLate by a_refused_commit_changes_nothing all_of_them_must_hold;
    blames_the_first: BlamesTheFirst by all_of_them_must_hold;
    ends_late: EndsLate by a_record_ends_at_its_millisecond;
    requires_the_dead: RequiresTheDead by a_record_ends_at_its_millisecond one_racer_creates;
    own_clock: OwnClock by the_callers_clock_decides a_record_ends_at_its_millisecond;
    revision_of_value: RevisionOfValue by a_record_comes_back_as_it_was_put;
    rounds_revisions: RoundsRevisions by a_record_comes_back_as_it_was_put;
    keeps_the_end: KeepsTheEnd by a_put_replaces_all_of_a_record;
    prefix_is_pattern: PrefixIsPattern by a_scan_keeps_to_its_prefix;
    ignores_case: IgnoresCase by keys_are_told_apart_byte_by_byte;
    joins_keys: JoinsKeys by keys_are_told_apart_byte_by_byte;
    short_pages: ShortPages by pages_follow_each_other a_record_ends_at_its_millisecond;
    repeats_the_last: RepeatsTheLast by pages_follow_each_other;
    partitions_by_number: PartitionsByNumber by partitions_that_stay_are_listed;
    sweeps_too_late: SweepsTooLate by a_sweep_spares_what_is_put_anew;
    sweeps_everything: SweepsEverything by a_sweep_deletes_what_expired;
    stale_reads: StaleReads by what_is_done_is_seen_everywhere;
    forgets: Forgets by what_was_written_is_there_after_a_restart what_is_done_is_seen_everywhere;
    small_batches: SmallBatches by a_batch_may_be_large;
    lies_about_loss: LiesAboutLoss by a_lost_connection_is_told;
    checks_nothing: ChecksNothing by what_no_store_can_do_is_refused;
}
