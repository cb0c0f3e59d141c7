//! `requestState`: sealed for one caller and one call (spec SEC-13).

use std::time::Duration;

use mcp_core::request_state::{StateContext, StateError, StateErrorKind, StateSealer};
use mcp_core::{Identity, SecretKey, Timestamp};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const TTL: Duration = Duration::from_secs(300);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Step {
    confirmed: bool,
    file: String,
}

fn step() -> Step {
    Step { confirmed: true, file: "report.txt".to_owned() }
}

fn key(n: u8) -> SecretKey {
    SecretKey::new([n; 32]).unwrap()
}

fn caller(subject: &str, client: &str) -> Identity {
    Identity::new("https://idp.example.com", subject).client(client).build()
}

fn context() -> StateContext {
    StateContext::new("tools/call").name("delete_file").arguments(&json!({ "file": "report.txt" }))
}

fn sealed(sealer: &StateSealer) -> String {
    sealer.seal(&caller("ada", "cli"), &context(), TTL, NOW, &step()).unwrap()
}

fn open(sealer: &StateSealer, state: &str) -> Result<Step, StateError> {
    sealer.open(&caller("ada", "cli"), &context(), NOW, state)
}

fn kind<T: std::fmt::Debug>(result: Result<T, StateError>) -> StateErrorKind {
    let error = result.unwrap_err();
    // Whatever the reason, the peer reads the same.
    assert_eq!(error.to_string(), "the request state is not valid");
    error.kind()
}

// covers: SEC-13
#[test]
fn a_state_opens_for_its_caller_in_its_context() {
    let sealer = StateSealer::new(&key(1));
    let state = sealed(&sealer);
    assert_eq!(open(&sealer, &state).unwrap(), step());
    assert_eq!(open(&sealer.clone(), &state).unwrap(), step());
    // Another node with the same secret.
    assert_eq!(open(&StateSealer::new(&key(1)), &state).unwrap(), step());
    assert!(!state.contains("report"));
    assert_ne!(state, sealed(&sealer), "the same state twice looks different");
    assert!(state.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
}

// covers: SEC-13
#[test]
fn no_other_caller_can_use_it() {
    let sealer = StateSealer::new(&key(1));
    let state = sealed(&sealer);
    for other in [
        caller("bob", "cli"),
        caller("ada", "ide"),
        Identity::new("https://idp.example.com", "ada").build(),
        Identity::new("https://other.example.com", "ada").client("cli").build(),
        Identity::anonymous(),
    ] {
        let opened = sealer.open::<Step>(&other, &context(), NOW, &state);
        assert_eq!(kind(opened), StateErrorKind::Forged, "{other:?}");
        let opened = sealer.open_once::<Step>(&other, &context(), NOW, &state);
        assert_eq!(kind(opened), StateErrorKind::Forged, "{other:?}");
    }
}

// covers: SEC-13
#[test]
fn it_fits_no_other_call() {
    let sealer = StateSealer::new(&key(1));
    let state = sealed(&sealer);
    for other in [
        StateContext::new("tools/call"),
        StateContext::new("tools/call").name("delete_file"),
        StateContext::new("prompts/get").name("delete_file").arguments(&json!({ "file": "report.txt" })),
        context().name("delete_all"),
        context().arguments(&json!({ "file": "other.txt" })),
        context().resource("https://mcp.example.com/mcp"),
    ] {
        let opened = sealer.open::<Step>(&caller("ada", "cli"), &other, NOW, &state);
        assert_eq!(kind(opened), StateErrorKind::Forged, "{other:?}");
    }
}

// covers: SEC-13
#[test]
fn it_ends() {
    let sealer = StateSealer::new(&key(1));
    let state = sealed(&sealer);
    let at = |now| sealer.open::<Step>(&caller("ada", "cli"), &context(), now, &state);
    assert!(at(NOW + TTL - Duration::from_millis(1)).is_ok());
    assert_eq!(kind(at(NOW + TTL)), StateErrorKind::Expired);
    assert_eq!(kind(at(NOW + TTL * 1000)), StateErrorKind::Expired);
}

// covers: SEC-13
#[test]
fn every_changed_character_is_noticed() {
    let sealer = StateSealer::new(&key(1));
    let state = sealed(&sealer);
    for at in 0..state.len() {
        for bit in 0..7 {
            let mut changed = state.clone().into_bytes();
            changed[at] ^= 1 << bit;
            let changed = String::from_utf8(changed).unwrap();
            assert!(open(&sealer, &changed).is_err(), "character {at}, bit {bit}");
        }
        assert!(open(&sealer, &state[..at]).is_err(), "cut at {at}");
        assert!(open(&sealer, &state[at + 1..]).is_err(), "begun after {at}");
        let longer = format!("{}A{}", &state[..at], &state[at..]);
        assert!(open(&sealer, &longer).is_err(), "longer at {at}");
    }
    assert!(open(&sealer, &format!("{state}=")).is_err());
    assert!(open(&sealer, &format!("{state}A")).is_err());
}

// covers: SEC-13
#[test]
fn a_state_for_single_use_works_once() {
    let sealer = StateSealer::new(&key(1));
    let state = sealed(&sealer);
    let once = |state: &str| sealer.open_once::<Step>(&caller("ada", "cli"), &context(), NOW, state);
    // A failed attempt burns nothing.
    let wrong = sealer.open_once::<u32>(&caller("ada", "cli"), &context(), NOW, &state);
    assert_eq!(kind(wrong), StateErrorKind::Shape);
    assert_eq!(once(&state).unwrap(), step());
    assert_eq!(kind(once(&state)), StateErrorKind::Replayed);
    assert_eq!(once(&sealed(&sealer)).unwrap(), step());
    // A clone is the same process.
    let clone = sealer.clone();
    assert_eq!(
        kind(clone.open_once::<Step>(&caller("ada", "cli"), &context(), NOW, &state)),
        StateErrorKind::Replayed
    );
    let late = sealer.open_once::<Step>(&caller("ada", "cli"), &context(), NOW + TTL, &state);
    assert_eq!(kind(late), StateErrorKind::Expired);
}

// covers: SEC-13
#[test]
fn of_many_at_once_one_wins() {
    let sealer = StateSealer::new(&key(1));
    let state = sealed(&sealer);
    let won = std::thread::scope(|scope| {
        let attempts: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    sealer.open_once::<Step>(&caller("ada", "cli"), &context(), NOW, &state).is_ok()
                })
            })
            .collect();
        attempts.into_iter().filter_map(|attempt| attempt.join().ok()).filter(|won| *won).count()
    });
    assert_eq!(won, 1);
}

#[test]
fn a_full_memory_is_no_verdict() {
    let sealer = StateSealer::new(&key(1)).remember(1);
    let once = || sealer.open_once::<Step>(&caller("ada", "cli"), &context(), NOW, &sealed(&sealer));
    assert!(once().is_ok());
    let error = once().unwrap_err();
    assert_eq!(error.kind(), StateErrorKind::Full);
    assert_eq!(error.to_string(), "the request state cannot be taken at the moment");
}

#[test]
fn keys_can_be_rotated() {
    let old = StateSealer::new(&key(1));
    let state = sealed(&old);
    let new = StateSealer::new(&key(2)).with_previous(&key(3)).with_previous(&key(1));
    assert_eq!(open(&new, &state).unwrap(), step());
    // What is sealed now is sealed under the new key.
    assert_eq!(kind(open(&old, &sealed(&new))), StateErrorKind::UnknownKey);
    assert_eq!(open(&StateSealer::new(&key(2)), &sealed(&new)).unwrap(), step());
    assert_eq!(kind(open(&StateSealer::new(&key(2)), &state)), StateErrorKind::UnknownKey);
}

#[test]
fn its_size_is_bounded_both_ways() {
    let sealer = StateSealer::new(&key(1));
    let long = "x".repeat(20_000);
    let seal = |sealer: &StateSealer| sealer.seal(&caller("ada", "cli"), &context(), TTL, NOW, &long);
    assert_eq!(kind(seal(&sealer)), StateErrorKind::TooLong);
    let state = seal(&sealer.clone().max_len(40_000)).unwrap();
    let opened = sealer.open::<String>(&caller("ada", "cli"), &context(), NOW, &state);
    assert_eq!(kind(opened), StateErrorKind::TooLong);
}

#[test]
fn nothing_of_key_or_payload_is_printed() {
    let sealer = StateSealer::new(&key(0x41));
    assert_eq!(format!("{sealer:?}"), "StateSealer { previous: 0, max_len: 16384, .. }");
    let state = sealer.seal(&caller("ada", "cli"), &context(), TTL, NOW, &"hush").unwrap();
    let error = sealer.open::<Step>(&caller("ada", "cli"), &context(), NOW, &state).unwrap_err();
    assert!(!format!("{error:?}{error}").contains("hush"));
    assert!(error.detail().is_some());
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "\\PC{0,200}", base64 in "[A-Za-z0-9_-]{0,200}") {
        let sealer = StateSealer::new(&key(1));
        prop_assert!(open(&sealer, &text).is_err());
        prop_assert!(open(&sealer, &base64).is_err());
        let versioned = format!("AQ{base64}");
        prop_assert!(open(&sealer, &versioned).is_err());
    }

    #[test]
    fn what_goes_in_comes_out(payload in any::<(String, Vec<u8>, Option<i64>)>(), subject in "\\PC{0,20}") {
        let sealer = StateSealer::new(&key(1)).max_len(100_000);
        let caller = caller(&subject, "cli");
        let state = sealer.seal(&caller, &context(), TTL, NOW, &payload).unwrap();
        let opened: (String, Vec<u8>, Option<i64>) = sealer.open(&caller, &context(), NOW, &state).unwrap();
        prop_assert_eq!(opened, payload);
    }
}
