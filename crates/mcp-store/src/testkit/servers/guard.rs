//! A server process that never outlives the test, however the test ends.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mcp_core::random_id;

/// The keeper's input closes when the test is gone, even killed, and even when nothing of it is dropped: then the server
/// and its files go too. A line means that only the server shall end.
const KEEPER: &str = r#"
exec 2>/dev/null
signal=$1; directory=$2; shift 2
"$@" >>"$directory/log" 2>&1 &
server=$!
echo "$server"
read -r _ && leave=1
kill -CONT "$server" 2>/dev/null
kill "-$signal" "$server" 2>/dev/null
wait "$server"
[ -n "$leave" ] || rm -rf "$directory"
"#;

/// The user `nobody`: `PostgreSQL` refuses to run as root.
const NOBODY: u32 = 65534;

/// A directory for one server, deleted with it.
pub(super) fn directory() -> PathBuf {
    let directory = std::env::temp_dir().join(format!("mcp-{}", random_id()));
    fs::create_dir(&directory).expect("a directory for a test server");
    if is_root() {
        // Whoever the server runs as has to write here.
        chown(&directory, Some(NOBODY), Some(NOBODY)).expect("to give a directory away");
    }
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("to set permissions");
    directory
}

/// A command that runs as an ordinary user.
pub(super) fn command(program: &Path) -> Vec<String> {
    let program = program.to_string_lossy().into_owned();
    if is_root() {
        let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
        vec!["setpriv".to_owned(), user, group, "--clear-groups".to_owned(), program]
    } else {
        vec![program]
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A running server.
pub(super) struct Guarded {
    keeper: Child,
    server: String,
}

impl Guarded {
    /// Starts it. `signal` ends it at once; `directory` goes with it and gets a file `log`.
    pub(super) fn start(arguments: &[String], signal: &str, directory: &Path) -> Self {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper", signal])
            .arg(directory)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut server = String::new();
        let output = keeper.stdout.take().expect("the keeper's output");
        BufReader::new(output).read_line(&mut server).expect("the server's process id");
        Self { keeper, server: server.trim().to_owned() }
    }

    /// Sends a signal to the server: `STOP` freezes it, `CONT` lets it go on.
    pub(super) fn signal(&self, signal: &str) {
        let sent = Command::new("sh").args(["-c", r#"kill "-$0" "$1""#, signal, &self.server]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal {signal} reaches the server");
    }

    /// Ends the server and leaves its files.
    pub(super) fn stop(mut self) {
        if let Some(mut input) = self.keeper.stdin.take() {
            let _ = input.write_all(b"stop\n");
        }
        let _ = self.keeper.wait();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("server", &self.server).finish_non_exhaustive()
    }
}
