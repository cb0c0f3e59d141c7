//! What the authorization server costs: requests over loopback HTTP at 64 connections, less what an empty handler costs.
//!
//! `cargo bench -p mcp-auth-testkit --bench server_oauth` (or `cargo xtask bench server`); `-- --rounds N` for other than 31
//! rounds, `-- --long` to let the database grow to a million records.
//!
//! Every server is a process of its own with one worker thread. A round asks all of them in turns and is short, so that what
//! else the machine does falls on all; differences and ratios are taken within a round, and medians over the rounds are reported.
//! Processor time is what the kernel counted for the server's threads, its own work for them included.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up must not go on")]
#![expect(clippy::print_stdout, reason = "a bench reports")]
#![expect(clippy::cast_precision_loss, reason = "these are small numbers")]

#[path = "../common/child.rs"]
mod child;
mod load;
mod servers;
mod store;
#[path = "../common/wire.rs"]
#[expect(dead_code, reason = "the other benches post JSON, this one forms")]
mod wire;

use child::{Process, read, role};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Requests of one measurement.
const REQUESTS: usize = 960;

/// What is measured, on which server, and what it may cost more than the empty handler, in microseconds.
const OPERATIONS: [(&str, &str, &str, f64); 5] = [
    ("refresh", "memory", "refresh", 35.0),
    ("client", "memory", "client credentials, opaque", 30.0),
    ("code", "memory", "code redemption", 50.0),
    ("introspect", "memory", "introspection", 12.0),
    ("mcp", "memory", "an MCP call, a known opaque token, against the same without authentication", 3.0),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match word(0) {
        "load" => load::run(),
        "serve" => servers::run(word(1)),
        "store" => store::run(),
        _ => {
            let rounds = words.iter().position(|word| word == "--rounds").map(|at| word(at + 1));
            measure(
                rounds.map_or(31, |rounds| rounds.parse().unwrap()),
                words.iter().any(|word| word == "--long"),
            );
        }
    }
}

fn measure(rounds: usize, long: bool) {
    let mut load = Process::start(&mut role("load"));
    let server = |name: &str| {
        let mut server = Process::start(role("serve").arg(name));
        let address = server.line();
        (server, address)
    };
    let (empty, open, memory) = (server("empty"), server("open"), server("memory"));
    println!("\nmedians of {rounds} rounds of {REQUESTS} requests at 64 connections");
    println!("{:80} {:>12} {:>12} {:>8}", "", "CPU/request", "difference", "at most");
    for (operation, _, what, most) in OPERATIONS {
        let base = if operation == "mcp" { ("mcp", &open) } else { ("empty", &empty) };
        let mut readings = Vec::new();
        for round in 0..=rounds {
            let (base, own) = if round % 2 == 0 {
                let base = cpu(&mut load, base.1, base.0);
                (base, cpu(&mut load, &memory, operation))
            } else {
                let own = cpu(&mut load, &memory, operation);
                (cpu(&mut load, base.1, base.0), own)
            };
            // The first round warms up.
            if round > 0 {
                readings.push((own, own - base));
            }
        }
        let own = median(readings.iter().map(|(own, _)| *own));
        let difference = median(readings.iter().map(|(_, difference)| *difference));
        println!("{what:80} {own:9.1} µs {difference:9.1} µs {most:5.0} µs");
    }
    durable(&mut load, &mut server("sqlite"), rounds, long);
}

/// Refreshes on a durable store, beside what the store alone reaches with commits of the same size.
fn durable(load: &mut Process, server: &mut (Process, String), rounds: usize, long: bool) {
    let mut store = Process::start(&mut role("store"));
    let sizes: &[usize] = if long { &[1_000, 1_000_000] } else { &[1_000] };
    let mut costs = Vec::new();
    for records in sizes {
        server.0.ask(&format!("fill {records}"));
        let mut readings = Vec::new();
        for round in 0..=rounds {
            let alone: f64 = store.ask(&REQUESTS.to_string()).parse().unwrap();
            let before = cpu_nanos(&server.0);
            let answer = load.ask(&format!("refresh {REQUESTS} {}", server.1));
            let cpu = (cpu_nanos(&server.0) - before) as f64 / 1e3 / REQUESTS as f64;
            let words: Vec<f64> = answer.split(' ').map(|word| word.parse().unwrap()).collect();
            if round > 0 {
                readings.push((alone / words[0], words[0], words[1], words[2], cpu));
            }
        }
        let of = |pick: fn(&(f64, f64, f64, f64, f64)) -> f64| median(readings.iter().map(pick));
        println!(
            "\nSQLite with {records} records: {:.0} refreshes/s, {:.2} of the store alone (wanted 0.60), p50 {:.1} ms, \
             p99 {:.1} ms, {:.1} µs of processor time each",
            REQUESTS as f64 / of(|reading| reading.1),
            of(|reading| reading.0),
            of(|reading| reading.2),
            of(|reading| reading.3),
            of(|reading| reading.4),
        );
        costs.push(of(|reading| reading.4));
    }
    if let [few, many] = costs[..] {
        println!(
            "a refresh among a million records costs {:.2} of one among a thousand (at most 1.5)",
            many / few
        );
    }
}

/// Microseconds of processor time that a server spends on one request.
fn cpu(load: &mut Process, (server, address): &(Process, String), operation: &str) -> f64 {
    load.ask(&format!("prepare-{operation} {REQUESTS} {address}"));
    let before = cpu_nanos(server);
    load.ask(&format!("{operation} {REQUESTS} {address}"));
    (cpu_nanos(server) - before) as f64 / 1e3 / REQUESTS as f64
}

/// What the threads of a process have run so far.
fn cpu_nanos(process: &Process) -> u64 {
    let tasks = std::fs::read_dir(process.proc_file("task")).unwrap();
    tasks
        .map(|task| {
            let schedstat = read(&format!("{}/schedstat", task.unwrap().path().display()));
            schedstat.split(' ').next().unwrap().parse::<u64>().unwrap()
        })
        .sum()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
