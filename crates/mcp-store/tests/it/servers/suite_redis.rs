//! Redis keeps every promise, alone and as a cluster.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use mcp_core::async_trait;
use mcp_store::testkit::Database;
use mcp_store::testkit::servers::RedisCluster;
use mcp_store::{RedisStore, Store};

use super::LONG;

/// What nobody else of this process has.
fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

mod alone {
    use super::super::redis::shared;
    use super::*;

    struct Alone(String);

    #[async_trait]
    impl Database for Alone {
        async fn open(&self) -> Arc<dyn Store> {
            Arc::new(RedisStore::connect(&self.0).unwrap().with_timeout(LONG).unwrap())
        }

        async fn disconnect(&self) -> bool {
            let (_, number) = self.0.rsplit_once('/').unwrap();
            let clients = shared().unwrap().ask("CLIENT LIST");
            let ours = |line: &&str| line.contains(&format!(" db={number} "));
            for client in clients.lines().filter(ours) {
                let id = client.split(' ').find_map(|word| word.split("id=").nth(1)).unwrap();
                let _ = shared().unwrap().ask(&format!("CLIENT KILL ID {id}"));
            }
            true
        }
    }

    async fn empty() -> Option<Alone> {
        Some(Alone(format!("{}/{}", shared()?.url(), number())))
    }

    mcp_store::testkit::suite!(empty);
}

mod cluster {
    use super::*;

    struct Cluster(Vec<String>, String);

    #[async_trait]
    impl Database for Cluster {
        async fn open(&self) -> Arc<dyn Store> {
            Arc::new(
                RedisStore::cluster(&self.0)
                    .unwrap()
                    .with_prefix(&self.1)
                    .unwrap()
                    .with_timeout(LONG)
                    .unwrap(),
            )
        }
    }

    async fn empty() -> Option<Cluster> {
        static SERVERS: OnceLock<Option<RedisCluster>> = OnceLock::new();
        let servers = SERVERS.get_or_init(RedisCluster::start).as_ref()?;
        Some(Cluster(servers.urls(), format!("t{}", number())))
    }

    mcp_store::testkit::suite!(empty);
}
