//! The code that people type (RFC 8628 §6.1): letters of which no two look alike and that make no words.
//!
//! Upper or lower case, dashes and spaces do not matter when it is read.

use std::fmt;

use mcp_core::random_bytes;
use mcp_store::{Name, Partition};

use crate::engine::Engine;

/// No vowels, and no Y.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const SHORT: usize = 8;
const LONG: usize = 12;
/// The most bytes of what somebody typed that are looked at.
const MAX_TYPED: usize = 100;

/// A code of 8 letters; of 12 while somebody guesses.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct UserCode(String);

impl UserCode {
    /// A new one, each equally likely.
    pub(crate) fn random(long: bool) -> Self {
        let length = if long { LONG } else { SHORT };
        let mut letters = String::with_capacity(length);
        while letters.len() < length {
            let bytes: [u8; 32] = random_bytes();
            let fair = bytes.into_iter().filter(|byte| *byte < 240).map(|byte| usize::from(byte) % 20);
            let wanted = length - letters.len();
            letters.extend(fair.filter_map(|at| ALPHABET.get(at)).map(|byte| char::from(*byte)).take(wanted));
        }
        Self(letters)
    }

    /// Reads what somebody typed; `None` if no code looks so.
    pub(crate) fn read(typed: &str) -> Option<Self> {
        if typed.len() > MAX_TYPED {
            return None;
        }
        let is_gap = |letter: char| {
            letter.is_whitespace() || "-_.\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}".contains(letter)
        };
        let letters: String = typed
            .chars()
            .filter(|letter| !is_gap(*letter))
            .map(|letter| letter.to_ascii_uppercase())
            .collect();
        let is_code =
            [SHORT, LONG].contains(&letters.len()) && letters.bytes().all(|byte| ALPHABET.contains(&byte));
        is_code.then_some(Self(letters))
    }

    /// Whether it is one of the long ones.
    pub(crate) fn is_long(&self) -> bool {
        self.0.len() == LONG
    }

    /// As it is shown: in fours.
    pub(crate) fn shown(&self) -> String {
        let mut shown = String::new();
        for (at, letter) in self.0.chars().enumerate() {
            if at > 0 && at % 4 == 0 {
                shown.push('-');
            }
            shown.push(letter);
        }
        shown
    }

    /// Where the record is that it leads to.
    pub(crate) fn place(&self, engine: &Engine) -> (Partition, Name) {
        let hash = engine.vault.keyed_name("user-code", &[self.0.as_bytes()]);
        #[expect(
            clippy::expect_used,
            reason = "43 characters of base64url are a partition, and a word is a name"
        )]
        let place = (Partition::new(hash).expect("a digest"), Name::new("device").expect("a word"));
        place
    }
}

// Whoever has it can deny, and approve as somebody else.
impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_read_however_it_is_typed() {
        for typed in ["WDJB-MJHT", "wdjbmjht", " wdjb mjht ", "w.d.j.b–M_J_H_T", "WDJB\u{2011}MJHT"] {
            assert_eq!(UserCode::read(typed).unwrap().shown(), "WDJB-MJHT", "{typed}");
        }
        assert_eq!(UserCode::read("bcdfghjklmnp").unwrap().shown(), "BCDF-GHJK-LMNP");
        for wrong in ["", "WDJB-MJH", "WDJB-MJHTT", "WDJB-MJHA", "WDJB-MJH0", "WDJB-MJHÉ", "WDJB/MJHT"] {
            assert!(UserCode::read(wrong).is_none(), "{wrong}");
        }
        assert!(UserCode::read(&format!("WDJB{}MJHT", " ".repeat(100))).is_none());
        assert!(!format!("{:?}", UserCode::random(false)).contains(&UserCode::random(false).0));
    }

    // covers: DV05
    #[test]
    fn every_letter_is_equally_likely() {
        let mut counts = HashMap::new();
        for _ in 0..4000 {
            let code = UserCode::random(false);
            assert_eq!((code.0.len(), UserCode::random(true).0.len()), (8, 12));
            for letter in code.0.bytes() {
                *counts.entry(letter).or_insert(0_u32) += 1;
            }
        }
        // 32,000 letters, 1,600 of each; seven standard deviations are 273.
        assert_eq!(counts.len(), 20);
        assert!(counts.values().all(|count| (1327..1873).contains(count)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(typed in ".{0,40}") {
            if let Some(code) = UserCode::read(&typed) {
                prop_assert_eq!(UserCode::read(&code.shown()), Some(code));
            }
        }

        #[test]
        fn what_is_shown_is_read(long in proptest::bool::ANY) {
            let code = UserCode::random(long);
            prop_assert_eq!(UserCode::read(&code.shown().to_lowercase()), Some(code));
        }
    }
}
