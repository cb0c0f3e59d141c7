//! Scopes and sets of them (RFC 6749 §3.3).
//!
//! ```
//! use mcp_core::Scopes;
//!
//! let held = Scopes::parse("files:read files:write");
//! let needed = Scopes::from(["files:read", "admin"]);
//! assert_eq!(needed.without(&held).to_string(), "admin");
//! assert_eq!(Scopes::parse("b a b"), Scopes::from(["a", "b"])); // a set: no order, no repeats
//! ```

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::ConfigError;

/// One scope: one or more of `%x21 / %x23-5B / %x5D-7E` (RFC 6749 §3.3).
///
/// The grammar is checked when a scope is made, so that a scope can be written into a header as it is (spec AUTH-16).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Arc<str>);

impl Scope {
    /// Reads one scope.
    ///
    /// # Errors
    /// When the text is empty or has a character that RFC 6749 §3.3 does not allow.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if is_scope(text) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(ConfigError::new(format!(
                "{text:?} is not a scope: write printable ASCII without spaces, quotes and backslashes"
            )))
        }
    }

    /// The scope as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for Scope {
    /// For scopes written in source code.
    ///
    /// # Panics
    /// When the literal is not a scope. Read text from elsewhere with [`Scope::parse`].
    fn from(text: &'static str) -> Self {
        match Self::parse(text) {
            Ok(scope) => scope,
            Err(error) => panic!("{error}"),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// A set of scopes, cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Scopes(Arc<[Scope]>);

impl Scopes {
    /// No scope at all.
    #[must_use]
    pub fn none() -> Self {
        // The answer to most questions about scopes, so it is there already.
        static NONE: OnceLock<Arc<[Scope]>> = OnceLock::new();
        Self(NONE.get_or_init(|| Arc::from([])).clone())
    }

    /// Reads the space-separated form of RFC 6749 §3.3.
    ///
    /// What does not fit the grammar is left out: it could never be asked for, so it grants nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        text.split(' ').filter_map(|part| Scope::parse(part).ok()).collect()
    }

    /// Whether exactly this scope is in the set.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.binary_search(scope).is_ok()
    }

    /// Whether exactly this scope, given as text, is in the set.
    #[must_use]
    pub fn has(&self, scope: &str) -> bool {
        self.0.binary_search_by(|held| held.as_str().cmp(scope)).is_ok()
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many scopes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The scopes, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> + '_ {
        self.0.iter()
    }

    /// The scopes of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        self.iter().chain(other.iter()).cloned().collect()
    }

    /// The scopes of this set that the other lacks.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.iter().filter(|scope| !other.contains(scope)).cloned().collect()
    }

    /// The set without `offline_access`, which asks for a refresh token and says nothing to a resource (spec AUTH-29).
    #[must_use]
    pub fn for_challenge(&self) -> Self {
        self.iter().filter(|scope| scope.as_str() != "offline_access").cloned().collect()
    }
}

impl Default for Scopes {
    fn default() -> Self {
        Self::none()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut list: Vec<Scope> = scopes.into_iter().collect();
        if list.is_empty() {
            return Self::none();
        }
        list.sort_unstable();
        list.dedup();
        Self(list.into())
    }
}

impl<const N: usize> From<[&'static str; N]> for Scopes {
    /// For scopes written in source code.
    ///
    /// # Panics
    /// When a literal is not a scope, as [`Scope::from`].
    fn from(list: [&'static str; N]) -> Self {
        list.into_iter().map(Scope::from).collect()
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        [scope].into_iter().collect()
    }
}

impl From<&'static str> for Scopes {
    /// One scope, or several with spaces between them, written in source code.
    ///
    /// # Panics
    /// When one of them is not a scope, as [`Scope::from`].
    fn from(list: &'static str) -> Self {
        list.split_ascii_whitespace().map(Scope::from).collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, scope) in self.iter().enumerate() {
            if n > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({:?})", self.to_string())
    }
}
