//! What the suite must be given.

use std::sync::Arc;

use async_trait::async_trait;

use super::outcome::{Broken, Outcome};
use crate::Store;

/// A database of a back end, empty at first, that servers open.
#[async_trait]
pub trait Database: Send + Sync + 'static {
    /// A handle as another server has it: with connections and memory of its own. The suite starts it.
    async fn open(&self) -> Arc<dyn Store>;

    /// Cuts every connection that servers have, as a failing network does, and lets them connect anew. `false` if there
    /// is nothing to cut.
    async fn disconnect(&self) -> bool {
        false
    }
}

/// Several servers on one database.
pub(super) struct Nodes {
    database: Arc<dyn Database>,
    nodes: Vec<Arc<dyn Store>>,
}

impl Nodes {
    /// Starts them all at once, as a deployment does.
    pub(super) async fn start(database: Arc<dyn Database>, count: usize) -> Result<Self, Broken> {
        let mut nodes = Vec::with_capacity(count);
        let mut starting = tokio::task::JoinSet::new();
        for _ in 0..count {
            let node = database.open().await;
            nodes.push(node.clone());
            starting.spawn(async move { node.start().await });
        }
        while let Some(started) = starting.join_next().await {
            started??;
        }
        Ok(Self { database, nodes })
    }

    pub(super) fn database(&self) -> &dyn Database {
        &*self.database
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// One of them, whatever the number.
    pub(super) fn pick(&self, number: usize) -> Arc<dyn Store> {
        self.nodes[number % self.nodes.len()].clone()
    }

    pub(super) fn one(&self) -> &dyn Store {
        &*self.nodes[0]
    }

    pub(super) fn other(&self) -> &dyn Store {
        &*self.nodes[self.nodes.len() - 1]
    }

    /// As after a restart of all servers: one new handle.
    pub(super) async fn restart(&mut self) -> Outcome {
        self.nodes.clear();
        *self = Self::start(self.database.clone(), 1).await?;
        Ok(())
    }
}
