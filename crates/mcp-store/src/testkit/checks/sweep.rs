//! Deleting what has expired.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

pub(super) async fn a_sweep_deletes_what_expired(nodes: Nodes) -> Outcome {
    const EXPIRED: usize = 300;
    let partitions = [Partition::random(), Partition::random(), Partition::random()];
    let end = NOW + Duration::from_millis(500);
    for partition in &partitions {
        let mut batch = Batch::new().put(name("kept")?, "x", None).put(
            name("later")?,
            "x",
            Some(end + Duration::from_millis(1)),
        );
        for number in 0..EXPIRED / partitions.len() {
            batch = batch.put(name(format!("gone{number}"))?, "x", Some(end));
        }
        done(nodes.one(), partition, batch, NOW).await?;
    }
    let before = nodes.other().sweep(end - Duration::from_millis(1), 1000).await?;
    ensure!(before.deleted == 0 && !before.more, "before anything has expired, a sweep did {before:?}");

    let (mut deleted, mut calls) = (0, 0);
    loop {
        let swept = nodes.pick(calls).sweep(end, 50).await?;
        deleted += swept.deleted;
        calls += 1;
        // "About": a back end may finish what it has begun.
        ensure!(swept.deleted <= 100, "a sweep of at most about 50 deleted {}", swept.deleted);
        ensure!(calls <= EXPIRED, "after {calls} sweeps there is more to sweep");
        if !swept.more {
            break;
        }
    }
    // A back end whose database deletes by itself has nothing to do.
    ensure!(
        deleted == EXPIRED || deleted == 0,
        "{deleted} of {EXPIRED} expired records were swept, and nothing more"
    );
    let after = nodes.one().sweep(end, 50).await?;
    ensure!(after.deleted == 0 && !after.more, "after all was swept, a sweep did {after:?}");
    for partition in &partitions {
        let left = nodes.one().scan(partition, "", None, 1000, end).await?;
        let left: Vec<_> = left.iter().map(|entry| entry.name.as_str()).collect();
        ensure!(left == ["kept", "later"], "after the sweep there is {left:?}");
    }
    Ok(())
}

pub(super) async fn a_sweep_spares_what_is_put_anew(nodes: Nodes) -> Outcome {
    let partition = Partition::random();
    let names = (0..32).map(|number| name(format!("r{number}"))).collect::<Result<Vec<_>, _>>()?;
    let (running, sweeps) = (Running::new(), Arc::new(AtomicUsize::new(0)));
    let mut sweepers = tokio::task::JoinSet::new();
    for sweeper in 1..=SWEEPERS {
        let (node, watch, sweeps) = (nodes.pick(sweeper), running.watch(), sweeps.clone());
        sweepers.spawn(async move {
            while watch.is_running().await {
                match node.sweep(NOW, 1000).await {
                    Ok(_) => {}
                    Err(error) if error.is_transient() => {}
                    Err(error) => return Err(error.into()),
                }
                sweeps.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
    }
    for round in 0..rounds(40) {
        let batch =
            |value, end| names.iter().fold(Batch::new(), |batch, name| batch.put(name.clone(), value, end));
        done(nodes.one(), &partition, batch("old", Some(NOW)), NOW).await?;
        // At every stage of a sweep.
        for _ in 0..round % 8 {
            tokio::task::yield_now().await;
        }
        let end = (round % 2 == 0).then_some(NOW + Duration::from_millis(1));
        let absent = names.iter().fold(batch("new", end), |batch, name| batch.require_absent(name.clone()));
        done(nodes.one(), &partition, absent, NOW).await?;
        // Every sweep that saw what had expired is over when each sweeper has done two more.
        let seen = sweeps.load(Ordering::Relaxed);
        while sweeps.load(Ordering::Relaxed) < seen + 2 * SWEEPERS && !sweepers.is_empty() {
            if let Some(ended) = sweepers.try_join_next() {
                ended??;
            }
            tokio::task::yield_now().await;
        }
        let found = nodes.one().get(&partition, &names, NOW).await?;
        let taken = found.iter().filter(|record| record.is_none()).count();
        ensure!(taken == 0, "sweeps took {taken} of {} records that were put anew", names.len());
    }
    drop(running);
    join(sweepers).await?;
    Ok(())
}

const SWEEPERS: usize = 2;
