//! Whose file it is, and how it becomes the present version.

use super::super::schema::{STEPS, migrate, recognise};
use super::*;

fn version(connection: &rusqlite::Connection) -> i64 {
    connection.query_row("SELECT user_version FROM pragma_user_version", [], |row| row.get(0)).unwrap()
}

#[test]
fn an_older_version_is_migrated_with_what_is_in_it() {
    let file = File::new();
    let partition = Partition::random();
    let mut link = file.link();
    let (first, _waiting) = job(&partition, put("a"));
    super::super::group::write(&mut link, &[first]);
    let connection = link.get().unwrap();
    assert_eq!(version(connection), 1);

    let next = "ALTER TABLE records ADD COLUMN sealed_by INTEGER NOT NULL DEFAULT 7";
    let steps = [STEPS, &[next]].concat();
    migrate(connection, &file.place, &steps).unwrap();
    assert_eq!(version(connection), 2);
    let migrated: (String, i64) = connection
        .query_row("SELECT name, sealed_by FROM records", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(migrated, ("a".to_owned(), 7));
    migrate(connection, &file.place, &steps).expect("once is enough");

    // This version knows one step less now.
    let error = recognise(connection, &file.place, STEPS).unwrap_err().to_string();
    assert!(error.contains("newer version (schema 2, this one knows 1)"), "{error}");
}

#[test]
fn a_step_that_fails_changes_nothing() {
    let file = File::new();
    let mut link = file.link();
    let connection = link.get().unwrap();
    let steps =
        [STEPS, &["CREATE TABLE more (x) STRICT"], &["CREATE TABLE half (x INTEGER) STRICT; CREATE TABLE"]]
            .concat();
    assert!(migrate(connection, &file.place, &steps).is_err());
    assert_eq!(version(connection), 1);
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'half'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 0);
}

#[test]
fn every_connection_writes_through_to_the_disk() {
    let file = File::new();
    let _first = file.link();
    for role in [Role::Writer, Role::Reader, Role::Mover] {
        let connection = connection::open_again(&file.place, role).unwrap();
        let pragma = |name: &str| -> rusqlite::types::Value {
            connection.pragma_query_value(None, name, |row| row.get(0)).unwrap()
        };
        assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
        assert_eq!(pragma("synchronous"), 2.into(), "FULL");
        assert_eq!(pragma("mmap_size"), 0.into());
    }
}
