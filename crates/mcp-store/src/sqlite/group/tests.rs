//! What each commit is told when the database fails under some of them.

use super::super::tests::{File, job, name, partition, put};
use super::*;
use crate::{Batch, Partition};

fn query(link: &mut Link, sql: &str) -> i64 {
    link.get().unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_batch_that_does_not_fit_the_disk_takes_no_other_along() {
    let file = File::new();
    let mut link = file.link();
    let some = Partition::random();
    let pages = query(&mut link, "SELECT page_count FROM pragma_page_count");
    let full = format!("PRAGMA max_page_count = {}", pages + 5);
    query(&mut link, &full);

    let large = || Batch::new().put(name("large"), vec![7; 60_000], None);
    let (first, small) = job(&some, put("a"));
    let (second, too_large) = job(&some, large());
    let (third, another) = job(&some, put("b"));
    write(&mut link, &[first, second, third]);
    assert!(small.answer().await.unwrap().is_done());
    assert!(another.answer().await.unwrap().is_done());
    let error = too_large.answer().await.unwrap_err();
    assert!(error.is_transient() && !error.is_unknown(), "{error:?}");
    assert_eq!(query(&mut link, "SELECT count(*) FROM records"), 2);

    // There is room again: nothing has to be restarted.
    query(&mut link, "PRAGMA max_page_count = 1000000");
    let (again, fits) = job(&some, large());
    write(&mut link, &[again]);
    assert!(fits.answer().await.unwrap().is_done());
}

/// A database in which COMMIT fails for records of the partition `poison`: a constraint that is looked at only then.
fn poisoned(link: &mut Link) {
    link.get()
        .unwrap()
        .execute_batch(
            "CREATE TABLE allowed (id INTEGER PRIMARY KEY) STRICT;
             INSERT INTO allowed VALUES (1);
             INSERT INTO partitions VALUES (1, 'good'), (2, 'poison');
             DROP TABLE records;
             CREATE TABLE records (
                 id INTEGER PRIMARY KEY,
                 partition_id INTEGER NOT NULL REFERENCES allowed (id) DEFERRABLE INITIALLY DEFERRED,
                 name TEXT NOT NULL, revision INTEGER NOT NULL, expires_at INTEGER, value BLOB NOT NULL,
                 UNIQUE (partition_id, name)
             ) STRICT;",
        )
        .unwrap();
}

#[tokio::test]
async fn a_failed_commit_is_unknown_unless_the_next_attempt_settles_it() {
    let file = File::new();
    let mut link = file.link();
    poisoned(&mut link);
    let (first, good) = job(&partition("good"), put("a"));
    let (second, poison) = job(&partition("poison"), put("a"));
    // Refused because of what a batch of the same, failing transaction wrote: that must not be told.
    let (third, refused) =
        job(&partition("poison"), Batch::new().require_absent(name("a")).delete(name("b")));
    write(&mut link, &[first, second, third]);
    assert!(good.answer().await.unwrap().is_done());
    assert!(poison.answer().await.unwrap_err().is_unknown());
    assert!(refused.answer().await.unwrap().is_done());
    assert_eq!(query(&mut link, "SELECT count(*) FROM records"), 1);

    link.get().unwrap().execute_batch("INSERT INTO allowed VALUES (2)").unwrap();
    let (again, healed) = job(&partition("poison"), put("a"));
    write(&mut link, &[again]);
    assert!(healed.answer().await.unwrap().is_done());
}

#[tokio::test]
async fn what_an_attempt_in_doubt_has_written_counts() {
    let file = File::new();
    let mut link = file.link();
    let some = Partition::random();
    let redeem = put("token").require_absent(name("used")).put(name("used"), "x", None);
    let revision = redeem.revision();
    let (first, done) = job(&some, redeem.clone());
    write(&mut link, &[first]);
    assert!(done.answer().await.unwrap().is_done());

    // The same once more, as if nobody knew whether it had happened.
    let (again, _waiting) = job(&some, redeem.clone());
    let mut begun = Begun::from_job(&again).unwrap();
    begun.note(&Failure { stage: Stage::Commit, trouble: Trouble::other("commit", "the disk failed") });
    let gave = attempt(&mut link, slice::from_ref(&begun)).ok().unwrap();
    assert!(matches!(gave[..], [Gave::Committed(Committed::Done(found))] if found == revision));

    // One that leaves no trace: refused may mean that it was done.
    let take = Batch::new().require(name("used"), revision).delete(name("used"));
    let (first, done) = job(&some, take.clone());
    write(&mut link, &[first]);
    assert!(done.answer().await.unwrap().is_done());
    let (again, waiting) = job(&some, take);
    let mut begun = Begun::from_job(&again).unwrap();
    begun.note(&Failure { stage: Stage::Commit, trouble: Trouble::other("commit", "the disk failed") });
    let gave = attempt(&mut link, slice::from_ref(&begun)).ok().unwrap();
    gave.into_iter().for_each(|gave| begun.answer(gave));
    assert!(waiting.answer().await.unwrap_err().is_unknown());
}

#[tokio::test]
async fn a_lock_that_another_process_keeps_is_told_in_time() {
    let file = File::new();
    let mut link = file.link();
    let other = file.other();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (first, waiting) = job(&Partition::random(), put("a"));
    write(&mut link, &[first]);
    let error = waiting.answer().await.unwrap_err();
    assert!(error.is_transient() && !error.is_unknown(), "{error:?}");

    other.execute_batch("COMMIT").unwrap();
    let (again, waiting) = job(&Partition::random(), put("a"));
    write(&mut link, &[again]);
    assert!(waiting.answer().await.unwrap().is_done());
}

#[tokio::test]
async fn a_damaged_file_is_told_as_such() {
    let file = File::new();
    let some = Partition::random();
    {
        let mut link = file.link();
        let (first, _waiting) = job(&some, put("a"));
        write(&mut link, &[first]);
    }
    // All connections are closed.
    let mut bytes = std::fs::read(file.place.file()).unwrap();
    bytes[4096..].fill(0xff);
    std::fs::write(file.place.file(), bytes).unwrap();
    let mut link = file.link();
    let (first, waiting) = job(&some, put("a"));
    write(&mut link, &[first]);
    let error = waiting.answer().await.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("damaged"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_others_have_left_behind_writes_nothing() {
    let file = File::new();
    let mut link = file.link();
    file.other().pragma_update(None, "user_version", 2).unwrap();
    for _ in 0..2 {
        let (first, waiting) = job(&Partition::random(), put("a"));
        write(&mut link, &[first]);
        let error = waiting.answer().await.unwrap_err();
        assert!(error.is_transient() && !error.is_unknown(), "{error:?}");
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("update this server"));
    }
    assert_eq!(query(&mut link, "SELECT count(*) FROM records"), 0);
}
