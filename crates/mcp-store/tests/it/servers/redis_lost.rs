//! Redis: answers that are lost, and commands that arrive late.

use mcp_store::{Batch, Committed, Partition, RedisStore, Store};

use super::redis::{count, increment, shared};
use super::{Fate, Proxy};
use crate::support::{NOON, millis, name};

/// A store behind a proxy, and one that goes straight to the same data.
async fn behind_proxy(port: u16) -> (RedisStore, Proxy, RedisStore) {
    let proxy = Proxy::new(port, |piece| piece.windows(4).any(|word| word == b"EVAL")).await;
    let through = RedisStore::connect(format!("redis://127.0.0.1:{}", proxy.port())).unwrap();
    let through = through.with_timeout(millis(2500)).unwrap();
    through.start().await.unwrap();
    (through, proxy, RedisStore::connect(format!("redis://127.0.0.1:{port}")).unwrap())
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_out_about() {
    let Some(server) = shared() else { return };
    let (store, proxy, straight) = behind_proxy(server.port()).await;
    for fates in [
        vec![Fate::CutBefore],
        vec![Fate::CutAfter],
        vec![Fate::CutAfter, Fate::CutAfter],
        vec![Fate::CutBefore, Fate::CutAfter, Fate::CutBefore],
        vec![Fate::Stuck],
    ] {
        let partition = Partition::random();
        let batch = Batch::new().require_absent(name("counter"));
        let batch = increment(batch, 1);
        let revision = batch.revision();
        proxy.doom(&fates);
        let committed = store.commit(&partition, batch, NOON).await;
        match committed {
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
        // A fate may be left when fewer things were sent than doomed.
        assert_eq!(proxy.doomed(), 0, "{fates:?}");
    }
}

// The answer is lost, and before anybody asks, somebody else changes the record: the commit happened all the same.
#[tokio::test]
async fn a_commit_counts_once_though_its_record_was_overwritten_before_anybody_asked() {
    let Some(server) = shared() else { return };
    let (store, proxy, straight) = behind_proxy(server.port()).await;
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
async fn a_command_that_arrives_late_does_nothing() {
    let Some(server) = shared() else { return };
    let (store, proxy, straight) = behind_proxy(server.port()).await;
    let partition = Partition::random();
    let batch = Batch::new().put(name("late"), "first", None);
    proxy.doom(&[Fate::Late]);
    // It is fenced off and tried again.
    assert!(store.commit(&partition, batch, NOON).await.unwrap().is_done());
    let gone = straight.commit(&partition, Batch::new().delete(name("late")), NOON).await.unwrap();
    assert!(gone.is_done());
    proxy.release().await;
    assert_eq!(straight.get(&partition, &[name("late")], NOON).await.unwrap(), [None]);
}
