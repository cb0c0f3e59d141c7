//! A process, and what it says.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::super::environment;
use super::super::outcome::{Broken, ensure};

/// What a process is to do.
pub(super) struct Order {
    pub(super) task: String,
    pub(super) address: String,
    pub(super) number: usize,
}

impl Order {
    pub(super) fn read() -> Option<Self> {
        let number = environment::read(NUMBER)?.parse().ok()?;
        Some(Self { task: environment::read(TASK)?, address: environment::read(ADDRESS)?, number })
    }
}

/// A process that was started by this one, and ends with it at the latest.
pub(super) struct Process {
    child: Arc<Mutex<Child>>,
    input: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
    // Dropped, it calls the watchdog off.
    _watched: Sender<()>,
}

impl Process {
    /// Runs the test `child` of that module in a process of its own.
    pub(super) fn start(module: &str, order: &Order) -> Result<Self, Broken> {
        // The first part is the name of the binary.
        let inner = module.split_once("::").map_or(String::new(), |(_, inner)| format!("{inner}::"));
        let mut child = Command::new(std::env::current_exe().map_err(failed)?)
            .args([&format!("{inner}child"), "--exact", "--nocapture", "--test-threads=1"])
            .env(TASK, &order.task)
            .env(ADDRESS, &order.address)
            .env(NUMBER, order.number.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Broken::new("a process has no input or output"));
        };
        let child = Arc::new(Mutex::new(child));
        let (watched, watchdog) = channel();
        let victim = child.clone();
        thread::spawn(move || {
            if let Err(RecvTimeoutError::Timeout) = watchdog.recv_timeout(LONGEST) {
                let _ = lock(&victim).kill();
            }
        });
        Ok(Self { child, input: Some(input), lines: BufReader::new(output), _watched: watched })
    }

    /// What it says next; `None` when it has ended.
    pub(super) fn hear(&mut self) -> Result<Option<Said>, Broken> {
        loop {
            let mut line = Vec::new();
            if self.lines.read_until(b'\n', &mut line).map_err(failed)? == 0 {
                return Ok(None);
            }
            // A line may have begun with the test's name, and a killed process may have said half of one.
            let Some(line) =
                String::from_utf8(line).ok().and_then(|line| line.strip_suffix('\n').map(str::to_string))
            else {
                continue;
            };
            if let Some((_, said)) = line.split_once(MARK) {
                return Ok(Some(Said(said.split(' ').map(str::to_string).collect())));
            }
        }
    }

    /// Lets it go on from [`wait_for_go`].
    pub(super) fn go(&mut self) -> Result<(), Broken> {
        self.input.as_mut().map_or(Ok(()), |input| input.write_all(b"\n")).map_err(failed)
    }

    /// Ends it where it is, as a crash does.
    pub(super) fn kill(&mut self) -> Result<(), Broken> {
        lock(&self.child).kill().map_err(failed)
    }

    /// Waits until it has ended by itself, and insists that it did so well.
    pub(super) fn finish(mut self) -> Result<(), Broken> {
        while self.hear()?.is_some() {}
        let ended = lock(&self.child).wait().map_err(failed)?;
        ensure!(ended.success(), "a process ended with {ended}: see what it said");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = lock(&self.child).kill();
        let _ = lock(&self.child).wait();
    }
}

/// A line of a process, by its words.
#[derive(Debug)]
pub(super) struct Said(Vec<String>);

impl Said {
    pub(super) fn is(&self, word: &str) -> bool {
        self.0.first().is_some_and(|first| first == word)
    }

    pub(super) fn word(&self, at: usize) -> Result<&str, Broken> {
        self.0.get(at).map(String::as_str).ok_or_else(|| Broken::new(format!("a process said {self:?}")))
    }

    pub(super) fn number(&self, at: usize) -> Result<usize, Broken> {
        self.word(at)?.parse().map_err(|_| Broken::new(format!("a process said {self:?}")))
    }
}

/// Tells the process that started this one.
pub(super) fn say(words: &str) -> Result<(), Broken> {
    // One write for each line, so that lines of several tasks do not mix and what was said is out.
    let mut out = io::stdout().lock();
    out.write_all(format!("{MARK}{words}\n").as_bytes()).and_then(|()| out.flush()).map_err(failed)
}

/// Waits for [`Process::go`]. From then on, this process ends when the one that started it has.
pub(super) fn wait_for_go() -> Result<(), Broken> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(failed)?;
    thread::spawn(|| {
        let mut rest = String::new();
        while io::stdin().read_line(&mut rest).is_ok_and(|length| length > 0) {}
        std::process::exit(1);
    });
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "it is for `map_err`")]
fn failed(error: io::Error) -> Broken {
    Broken::new(format!("a process cannot be started or talked to: {error}"))
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

const TASK: &str = "MCP_STORE_TASK";
const ADDRESS: &str = "MCP_STORE_ADDRESS";
const NUMBER: &str = "MCP_STORE_NUMBER";
/// Before what is meant for the other process, among what the test harness says.
const MARK: &str = "@> ";
/// A process that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(120);
