//! Servers that a phase starts, waits for, and takes down again.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::shell;

/// How long a program may take to say that it listens.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that listens; it ends with this value.
#[derive(Debug)]
pub(crate) struct Server(Child);

impl Server {
    /// Starts it and waits for its line `listening on …`. Its standard error goes to a log named after `name`.
    ///
    /// # Errors
    /// A sentence when it cannot be started or does not listen in time.
    pub(crate) fn start(root: &Path, name: &str, command: &mut Command) -> Result<Self, String> {
        let logs = target(root).join("e2e");
        fs::create_dir_all(&logs).map_err(|error| format!("{} cannot be made: {error}", logs.display()))?;
        let log = logs.join(format!("{name}.log"));
        let file =
            File::create(&log).map_err(|error| format!("{} cannot be written: {error}", log.display()))?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).spawn();
        let mut server = Self(child.map_err(|error| format!("{name} could not be started: {error}"))?);
        let Some(output) = server.0.stdout.take() else {
            return Err(format!("{name} has no standard output"));
        };
        let (ready, told) = mpsc::channel();
        // Reads on after that line: a full pipe would stop the server.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if line.starts_with("listening on ") {
                    let _ = ready.send(());
                }
            }
        });
        match told.recv_timeout(PATIENCE) {
            Ok(()) => Ok(server),
            Err(_) => Err(format!("{name} did not say that it listens; see {}", log.display())),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port of the loopback address that nobody uses now.
///
/// # Errors
/// The reason the system gives.
pub(crate) fn free_port() -> Result<u16, String> {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| format!("there is no free port: {error}"))
}

/// The folder cargo builds into.
pub(crate) fn target(root: &Path) -> PathBuf {
    shell::variable("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

/// The program of an example, as `cargo build` leaves it.
pub(crate) fn example(root: &Path, name: &str) -> Command {
    Command::new(target(root).join("debug").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str) -> Result<Server, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Server::start(&folder, "test-server", Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn a_server_is_taken_down_with_its_value() {
        let server = start("echo listening on nothing; exec sleep 60").unwrap();
        let id = server.0.id();
        drop(server);
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }

    #[test]
    fn a_server_that_ends_before_it_listens_is_told() {
        let error = start("echo something else").unwrap_err();
        assert!(error.contains("did not say"), "{error}");
    }
}
