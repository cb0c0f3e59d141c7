//! The file: where it may be, whose it may be, who may read it.

use std::fs;

use mcp_store::{Partition, RootKeyPlace, SqliteStore, Store};
use rusqlite::Connection;

use super::{Directory, put};
use crate::support::{NOON, name};

fn refusal(path: impl AsRef<std::path::Path>) -> String {
    SqliteStore::open(path).unwrap_err().to_string()
}

async fn refusal_at_start(path: impl AsRef<std::path::Path>) -> String {
    SqliteStore::open(path).unwrap().start().await.unwrap_err().to_string()
}

#[test]
fn what_is_no_place_for_a_file_is_refused_with_advice() {
    let directory = Directory::new();
    for path in ["", ":memory:", "file:auth.db?mode=memory"] {
        let error = refusal(path);
        assert!(error.contains("use MemoryStore"), "{error}");
    }
    let error = refusal(directory.file("none/auth.db"));
    assert!(error.starts_with("there is no directory ") && error.contains("make it first"), "{error}");
    fs::write(directory.file("file"), "x").unwrap();
    let error = refusal(directory.file("file/auth.db"));
    assert!(error.contains("cannot be used"), "{error}");
    let error = refusal(directory.file("."));
    assert!(error.contains("name the database file"), "{error}");
    fs::create_dir(directory.file("inner")).unwrap();
    let error = refusal(directory.file("inner"));
    assert!(error.contains("is not a file"), "{error}");
    let error = refusal(directory.file("inner/.."));
    assert!(error.contains("is a directory"), "{error}");
    assert!(fs::read_dir(directory.file("inner")).unwrap().next().is_none(), "a refusal makes nothing");
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_written_is_refused_with_advice() {
    // Not even the superuser makes a file there.
    let error = refusal("/proc/self/auth.db");
    assert!(error.contains("/auth.db cannot be "), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_what_is_made() {
    use std::os::unix::fs::PermissionsExt;

    let directory = Directory::new();
    let mode = |file: &str| fs::metadata(directory.file(file)).unwrap().permissions().mode() & 0o7777;
    let store = directory.started().await;
    assert!(store.commit(&Partition::random(), put("a"), NOON).await.unwrap().is_done());
    for file in ["auth.db", "auth.db-wal", "auth.db-shm"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }

    // A file that is there: nothing for others, and the group as the operator wants it.
    fs::write(directory.file("old.db"), "").unwrap();
    fs::set_permissions(directory.file("old.db"), fs::Permissions::from_mode(0o666)).unwrap();
    SqliteStore::open(directory.file("old.db")).unwrap().start().await.unwrap();
    assert_eq!(mode("old.db"), 0o660);
}

#[tokio::test]
async fn every_name_of_a_file_leads_to_one_database_and_one_key() {
    let directory = Directory::new();
    let store = directory.started().await;
    let key = directory.file("auth.db").canonicalize().unwrap().with_extension("db.key");
    assert_eq!(store.root_key(), RootKeyPlace::File(key));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(directory.file("auth.db"), directory.file("link.db")).unwrap();
        let other = SqliteStore::open(directory.file("link.db")).unwrap();
        other.start().await.unwrap();
        assert_eq!((other.root_key(), other.path()), (store.root_key(), store.path()));
        let partition = Partition::random();
        assert!(other.commit(&partition, put("a"), NOON).await.unwrap().is_done());
        assert!(store.get(&partition, &[name("a")], NOON).await.unwrap()[0].is_some());
    }
}

#[tokio::test]
async fn a_file_of_somebody_else_is_refused_and_left_alone() {
    let directory = Directory::new();
    for (file, make) in [
        (
            "tables.db",
            "CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('https://example.com')",
        ),
        ("marked.db", "PRAGMA application_id = 7; PRAGMA user_version = 1; CREATE TABLE records (id)"),
        ("versioned.db", "PRAGMA user_version = 1; CREATE TABLE records (id)"),
    ] {
        let other = Connection::open(directory.file(file)).unwrap();
        other.execute_batch(make).unwrap();
        drop(other);
        let before = fs::read(directory.file(file)).unwrap();
        let error = refusal_at_start(directory.file(file)).await;
        assert!(error.contains("is a database of another application"), "{error}");
        assert_eq!(fs::read(directory.file(file)).unwrap(), before);
    }
    fs::write(directory.file("notes.txt"), "a text that somebody wrote ".repeat(100)).unwrap();
    let error = refusal_at_start(directory.file("notes.txt")).await;
    assert!(error.contains("is not a database"), "{error}");
    assert!(fs::read_to_string(directory.file("notes.txt")).unwrap().starts_with("a text"));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let directory = Directory::new();
    let partition = Partition::random();
    let store = directory.started().await;
    assert!(store.commit(&partition, put("a"), NOON).await.unwrap().is_done());
    let other = Connection::open(directory.file("auth.db")).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    let error = refusal_at_start(directory.file("auth.db")).await;
    assert!(error.contains("newer version (schema 99, ") && error.contains("restore a backup"), "{error}");
    other.pragma_update(None, "user_version", 1).unwrap();
    drop(store);
    let store = directory.started().await;
    assert!(store.get(&partition, &[name("a")], NOON).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn nothing_is_done_before_the_start() {
    let directory = Directory::new();
    let store = SqliteStore::open(directory.file("auth.db")).unwrap();
    let error = store.commit(&Partition::random(), put("a"), NOON).await.unwrap_err();
    assert!(error.is_transient() && !error.is_unknown());
    store.start().await.unwrap();
    store.start().await.expect("once more does no harm");
    assert!(store.commit(&Partition::random(), put("a"), NOON).await.unwrap().is_done());
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_replaced_in_use_is_told() {
    let directory = Directory::new();
    let store = directory.started().await;
    let partition = Partition::random();
    assert!(store.commit(&partition, put("a"), NOON).await.unwrap().is_done());

    // Moved away; and then another in its place, as who restores a backup does.
    fs::rename(directory.file("auth.db"), directory.file("moved.db")).unwrap();
    for _ in 0..2 {
        let error = store.commit(&partition, put("lost"), NOON).await.unwrap_err();
        assert!(error.is_transient() && !error.is_unknown());
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("moved or replaced"));
        assert!(store.get(&partition, &[name("a")], NOON).await.is_err());
        fs::write(directory.file("auth.db"), "").unwrap();
    }
    fs::rename(directory.file("moved.db"), directory.file("auth.db")).unwrap();
    assert!(store.commit(&partition, put("kept"), NOON).await.unwrap().is_done());
    assert!(store.get(&partition, &[name("lost")], NOON).await.unwrap()[0].is_none());
}
