//! The log begins anew when it has grown, without SQLite's own way.

use std::thread;
use std::time::Instant;

use super::super::connection::{self, Role};
use super::super::group;
use super::super::tests::{File, job, name};
use super::*;
use crate::{Batch, Partition};

/// Commits about as many pages as `batches` times 256; says how many, as the writer does.
fn write(link: &mut Link, batches: usize) -> usize {
    let mut pages = 0;
    for _ in 0..batches {
        let batch = (0..16).fold(Batch::new(), |batch, number| {
            batch.put(name(&number.to_string()), vec![7; 64 * 1024], None)
        });
        let (job, _waiting) = job(&Partition::random(), batch);
        pages += group::write(link, &[job]);
    }
    pages
}

#[test]
fn a_log_that_has_grown_begins_anew() {
    let file = File::new();
    let mut link = file.link();
    let mover = connection::open_again(&file.place, Role::Mover).unwrap();
    let mover = Link::new(file.place.clone(), Role::Mover, mover);
    let log = Log::default();
    let length = || std::fs::metadata(file.place.beside("-wal")).unwrap().len();

    log.grew(write(&mut link, 20));
    let grown = length();
    assert!(grown > 4096 * 4500, "{grown}");
    thread::scope(|threads| {
        threads.spawn(|| run(&log, mover));
        let patience = Instant::now();
        while !log.state().ripe && patience.elapsed().as_secs() < 30 {
            thread::yield_now();
        }
        // Written while the thread was at work: this is left to the writer.
        log.grew(write(&mut link, 1));
        let ripe = log.state().ripe;
        log.finish(&mut link);
        log.close();
        assert!(ripe, "the writer is not told that it is time");
    });
    write(&mut link, 1);
    let frames: i64 = passive(link.get().unwrap()).unwrap();
    assert!(frames < 1000, "{frames} pages in the log");
    assert!(length() <= grown + 4096 * 1000, "the file is used from its beginning");
}
