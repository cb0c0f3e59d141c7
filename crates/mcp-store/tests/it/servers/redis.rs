//! Redis: lost answers, late commands, restarts, evil settings, a cluster.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mcp_store::testkit::servers::{RedisCluster, RedisServer, free_port};
use mcp_store::{Batch, Committed, Partition, RedisStore, Store};
use tokio::time::Instant;

use super::{Fate, Load, Proxy, processes};
use crate::support::{NOON, millis, name};

/// One server for all tests that do not break it.
pub(super) fn shared() -> Option<&'static RedisServer> {
    static SERVER: OnceLock<Option<RedisServer>> = OnceLock::new();
    SERVER.get_or_init(|| RedisServer::start(&["--databases", "10000"])).as_ref()
}

/// A store behind a proxy, and one that goes straight to the same data.
async fn behind_proxy(port: u16) -> (RedisStore, Proxy, RedisStore) {
    let proxy = Proxy::new(port, |piece| piece.windows(4).any(|word| word == b"EVAL")).await;
    let through = RedisStore::connect(format!("redis://127.0.0.1:{}", proxy.port())).unwrap();
    let through = through.with_timeout(millis(500)).unwrap();
    through.start().await.unwrap();
    (through, proxy, RedisStore::connect(format!("redis://127.0.0.1:{port}")).unwrap())
}

fn increment(batch: Batch, to: u64) -> Batch {
    batch.put(name("counter"), to.to_string(), None)
}

/// What a counter says.
async fn count(store: &impl Store, partition: &Partition) -> u64 {
    let found = store.get(partition, &[name("counter")], NOON).await.unwrap();
    found[0].as_ref().map_or(0, |record| std::str::from_utf8(record.value()).unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_out_about() {
    let Some(server) = shared() else { return };
    let (store, proxy, straight) = behind_proxy(server.port()).await;
    for fates in [
        vec![Fate::CutBefore],
        vec![Fate::CutAfter],
        vec![Fate::CutAfter, Fate::CutAfter],
        vec![Fate::CutBefore, Fate::CutAfter, Fate::CutBefore],
        vec![Fate::Stuck],
    ] {
        let partition = Partition::random();
        let batch = Batch::new().require_absent(name("counter"));
        let batch = increment(batch, 1);
        let revision = batch.revision();
        proxy.doom(&fates);
        let committed = store.commit(&partition, batch, NOON).await;
        match committed {
            Ok(committed) => {
                assert_eq!(committed, Committed::Done(revision), "{fates:?}");
                assert_eq!(count(&straight, &partition).await, 1, "{fates:?}");
            }
            // Whoever says that nothing was written must be right.
            Err(error) => {
                assert!(!error.is_unknown() && error.is_transient(), "{fates:?}: {error:?}");
                assert!(fates.contains(&Fate::Stuck), "{fates:?}: {error:?}");
                assert_eq!(count(&straight, &partition).await, 0, "{fates:?}");
            }
        }
        // A fate may be left when fewer things were sent than doomed.
        assert_eq!(proxy.doomed(), 0, "{fates:?}");
    }
}

// The answer is lost, and before anybody asks, somebody else changes the record: the commit happened all the same.
#[tokio::test]
async fn a_commit_counts_once_though_its_record_was_overwritten_before_anybody_asked() {
    let Some(server) = shared() else { return };
    let (store, proxy, straight) = behind_proxy(server.port()).await;
    let partition = Partition::random();
    let batch = increment(Batch::new().require_absent(name("counter")), 1);
    let revision = batch.revision();
    // The question is under way while the other commits.
    proxy.doom(&[Fate::CutAfter, Fate::Stuck]);
    let other = async {
        while proxy.doomed() > 0 {
            tokio::task::yield_now().await;
        }
        let batch = increment(Batch::new().require(name("counter"), revision), 2);
        let done = straight.commit(&partition, batch, NOON).await.unwrap();
        proxy.cut();
        done
    };
    let (first, second) = tokio::join!(store.commit(&partition, batch, NOON), other);
    assert_eq!(first.unwrap(), Committed::Done(revision));
    assert!(second.is_done());
    assert_eq!(count(&straight, &partition).await, 2);
}

// What was sent before the connection broke may still lie in a buffer.
#[tokio::test]
async fn a_command_that_arrives_late_does_nothing() {
    let Some(server) = shared() else { return };
    let (store, proxy, straight) = behind_proxy(server.port()).await;
    let partition = Partition::random();
    let batch = Batch::new().put(name("late"), "first", None);
    proxy.doom(&[Fate::Late]);
    // It is fenced off and tried again.
    assert!(store.commit(&partition, batch, NOON).await.unwrap().is_done());
    let gone = straight.commit(&partition, Batch::new().delete(name("late")), NOON).await.unwrap();
    assert!(gone.is_done());
    proxy.release().await;
    assert_eq!(straight.get(&partition, &[name("late")], NOON).await.unwrap(), [None]);
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
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    // This one connects anew, and the connection is taken by the kernel: so perhaps the command is, too.
    let begun = Instant::now();
    let error = store.commit(&partition, Batch::new().put(name("a"), "x", None), NOON).await.unwrap_err();
    assert!(error.is_transient());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
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
    assert!(error.is_transient() && begun.elapsed() < Duration::from_secs(1));
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

#[tokio::test]
async fn a_cluster_keeps_partitions_on_all_its_nodes_and_lists_them() {
    let Some(mut cluster) = RedisCluster::start() else { return };
    for node in cluster.nodes() {
        // One of them is killed below. With `everysec` Redis holds back what it has acknowledged while the disk is busy.
        let _ = node.ask("CONFIG SET appendfsync always");
    }
    let alone = RedisStore::connect(&cluster.urls()[0]).unwrap();
    assert!(alone.start().await.unwrap_err().to_string().contains("RedisStore::cluster"));
    let store = RedisStore::cluster(cluster.urls()).unwrap();
    store.start().await.unwrap();
    let mut all = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let partition = Partition::random();
        let batch = increment(Batch::new().require_absent(name("counter")), 1);
        assert!(store.commit(&partition, batch, NOON).await.unwrap().is_done());
        assert_eq!(count(&store, &partition).await, 1);
        all.insert(partition);
    }
    let (mut found, mut cursor) = (std::collections::BTreeSet::new(), None);
    loop {
        let page = store.partitions(cursor.as_ref(), 5).await.unwrap();
        assert!(page.partitions.len() <= 5);
        found.extend(page.partitions);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, all);
    // One node goes, and comes back. The others are not disturbed.
    cluster.nodes()[1].stop();
    let mut failed = 0;
    for partition in &all {
        let begun = Instant::now();
        match store.get(partition, &[name("counter")], NOON).await {
            Ok(records) => assert!(records[0].is_some()),
            Err(error) => {
                assert!(error.is_transient() && !error.is_unknown());
                failed += 1;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        if failed > 1 {
            break;
        }
    }
    assert!(failed > 0);
    cluster.nodes()[1].restart();
    let store = Arc::new(store);
    let back = async {
        for partition in &all {
            let back = async || store.get(partition, &[name("counter")], NOON).await;
            while !matches!(back().await, Ok(records) if records[0].is_some()) {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), back).await.unwrap();
}
