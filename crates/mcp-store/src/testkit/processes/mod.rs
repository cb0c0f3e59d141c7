//! Several processes on one database: racing, and killed at random points.

mod crash;
mod process;
mod race;

use std::sync::Arc;

use mcp_core::SecretKey;
use tokio::runtime::{Builder, Runtime};

use super::database::Database;
use super::outcome::{Broken, Outcome};
use crate::{RootKey, RootKeyPlace, Store};

/// A database that other processes can open.
pub trait Address: Database {
    /// What they have to know for it: a path, a URL. It is given to them in their environment.
    fn address(&self) -> String;
}

/// What [`process_suite!`](crate::testkit::process_suite) makes.
#[doc(hidden)]
#[macro_export]
macro_rules! store_process_suite {
    ($make:expr, $open:expr) => {
        #[test]
        fn child() {
            $crate::testkit::child($open);
        }

        #[test]
        fn processes_race() {
            if let Err(broken) = $crate::testkit::race(module_path!(), $make) {
                panic!("{broken}");
            }
        }

        #[test]
        fn killed_processes_leave_whole_commits() {
            if let Err(broken) = $crate::testkit::kill(module_path!(), $make) {
                panic!("{broken}");
            }
        }
    };
}

/// Starts several processes at once on an empty database: they make its schema and its keys, count together, and race to
/// create records. `module` is where the test `child` is.
///
/// # Errors
/// The promise that was broken.
pub fn race<D: Address, F: Future<Output = Option<D>>>(
    module: &str,
    make: impl FnOnce() -> F,
) -> Result<(), Broken> {
    let runtime = runtime()?;
    match runtime.block_on(make()) {
        Some(database) => race::parent(&runtime, module, &database),
        None => skipped(module),
    }
}

/// Kills a process at a random point while it commits, again and again, and looks at what is left: every commit that was
/// acknowledged, and every other wholly or not at all. `module` is where the test `child` is. 20 rounds, or 200 with
/// `MCP_LONG=1`.
///
/// # Errors
/// The promise that was broken.
pub fn kill<D: Address, F: Future<Output = Option<D>>>(
    module: &str,
    make: impl FnOnce() -> F,
) -> Result<(), Broken> {
    let runtime = runtime()?;
    match runtime.block_on(make()) {
        Some(database) => crash::parent(&runtime, module, &database),
        None => skipped(module),
    }
}

/// Does what the process that started this one wants; nothing if none did.
///
/// # Panics
/// When the store breaks a promise.
pub fn child<F: Future<Output = Arc<dyn Store>>>(open: impl FnOnce(String) -> F) {
    let Some(order) = process::Order::read() else { return };
    let run = || {
        let runtime = runtime()?;
        let address = order.address.clone();
        let open = || runtime.block_on(open(address));
        match order.task.as_str() {
            race::TASK => race::child(&runtime, order.number, open),
            crash::TASK => crash::child(&runtime, order.number, open),
            _ => Err(Broken::new("an unknown task")),
        }
    };
    if let Err(broken) = run() {
        panic!("{broken}");
    }
}

fn runtime() -> Result<Runtime, Broken> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| Broken::new(format!("there is no runtime: {error}")))
}

fn skipped(module: &str) -> Outcome {
    eprintln!("skipped: there is no database for {module}");
    Ok(())
}

/// A key where the store has none of its own.
fn root(store: &dyn Store) -> Result<Option<RootKey>, Broken> {
    match store.root_key() {
        RootKeyPlace::Configured => Ok(Some(RootKey::from_secret(&SecretKey::new([7; 32])?))),
        _ => Ok(None),
    }
}
