//! The suite that every back end must pass, and stores that break on demand.
//!
//! A back end says how to make an empty database and how a server opens it ([`Database`]). [`suite!`](crate::testkit::suite)
//! then makes one test of each promise of [`Store`](crate::Store), so that a failure says which of them is broken:
//!
//! ```
//! use std::sync::Arc;
//! use mcp_store::testkit::Database;
//! use mcp_store::{async_trait, MemoryStore, Store};
//!
//! struct InMemory(MemoryStore);
//!
//! #[async_trait]
//! impl Database for InMemory {
//!     async fn open(&self) -> Arc<dyn Store> {
//!         Arc::new(self.0.clone())
//!     }
//! }
//!
//! // `None` where the database is not to be had; the tests then pass and say so.
//! async fn empty() -> Option<InMemory> {
//!     Some(InMemory(MemoryStore::new()))
//! }
//!
//! mcp_store::testkit::suite!(empty);
//! # // The tests are not run from here, so at least the harness is.
//! # let check = &mcp_store::testkit::CHECKS[0];
//! # mcp_store::testkit::run(check.name(), empty);
//! ```
//!
//! Where several processes use one database, [`process_suite!`](crate::testkit::process_suite) lets them race and kills them.
//!
//! A check that fails panics with the promise that was broken and how. Long runs: `MCP_LONG=1`.

mod checks;
mod database;
mod environment;
mod faulty;
mod leaks;
mod outcome;
mod processes;
mod run;
pub mod servers;

pub use checks::{CHECKS, Check};
pub use database::Database;
pub use faulty::{Call, Fault, FaultyStore};
pub use leaks::{Leak, leaks};
pub use outcome::Broken;
pub use processes::{Address, child, kill, race};
pub use run::run;

/// Makes one test of each promise, from a function `async fn() -> Option<impl Database>` that makes an empty database.
pub use checks::suite;

/// Makes tests with several processes, from a function that makes an empty database and one that opens it elsewhere.
///
/// Written in a module of its own, as in `mod processes { process_suite!(empty, open); }`, with
/// `async fn empty() -> Option<impl Database + Address>` and `async fn open(address: String) -> Arc<dyn Store>`. The test
/// binary runs itself again for each process: the test `child` is that process, and passes at once when it is run otherwise.
#[doc(inline)]
pub use crate::store_process_suite as process_suite;

use environment::is_long;
