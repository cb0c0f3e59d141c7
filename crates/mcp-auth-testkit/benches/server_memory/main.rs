//! What an idle HTTP+SSE session costs a server in memory, its connection included.
//!
//! `cargo bench -p mcp-auth-testkit --bench server_memory` (or `cargo xtask bench server`); `-- --sessions N` for other
//! than 10,000. Targets: `examples/no-auth` on `listen()` 32 KiB, `axum::serve` 45 KiB; a second wave of clients of the
//! same size, after all of the first have gone, makes resident memory grow by 10 % at most.
//!
//! Each server is a process of its own and is told nothing: a session is opened on `/sse` and initialized through
//! `/messages` as any client does it, and its cost is what `VmRSS` grew by. A hundred sessions come and go before, so that
//! what a server needs once is not counted. The example brings its own allocator; the two servers of this bench use the
//! system's, as a server whose author thought of nothing does.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up must not go on")]

mod clients;
#[path = "../common/mod.rs"]
mod common;
mod example;
mod servers;

use std::process::Command;
use std::time::Duration;

use common::child::{Process, read, role};

/// Descriptors that are not sessions: listeners, the runtime's, the clients' connections for messages.
const SPARE: usize = 200;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match word(0) {
        "serve" => servers::run(word(1)),
        "measure" => {
            let wanted = words.iter().position(|word| word == "--sessions").map(|at| word(at + 1));
            measure(wanted.map_or(10_000, |wanted| wanted.parse().unwrap()));
        }
        _ => {
            // What is started by a shell with a higher limit inherits it, and so does what that starts.
            let mut shell = Command::new("sh");
            shell.args(["-c", r#"ulimit -S -n "$(ulimit -H -n)"; exec "$0" measure "$@""#]);
            let status = shell.arg(std::env::current_exe().unwrap()).args(words).status().unwrap();
            std::process::exit(status.code().unwrap_or(1));
        }
    }
}

#[expect(clippy::print_stdout, reason = "a bench reports")]
fn measure(wanted: usize) {
    let sessions = wanted.min(descriptors() - SPARE);
    if sessions < wanted {
        println!("{sessions} sessions instead of {wanted}: `ulimit -n` allows no more");
    }
    println!("{sessions} idle sessions; sizes in KiB");
    println!(
        "{:52} {:>8} {:>9} {:>9} {:>9} {:>7}",
        "", "session", "1st wave", "all gone", "2nd wave", "growth"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let servers = [
        ("examples/no-auth on listen(), with its allocator", None),
        ("listen(), the system's allocator", Some("listen")),
        ("axum::serve(), the system's allocator", Some("axum")),
    ];
    for (what, name) in servers {
        let mut server = match name {
            Some(name) => Process::start(role("serve").arg(name)),
            None => Process::start(&mut example::command()),
        };
        let announced = server.line();
        let (_, address) = announced.split_once("http://").unwrap();
        let row = runtime.block_on(waves(&server, address.parse().unwrap(), sessions));
        println!("{what:52} {row}");
        // The example says nothing of its sessions; that its descriptors were closed is what `waves` has seen.
        if name.is_some() {
            assert_eq!(server.ask("sessions?"), "0", "sessions are left behind");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "memory has no 52 bits of KiB")]
async fn waves(server: &Process, address: std::net::SocketAddr, sessions: usize) -> String {
    drop(clients::open(address, 100).await);
    gone(server, 0).await;
    let base = resident(server);
    let open = open_files(server);

    let first_wave = clients::open(address, sessions).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let first = resident(server);
    drop(first_wave);
    gone(server, open).await;
    let between = resident(server);

    let second_wave = clients::open(address, sessions).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let second = resident(server);
    drop(second_wave);
    gone(server, open).await;

    let session = (first as f64 - base as f64) / sessions as f64;
    let growth = (second as f64 / first as f64 - 1.0) * 100.0;
    format!("{session:8.1} {first:9} {between:9} {second:9} {growth:5.1} %")
}

/// Waits until the server has closed what its clients have left, and had a moment to tidy up.
async fn gone(server: &Process, open: usize) {
    let open = if open == 0 { 50 } else { open + 5 };
    for _ in 0..300 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if open_files(server) <= open {
            tokio::time::sleep(Duration::from_secs(3)).await;
            return;
        }
    }
    panic!("{} descriptors are open long after all clients have gone", open_files(server));
}

/// The resident memory of a process, in KiB.
fn resident(process: &Process) -> usize {
    let status = read(&process.proc_file("status"));
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn open_files(process: &Process) -> usize {
    std::fs::read_dir(process.proc_file("fd")).unwrap().count()
}

/// How many descriptors this process, and each it starts, may open.
fn descriptors() -> usize {
    let limits = read("/proc/self/limits");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap_or(usize::MAX)
}
