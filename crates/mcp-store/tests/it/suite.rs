//! The store in memory keeps every promise.

use std::sync::Arc;

use mcp_core::async_trait;
use mcp_store::testkit::Database;
use mcp_store::{MemoryStore, Store};

pub(crate) struct InMemory(MemoryStore);

#[async_trait]
impl Database for InMemory {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }
}

pub(crate) async fn empty() -> Option<InMemory> {
    Some(InMemory(MemoryStore::new()))
}

mcp_store::testkit::suite!(empty);
