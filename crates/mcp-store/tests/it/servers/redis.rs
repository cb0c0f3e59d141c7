//! Redis: restarts, evil settings, memory, certificates.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mcp_store::testkit::servers::{RedisServer, free_port};
use mcp_store::{Batch, Partition, RedisStore, Store};
use tokio::time::Instant;

use super::{Load, processes};
use crate::support::{NOON, millis, name};

/// One server for all tests that do not break it.
pub(super) fn shared() -> Option<&'static RedisServer> {
    static SERVER: OnceLock<Option<RedisServer>> = OnceLock::new();
    SERVER.get_or_init(|| RedisServer::start(&["--databases", "10000"])).as_ref()
}

pub(super) fn increment(batch: Batch, to: u64) -> Batch {
    batch.put(name("counter"), to.to_string(), None)
}

/// What a counter says.
pub(super) async fn count(store: &impl Store, partition: &Partition) -> u64 {
    let found = store.get(partition, &[name("counter")], NOON).await.unwrap();
    found[0].as_ref().map_or(0, |record| std::str::from_utf8(record.value()).unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time_and_nothing_is_claimed() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = RedisStore::connect(server.url()).unwrap().with_timeout(millis(300)).unwrap();
    store.start().await.unwrap();
    let partition = Partition::random();
    server.pause();
    let begun = Instant::now();
    let read = store.get(&partition, &[name("a")], NOON).await.unwrap_err();
    assert!(read.is_transient() && !read.is_unknown());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // This one connects anew, and the connection is taken by the kernel: so perhaps the command is, too.
    let begun = Instant::now();
    let error = store.commit(&partition, Batch::new().put(name("a"), "x", None), NOON).await.unwrap_err();
    assert!(error.is_transient());
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    server.resume();
    // The next is served as if nothing had been.
    let batch = Batch::new().put(name("b"), "x", None);
    assert!(store.commit(&partition, batch, NOON).await.unwrap().is_done());
}

#[tokio::test]
async fn a_restarted_server_is_used_again_and_has_kept_everything() {
    let Some(mut server) = RedisServer::start(&["--appendfsync", "always"]) else { return };
    let store = RedisStore::connect(server.url()).unwrap().with_timeout(millis(300)).unwrap();
    store.start().await.unwrap();
    let partition = Partition::random();
    let batch = increment(Batch::new(), 7);
    assert!(store.commit(&partition, batch, NOON).await.unwrap().is_done());
    server.stop();
    let begun = Instant::now();
    let error = store.commit(&partition, increment(Batch::new(), 8), NOON).await.unwrap_err();
    assert!(error.is_transient() && begun.elapsed() < Duration::from_secs(3));
    let error = store.get(&partition, &[name("counter")], NOON).await.unwrap_err();
    assert!(error.is_transient() && !error.is_unknown());
    server.restart();
    assert_eq!(count(&store, &partition).await, 7);
    assert!(store.commit(&partition, increment(Batch::new(), 8), NOON).await.unwrap().is_done());
    assert_eq!(count(&store, &partition).await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_under_load_loses_nothing_that_was_acknowledged() {
    let Some(mut server) = RedisServer::start(&["--appendfsync", "always"]) else { return };
    let store = RedisStore::connect(server.url()).unwrap().with_timeout(millis(300)).unwrap();
    store.start().await.unwrap();
    let load = Load::on(Arc::new(store));
    for round in 1..=4 {
        load.until_done(round * 200).await;
        server.stop();
        server.restart();
    }
    load.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_race_lose_nothing() {
    let Some(server) = shared() else { return };
    processes::race(&format!("{}/9999", server.url())).await;
}

#[tokio::test]
async fn settings_that_lose_data_are_refused_with_what_to_change() {
    let Some(server) = RedisServer::start(&["--maxmemory-policy", "allkeys-lru"]) else { return };
    let store = RedisStore::connect(server.url()).unwrap();
    let error = store.start().await.unwrap_err();
    assert!(error.to_string().contains("set maxmemory-policy to noeviction"), "{error}");
    let _ = server.ask("CONFIG SET maxmemory-policy noeviction");
    store.start().await.unwrap();
    // Managed servers forbid CONFIG: it is not needed.
    let _ = server.ask("ACL SETUSER mcp on >secret ~mcp:* +@all -config");
    let url = format!("redis://mcp:secret@127.0.0.1:{}", server.port());
    RedisStore::connect(url).unwrap().start().await.unwrap();
}

#[tokio::test]
async fn who_may_not_do_all_that_commits_do_is_refused_at_start() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let _ = server.ask("ACL SETUSER mcp on >hunter2 ~mcp:* +@all");
    let url = format!("redis://mcp:hunter2@127.0.0.1:{}", server.port());
    RedisStore::connect(&url).unwrap().start().await.unwrap();
    for forbidden in ["evalsha", "eval", "zadd", "hset", "pexpire", "persist", "scan", "set"] {
        let _ = server.ask(&format!("ACL SETUSER mcp +@all -{forbidden}"));
        let _ = server.ask("SCRIPT FLUSH");
        let error = RedisStore::connect(&url).unwrap().start().await.unwrap_err();
        assert!(error.to_string().contains("does not run the scripts"), "{forbidden}: {error}");
    }
    let wrong = RedisStore::connect(url.replace("hunter2", "hunter3")).unwrap();
    let error = wrong.start().await.unwrap_err();
    assert!(error.to_string().contains("credentials"), "{error}");
    assert!(!format!("{error:?} {wrong:?}").contains("hunter"), "{error:?}");
}

#[tokio::test]
async fn a_replica_is_an_outage_until_it_is_the_master() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = RedisStore::connect(server.url()).unwrap();
    store.start().await.unwrap();
    let partition = Partition::random();
    assert!(store.commit(&partition, increment(Batch::new(), 1), NOON).await.unwrap().is_done());
    let _ = server.ask("REPLICAOF 127.0.0.1 1");
    let error = store.commit(&partition, increment(Batch::new(), 2), NOON).await.unwrap_err();
    assert!(error.is_transient() && !error.is_unknown(), "{error:?}");
    let error = RedisStore::connect(server.url()).unwrap().start().await.unwrap_err();
    assert!(error.to_string().contains("replica"), "{error}");
    let _ = server.ask("REPLICAOF NO ONE");
    assert_eq!(count(&store, &partition).await, 1);
    assert!(store.commit(&partition, increment(Batch::new(), 2), NOON).await.unwrap().is_done());
}

#[tokio::test]
async fn only_the_certificate_of_the_host_is_believed() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (port, files) = (free_port(), server.directory().display());
    std::fs::write(server.directory().join("tls.crt"), own.cert.pem()).unwrap();
    std::fs::write(server.directory().join("tls.key"), own.signing_key.serialize_pem()).unwrap();
    let set =
        format!("CONFIG SET tls-cert-file {files}/tls.crt tls-key-file {files}/tls.key tls-auth-clients no");
    let answer = server.ask(&format!("{set} tls-port {port}"));
    assert!(answer.starts_with("+OK"), "{answer}");

    let url = format!("rediss://127.0.0.1:{port}");
    let store = RedisStore::connect(&url).unwrap().with_root_certificate(own.cert.pem()).unwrap();
    store.start().await.unwrap();
    let partition = Partition::random();
    assert!(store.commit(&partition, increment(Batch::new(), 1), NOON).await.unwrap().is_done());
    assert_eq!(count(&store, &partition).await, 1);
    for (url, root) in [
        (url.clone(), Some(other.cert.pem())),
        (url.clone(), None),
        (url.replace("127.0.0.1", "localhost"), Some(own.cert.pem())),
    ] {
        let mut store = RedisStore::connect(&url).unwrap();
        if let Some(root) = root {
            store = store.with_root_certificate(root).unwrap();
        }
        let error = store.start().await.unwrap_err();
        assert!(error.to_string().contains("cannot be reached"), "{url}: {error}");
    }
    assert!(RedisStore::connect(server.url()).unwrap().with_root_certificate(own.cert.pem()).is_err());
}

#[tokio::test]
async fn a_full_server_refuses_whole_commits_and_still_deletes() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = RedisStore::connect(server.url()).unwrap();
    store.start().await.unwrap();
    let partition = Partition::random();
    let put = |key: &str, length: usize| Batch::new().put(name(key), vec![b'x'; length], None);
    assert!(store.commit(&partition, put("kept", 60_000), NOON).await.unwrap().is_done());
    let _ = server.ask("CONFIG SET maxmemory 1");
    let batch = put("more", 60_000).delete(name("kept"));
    let error = store.commit(&partition, batch, NOON).await.unwrap_err();
    assert!(error.is_transient() && !error.is_unknown(), "{error:?}");
    let found = store.get(&partition, &[name("kept"), name("more")], NOON).await.unwrap();
    assert!(found[0].is_some() && found[1].is_none());
    assert!(store.commit(&partition, Batch::new().delete(name("kept")), NOON).await.unwrap().is_done());
    let _ = server.ask("CONFIG SET maxmemory 0");
    assert!(store.commit(&partition, put("more", 60_000), NOON).await.unwrap().is_done());
}

#[tokio::test]
async fn a_partition_goes_by_itself_after_its_last_record_and_never_before() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = RedisStore::connect(server.url()).unwrap();
    let partition = Partition::random();
    let lives = |key: &str| {
        let answer = server.ask(&format!("PTTL mcp:{{{partition}}}{key}"));
        answer.lines().next().unwrap().trim_start_matches(':').trim().parse::<i64>().unwrap()
    };
    let commit = async |batch| assert!(store.commit(&partition, batch, NOON).await.unwrap().is_done());
    commit(Batch::new().put(name("a"), "x", Some(NOON + Duration::from_secs(1000)))).await;
    commit(Batch::new().put(name("b"), "x", Some(NOON + Duration::from_secs(10)))).await;
    for key in ["", ":n", ":e"] {
        assert!((1_290_000..=1_300_000).contains(&lives(key)), "{key}: {}", lives(key));
    }
    // What stays for ever keeps the partition.
    commit(Batch::new().put(name("c"), "x", None)).await;
    assert_eq!((lives(""), lives(":n"), lives(":e")), (-1, -1, -1));
    commit(Batch::new().delete(name("c"))).await;
    assert!(lives("") > 1_290_000);
    commit(Batch::new().delete(name("a")).delete(name("b"))).await;
    assert_eq!(lives(""), -2);
    // All that remains are the attempts, and not for long.
    let keys = server.ask("KEYS *");
    assert!(keys.lines().filter(|line| line.starts_with("mcp:")).all(|key| key.contains(":c:")), "{keys}");
}

#[tokio::test]
async fn what_expires_in_a_partition_in_use_is_deleted_by_use() {
    let Some(server) = shared() else { return };
    let store = RedisStore::connect(server.url()).unwrap();
    let partition = Partition::random();
    assert!(
        store.commit(&partition, Batch::new().put(name("kept"), "x", None), NOON).await.unwrap().is_done()
    );
    for number in 0..200_u64 {
        let now = NOON + Duration::from_secs(number);
        let batch = Batch::new().put(name(&format!("r{number}")), "x", Some(now + Duration::from_secs(3)));
        assert!(store.commit(&partition, batch, now).await.unwrap().is_done());
    }
    let length = server.ask(&format!("HLEN mcp:{{{partition}}}"));
    assert!(length.starts_with(":4"), "{length}");
    assert_eq!(length, server.ask(&format!("ZCARD mcp:{{{partition}}}:n")));
}

#[tokio::test]
async fn a_damaged_record_is_an_error_and_not_an_absence() {
    let Some(server) = shared() else { return };
    let store = RedisStore::connect(server.url()).unwrap();
    let partition = Partition::random();
    let _ = server.ask(&format!("HSET mcp:{{{partition}}} a short"));
    let error = store.get(&partition, &[name("a")], NOON).await.unwrap_err();
    assert!(!error.is_transient() && !error.is_unknown(), "{error:?}");
}
