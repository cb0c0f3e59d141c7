//! Several processes on one file, also such that are killed or run into a full disk.
//!
//! The other processes are this test binary once more, told by its environment to run [`child`] as something else.

mod crash;
mod full;
mod race;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use mcp_store::{SqliteStore, Store};

const ROLE: &str = "MCP_STORE_TEST_ROLE";
const FILE: &str = "MCP_STORE_TEST_FILE";

/// What the test binary does as another process.
#[test]
fn child() {
    let Some(role) = environment(ROLE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(environment(FILE).unwrap()).unwrap();
        store.start().await.unwrap();
        let (role, argument) = role.split_once(' ').unwrap();
        match role {
            "race" => race::child(store, argument.parse().unwrap()).await,
            "crash" => crash::child(store, argument).await,
            "full" => full::child(store).await,
            other => panic!("there is no role {other}"),
        }
    });
}

/// Another process, and the lines that it says.
struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    fn start(role: &str, file: &Path) -> Self {
        Self::start_by(Command::new(std::env::current_exe().unwrap()), role, file)
    }

    fn start_by(mut command: Command, role: &str, file: &Path) -> Self {
        let mut child = command
            .args(["--exact", "sqlite::processes::child", "--nocapture"])
            .env(ROLE, role)
            .env(FILE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line it [`say`]s; `None` when it has ended.
    fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // Between them are those of the test runner.
            if let (Some((_, said)), true) = (line.split_once(SAID), line.ends_with('\n')) {
                return Some(said.trim_end().to_owned());
            }
        }
    }

    fn succeeds(mut self) {
        while self.line().is_some() {}
        assert!(self.child.wait().unwrap().success(), "the other process failed");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

const SAID: &str = "said: ";

/// Says a line to the process that waits for it, at once and in one piece.
fn say(text: impl std::fmt::Display) {
    let line = format!("{SAID}{text}\n");
    // Who is not heard any more is about to be ended.
    drop(std::io::stdout().lock().write_all(line.as_bytes()));
}

#[expect(clippy::disallowed_methods, reason = "a test run is configured by its environment")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How many rounds, few or many.
fn rounds(few: usize, many: usize) -> usize {
    if environment("MCP_LONG").is_some_and(|value| value == "1") { many } else { few }
}
