//! What a server must be like before anything is entrusted to it.

use std::collections::HashMap;

use mcp_core::{ConfigError, Timestamp};
use redis::{Cmd, from_redis_value};

use super::keys::Keys;
use super::link::{Failure, Link};
use super::{attempt, record, script};
use crate::{Batch, Committed, Name, Partition, StoreError};

/// Every node that writes is looked at.
pub(super) async fn server(link: &Link) -> Result<(), ConfigError> {
    let layout = link.layout().await.map_err(unreachable)?;
    for slot in layout.slots {
        let mut command = Cmd::new();
        command.arg("INFO");
        let answer = link.read(&command, Some(slot)).await.map_err(unreachable)?;
        let text: String = from_redis_value(answer)
            .map_err(|_| ConfigError::new("what answers at the Redis URL is no Redis"))?;
        judge(&Info::read(&text), matches!(link, Link::Cluster(_)))?;
        look_at_fsync(link, slot).await;
    }
    Ok(())
}

/// Says what `INFO` does not, where one may ask.
async fn look_at_fsync(link: &Link, slot: u16) {
    let mut command = Cmd::new();
    command.arg("CONFIG").arg("GET").arg("appendfsync");
    let Ok(answer) = link.read(&command, Some(slot)).await else { return };
    let setting = from_redis_value::<HashMap<String, String>>(answer).ok();
    if setting.is_some_and(|setting| setting.get("appendfsync").is_some_and(|when| when != "always")) {
        tracing::warn!(
            "Redis acknowledges before it has written: a crash takes the last seconds; set appendfsync to always"
        );
    }
}

/// Runs every script on a partition that nobody else has: so each command in them is known to be allowed.
pub(super) async fn scripts(link: &Link, keys: &Keys) -> Result<(), ConfigError> {
    let failed = |error: StoreError| {
        ConfigError::new(
            "Redis does not run the scripts that commits are made of: allow EVAL, EVALSHA, INFO, SCAN, GET, SET, HGET, HMGET, \
             HSET, HDEL, HLEN, ZADD, ZREM, ZCARD, ZRANGE, PEXPIRE and PERSIST on its keys",
        )
        .because(error)
    };
    let (partition, moment) = (Partition::random(), Timestamp::from_secs(1));
    let Ok(name) = Name::new("probe") else {
        return Ok(());
    };
    let ends = Timestamp::from_secs(2);
    for batch in [
        Batch::new().require_absent(name.clone()).put(name.clone(), "probe", None),
        Batch::new().put(name.clone(), "probe", Some(ends)),
        Batch::new().delete(name),
    ] {
        let committed = attempt::commit(link, keys, &partition, &batch, moment).await.map_err(failed)?;
        if !matches!(committed, Committed::Done(_)) {
            return Err(ConfigError::new("what answers at the Redis URL does not keep what it is given"));
        }
    }
    let all = [keys.records(&partition), keys.names(&partition), keys.ends(&partition)];
    let [high, low] = record::halves(moment);
    let scan = ["-".to_owned(), "+".to_owned(), "1".to_owned(), high, low].map(String::into_bytes);
    script::SCAN.read(link, &all[..2], &scan).await.map_err(failed)?;
    script::SWEEP.read(link, &all, &[b"1".to_vec(), b"1".to_vec()]).await.map_err(failed)?;
    script::WALK
        .read_on(link, Some(0), &[], &[b"0".to_vec(), keys.pattern().into(), b"1".to_vec()])
        .await
        .map_err(failed)?;
    Ok(())
}

fn unreachable(failure: Failure) -> ConfigError {
    ConfigError::new("Redis cannot be reached: check the address, the credentials and TLS in its URL")
        .because(failure.text())
}

/// What `INFO` says.
struct Info<'a>(HashMap<&'a str, &'a str>);

impl<'a> Info<'a> {
    fn read(text: &'a str) -> Self {
        Self(text.lines().filter_map(|line| line.trim_end().split_once(':')).collect())
    }

    fn get(&self, field: &str) -> Option<&'a str> {
        self.0.get(field).copied()
    }
}

fn judge(info: &Info<'_>, cluster: bool) -> Result<(), ConfigError> {
    let version = info.get("redis_version").unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < 7) {
        let shown: String = version.chars().filter(char::is_ascii_graphic).take(20).collect();
        return Err(ConfigError::new(format!("Redis is of version {shown:?}: 7 or newer is needed")));
    }
    match info.get("maxmemory_policy") {
        Some("noeviction") => {}
        Some(_) => {
            return Err(ConfigError::new(
                "Redis may evict what is stored: set maxmemory-policy to noeviction, and give this state a database of its \
                 own if others rely on eviction",
            ));
        }
        None => {
            return Err(ConfigError::new(
                "Redis does not say whether it evicts: INFO memory must show maxmemory_policy:noeviction",
            ));
        }
    }
    if info.get("role").is_some_and(|role| role != "master") {
        return Err(ConfigError::new("the Redis URL names a replica: name the master"));
    }
    match (info.get("cluster_enabled"), cluster) {
        (Some("1"), false) => {
            return Err(ConfigError::new("the Redis URL names a node of a cluster: use RedisStore::cluster"));
        }
        (Some("0"), true) => {
            return Err(ConfigError::new("a Redis that is not in a cluster: use RedisStore::connect"));
        }
        _ => {}
    }
    if info.get("aof_enabled") == Some("0") {
        tracing::warn!(
            "Redis keeps no append-only file: what was stored since its last snapshot ends with its process"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(info: &str, cluster: bool) -> Result<(), String> {
        judge(&Info::read(info), cluster).map_err(|error| error.to_string())
    }

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\nrole:master\r\ncluster_enabled:0\r\n";

    #[test]
    fn a_fitting_server_is_accepted() {
        assert_eq!(check(GOOD, false), Ok(()));
        assert_eq!(check(&GOOD.replace("cluster_enabled:0", "cluster_enabled:1"), true), Ok(()));
    }

    #[test]
    fn what_loses_data_is_refused() {
        for (good, bad, says) in [
            ("7.0.15", "6.2.1", "7 or newer"),
            ("7.0.15", "\u{1b}[31mred", "7 or newer"),
            ("noeviction", "allkeys-lru", "set maxmemory-policy to noeviction"),
            ("maxmemory_policy:noeviction", "", "maxmemory_policy:noeviction"),
            ("role:master", "role:slave", "replica"),
            ("cluster_enabled:0", "cluster_enabled:1", "RedisStore::cluster"),
        ] {
            let error = check(&GOOD.replace(good, bad), false).unwrap_err();
            assert!(error.contains(says) && !error.contains('\u{1b}'), "{error}");
        }
        assert!(check(GOOD, true).unwrap_err().contains("RedisStore::connect"));
        assert!(check("", false).is_err());
    }
}
