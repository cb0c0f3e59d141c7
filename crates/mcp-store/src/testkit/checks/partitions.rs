//! Listing partitions.

use std::collections::{HashSet, VecDeque};

use tokio::task::JoinSet;

use super::*;

/// All partitions, in pages. After each page one of those that may go does so.
async fn all(
    store: &dyn Store,
    limit: usize,
    goes: &mut VecDeque<Partition>,
) -> Result<HashSet<Partition>, Broken> {
    let (mut found, mut cursor, mut pages) = (HashSet::new(), None, 0);
    loop {
        let page = store.partitions(cursor.as_ref(), limit).await?;
        found.extend(page.partitions);
        pages += 1;
        ensure!(pages < 100_000, "the list of partitions does not end");
        cursor = page.next;
        if cursor.is_none() {
            return Ok(found);
        }
        if let Some(partition) = goes.pop_front() {
            done(store, &partition, Batch::new().delete(name("a")?), NOW).await?;
        }
    }
}

pub(super) async fn all_partitions_are_listed(nodes: Nodes) -> Outcome {
    let mut expected = HashSet::new();
    let named = ["a", "A", "a.b", "a_b", "a~b", "~", "-"];
    for number in 0..100 {
        let partition = named.get(number).map_or_else(|| Ok(Partition::random()), Partition::new)?;
        for text in ["one", "two"] {
            put(nodes.one(), &partition, &name(text)?, "x").await?;
        }
        expected.insert(partition);
    }
    for limit in [1, 10, 1000] {
        let found = all(nodes.other(), limit, &mut VecDeque::new()).await?;
        let missing: Vec<_> = expected.difference(&found).collect();
        ensure!(missing.is_empty(), "in pages of {limit}, these are missing: {missing:?}");
        let made_up: Vec<_> = found.difference(&expected).collect();
        ensure!(
            made_up.is_empty(),
            "in pages of {limit}, there are partitions that nobody made: {made_up:?}"
        );
    }
    Ok(())
}

pub(super) async fn partitions_that_stay_are_listed(nodes: Nodes) -> Outcome {
    let a = name("a")?;
    let mut stays = HashSet::new();
    for _ in 0..60 {
        let partition = Partition::random();
        put(nodes.one(), &partition, &a, "x").await?;
        stays.insert(partition);
    }
    let running = Running::new();
    let mut writers = JoinSet::new();
    for writer in 0..3 {
        let (node, watch, a) = (nodes.pick(writer), running.watch(), a.clone());
        writers.spawn(async move {
            // Some come before and some after those that stay, and they go in the order in which they came.
            let mut there = VecDeque::new();
            while watch.is_running().await {
                let partition = Partition::random();
                settled(node.commit(&partition, Batch::new().put(a.clone(), "x", None), NOW).await)?;
                there.push_back(partition);
                if there.len() > 20
                    && let Some(oldest) = there.pop_front()
                {
                    settled(node.commit(&oldest, Batch::new().delete(a.clone()), NOW).await)?;
                }
            }
            Ok(())
        });
    }
    let mut goes = VecDeque::new();
    for round in 0..rounds(10) {
        while goes.len() < 30 {
            let partition = Partition::random();
            put(nodes.one(), &partition, &a, "x").await?;
            goes.push_back(partition);
        }
        let found = all(&*nodes.pick(round), 1 + round * 3, &mut goes).await?;
        let missing = stays.difference(&found).count();
        ensure!(missing == 0, "{missing} of {} partitions that stay were not listed", stays.len());
    }
    drop(running);
    join(writers).await?;
    Ok(())
}
