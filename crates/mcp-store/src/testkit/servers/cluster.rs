//! A Redis cluster of three nodes.

use std::thread;
use std::time::Duration;

use super::{RedisServer, free_port};

/// Three masters on the loopback interface that share the 16384 slots.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts one. `None`, and a line for whoever runs the tests, when `redis-server` is not installed.
    ///
    /// # Panics
    /// When it is not installed and the variable `CI` is set, or the nodes do not find each other.
    #[must_use]
    pub fn start() -> Option<Self> {
        let mut nodes = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..3 {
            let bus = free_port().to_string();
            let arguments =
                ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", &bus];
            nodes.push(RedisServer::start(&arguments)?);
            buses.push(bus);
        }
        for (node, slots) in nodes.iter().zip(["0 5460", "5461 10922", "10923 16383"]) {
            let _ = node.ask(&format!("CLUSTER ADDSLOTSRANGE {slots}"));
        }
        for (node, bus) in nodes.iter().zip(&buses).skip(1) {
            let _ = nodes[0].ask(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port()));
        }
        let cluster = Self { nodes };
        for _ in 0..500 {
            if cluster.nodes.iter().all(is_whole) {
                return Some(cluster);
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the nodes do not find each other: {}", cluster.nodes[0].ask("CLUSTER NODES"));
    }

    /// The addresses of its nodes as URLs.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// Its nodes, to be stopped and started.
    #[must_use]
    pub fn nodes(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }
}

fn is_whole(node: &RedisServer) -> bool {
    let info = node.ask("CLUSTER INFO");
    let slots = node.ask("CLUSTER SLOTS");
    info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3") && slots.contains(":10923")
}
