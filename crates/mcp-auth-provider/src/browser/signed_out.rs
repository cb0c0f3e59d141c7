//! Sign-ins that count no more, though the transactions they were made in go on.
//!
//! Who signs out leaves consent pages behind, in tabs and in the history: whoever comes to the browser next must not answer them
//! in that user's name. So signing out leaves a mark, of this browser or of the user, and a sign-in counts only while there is no
//! newer mark than those it saw. They are compared by name and not by time: the clocks of two servers may differ.

use std::time::Duration;

use mcp_core::random_id;
use mcp_store::{Batch, Name, Partition, StoreError};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;

/// What was signed out.
#[derive(Clone, Copy)]
pub(super) enum SignedOut<'a> {
    /// A user, in all browsers.
    User(&'a str),
    /// A browser, by its secret, whoever was signed in in it.
    Browser(&'a str),
}

/// The marks there are at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marks {
    user: Option<String>,
    browser: Option<String>,
}

impl Marks {
    /// Those of a user and of a browser.
    pub(super) async fn read(engine: &Engine, user: &str, browser: Option<&str>) -> Result<Self, StoreError> {
        let user = read(engine, SignedOut::User(user)).await?;
        let browser = match browser {
            Some(secret) => read(engine, SignedOut::Browser(secret)).await?,
            None => None,
        };
        Ok(Self { user, browser })
    }

    /// Whether a sign-in that saw these still counts now. A mark that is there no more is older than every transaction.
    pub(super) fn hold(&self, now: &Self) -> bool {
        let same = |then: &Option<String>, now: &Option<String>| now.is_none() || then == now;
        same(&self.user, &now.user) && same(&self.browser, &now.browser)
    }
}

/// Leaves a mark: no sign-in before this moment counts any more.
pub(super) async fn mark(engine: &Engine, what: SignedOut<'_>) -> Result<(), StoreError> {
    let batch = Batch::new().put_json(name(), &random_id(), Some(engine.now() + MEMORY))?;
    let _ = engine.vault.commit(&partition(engine, what), batch).await?;
    Ok(())
}

async fn read(engine: &Engine, what: SignedOut<'_>) -> Result<Option<String>, StoreError> {
    match engine.vault.get_one(&partition(engine, what), &name()).await? {
        Some(found) => found.json().map(Some),
        None => Ok(None),
    }
}

fn partition(engine: &Engine, what: SignedOut<'_>) -> Partition {
    let (purpose, whose) = match what {
        SignedOut::User(subject) => ("signed-out", subject),
        SignedOut::Browser(secret) => ("signed-out-browser", secret),
    };
    let hash = engine.vault.keyed_name(purpose, &[whose.as_bytes()]);
    #[expect(clippy::expect_used, reason = "43 characters of base64url are a partition")]
    Partition::new(hash).expect("a digest is a partition")
}

fn name() -> Name {
    #[expect(clippy::expect_used, reason = "a word is a name")]
    Name::new("signed-out").expect("a word is a name")
}

/// How long a mark is there: longer than any transaction ([`Lifetimes`](crate::Lifetimes)).
const MEMORY: Duration = Duration::from_secs(2 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(user: Option<&str>, browser: Option<&str>) -> Marks {
        Marks { user: user.map(str::to_owned), browser: browser.map(str::to_owned) }
    }

    #[test]
    fn a_sign_in_counts_until_there_is_a_newer_mark() {
        let none = marks(None, None);
        assert!(none.hold(&none));
        assert!(!none.hold(&marks(Some("a"), None)) && !none.hold(&marks(None, Some("a"))));
        let seen = marks(Some("a"), Some("b"));
        assert!(seen.hold(&seen) && seen.hold(&none));
        assert!(!seen.hold(&marks(Some("c"), Some("b"))) && !seen.hold(&marks(Some("a"), Some("c"))));
    }
}
