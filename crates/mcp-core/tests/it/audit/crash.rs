//! What a crash leaves behind, and who may write.

use super::*;

/// A log of a process that crashed: what was on disk at its last update of the head, and one row later.
fn crash() -> (Files, Vec<u8>, Vec<u8>, Vec<u8>) {
    let files = Files::with_chains(&[1]);
    let sink = files.open();
    sink.record(&event(1));
    sink.flush().unwrap();
    let (log, head) = (fs::read(&files.log).unwrap(), fs::read(&files.head).unwrap());
    sink.record(&event(2));
    sink.flush().unwrap();
    let later = fs::read(&files.log).unwrap();
    drop(sink);
    (files, head, log, later)
}

// covers: AU01
#[test]
fn a_torn_tail_is_told_from_tampering_at_every_byte() {
    let (files, head, log, later) = crash();
    for len in log.len() + 1..later.len() {
        fs::write(&files.head, &head).unwrap();
        fs::write(&files.log, &later[..len]).unwrap();
        let report = files.verify();
        assert!(report.is_intact(), "{len}: {:?}", report.finding);
        assert_eq!((report.rows, report.torn_tail, report.ended), (5, Some(6), false));

        // The next process cuts it off, says so, and goes on.
        let sink = files.open();
        sink.record(&event(3));
        drop(sink);
        let report = files.verify();
        assert_eq!((report.finding, report.rows, report.chains, report.torn_tail), (None, 8, 3, None));
        assert_eq!(report.cut, u64::try_from(len - log.len()).unwrap());
    }
}

#[test]
fn rows_a_crash_left_behind_the_head_are_kept() {
    let (files, head, _, later) = crash();
    fs::write(&files.head, &head).unwrap();
    fs::write(&files.log, &later).unwrap();
    let report = files.verify();
    assert_eq!((report.finding, report.rows, report.beyond_head), (None, 6, 1));
    drop(files.open());
    let report = files.verify();
    assert_eq!((report.finding, report.rows, report.beyond_head, report.cut), (None, 8, 0, 0));
}

// covers: AU01
#[test]
fn no_process_goes_on_with_a_log_that_was_tampered_with_behind_its_head() {
    let (files, head, log, later) = crash();
    fs::write(&files.head, &head).unwrap();
    let mut changed = later.clone();
    changed[log.len() + 10] ^= 1;
    fs::write(&files.log, &changed).unwrap();
    assert!(files.refusal().contains("has been tampered with"));
    assert_eq!(fs::read(&files.log).unwrap(), changed, "a refusal changes nothing");
    fs::write(&files.log, [&log[..], &[b'x'; 70_000][..], b"\n"].concat()).unwrap();
    assert!(files.refusal().contains("has been tampered with"));
}

#[test]
fn two_continuations_of_one_log_do_not_mix() {
    let (files, head, log, _) = crash();
    let fork = |n| {
        fs::write(&files.log, &log).unwrap();
        fs::write(&files.head, &head).unwrap();
        let sink = files.open();
        sink.record(&event(n));
        drop(sink);
        (files.text(), fs::read(&files.head).unwrap())
    };
    let (one, head_of_one) = fork(100);
    let (other, _) = fork(200);
    // The other history with the head of this one.
    fs::write(&files.head, head_of_one).unwrap();
    let last = lines(&one).len();
    assert_eq!(files.judge(&[&other]), Some((Damage::Forked, u64::try_from(last).unwrap())));
    // A row of the other history in this one.
    let mut mixed = lines(&one);
    let other = lines(&other);
    mixed[last - 2] = other[last - 2];
    assert_eq!(files.judge(&mixed), Some((Damage::Forked, u64::try_from(last - 1).unwrap())));
}

#[test]
fn a_log_has_one_writer() {
    let files = Files::new();
    let first = files.open();
    assert!(files.refusal().contains("is being written by another sink or process"));
    first.record(&event(1));
    drop(first);
    let second = files.open();
    second.record(&event(2));
    drop(second);
    let report = files.verify();
    assert_eq!((report.finding, report.rows, report.chains), (None, 6, 2));
}

#[test]
fn set_ups_that_cannot_work_are_refused_with_advice() {
    let files = Files::new();
    let same = ChainConfig::new(&files.log, &files.log, SecretKey::random());
    let error = ChainSink::open(same).unwrap_err();
    assert!(error.to_string().contains("name another file"), "{error}");
    let nowhere = ChainConfig::new("/nonexistent/log", &files.head, SecretKey::random());
    let error = ChainSink::open(nowhere).unwrap_err();
    assert!(error.to_string().contains("name a file this process may write"), "{error}");
    let nowhere = ChainConfig::new(&files.log, "/nonexistent/head", SecretKey::random());
    assert!(ChainSink::open(nowhere).is_err());
}

#[cfg(unix)]
#[test]
fn others_cannot_read_the_log() {
    use std::os::unix::fs::PermissionsExt;

    let files = Files::with_chains(&[1]);
    assert_eq!(fs::metadata(&files.log).unwrap().permissions().mode() & 0o077, 0);
}

#[test]
fn many_threads_write_one_chain() {
    let files = Files::new();
    let sink = ChainSink::open(files.config().queue(100_000)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let sink = &sink;
            scope.spawn(move || (0..500).for_each(|n| sink.record(&event(thread * 1000 + n))));
        }
    });
    drop(sink);
    let report = files.verify();
    assert_eq!((report.finding, report.rows, report.lost), (None, 4_002, 0));
}
