//! One `PostgreSQL`.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use mcp_core::random_id;

use super::guard::{Guarded, command, directory};
use super::{find, free_port, missing};

/// A `PostgreSQL` on a free port of the loopback interface, with a data directory of its own. The user `postgres` needs no
/// password.
#[derive(Debug)]
pub struct PostgresServer {
    binaries: PathBuf,
    directory: PathBuf,
    port: u16,
    arguments: Vec<String>,
    running: Option<Guarded>,
}

impl PostgresServer {
    /// Starts one with further settings, such as `max_connections=20`. `None`, and a line for whoever runs the tests, when
    /// there is no `PostgreSQL` of Debian's (`/usr/lib/postgresql/*/bin`) and none in the path.
    ///
    /// # Panics
    /// When it is not installed and the variable `CI` is set, or it does not start.
    #[must_use]
    pub fn start(settings: &[&str]) -> Option<Self> {
        let Some(initdb) = find("initdb", &installed()) else {
            missing("postgresql");
            return None;
        };
        let binaries = initdb.parent()?.to_owned();
        let directory = directory();
        let arguments = settings.iter().flat_map(|&setting| ["-c".to_owned(), setting.to_owned()]).collect();
        let mut server = Self { binaries, directory, port: free_port(), arguments, running: None };
        server.run("initdb", &["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", "-D"]);
        server.restart();
        Some(server)
    }

    /// The URL of one of its databases.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty database and gives its URL.
    ///
    /// # Panics
    /// When the server does not make it.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("t_{}", &random_id().to_ascii_lowercase().replace('-', "_")[..20]);
        let _ = self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// Runs SQL in a database with `psql` and gives what it prints: rows as lines, columns divided by `|`.
    ///
    /// # Panics
    /// When the server refuses it.
    #[must_use]
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let psql = find("psql", std::slice::from_ref(&self.binaries)).expect("psql");
        let output = Command::new(psql)
            .args([
                "--no-psqlrc",
                "--quiet",
                "--tuples-only",
                "--no-align",
                "-v",
                "ON_ERROR_STOP=1",
                "-c",
                sql,
            ])
            .arg(self.url(database))
            .output()
            .expect("psql runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
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
        let mut all = command(&self.binaries.join("postgres"));
        all.extend([
            "-D".to_owned(),
            self.data().display().to_string(),
            "-p".to_owned(),
            self.port.to_string(),
        ]);
        all.extend(["-h".to_owned(), "127.0.0.1".to_owned(), "-k".to_owned(), String::new()]);
        all.extend(self.arguments.iter().cloned());
        self.running = Some(Guarded::start(&all, "QUIT", &self.directory));
        for _ in 0..1000 {
            if self.is_ready() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        panic!("postgres does not start:\n{log}");
    }

    /// Has it serve TLS under this certificate from the next start on.
    ///
    /// # Panics
    /// When the files cannot be written.
    pub fn serve_tls(&mut self, certificate_pem: &str, key_pem: &str) {
        for (name, pem) in [("server.crt", certificate_pem), ("server.key", key_pem)] {
            let file = self.data().join(name);
            fs::write(&file, pem).expect("to write a certificate");
            hand_over(&file, &self.data());
        }
        self.arguments.extend(["-c".to_owned(), "ssl=on".to_owned()]);
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn is_ready(&self) -> bool {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            return false;
        }
        let ready = Command::new(self.binaries.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .status();
        ready.is_ok_and(|status| status.success())
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let words = command(&self.binaries.join(program));
        let output = Command::new(&words[0]).args(&words[1..]).args(arguments).arg(self.data()).output();
        let output = output.expect("initdb runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The binaries that Debian installs, the newest first.
fn installed() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    found.sort();
    found.reverse();
    found
}

/// The server reads its key only if it is its own and nobody else's.
fn hand_over(file: &Path, like: &Path) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let owner = fs::metadata(like).expect("the data directory");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("to set permissions");
    chown(file, Some(owner.uid()), Some(owner.gid())).expect("to hand a file over");
}
