//! A disk that is full, and then is not any more.

use std::io::Write;
use std::process::Command;

use mcp_store::{Batch, Partition, SqliteStore, Store};

use super::super::Directory;
use super::{Process, say};
use crate::support::{NOON, name};

/// Writes until it cannot, waits until it is told that there is room, and checks what it was told.
pub(super) async fn child(store: SqliteStore) {
    let partition = Partition::random();
    let put = |number: usize| Batch::new().put(name(&number.to_string()), vec![7; 60_000], None);
    let mut done = 0;
    let error = loop {
        match store.commit(&partition, put(done), NOON).await {
            Ok(committed) => assert!(committed.is_done()),
            Err(error) => break error,
        }
        done += 1;
    };
    assert!(error.is_transient(), "{error:?}");
    // What is there can be read all the same.
    let names: Vec<_> = (0..=done).map(|number| name(&number.to_string())).collect();
    let found = store.get(&partition, &names, NOON).await.unwrap();
    assert!(found[..done].iter().all(Option::is_some));
    assert!(found[done].is_none() || error.is_unknown());

    say("full");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    // In the same store: nothing was restarted.
    for number in done..done + 10 {
        assert!(store.commit(&partition, put(number), NOON).await.unwrap().is_done());
    }
    let found = store.get(&partition, &names, NOON).await.unwrap();
    assert!(found.iter().all(Option::is_some));
    say("done");
}

/// The limit on the size of a file stands for the size of the disk: the write fails in the same place.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_got_over_without_a_restart() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        println!("skipped: there is no prlimit");
        return;
    }
    let directory = Directory::new();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -S -f 3000; exec \"$0\" \"$@\""]);
    shell.arg(std::env::current_exe().unwrap());
    let mut process = Process::start_by(shell, "full -", &directory.file("auth.db"));
    assert_eq!(process.line().as_deref(), Some("full"));
    let lifted = Command::new("prlimit")
        .args(["--fsize=unlimited", "--pid", &process.child.id().to_string()])
        .status()
        .unwrap();
    assert!(lifted.success());
    process.child.stdin.take().unwrap().write_all(b"go on\n").unwrap();
    assert_eq!(process.line().as_deref(), Some("done"));
    process.succeeds();
}
