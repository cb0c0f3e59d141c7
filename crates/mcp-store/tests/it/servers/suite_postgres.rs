//! PostgreSQL keeps every promise.

use std::sync::Arc;

use mcp_core::async_trait;
use mcp_store::testkit::Database;
use mcp_store::{PostgresStore, Store};

use super::LONG;
use super::postgres::shared;

struct Served(String);

#[async_trait]
impl Database for Served {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::connect(&self.0).unwrap().with_timeout(LONG).unwrap())
    }

    async fn disconnect(&self) -> bool {
        let (_, database) = self.0.rsplit_once('/').unwrap();
        let kill =
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'");
        let _ = shared().unwrap().sql("postgres", &kill);
        true
    }
}

async fn empty() -> Option<Served> {
    Some(Served(shared()?.database()))
}

mcp_store::testkit::suite!(empty);
