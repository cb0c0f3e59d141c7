//! PostgreSQL: restarts, several nodes at start, rights, evil settings, certificates.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mcp_store::testkit::servers::PostgresServer;
use mcp_store::{Batch, Partition, PostgresStore, Store};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Load, processes};
use crate::support::{NOON, millis, name};

/// One server for all tests that do not break it.
pub(super) fn shared() -> Option<&'static PostgresServer> {
    static SERVER: OnceLock<Option<PostgresServer>> = OnceLock::new();
    SERVER.get_or_init(|| PostgresServer::start(&["max_connections=300"])).as_ref()
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
async fn a_killed_session_is_replaced() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let database = url.rsplit('/').next().unwrap();
    let store = PostgresStore::connect(&url).unwrap();
    store.start().await.unwrap();
    let partition = Partition::random();
    for number in 1..=10 {
        assert!(store.commit(&partition, increment(Batch::new(), number), NOON).await.unwrap().is_done());
        let kill =
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'");
        let _ = server.sql("postgres", &kill);
        assert_eq!(count(&store, &partition).await, number);
    }
}

#[tokio::test]
async fn a_restarted_server_is_used_again_and_has_kept_everything() {
    let Some(mut server) = PostgresServer::start(&[]) else { return };
    let store = PostgresStore::connect(server.url("postgres")).unwrap().with_timeout(millis(500)).unwrap();
    store.start().await.unwrap();
    let partition = Partition::random();
    assert!(store.commit(&partition, increment(Batch::new(), 7), NOON).await.unwrap().is_done());
    server.stop();
    let begun = Instant::now();
    let error = store.commit(&partition, increment(Batch::new(), 8), NOON).await.unwrap_err();
    assert!(error.is_transient() && begun.elapsed() < millis(3000));
    let error = store.get(&partition, &[name("counter")], NOON).await.unwrap_err();
    assert!(error.is_transient() && !error.is_unknown());
    server.restart();
    assert_eq!(count(&store, &partition).await, 7);
    assert!(store.commit(&partition, increment(Batch::new(), 8), NOON).await.unwrap().is_done());
    assert_eq!(count(&store, &partition).await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_under_load_loses_nothing_that_was_acknowledged() {
    let Some(mut server) = PostgresServer::start(&[]) else { return };
    let store = PostgresStore::connect(server.url("postgres")).unwrap().with_timeout(millis(500)).unwrap();
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
    processes::race(&server.database()).await;
}

#[tokio::test]
async fn many_nodes_that_start_at_once_make_one_schema() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let mut starting = JoinSet::new();
    for _ in 0..12 {
        let store = PostgresStore::connect(&url).unwrap().with_schema("auth_2").unwrap();
        starting.spawn(async move { store.start().await });
    }
    while let Some(started) = starting.join_next().await {
        started.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_an_empty_one_is_filled() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let database = url.rsplit('/').next().unwrap();
    // As an administrator makes it for a user who may not.
    let _ = server.sql(database, "CREATE SCHEMA mcp");
    let store = PostgresStore::connect(&url).unwrap();
    store.start().await.unwrap();
    let _ = server.sql(database, "UPDATE mcp.version SET version = 99");
    let error = PostgresStore::connect(&url).unwrap().start().await.unwrap_err();
    assert!(error.to_string().contains("version 99"), "{error}");
    let _ = server.sql(database, "UPDATE mcp.version SET version = -1");
    assert!(PostgresStore::connect(&url).unwrap().start().await.is_err());
}

#[tokio::test]
async fn a_user_without_the_right_to_make_tables_can_use_those_that_are_there() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let database = url.rsplit('/').next().unwrap();
    let _ = server.sql(database, "CREATE ROLE app LOGIN");
    let as_app = PostgresStore::connect(url.replace("postgres@", "app@")).unwrap();
    let error = as_app.start().await.unwrap_err();
    assert!(error.to_string().contains("create the schema"), "{error}");
    PostgresStore::connect(&url).unwrap().start().await.unwrap();
    let grants = "GRANT USAGE ON SCHEMA mcp TO app; \
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA mcp TO app";
    let _ = server.sql(database, grants);
    as_app.start().await.unwrap();
    let partition = Partition::random();
    assert!(as_app.commit(&partition, increment(Batch::new(), 1), NOON).await.unwrap().is_done());
    assert_eq!(count(&as_app, &partition).await, 1);
}

#[tokio::test]
async fn a_server_that_may_lose_data_is_refused() {
    let Some(server) = PostgresServer::start(&["fsync=off"]) else { return };
    let error = PostgresStore::connect(server.url("postgres")).unwrap().start().await.unwrap_err();
    assert!(error.to_string().contains("turn fsync on"), "{error}");
}

#[tokio::test]
async fn acknowledging_too_early_is_turned_off() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let database = url.rsplit('/').next().unwrap();
    let _ = server.sql(database, &format!("ALTER DATABASE {database} SET synchronous_commit = off"));
    let _ = server.sql(
        database,
        &format!("ALTER DATABASE {database} SET default_transaction_isolation = serializable"),
    );
    let store = PostgresStore::connect(&url).unwrap();
    store.start().await.unwrap();
    let settings = "CREATE TABLE seen (what text); \
        CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES \
        (current_setting('synchronous_commit') || ' ' || current_setting('transaction_isolation')); RETURN NULL; END $$; \
        CREATE TRIGGER look AFTER INSERT ON mcp.records EXECUTE FUNCTION look()";
    let _ = server.sql(database, settings);
    let batch = increment(Batch::new(), 1);
    assert!(store.commit(&Partition::random(), batch, NOON).await.unwrap().is_done());
    assert_eq!(server.sql(database, "SELECT what FROM seen"), "on read committed");
}

#[tokio::test]
async fn attempts_are_forgotten_after_some_minutes_and_fences_after_an_hour() {
    let Some(server) = shared() else { return };
    let url = server.database();
    let database = url.rsplit('/').next().unwrap();
    let store = PostgresStore::connect(&url).unwrap();
    store.start().await.unwrap();
    for number in 0..5 {
        let batch = increment(Batch::new(), number);
        assert!(store.commit(&Partition::random(), batch, NOON).await.unwrap().is_done());
    }
    let fence = "INSERT INTO mcp.attempts (id, happened) VALUES (1, false)";
    let _ = server.sql(database, fence);
    let left = || server.sql(database, "SELECT count(*) FROM mcp.attempts");
    let age = |by: &str| {
        server.sql(database, &format!("UPDATE mcp.attempts SET made_at = made_at - interval '{by}'"))
    };
    assert!(!store.sweep(NOON, 3).await.unwrap().more);
    assert_eq!(left(), "6");
    let _ = age("3 minutes");
    assert!(store.sweep(NOON, 3).await.unwrap().more);
    assert!(!store.sweep(NOON, 3).await.unwrap().more);
    assert_eq!(left(), "1");
    let _ = age("1 hour");
    assert!(!store.sweep(NOON, 3).await.unwrap().more);
    assert_eq!(left(), "0");
}

#[tokio::test]
async fn only_the_certificate_of_the_host_is_believed() {
    let Some(mut server) = PostgresServer::start(&[]) else { return };
    let url = format!("{}?sslmode=verify-full", server.url("postgres"));
    // Without TLS on the other side nothing is said in clear.
    let error = PostgresStore::connect(&url).unwrap().start().await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");

    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    server.serve_tls(&own.cert.pem(), &own.signing_key.serialize_pem());
    server.restart();
    let store = PostgresStore::connect(&url).unwrap().with_root_certificate(own.cert.pem()).unwrap();
    store.start().await.unwrap();
    let partition = Partition::random();
    assert!(store.commit(&partition, increment(Batch::new(), 1), NOON).await.unwrap().is_done());
    let secret = "SELECT bool_and(s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
        WHERE application_name = 'mcp-store'";
    assert_eq!(server.sql("postgres", secret), "t");
    // A file says the same.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), own.cert.pem()).unwrap();
    let with_file = format!("{url}&sslrootcert={}", file.path().display());
    PostgresStore::connect(with_file).unwrap().start().await.unwrap();

    for (url, root) in [
        (url.clone(), Some(other.cert.pem())),
        (url.clone(), None),
        (url.replace("127.0.0.1", "localhost"), Some(own.cert.pem())),
        (url.replace("verify-full", "prefer"), Some(other.cert.pem())),
        (url.replace("verify-full", "require"), Some(other.cert.pem())),
    ] {
        let mut store = PostgresStore::connect(&url).unwrap();
        if let Some(root) = root {
            store = store.with_root_certificate(root).unwrap();
        }
        let begun = Instant::now();
        let error = store.start().await.unwrap_err();
        assert!(error.to_string().contains("cannot be reached"), "{url}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn no_password_is_in_an_error() {
    let Some(server) = shared() else { return };
    let url = server.url("nowhere").replace("postgres@", "postgres:hunter2@");
    let store = PostgresStore::connect(url).unwrap();
    let error = store.start().await.unwrap_err();
    assert!(!format!("{error:?} {store:?}").contains("hunter2"), "{error:?}");
    assert!(format!("{error:?}").contains("nowhere"), "{error:?}");
}
