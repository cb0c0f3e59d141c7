//! PostgreSQL: answers that are lost, statements that arrive late, connections that are all busy.

use std::sync::Arc;

use mcp_store::testkit::servers::PostgresServer;
use mcp_store::{Batch, Committed, Partition, PostgresStore, Store};
use tokio::time::Instant;

use super::postgres::{count, increment, shared};
use super::{Fate, Proxy};
use crate::support::{NOON, millis, name};

/// A store behind a proxy with one connection that has been used, and one that goes straight to the same data.
async fn behind_proxy(server: &PostgresServer) -> (PostgresStore, Proxy, PostgresStore) {
    // The driver prepares, and then sends a Bind with everything after it.
    let proxy = Proxy::new(server.port(), |piece| piece.starts_with(b"B")).await;
    let url = server.database();
    let through = url.replace(&server.port().to_string(), &proxy.port().to_string());
    let through = PostgresStore::connect(through).unwrap().with_connections(1).unwrap();
    let through = through.with_timeout(millis(2500)).unwrap();
    through.start().await.unwrap();
    (through, proxy, PostgresStore::connect(url).unwrap())
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_out_about() {
    let Some(server) = shared() else { return };
    let (store, proxy, straight) = behind_proxy(server).await;
    for fates in [
        vec![Fate::CutBefore],
        vec![Fate::CutAfter],
        vec![Fate::CutAfter, Fate::CutAfter],
        vec![Fate::CutBefore, Fate::CutAfter, Fate::CutBefore],
        vec![Fate::Stuck],
    ] {
        let partition = Partition::random();
        let batch = increment(Batch::new().require_absent(name("counter")), 1);
        let revision = batch.revision();
        proxy.doom(&fates);
        match store.commit(&partition, batch, NOON).await {
            Ok(committed) => {
                assert_eq!(committed, Committed::Done(revision), "{fates:?}");
                assert_eq!(count(&straight, &partition).await, 1, "{fates:?}");
            }
            // Whoever says that nothing was written must be right.
            Err(error) => {
                assert!(!error.is_unknown() && error.is_transient(), "{fates:?}: {error:?}");
                assert!(fates.contains(&Fate::Stuck), "{fates:?}: {error:?}");
                assert_eq!(count(&straight, &partition).await, 0, "{fates:?}");
            }
        }
        assert_eq!(proxy.doomed(), 0, "{fates:?}");
    }
}

// The answer is lost, and before anybody asks, somebody else changes the record: the commit happened all the same.
#[tokio::test]
async fn a_commit_counts_once_though_its_record_was_overwritten_before_anybody_asked() {
    let Some(server) = shared() else { return };
    let (store, proxy, straight) = behind_proxy(server).await;
    let partition = Partition::random();
    let batch = increment(Batch::new().require_absent(name("counter")), 1);
    let revision = batch.revision();
    // The question is under way while the other commits.
    proxy.doom(&[Fate::CutAfter, Fate::Stuck]);
    let other = async {
        proxy.until_doomed(0).await;
        let batch = increment(Batch::new().require(name("counter"), revision), 2);
        let done = straight.commit(&partition, batch, NOON).await.unwrap();
        proxy.cut();
        done
    };
    let (first, second) = tokio::join!(store.commit(&partition, batch, NOON), other);
    assert_eq!(first.unwrap(), Committed::Done(revision));
    assert!(second.is_done());
    assert_eq!(count(&straight, &partition).await, 2);
}

// What was sent before the connection broke may still lie in a buffer.
#[tokio::test]
async fn a_statement_that_arrives_late_does_nothing() {
    let Some(server) = shared() else { return };
    let (store, proxy, straight) = behind_proxy(server).await;
    let partition = Partition::random();
    let put = Batch::new().put(name("late"), "first", None);
    // The statement is prepared on the connection that will be late.
    assert!(store.commit(&partition, put.clone(), NOON).await.unwrap().is_done());
    proxy.doom(&[Fate::Late]);
    // It is fenced off and tried again.
    assert!(store.commit(&partition, put, NOON).await.unwrap().is_done());
    let gone = straight.commit(&partition, Batch::new().delete(name("late")), NOON).await.unwrap();
    assert!(gone.is_done());
    proxy.release().await;
    assert_eq!(straight.get(&partition, &[name("late")], NOON).await.unwrap(), [None]);
}

// A commit that waits behind another is given up by its sender and must not happen later.
#[tokio::test]
async fn a_commit_that_waits_too_long_is_given_up_and_never_happens() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let database = url.rsplit('/').next().unwrap().to_owned();
    let store = PostgresStore::connect(&url).unwrap().with_timeout(millis(300)).unwrap();
    store.start().await.unwrap();
    let partition = Partition::random();
    let hold = format!("SELECT pg_advisory_xact_lock(hashtextextended('{partition}', 7018)), pg_sleep(2)");
    let held = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    let holder = tokio::task::spawn_blocking(move || server.sql(&database, &hold));
    while server.sql("postgres", held) == "0" {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    let error = store.commit(&partition, increment(Batch::new(), 1), NOON).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(begun.elapsed() < millis(1500), "{:?}", begun.elapsed());
    // Other partitions do not wait.
    assert!(store.commit(&Partition::random(), increment(Batch::new(), 1), NOON).await.unwrap().is_done());
    holder.await.unwrap();
    assert_eq!(count(&store, &partition).await, 0);
}

#[tokio::test]
async fn a_busy_pool_is_an_outage_in_time() {
    let Some(server) = shared() else { return };
    let (store, proxy, _) = behind_proxy(server).await;
    let store = Arc::new(store);
    let partition = Partition::random();
    assert_eq!(count(&*store, &partition).await, 0);
    // Twice: a reader tries again.
    proxy.doom(&[Fate::Stuck, Fate::Stuck]);
    let (other, wanted) = (store.clone(), partition.clone());
    let stuck = tokio::spawn(async move { other.get(&wanted, &[name("a")], NOON).await });
    proxy.until_doomed(1).await;
    let begun = Instant::now();
    let error = store.commit(&partition, increment(Batch::new(), 1), NOON).await;
    assert!(begun.elapsed() < millis(8000), "{:?}", begun.elapsed());
    if let Err(error) = error {
        assert!(error.is_transient() && !error.is_unknown(), "{error:?}");
    }
    let error = stuck.await.unwrap().unwrap_err();
    assert!(error.is_transient() && !error.is_unknown());
}

// A firewall that forgets a connection says nothing of it.
#[tokio::test]
async fn a_connection_on_which_nothing_is_answered_is_not_used_again() {
    let Some(server) = shared() else { return };
    let proxy = Proxy::new(server.port(), |piece| piece.starts_with(b"P")).await;
    let url = server.database();
    PostgresStore::connect(&url).unwrap().start().await.unwrap();
    let through = url.replace(&server.port().to_string(), &proxy.port().to_string());
    let store = PostgresStore::connect(through).unwrap().with_connections(1).unwrap();
    let store = store.with_timeout(millis(2500)).unwrap();
    let partition = Partition::random();
    proxy.doom(&[Fate::Stuck]);
    let error = store.get(&partition, &[name("a")], NOON).await.unwrap_err();
    assert!(error.is_transient() && !error.is_unknown(), "{error:?}");
    assert_eq!(store.get(&partition, &[name("a")], NOON).await.unwrap(), [None]);
}
