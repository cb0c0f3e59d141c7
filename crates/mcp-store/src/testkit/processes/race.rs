//! Processes that start at once and want the same.

use std::collections::HashMap;
use std::sync::Arc;

use mcp_core::SystemClock;
use tokio::runtime::Runtime;

use super::super::checks::{NOW, get, name, settled, value};
use super::super::environment::is_long;
use super::super::outcome::{Broken, Outcome, ensure};
use super::process::{Order, Process, say, wait_for_go};
use super::{Address, root};
use crate::{Batch, Committed, Partition, Store, Vault};

pub(super) fn parent(runtime: &Runtime, module: &str, database: &dyn Address) -> Outcome {
    let mut processes = Vec::new();
    for number in 0..PROCESSES {
        let order = Order { task: TASK.to_string(), address: database.address(), number };
        processes.push(Process::start(module, &order)?);
    }
    for process in &mut processes {
        let ready = process.hear()?.is_some_and(|said| said.is("ready"));
        ensure!(ready, "a process did not get ready: see what it said");
    }
    for process in &mut processes {
        process.go()?;
    }
    let (mut winners, mut rings) = (HashMap::new(), Vec::new());
    for (number, mut process) in processes.into_iter().enumerate() {
        while let Some(said) = process.hear()? {
            if said.is("ring") {
                rings.push(said.word(1)?.to_string());
            } else if said.is("won") {
                let before = winners.insert(said.number(1)?, number);
                ensure!(
                    before.is_none(),
                    "two processes got `Done` for one absent record: {before:?} and {number}"
                );
            }
        }
        process.finish()?;
    }
    ensure!(rings.len() == PROCESSES, "{} of {PROCESSES} processes have opened a vault", rings.len());
    ensure!(
        rings.iter().all(|ring| *ring == rings[0]),
        "processes that start at once have different key rings"
    );
    let lots = lots();
    ensure!(
        winners.len() == lots,
        "{} of {lots} records were created, though every process tried all",
        winners.len()
    );
    runtime.block_on(async {
        let node = database.open().await;
        node.start().await?;
        let (partition, counter) = (Partition::new("race")?, name("counter")?);
        let expected = (PROCESSES * increments()).to_string();
        let found = value(&*node, &partition, &counter).await?;
        ensure!(
            found.as_deref() == Some(expected.as_bytes()),
            "{PROCESSES} processes did {expected} increments, and there is {found:?}"
        );
        for (lot, winner) in winners {
            let found = value(&*node, &partition, &name(format!("lot{lot}"))?).await?;
            ensure!(
                found.as_deref() == Some(winner.to_string().as_bytes()),
                "process {winner} created a record, and there is {found:?}"
            );
        }
        Ok(())
    })
}

pub(super) fn child(runtime: &Runtime, number: usize, open: impl FnOnce() -> Arc<dyn Store>) -> Outcome {
    say("ready")?;
    wait_for_go()?;
    // The schema, the key file and the ring are made in the race too.
    let store = open();
    runtime.block_on(async {
        let vault = Vault::open(store.clone(), root(&*store)?, Arc::new(SystemClock)).await?;
        say(&format!("ring {}", vault.keyed_name("race", &[])))?;
        let (partition, counter) = (Partition::new("race")?, name("counter")?);
        let mut left = increments();
        for lot in 0..lots().max(left) {
            while left > 0 && !increment(&*store, &partition, &counter).await? {}
            left = left.saturating_sub(1);
            if lot < lots() {
                let at = name(format!("lot{lot}"))?;
                let batch = Batch::new().require_absent(at.clone()).put(at, number.to_string(), None);
                if create(&*store, &partition, batch).await? {
                    say(&format!("won {lot}"))?;
                }
            }
        }
        Ok(())
    })
}

async fn increment(store: &dyn Store, partition: &Partition, counter: &crate::Name) -> Result<bool, Broken> {
    let found = get(store, partition, counter, NOW).await?;
    let (batch, count) = match &found {
        None => (Batch::new().require_absent(counter.clone()), 0),
        Some(record) => {
            let count = std::str::from_utf8(record.value()).ok().and_then(|text| text.parse::<usize>().ok());
            let count = count.ok_or_else(|| Broken::new("a counter holds what nobody wrote"))?;
            (Batch::new().require(counter.clone(), record.revision()), count)
        }
    };
    let batch = batch.put(counter.clone(), (count + 1).to_string(), None);
    Ok(matches!(settled(store.commit(partition, batch, NOW).await)?, Some(Committed::Done(_))))
}

/// A store that is busy is asked again.
async fn create(store: &dyn Store, partition: &Partition, batch: Batch) -> Result<bool, Broken> {
    loop {
        if let Some(committed) = settled(store.commit(partition, batch.clone(), NOW).await)? {
            return Ok(committed.is_done());
        }
        tokio::task::yield_now().await;
    }
}

fn increments() -> usize {
    if is_long() { 500 } else { 40 }
}

fn lots() -> usize {
    if is_long() { 500 } else { 40 }
}

pub(super) const TASK: &str = "race";
const PROCESSES: usize = 4;
