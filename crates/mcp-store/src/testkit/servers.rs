//! Private database servers for tests: started in a directory of their own, gone when the test is.
//!
//! ```
//! use mcp_store::testkit::servers::RedisServer;
//!
//! // Without an installed server there is nothing to test against; with `CI=true` that is a failure.
//! if let Some(server) = RedisServer::start(&[]) {
//!     assert!(server.url().starts_with("redis://127.0.0.1:"));
//! }
//! ```

mod cluster;
mod guard;
mod postgres;
mod redis;

pub use cluster::RedisCluster;
pub use postgres::PostgresServer;
pub use redis::RedisServer;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

/// A port that nobody listens on at this moment.
///
/// # Panics
/// When the machine has none left.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("the address of a bound socket").port()
}

/// What to do without a server: nothing on a developer's machine, fail where everything has to be tested.
#[expect(clippy::print_stderr, clippy::disallowed_methods, reason = "tests talk to whoever runs them")]
fn missing(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} is not installed, and CI is set");
    eprintln!("skipped: {what} is not installed");
}

/// Where a program is, among `directories` and in the path.
#[expect(clippy::disallowed_methods, reason = "the search path is only in the environment")]
fn find(program: &str, directories: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::split_paths(&path).collect::<Vec<_>>();
    directories.iter().chain(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}
