//! The parameters of a request: `application/x-www-form-urlencoded`, read strictly.
//!
//! RFC 6749 §3.1 and §3.2: a parameter without a value is treated as absent, an unknown one is ignored, and none may stand
//! there twice (two readers would believe two different ones). `resource` may (RFC 8707 §2), and `audience` (RFC 8693 §2.1).
//! What is not UTF-8 is refused rather than repaired: a `state` has to come back byte for byte.

use std::fmt;

/// The most parameters one request may have.
const MAX_PARAMS: usize = 64;
/// The most bytes one value may have, decoded. A signed assertion is the longest there is.
const MAX_VALUE: usize = 16 * 1024;

/// What [`Params::parse`] says of a value that is too long: its length is wrong, and not what it is.
pub(crate) const TOO_LONG: &str = "a parameter is too long";

/// Parameters of one request. `Debug` shows their names only.
#[derive(Clone, Default)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    repeated: Vec<String>,
}

impl Params {
    /// Reads a query or a form.
    ///
    /// # Errors
    /// What is wrong, in words for the peer.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut params = Self::default();
        let mut seen = Vec::new();
        for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if seen.len() == MAX_PARAMS {
                return Err("there are too many parameters");
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            if value.len() > MAX_VALUE || name.len() > MAX_VALUE {
                return Err(TOO_LONG);
            }
            if seen.contains(&name) && name != "resource" && name != "audience" {
                params.repeated.push(name.clone());
            }
            seen.push(name.clone());
            if !value.is_empty() {
                params.pairs.push((name, value));
            }
        }
        Ok(params)
    }

    /// The value of a parameter; of the first, if it is repeated.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may stand there several times.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether any parameter stands there twice that may not.
    pub(crate) fn is_any_repeated(&self) -> bool {
        !self.repeated.is_empty()
    }

    /// Whether this parameter stands there twice, with or without a value.
    pub(crate) fn is_repeated(&self, name: &str) -> bool {
        self.repeated.iter().any(|own| own == name)
    }

    /// All pairs, to keep them.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Parameters that were kept.
    pub(crate) fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        Self { pairs, repeated: Vec::new() }
    }
}

// Values are codes, verifiers and secrets.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.pairs.iter().map(|(name, _)| name)).finish()
    }
}

fn decode(bytes: &[u8]) -> Result<String, &'static str> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (rest.next().and_then(nibble), rest.next().and_then(nibble));
                let (Some(high), Some(low)) = (high, low) else {
                    return Err("a percent sign is not followed by two hexadecimal digits");
                };
                high << 4 | low
            }
            byte => *byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| "a parameter is not UTF-8")
}

fn nibble(byte: &u8) -> Option<u8> {
    char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // covers: TK03, TK04
    #[test]
    fn repeated_names_are_noticed_and_empty_values_are_absent() {
        let params = Params::parse(b"a=1&b=&c=%E2%82%AC+x&resource=r1&resource=r2").unwrap();
        assert_eq!(params.get("a"), Some("1"));
        assert_eq!(params.get("b"), None);
        assert_eq!(params.get("c"), Some("\u{20ac} x"));
        assert_eq!(params.all("resource").collect::<Vec<_>>(), ["r1", "r2"]);
        assert!(!params.is_any_repeated());
        for twice in ["a=1&a=1", "a=1&a=", "a=&a=1", "x=1&%61=1&a=2"] {
            let params = Params::parse(twice.as_bytes()).unwrap();
            assert!(params.is_repeated("a") && params.is_any_repeated(), "{twice}");
        }
    }

    #[test]
    fn what_is_not_text_is_refused() {
        for bad in ["a=%zz", "a=%", "a=%4", "a=%ff", "%c3=1"] {
            assert!(Params::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let many = "a&".repeat(MAX_PARAMS + 1);
        assert!(Params::parse(many.as_bytes()).is_err());
        assert!(Params::parse(format!("a={}", "x".repeat(MAX_VALUE + 1)).as_bytes()).is_err());
    }

    #[test]
    fn values_are_not_printed() {
        let params = Params::parse(b"code=hunter2").unwrap();
        assert_eq!(format!("{params:?}"), r#"["code"]"#);
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(pairs in proptest::collection::vec(("[a-z]{1,8}", ".{1,40}"), 0..20)) {
            let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            let params = Params::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(params.pairs(), pairs);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Params::parse(&bytes);
        }
    }
}
