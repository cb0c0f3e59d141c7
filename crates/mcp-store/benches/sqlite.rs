//! What the store in a file costs, and that it costs the same however much is in it.
//!
//! `cargo bench -p mcp-store --all-features --bench sqlite`. Targets: with a million records every median is at most 1.5 times
//! what it is with a thousand; a commit beside a sweep waits at most twice as long (p99) as without.
//!
//! The two databases are measured in turns, round by round, and the ratio is taken within a round: on a busy machine a
//! ratio of two separate measurements says more of its neighbours than of the code. Every commit reaches the disk, so the
//! directory for temporary files (`TMPDIR`) has to be on one.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up must not go on")]
#![expect(clippy::print_stdout, reason = "a bench reports")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mcp_core::Timestamp;
use mcp_store::{Batch, Name, Partition, SqliteStore, Store};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const ROUNDS: usize = 15;
const TASKS: usize = 64;
/// What the benches write ends within an hour, and what was there before ends later.
const HOUR: Duration = Duration::from_secs(3600);
/// A sealed record of a token.
const VALUE: usize = 280;
/// How many records the benches look for.
const SAMPLE: usize = 50_000;

struct Filled {
    store: SqliteStore,
    sample: Vec<(Partition, Name)>,
    _directory: tempfile::TempDir,
}

fn main() {
    let runtime = Runtime::new().unwrap();
    println!("before: {} resident", resident());
    let tokens = runtime.block_on(fill(100_000));
    println!("with 100 thousand records: {} resident", resident());
    drop(tokens);
    let small = runtime.block_on(fill(1000));
    let large = runtime.block_on(fill(1_000_000));
    println!("{:28} {:>12} {:>12} {:>7}", "", "1 k", "1 M", "ratio");
    let mut rows: Vec<(&str, Vec<[f64; 2]>)> = Vec::new();
    for _ in 0..ROUNDS {
        let both = [&small, &large].map(|filled| runtime.block_on(round(filled)));
        let [left, right] = both;
        for (index, ((what, left), (_, right))) in left.into_iter().zip(right).enumerate() {
            if rows.len() <= index {
                rows.push((what, Vec::new()));
            }
            rows[index].1.push([left, right]);
        }
    }
    for (what, measured) in rows {
        let column = |index: usize| median(measured.iter().map(|pair| pair[index]).collect());
        let ratio = median(measured.iter().map(|[left, right]| right / left).collect());
        println!("{what:28} {:>9.1} µs {:>9.1} µs {ratio:>7.2}", column(0), column(1));
    }
    println!("at the end: {} resident", resident());
}

/// One measurement of everything, in microseconds.
async fn round(filled: &Filled) -> Vec<(&'static str, f64)> {
    let mut results = Vec::new();
    let store = &filled.store;

    let begin = Instant::now();
    const SINGLE: u32 = 100;
    for _ in 0..SINGLE {
        commit_three(store).await;
    }
    results.push(("one commit after the other", micros(begin.elapsed() / SINGLE)));

    let mut waits = together(store, 20).await;
    results.push((
        "64 tasks: commit, mean",
        waits.iter().sum::<f64>() / f64::from(u32::try_from(waits.len()).unwrap()),
    ));
    waits.sort_by(f64::total_cmp);
    let p99 = |waits: &[f64]| waits[waits.len() * 99 / 100];
    results.push(("64 tasks: commit, p50", waits[waits.len() / 2]));
    results.push(("64 tasks: commit, p99", p99(&waits)));

    let sweeper = {
        let store = store.clone();
        tokio::spawn(async move {
            loop {
                store.sweep(NOW + HOUR, 1000).await.unwrap();
            }
        })
    };
    let mut waits = together(store, 20).await;
    sweeper.abort();
    waits.sort_by(f64::total_cmp);
    results.push(("the same beside a sweep, p99", p99(&waits)));

    const READS: usize = 2000;
    let mut waits = Vec::with_capacity(READS);
    for index in 0..READS {
        let (partition, name) = pick(filled, index);
        let begin = Instant::now();
        store.get(partition, std::slice::from_ref(name), NOW).await.unwrap();
        waits.push(micros(begin.elapsed()));
    }
    results.push(("get, mean", waits.iter().sum::<f64>() / f64::from(u32::try_from(READS).unwrap())));
    waits.sort_by(f64::total_cmp);
    results.push(("get, p50", waits[READS / 2]));
    results.push(("get, p99", p99(&waits)));

    let mut waits = Duration::ZERO;
    for index in 0..SINGLE as usize {
        commit_three(store).await;
        let (partition, name) = pick(filled, index);
        let begin = Instant::now();
        store.get(partition, std::slice::from_ref(name), NOW).await.unwrap();
        waits += begin.elapsed();
    }
    results.push(("get after a commit, mean", micros(waits / SINGLE)));

    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    const EACH: usize = 100;
    for task in 0..TASKS {
        let (store, keys) = (
            store.clone(),
            (0..EACH).map(|index| pick(filled, task * EACH + index).clone()).collect::<Vec<_>>(),
        );
        tasks.spawn(async move {
            for (partition, name) in keys {
                store.get(&partition, &[name], NOW).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    results.push(("64 tasks: get, each", micros(begin.elapsed() / u32::try_from(TASKS * EACH).unwrap())));

    // The database is as large as before when the next round begins.
    while store.sweep(NOW + HOUR, 1000).await.unwrap().more {}
    results
}

fn pick(filled: &Filled, index: usize) -> &(Partition, Name) {
    // A step that has no factor in common with the length visits all of them in an order that no cache expects.
    &filled.sample[index * 7919 % filled.sample.len()]
}

/// How long each commit waits when many tasks commit without a pause.
async fn together(store: &SqliteStore, each: usize) -> Vec<f64> {
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            let mut waits = Vec::with_capacity(each);
            for _ in 0..each {
                let begin = Instant::now();
                commit_three(&store).await;
                waits.push(micros(begin.elapsed()));
            }
            waits
        });
    }
    tasks.join_all().await.concat()
}

/// What redeeming a code writes: about three records that end some time.
async fn commit_three(store: &SqliteStore) {
    let partition = Partition::random();
    let names: [Name; 3] = std::array::from_fn(|_| name());
    let mut batch = Batch::new().require_absent(names[0].clone());
    for name in names {
        batch = batch.put(name, vec![7; VALUE], Some(some_time()));
    }
    assert!(store.commit(&partition, batch, NOW).await.unwrap().is_done());
}

/// As tokens do: each kind lives its time, all of them less than an hour from the beginning of a round.
fn some_time() -> Timestamp {
    static MINTED: AtomicU64 = AtomicU64::new(0);
    let number = MINTED.fetch_add(1, Ordering::Relaxed);
    let lives = [60_000, 1_800_000, 3_000_000];
    NOW + Duration::from_millis(number % 500_000 + lives[usize::try_from(number % 3).unwrap()])
}

fn name() -> Name {
    Name::new(mcp_core::random_id()).unwrap()
}

async fn fill(records: usize) -> Filled {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("auth.db")).unwrap();
    store.start().await.unwrap();
    let sample = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    let (writers, per_partition) = (16, 5);
    for _ in 0..writers {
        let (store, sample) = (store.clone(), Arc::clone(&sample));
        let rounds = records / writers / per_partition;
        tasks.spawn(async move {
            for round in 0..rounds {
                let partition = Partition::random();
                let mut batch = Batch::new();
                for _ in 0..per_partition {
                    let name = name();
                    if round % (1 + records / SAMPLE) == 0 {
                        sample.lock().unwrap().push((partition.clone(), name.clone()));
                    }
                    batch = batch.put(name, vec![7; VALUE], Some(some_time() + HOUR * 24));
                }
                assert!(store.commit(&partition, batch, NOW).await.unwrap().is_done());
            }
        });
    }
    tasks.join_all().await;
    let sample = std::mem::take(&mut *sample.lock().unwrap());
    Filled { store, sample, _directory: directory }
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}
