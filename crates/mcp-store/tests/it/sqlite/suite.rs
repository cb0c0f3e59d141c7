//! The store in a file keeps every promise.

use std::sync::Arc;

use mcp_core::async_trait;
use mcp_store::testkit::Database;
use mcp_store::{SqliteStore, Store};

use super::Directory;

#[async_trait]
impl Database for Directory {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(self.file("auth.db")).unwrap())
    }
}

async fn empty() -> Option<Directory> {
    Some(Directory::new())
}

mcp_store::testkit::suite!(empty);
