//! Running a check as a test.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::checks::{CHECKS, Check};
use super::database::Database;
use super::outcome::Broken;

/// Runs the check of this name on a database of its own. What [`suite!`](crate::testkit::suite) calls.
///
/// # Panics
/// When the promise is broken, or there is no such check.
pub fn run<D: Database, F: Future<Output = Option<D>>>(name: &str, make: impl FnOnce() -> F) {
    let Some(check) = CHECKS.iter().find(|check| check.name() == name) else {
        panic!("there is no check {name}")
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => panic!("there is no runtime: {error}"),
    };
    runtime.block_on(async {
        match make().await {
            Some(database) => {
                if let Err(broken) = check.run(Arc::new(database)).await {
                    panic!("broken promise: {}\nhow: {broken}", check.promise());
                }
            }
            None => eprintln!("skipped: there is no database for {name}"),
        }
    });
}

impl Check {
    /// Runs it on a database that nobody else uses.
    ///
    /// # Errors
    /// How the promise was broken; also when it takes more than two minutes.
    pub async fn run(&self, database: Arc<dyn Database>) -> Result<(), Broken> {
        // A task of its own: a store that panics breaks its promise and not the suite.
        let mut running = tokio::spawn((self.body)(database));
        match tokio::time::timeout(LONGEST, &mut running).await {
            Ok(ended) => ended?,
            Err(_) => {
                running.abort();
                Err(Broken::new("it took more than two minutes"))
            }
        }
    }
}

const LONGEST: Duration = Duration::from_secs(120);
