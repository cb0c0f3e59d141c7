//! The tamper-evident audit log: written, damaged in every way, verified.

mod crash;

use std::fs;
use std::path::PathBuf;

use mcp_core::audit::{
    Audit, AuditEvent, AuditSink, ChainConfig, ChainSink, Damage, Durability, EventKind, Finding, Outcome,
    VerifyReport, verify,
};
use mcp_core::{Identity, SecretKey, Timestamp};
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

/// A log and its head, in a directory of their own.
struct Files {
    log: PathBuf,
    head: PathBuf,
    key: SecretKey,
    _dir: TempDir,
}

impl Files {
    fn new() -> Self {
        Self::under(SecretKey::random())
    }

    fn under(key: SecretKey) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { log: dir.path().join("audit.jsonl"), head: dir.path().join("audit.head"), key, _dir: dir }
    }

    /// A log with chains of so many events each; with the first and last row of each that is two more.
    fn with_chains(chains: &[u64]) -> Self {
        let files = Self::new();
        for events in chains {
            let sink = files.open();
            for n in 0..*events {
                sink.record(&event(n));
            }
        }
        files
    }

    fn config(&self) -> ChainConfig {
        ChainConfig::new(&self.log, &self.head, self.key.clone()).durability(Durability::OperatingSystem)
    }

    fn open(&self) -> ChainSink {
        ChainSink::open(self.config()).unwrap()
    }

    fn refusal(&self) -> String {
        ChainSink::open(self.config()).unwrap_err().to_string()
    }

    fn verify(&self) -> VerifyReport {
        verify(&self.log, &self.head, &self.key).unwrap()
    }

    fn finding(&self) -> Option<Finding> {
        self.verify().finding
    }

    /// The finding's damage and line, with these lines in the log.
    fn judge(&self, lines: &[&str]) -> Option<(Damage, u64)> {
        fs::write(&self.log, lines.concat()).unwrap();
        self.finding().map(|finding| (finding.damage, finding.line))
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn rows(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn event(n: u64) -> AuditEvent {
    AuditEvent::new(Timestamp::from_secs(n), EventKind::Authentication, Outcome::Denied)
        .on("/mcp")
        .doing(format!("tools/call {n}"))
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn line_number(index: usize) -> u64 {
    u64::try_from(index).unwrap() + 1
}

#[test]
fn an_untouched_log_is_intact() {
    let files = Files::with_chains(&[3, 0, 2]);
    let report = files.verify();
    assert_eq!(report.finding, None);
    assert_eq!((report.rows, report.chains, report.lost, report.cut), (11, 3, 0, 0));
    assert_eq!((report.beyond_head, report.torn_tail, report.ended), (0, None, true));
    // Each chain begins where the one before ended.
    let rows = files.rows();
    for pair in rows.windows(2) {
        assert_eq!(pair[1]["prev"], pair[0]["mac"]);
    }
    let first_of_second = &rows[5];
    assert!(first_of_second["chain"].as_str().unwrap().ends_with(".1"));
    assert_eq!(first_of_second["seq"], 0);
}

#[test]
fn a_flush_brings_everything_to_disk_and_into_the_head() {
    let files = Files::new();
    let sink = ChainSink::open(files.config().durability(Durability::Disk)).unwrap();
    for n in 0..1_000 {
        sink.record(&event(n));
    }
    sink.flush().unwrap();
    let report = files.verify();
    assert_eq!((report.rows, report.beyond_head, report.ended), (1_001, 0, false));
    assert!(report.is_intact());
    drop(sink);
    assert!(files.verify().ended);
}

// covers: AU03
#[test]
fn every_class_of_event_is_a_row_with_its_particulars() {
    let files = Files::new();
    let caller = Identity::new("https://idp.example.com", "ada").client("cli").token_id("jti-1").build();
    let kinds = [
        EventKind::Authentication,
        EventKind::Authorization,
        EventKind::Session,
        EventKind::StreamEnded,
        EventKind::Guard,
        EventKind::Key,
        EventKind::Credential,
        EventKind::Other("consent".to_owned()),
    ];
    let audit = Audit::default().to(std::sync::Arc::new(files.open()));
    for kind in &kinds {
        for outcome in [Outcome::Allowed, Outcome::Denied, Outcome::Failed] {
            audit.record(
                AuditEvent::new(Timestamp::from_millis(1_700_000_000_123), kind.clone(), outcome)
                    .by(&caller)
                    .on("https://mcp.example.com/mcp")
                    .doing("tools/call delete")
                    .from_address("192.0.2.1".parse().ok())
                    .in_request(Some("req-7".to_owned()))
                    .because("the token has expired"),
            );
        }
    }
    drop(audit);
    let rows = files.rows();
    let of_kind = |kind: &EventKind, outcome: Outcome| {
        let wanted = serde_json::to_value(kind).unwrap();
        let outcome = outcome.as_str();
        rows.iter()
            .map(|row| &row["event"])
            .find(|event| event["kind"] == wanted && event["outcome"] == outcome)
            .unwrap()
            .clone()
    };
    for kind in &kinds {
        for outcome in [Outcome::Allowed, Outcome::Denied, Outcome::Failed] {
            let event = of_kind(kind, outcome);
            assert_eq!(event["at"], 1_700_000_000_123_u64);
            for (field, value) in [
                ("issuer", "https://idp.example.com"),
                ("subject", "ada"),
                ("client", "cli"),
                ("token_id", "jti-1"),
                ("address", "192.0.2.1"),
                ("resource", "https://mcp.example.com/mcp"),
                ("action", "tools/call delete"),
                ("request_id", "req-7"),
                ("reason", "the token has expired"),
            ] {
                assert_eq!(event[field], value, "{kind:?} {field}");
            }
        }
    }
    assert!(files.verify().is_intact());
}

// covers: AU02
#[test]
fn what_a_peer_writes_is_one_record() {
    let files = Files::new();
    let nasty =
        "curl\r\n{\"chain\":\"x.0\",\"seq\":9}\n\u{1b}[2J\u{1b}[31m\"},\"mac\":\"\u{2028}\u{85}\0\u{7f}";
    let sink = files.open();
    sink.record(&event(1).because(nasty).doing(nasty).on(nasty));
    drop(sink);
    let text = files.text();
    assert_eq!(text.lines().count(), 3);
    assert!(!text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\n' && byte != 0x7f));
    assert_eq!(files.rows()[1]["event"]["reason"], nasty);
    assert!(files.verify().is_intact());
}

#[test]
fn an_event_that_is_too_long_leaves_a_stump() {
    let files = Files::new();
    let sink = files.open();
    sink.record(&event(1).because("x".repeat(100_000)));
    sink.record(&event(2));
    drop(sink);
    let rows = files.rows();
    assert_eq!(rows[1]["event"]["reason"], "the event was too long to be kept whole");
    assert_eq!(rows[1]["event"]["kind"], "authentication");
    assert_eq!(rows[2]["event"]["action"], "tools/call 2");
    assert!(files.verify().is_intact());
}

// covers: AU01
#[test]
fn a_changed_byte_is_found_in_its_line() {
    let files = Files::with_chains(&[1]);
    let bytes = files.text().into_bytes();
    let mut line = 1;
    for at in 0..bytes.len() {
        for mask in [0x01, 0x20, bytes[at] ^ b'\n'] {
            if mask == 0 {
                continue;
            }
            let mut changed = bytes.clone();
            changed[at] ^= mask;
            fs::write(&files.log, &changed).unwrap();
            let finding = files.finding().unwrap();
            assert_eq!(finding.line, line, "byte {at} mask {mask:#x}: {finding}");
            // Without its end the last line is no line, and the head misses it.
            let expected = if at + 1 == bytes.len() { Damage::Truncated } else { Damage::Edited };
            assert_eq!(finding.damage, expected, "byte {at} mask {mask:#x}");
        }
        line += u64::from(bytes[at] == b'\n');
    }
}

// covers: AU01
#[test]
fn a_byte_added_or_removed_is_found_in_its_line() {
    let files = Files::with_chains(&[1]);
    let bytes = files.text().into_bytes();
    let mut line = 1;
    for at in 0..bytes.len() {
        let mut shorter = bytes.clone();
        shorter.remove(at);
        fs::write(&files.log, &shorter).unwrap();
        assert_eq!(files.finding().unwrap().line, line, "without byte {at}");
        for byte in [b' ', b'\n', 0] {
            let mut longer = bytes.clone();
            longer.insert(at, byte);
            fs::write(&files.log, &longer).unwrap();
            // Before a line end, another one leaves the line whole and an empty one behind it.
            let found = line + u64::from(byte == bytes[at]) * u64::from(byte == b'\n');
            assert_eq!(files.finding().unwrap().line, found, "{byte:#x} before byte {at}");
        }
        line += u64::from(bytes[at] == b'\n');
    }
}

// covers: AU01
#[test]
fn a_log_cut_off_anywhere_is_shorter_than_its_head_says() {
    let files = Files::with_chains(&[1]);
    let bytes = files.text().into_bytes();
    for len in 0..bytes.len() {
        fs::write(&files.log, &bytes[..len]).unwrap();
        let whole = bytes[..len].iter().filter(|byte| **byte == b'\n').count();
        let report = files.verify();
        let finding = report.finding.unwrap();
        assert_eq!((finding.damage, finding.line), (Damage::Truncated, line_number(whole)), "{len}");
        // The unfinished line is no excuse.
        assert_eq!(report.torn_tail, None);
        assert!(files.refusal().contains("is shorter than its head says"));
    }
    fs::remove_file(&files.log).unwrap();
    assert_eq!(files.finding().unwrap().to_string(), "line 1 (chain 0, row 0): the log was cut off here");
}

// covers: AU01
#[test]
fn deleted_rows_are_found_wherever_they_were() {
    let files = Files::with_chains(&[3, 1, 2]);
    let text = files.text();
    let lines = lines(&text);
    for from in 0..lines.len() {
        for to in from + 1..=lines.len() {
            let left = [&lines[..from], &lines[to..]].concat();
            let damage = if to == lines.len() { Damage::Truncated } else { Damage::Deleted };
            assert_eq!(files.judge(&left), Some((damage, line_number(from))), "{from}..{to}");
        }
    }
}

// covers: AU01
#[test]
fn rows_in_another_order_are_found_at_the_first_that_is_out_of_place() {
    let files = Files::with_chains(&[3, 1, 2]);
    let text = files.text();
    let lines = lines(&text);
    for one in 0..lines.len() {
        for other in one + 1..lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(one, other);
            assert_eq!(
                files.judge(&swapped),
                Some((Damage::Reordered, line_number(one))),
                "{one} and {other}"
            );
            // Moved there, the others closing up.
            let mut moved = lines.clone();
            let row = moved.remove(one);
            moved.insert(other, row);
            assert_eq!(files.judge(&moved), Some((Damage::Reordered, line_number(one))), "{one} to {other}");
        }
    }
}

// covers: AU01
#[test]
fn a_repeated_row_is_found_where_it_was_put() {
    let files = Files::with_chains(&[2, 1]);
    let text = files.text();
    let lines = lines(&text);
    for row in 0..lines.len() {
        for to in row + 1..=lines.len() {
            let mut repeated = lines.clone();
            repeated.insert(to, lines[row]);
            assert_eq!(files.judge(&repeated), Some((Damage::Repeated, line_number(to))), "{row} at {to}");
        }
    }
}

// covers: AU01
#[test]
fn rows_that_were_made_up_or_belong_elsewhere_are_found() {
    let files = Files::with_chains(&[2, 1]);
    let text = files.text();
    let lines = lines(&text);
    let other = Files::under(files.key.clone());
    drop(other.open());
    let foreign = other.text();
    let stranger = Files::with_chains(&[0]);
    let made_up = stranger.text();
    for at in 0..=lines.len() {
        for (row, damage) in [
            (foreign.lines().next().unwrap(), Damage::Foreign),
            (made_up.lines().next().unwrap(), Damage::Edited),
            ("", Damage::Edited),
            ("{}", Damage::Edited),
        ] {
            let row = format!("{row}\n");
            let mut inserted = lines.clone();
            inserted.insert(at, &row);
            assert_eq!(files.judge(&inserted), Some((damage, line_number(at))), "{row} at {at}");
        }
    }
    // The whole log exchanged for another one under the same key.
    assert_eq!(files.judge(&[&foreign]), Some((Damage::Foreign, 1)));
}

// covers: AU01
#[test]
fn a_whole_chain_cannot_vanish() {
    let files = Files::with_chains(&[2, 1, 0]);
    let text = files.text();
    let lines = lines(&text);
    let (first, second) = (4, 7);
    assert_eq!(files.judge(&lines[..second]), Some((Damage::Truncated, 8)));
    assert_eq!(files.judge(&[&lines[..first], &lines[second..]].concat()), Some((Damage::Deleted, 5)));
    assert_eq!(files.judge(&lines[first..]), Some((Damage::Deleted, 1)));
    assert_eq!(files.judge(&[]), Some((Damage::Truncated, 1)));
}

// covers: AU01
#[test]
fn a_head_is_missed_and_cannot_be_forged() {
    let files = Files::with_chains(&[2]);
    let head = fs::read(&files.head).unwrap();
    for at in 0..head.len() {
        let mut changed = head.clone();
        changed[at] ^= 1;
        fs::write(&files.head, &changed).unwrap();
        assert_eq!(files.finding().map(|finding| finding.damage), Some(Damage::HeadForged), "byte {at}");
        fs::write(&files.head, &head[..at]).unwrap();
        assert_eq!(files.finding().map(|finding| finding.damage), Some(Damage::HeadForged), "cut at {at}");
    }
    assert!(files.refusal().contains("a head that was not written under this key"));
    fs::remove_file(&files.head).unwrap();
    assert_eq!(files.finding().unwrap().to_string(), "the head is missing");
    assert!(files.refusal().contains("has lost its head"));
    // A row, which bears a MAC of the same key, is no head.
    fs::write(&files.head, files.text().lines().next().unwrap()).unwrap();
    assert_eq!(files.finding().map(|finding| finding.damage), Some(Damage::HeadForged));
    // The head of another log under the same key is.
    let other = Files::under(files.key.clone());
    drop(other.open());
    fs::copy(&other.head, &files.head).unwrap();
    assert_eq!(files.finding().map(|finding| finding.damage), Some(Damage::Foreign));
    // A bad row says more than a bad head.
    fs::write(&files.head, "").unwrap();
    let text = files.text().replacen("tools/call 1", "tools/call 7", 1);
    assert_eq!(files.judge(&[&text]), Some((Damage::Edited, 3)));
}

#[test]
fn another_key_opens_nothing() {
    let files = Files::with_chains(&[1]);
    let report = verify(&files.log, &files.head, &SecretKey::random()).unwrap();
    assert_eq!(report.finding.map(|finding| (finding.damage, finding.line)), Some((Damage::Edited, 1)));
    let wrong = ChainConfig::new(&files.log, &files.head, SecretKey::random());
    assert!(ChainSink::open(wrong).is_err());
}

#[derive(Clone, Debug)]
enum Tampering {
    Delete(usize),
    Swap(usize, usize),
    Repeat(usize, usize),
    Edit(usize, usize, u8),
    Cut(usize),
}

fn tampering() -> impl Strategy<Value = Tampering> {
    prop_oneof![
        any::<usize>().prop_map(Tampering::Delete),
        any::<(usize, usize)>().prop_map(|(one, other)| Tampering::Swap(one, other)),
        any::<(usize, usize)>().prop_map(|(row, to)| Tampering::Repeat(row, to)),
        (any::<usize>(), any::<usize>(), 1..=255u8)
            .prop_map(|(row, at, mask)| Tampering::Edit(row, at, mask)),
        any::<usize>().prop_map(Tampering::Cut),
    ]
}

fn tamper(lines: &mut Vec<Vec<u8>>, how: &Tampering) {
    let rows = lines.len().max(1);
    match *how {
        _ if lines.is_empty() => {}
        Tampering::Delete(row) => drop(lines.remove(row % rows)),
        Tampering::Swap(one, other) => lines.swap(one % rows, other % rows),
        Tampering::Repeat(row, to) => lines.insert(to % (rows + 1), lines[row % rows].clone()),
        Tampering::Edit(row, at, mask) => {
            let line = &mut lines[row % rows];
            let at = at % line.len();
            line[at] ^= mask;
        }
        Tampering::Cut(len) => lines.truncate(len % rows),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However a log is tampered with, the finding is the first line that is not what was written.
    // covers: AU01
    #[test]
    fn the_first_bad_row_is_named(
        chains in prop::collection::vec(0..4u64, 1..4),
        tamperings in prop::collection::vec(tampering(), 1..4),
    ) {
        let files = Files::with_chains(&chains);
        let text = files.text();
        let before: Vec<Vec<u8>> = lines(&text).into_iter().map(|line| line.as_bytes().to_vec()).collect();
        let mut after = before.clone();
        for how in &tamperings {
            tamper(&mut after, how);
        }
        let bytes = after.concat();
        fs::write(&files.log, &bytes).unwrap();
        let untouched = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .zip(&before)
            .take_while(|(now, then)| now == then)
            .count();
        let finding = files.finding();
        if bytes == text.as_bytes() {
            prop_assert_eq!(finding, None);
        } else {
            prop_assert_eq!(finding.map(|finding| finding.line), Some(line_number(untouched)), "{:?}", finding);
        }
    }

    /// No bytes in either file make it fall over, or look intact.
    #[test]
    fn any_bytes_are_survived(
        log in prop::collection::vec(any::<u8>(), 0..500),
        head in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let files = Files::new();
        fs::write(&files.log, log).unwrap();
        fs::write(&files.head, head).unwrap();
        prop_assert!(!files.verify().is_intact());
        prop_assert!(ChainSink::open(files.config()).is_err());
    }
}
