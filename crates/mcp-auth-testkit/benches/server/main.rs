//! What authentication costs a whole server: rmcp's echo over loopback, bare and protected, in turns.
//!
//! `cargo bench -p mcp-auth-testkit --bench server` (or `cargo xtask bench server`); `-- --rounds N` for other than 101
//! rounds. Target: the protected server answers at least 0.95 of the requests per second that the bare one does.
//!
//! Every server is a process of its own with one worker thread, and so is the client, which is cheaper than any server
//! and so keeps it saturated. 32 connections are kept alive and each waits for its answer. A round asks all servers in
//! turns and is short, so that what else the machine does falls on all of them; ratios are taken within a round, and the
//! medians over many rounds are reported. Processor time is what the kernel counted for the server's threads, its own work
//! for them included.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up must not go on")]

#[path = "../common/mod.rs"]
mod common;
mod load;
mod servers;

use common::child::{Process, read, role};
use load::ERAS;
use servers::SERVERS;

/// Requests of one measurement.
const REQUESTS: usize = 960;

/// What one measurement found.
#[derive(Clone, Copy)]
struct Reading {
    per_second: f64,
    cpu_micros: f64,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match word(0) {
        "load" => load::run(),
        "serve" => servers::run(word(1)),
        _ => {
            let rounds = words.iter().position(|word| word == "--rounds").map(|at| word(at + 1));
            measure(rounds.map_or(101, |rounds| rounds.parse().unwrap()));
        }
    }
}

#[expect(clippy::print_stdout, reason = "a bench reports")]
fn measure(rounds: usize) {
    let mut load = Process::start(&mut role("load"));
    let mut servers: Vec<(Process, String)> = SERVERS
        .iter()
        .map(|(name, _)| {
            let mut server = Process::start(role("serve").arg(name));
            let invitation = server.line();
            (server, invitation)
        })
        .collect();
    for era in ERAS {
        println!("\n{era}: tools/call, median of {rounds} rounds of {REQUESTS} requests");
        println!("{:52} {:>10} {:>7} {:>12} {:>7}", "", "requests/s", "÷ bare", "CPU/request", "÷ bare");
        let mut readings: Vec<Vec<Reading>> = vec![Vec::new(); SERVERS.len()];
        for round in 0..=rounds {
            for turn in 0..SERVERS.len() {
                // Another one begins each round, or what comes first would always find the caches cold.
                let at = (round + turn) % SERVERS.len();
                let (server, invitation) = &mut servers[at];
                let reading = once(&mut load, server, &format!("{era} {REQUESTS} {invitation}"));
                // The first round warms up.
                if round > 0 {
                    readings[at].push(reading);
                }
            }
        }
        for ((_, what), own) in SERVERS.iter().zip(&readings) {
            let bare = &readings[0];
            let ratio = |value: fn(&Reading) -> f64| {
                median(own.iter().zip(bare).map(|(own, bare)| value(own) / value(bare)))
            };
            println!(
                "{what:52} {:10.0} {:7.3} {:9.1} µs {:7.3}",
                median(own.iter().map(|reading| reading.per_second)),
                ratio(|reading| reading.per_second),
                median(own.iter().map(|reading| reading.cpu_micros)),
                ratio(|reading| reading.cpu_micros),
            );
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "these are small numbers")]
fn once(load: &mut Process, server: &Process, order: &str) -> Reading {
    let before = cpu_nanos(server);
    let seconds: f64 = load.ask(order).parse().unwrap();
    let cpu = (cpu_nanos(server) - before) as f64;
    Reading { per_second: REQUESTS as f64 / seconds, cpu_micros: cpu / 1e3 / REQUESTS as f64 }
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
