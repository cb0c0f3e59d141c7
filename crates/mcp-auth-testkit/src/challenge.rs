//! Reads `WWW-Authenticate`, strictly: what a lenient client might guess right, this reader refuses.
//!
//! ```
//! use mcp_auth_testkit::Challenge;
//!
//! let list = Challenge::parse(r#"Bearer error="invalid_token", scope="a b", DPoP algs="ES256""#)?;
//! assert_eq!(list.len(), 2);
//! list[0].scheme("Bearer").error("invalid_token").has("scope", "a b").lacks("realm");
//! assert_eq!(list[1].param("algs"), Some("ES256"));
//! // Values without quotes break the TypeScript client, so they are a mistake here (spec AUTH-18).
//! assert!(Challenge::parse("Bearer error=invalid_token").is_err());
//! # Ok::<(), mcp_auth_testkit::ChallengeError>(())
//! ```

use std::error::Error;
use std::fmt;

/// One challenge of a `WWW-Authenticate` header (RFC 9110 §11.6.1). Its assertions return the challenge, to be chained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    params: Vec<(String, String)>,
}

impl Challenge {
    /// Reads a header value: one or more challenges.
    ///
    /// # Errors
    /// When the value does not follow the grammar of RFC 9110 §11.6.1 with every parameter quoted and named once per
    /// challenge, or a Bearer parameter has characters that RFC 6750 §3 forbids there.
    pub fn parse(value: &str) -> Result<Vec<Self>, ChallengeError> {
        let mut reader = Reader { rest: value };
        let mut list: Vec<Self> = Vec::new();
        loop {
            let token = reader.token()?;
            if reader.take("=") {
                let value = reader.quoted()?;
                let Some(challenge) = list.last_mut() else {
                    return Err(ChallengeError("a parameter stands before any scheme"));
                };
                challenge.add(token, value)?;
            } else {
                list.push(Self { scheme: token.to_owned(), params: Vec::new() });
                if reader.rest.is_empty() {
                    break;
                }
                if reader.take(" ") {
                    // A scheme alone may be followed by the next challenge, else by its first parameter.
                    if !reader.rest.starts_with(',') {
                        continue;
                    }
                }
            }
            if reader.rest.is_empty() {
                break;
            }
            if !reader.take(",") {
                return Err(ChallengeError("a comma is missing"));
            }
            while reader.take(" ") {}
        }
        Ok(list)
    }

    fn add(&mut self, name: &str, value: String) -> Result<(), ChallengeError> {
        if self.param(name).is_some() {
            return Err(ChallengeError("a parameter stands there twice"));
        }
        let allowed = match name.to_ascii_lowercase().as_str() {
            "scope" => value.split(' ').all(|scope| {
                !scope.is_empty() && scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
            }),
            "error" | "error_description" => {
                value.bytes().all(|b| matches!(b, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
            }
            "error_uri" => value.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
            _ => true,
        };
        if !allowed {
            return Err(ChallengeError("a parameter has characters that RFC 6750 section 3 forbids"));
        }
        self.params.push((name.to_owned(), value));
        Ok(())
    }

    /// A parameter's value; names are compared without regard to case.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All parameters, in the order of the header.
    #[must_use]
    pub fn params(&self) -> &[(String, String)] {
        &self.params
    }

    /// Asserts the scheme, in exactly this spelling: clients compare it so, whatever RFC 9110 says.
    #[track_caller]
    pub fn scheme(&self, expected: &str) -> &Self {
        assert_eq!(self.scheme, expected, "the scheme of {self}");
        self
    }

    /// Asserts a parameter and its value.
    #[track_caller]
    pub fn has(&self, name: &str, value: &str) -> &Self {
        assert_eq!(self.param(name), Some(value), "the parameter {name} of {self}");
        self
    }

    /// Asserts that a parameter is absent.
    #[track_caller]
    pub fn lacks(&self, name: &str) -> &Self {
        assert_eq!(self.param(name), None, "the parameter {name} of {self}");
        self
    }

    /// Asserts the error code.
    #[track_caller]
    pub fn error(&self, code: &str) -> &Self {
        self.has("error", code)
    }

    /// Asserts that nothing is said of an error, as when no credential was sent (RFC 6750 §3.1).
    #[track_caller]
    pub fn no_error(&self) -> &Self {
        self.lacks("error").lacks("error_description").lacks("error_uri")
    }

    /// Asserts the scopes asked for, in any order.
    #[track_caller]
    pub fn scopes(&self, expected: &str) -> &Self {
        let sorted = |text: &str| {
            let mut list: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
            list.sort();
            list
        };
        assert_eq!(sorted(self.param("scope").unwrap_or("")), sorted(expected), "the scopes of {self}");
        self
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scheme)?;
        for (n, (name, value)) in self.params.iter().enumerate() {
            write!(f, "{}{name}={value:?}", if n == 0 { " " } else { ", " })?;
        }
        Ok(())
    }
}

/// What is wrong with a `WWW-Authenticate` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeError(&'static str);

impl fmt::Display for ChallengeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for ChallengeError {}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, expected: &str) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn token(&mut self) -> Result<&'a str, ChallengeError> {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)))
            .unwrap_or(self.rest.len());
        if end == 0 {
            return Err(ChallengeError("a scheme or parameter name is missing"));
        }
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(token)
    }

    fn quoted(&mut self) -> Result<String, ChallengeError> {
        if !self.take("\"") {
            return Err(ChallengeError("a value is not quoted"));
        }
        let mut value = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or("");
                    return Ok(value);
                }
                '\\' => match chars.next() {
                    Some((_, escaped)) if escaped == ' ' || escaped.is_ascii_graphic() => value.push(escaped),
                    _ => return Err(ChallengeError("a backslash escapes nothing")),
                },
                ' ' => value.push(c),
                c if c.is_ascii_graphic() => value.push(c),
                _ => return Err(ChallengeError("a value has a control or non-ASCII character")),
            }
        }
        Err(ChallengeError("a quoted value does not end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_strictly_right_is_refused() {
        for wrong in [
            "",
            " Bearer",
            "Bearer error=invalid_token",
            r#"Bearer error="a"; scope="b""#,
            r#"Bearer error="a" scope="b""#,
            r#"Bearer error="a", error="b""#,
            r#"Bearer error="a"#,
            r#"Bearer scope="a  b""#,
            r#"Bearer scope="""#,
            r#"Bearer error_description="say \"hi\"""#,
            r#"Bearer realm="é""#,
            "Bearer ",
            r#"error="x""#,
        ] {
            assert!(Challenge::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn several_challenges_are_told_apart() {
        let list = Challenge::parse(r#"Bearer realm="a, b=\"c\"", DPoP algs="ES256", Basic"#).unwrap();
        assert_eq!(list.len(), 3);
        list[0].scheme("Bearer").has("realm", r#"a, b="c""#);
        list[1].scheme("DPoP").has("ALGS", "ES256");
        list[2].scheme("Basic").no_error();
        assert_eq!(Challenge::parse("Negotiate").unwrap().len(), 1);
    }

    #[test]
    fn an_assertion_that_does_not_hold_panics() {
        let list = Challenge::parse(r#"Bearer error="invalid_token""#).unwrap();
        list[0].error("invalid_token").lacks("scope");
        assert!(std::panic::catch_unwind(|| list[0].no_error().param("x").is_some()).is_err());
        assert!(std::panic::catch_unwind(|| list[0].scheme("bearer").param("x").is_some()).is_err());
    }
}
