//! Processes that are killed while they write.
//!
//! Several tasks of the process each write in a partition of their own, one commit after the other: three records that are
//! always alike, and a log of which a line is added and an old one taken away. A task says `try` before a commit and `ack`
//! after it, and the process that kills it compares that with what is left.

use std::sync::Arc;

use mcp_core::random_bytes;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::super::checks::{NOW, get, join, name};
use super::super::environment::is_long;
use super::super::outcome::{Broken, Outcome, ensure};
use super::Address;
use super::process::{Order, Process, say, wait_for_go};
use crate::{Batch, Committed, Partition, Store};

pub(super) fn parent(runtime: &Runtime, module: &str, database: &dyn Address) -> Outcome {
    // One that is there all the time, as another process on the same database is.
    let witness = runtime.block_on(async {
        let node = database.open().await;
        node.start().await?;
        Ok::<_, Broken>(node)
    })?;
    let mut tasks = [Progress::default(); TASKS];
    for round in 0..if is_long() { 200 } else { 20 } {
        let order = Order { task: TASK.to_string(), address: database.address(), number: round };
        let mut process = Process::start(module, &order)?;
        process.go()?;
        // Now and then while it starts.
        let lines =
            if round % 5 == 4 { round % 3 } else { usize::from(u16::from_le_bytes(random_bytes())) % 300 };
        for _ in 0..lines {
            let said = process.hear()?;
            let said =
                said.ok_or_else(|| Broken::new("a process ended before it was killed: see what it said"))?;
            note(&mut tasks, &said)?;
        }
        process.kill()?;
        // What it said before it died is said.
        while let Some(said) = process.hear()? {
            note(&mut tasks, &said)?;
        }
        drop(process);
        runtime.block_on(async {
            let fresh = database.open().await;
            fresh.start().await?;
            for (task, progress) in tasks.iter_mut().enumerate() {
                let reached = look(&*fresh, task).await?;
                ensure!(
                    progress.acknowledged <= reached && reached <= progress.tried.max(progress.acknowledged),
                    "in round {round}, {progress:?} by a process that was killed, and there is {reached}"
                );
                let seen = look(&*witness, task).await?;
                ensure!(seen == reached, "in round {round}, one server sees {seen} and another {reached}");
                // Whether the last one was acknowledged or not, from now on it is there.
                *progress = Progress { tried: reached, acknowledged: reached };
            }
            Ok::<_, Broken>(())
        })?;
    }
    let all: usize = tasks.iter().map(|progress| progress.acknowledged).sum();
    ensure!(all > 0, "no process came so far as to commit anything");
    Ok(())
}

pub(super) fn child(runtime: &Runtime, _: usize, open: impl FnOnce() -> Arc<dyn Store>) -> Outcome {
    wait_for_go()?;
    let store = open();
    runtime.block_on(async {
        store.start().await?;
        let mut writing = JoinSet::new();
        for task in 0..TASKS {
            let store = store.clone();
            writing.spawn(async move { write(&*store, task).await });
        }
        join::<()>(writing).await?;
        Ok(())
    })
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    tried: usize,
    acknowledged: usize,
}

fn note(tasks: &mut [Progress; TASKS], said: &super::process::Said) -> Outcome {
    let task = tasks.get_mut(said.number(1)?).ok_or_else(|| Broken::new("a task that there is not"))?;
    if said.is("try") {
        task.tried = task.tried.max(said.number(2)?);
    } else if said.is("ack") {
        task.acknowledged = task.acknowledged.max(said.number(2)?);
    }
    Ok(())
}

/// Commits one after the other, from where another process was killed, for ever.
async fn write(store: &dyn Store, task: usize) -> Outcome {
    let (partition, head) = (partition(task)?, name(ALIKE[0])?);
    loop {
        let found = get(store, &partition, &head, NOW).await?;
        let mut number = 1;
        let mut batch = Batch::new();
        match &found {
            Some(record) => {
                number += parse(record.value())?;
                batch = batch.require(head.clone(), record.revision());
            }
            None => batch = batch.require_absent(head.clone()),
        }
        for alike in ALIKE {
            batch = batch.put(name(alike)?, text(number), None);
        }
        batch = batch.put(log(number)?, number.to_string(), None);
        if let Some(old) = number.checked_sub(LOG) {
            batch = batch.delete(log(old)?);
        }
        say(&format!("try {task} {number}"))?;
        match store.commit(&partition, batch, NOW).await {
            Ok(Committed::Done(_)) => say(&format!("ack {task} {number}"))?,
            Ok(Committed::Refused(_)) => {
                return Err(Broken::new("a commit was refused that nobody was in the way of"));
            }
            // It looks what became of it.
            Err(error) if error.is_transient() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// How far a task has come; checks that everything of it fits together.
async fn look(store: &dyn Store, task: usize) -> Result<usize, Broken> {
    let partition = partition(task)?;
    let names = ALIKE.into_iter().map(name).collect::<Result<Vec<_>, _>>()?;
    let found = store.get(&partition, &names, NOW).await?;
    let lines = store.scan(&partition, "log.", None, 1000, NOW).await?;
    let lines: Vec<_> = lines.iter().map(|entry| entry.name.as_str()).collect();
    let Some(Some(first)) = found.first() else {
        ensure!(
            found.iter().all(Option::is_none) && lines.is_empty(),
            "half a first commit was left: {found:?}"
        );
        return Ok(0);
    };
    let number = parse(first.value())?;
    for record in found.iter().flatten() {
        ensure!(
            record.value() == &text(number),
            "a record is not as it was put, or of another commit than its neighbour"
        );
        ensure!(
            record.revision() == first.revision(),
            "records that were put together have different revisions"
        );
    }
    ensure!(found.iter().all(Option::is_some), "half a commit was left: {found:?}");
    let expected =
        (number.saturating_sub(LOG - 1).max(1)..=number).map(log).collect::<Result<Vec<_>, _>>()?;
    ensure!(
        lines.iter().copied().eq(expected.iter().map(crate::Name::as_str)),
        "of commit {number} some records are there and others not: the log is {lines:?}"
    );
    Ok(number)
}

/// Some are long, so that a commit is not one write to the disk.
fn text(number: usize) -> String {
    format!("{number}:{}", "x".repeat(number * 997 % 20_000))
}

fn parse(value: &[u8]) -> Result<usize, Broken> {
    let text = std::str::from_utf8(value).ok().and_then(|text| text.split_once(':'));
    text.and_then(|(number, _)| number.parse().ok())
        .ok_or_else(|| Broken::new("a record holds what nobody wrote"))
}

fn partition(task: usize) -> Result<Partition, Broken> {
    Ok(Partition::new(format!("crash{task}"))?)
}

/// In the order of the numbers.
fn log(number: usize) -> Result<crate::Name, Broken> {
    name(format!("log.{number:010}"))
}

pub(super) const TASK: &str = "write";
const TASKS: usize = 4;
const ALIKE: [&str; 3] = ["left", "middle", "right"];
/// How many lines of the log are kept.
const LOG: usize = 20;
