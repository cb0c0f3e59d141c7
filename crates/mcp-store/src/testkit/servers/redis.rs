//! One Redis.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::guard::{Guarded, command, directory};
use super::{find, free_port, missing};

/// A Redis on a free port of the loopback interface, with an append-only file.
#[derive(Debug)]
pub struct RedisServer {
    program: PathBuf,
    directory: PathBuf,
    port: u16,
    arguments: Vec<String>,
    running: Option<Guarded>,
}

impl RedisServer {
    /// Starts one with further arguments, such as `--maxmemory-policy allkeys-lru`. `None`, and a line for whoever runs the
    /// tests, when `redis-server` is not installed.
    ///
    /// # Panics
    /// When it is not installed and the variable `CI` is set, or it does not start.
    #[must_use]
    pub fn start(arguments: &[&str]) -> Option<Self> {
        let Some(program) = find("redis-server", &[]) else {
            missing("redis-server");
            return None;
        };
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut server =
            Self { program, directory: directory(), port: free_port(), arguments, running: None };
        server.restart();
        Some(server)
    }

    /// Its address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are.
    #[must_use]
    pub fn directory(&self) -> &PathBuf {
        &self.directory
    }

    /// Ends it like a crash; its files stay.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }

    /// Starts it again on the same port with the same files.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.stop();
        let (port, files) = (self.port.to_string(), self.directory.display().to_string());
        let own =
            ["--bind", "127.0.0.1", "--port", &port, "--dir", &files, "--save", "", "--appendonly", "yes"];
        let own = own.into_iter().map(str::to_owned);
        let all = command(&self.program).into_iter().chain(own).chain(self.arguments.iter().cloned());
        self.running = Some(Guarded::start(&all.collect::<Vec<_>>(), "KILL", &self.directory));
        for _ in 0..500 {
            // An answer of any kind will do: some tests ask for a password.
            if self.inline("PING").is_some_and(|answer| !answer.is_empty() && !answer.contains("LOADING")) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        panic!("redis-server does not start:\n{log}");
    }

    /// Freezes it: connections stay open and nothing is answered.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Sends a command of plain words and gives the raw answer.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn ask(&self, command: &str) -> String {
        self.inline(command).expect("an answer from Redis")
    }

    fn inline(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }

    fn signal(&self, signal: &str) {
        if let Some(running) = &self.running {
            running.signal(signal);
        }
    }
}
