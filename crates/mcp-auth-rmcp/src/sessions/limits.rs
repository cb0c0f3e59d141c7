//! How many sessions there may be, and how long silence is waited for.

use std::time::Duration;

/// Bounds of the sessions of streamable HTTP. All of them have a default that suits a public server. Requests of
/// 2026-07-28 belong to no session and are not counted.
///
/// ```
/// use mcp_auth_rmcp::SessionLimits;
///
/// let limits = SessionLimits::default().sessions(500);
/// assert_eq!(limits.max_sessions, 500);
/// assert_eq!(limits.idle.as_secs(), 300);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionLimits {
    /// Sessions in all; one more is answered 503. 16,384.
    pub max_sessions: usize,
    /// Sessions of one signed-in principal; one more is answered 429. 256. Anonymous callers cannot be told apart and
    /// count towards [`max_sessions`](Self::max_sessions) alone; where that is reached, the oldest of theirs ends when
    /// somebody who signed in needs the place.
    pub max_sessions_per_principal: usize,
    /// How long nobody says anything in a session before it ends. 5 min. Many clients go without a word (DELETE), and
    /// their sessions count until then.
    pub idle: Duration,
    /// What refused clients are told to wait (`Retry-After`). 5 s.
    pub retry_after: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            max_sessions: 16_384,
            max_sessions_per_principal: 256,
            idle: Duration::from_secs(300),
            retry_after: Duration::from_secs(5),
        }
    }
}

impl SessionLimits {
    /// With this many sessions in all.
    #[must_use]
    pub fn sessions(mut self, max: usize) -> Self {
        self.max_sessions = max;
        self
    }

    /// With this many sessions for one signed-in principal.
    #[must_use]
    pub fn sessions_per_principal(mut self, max: usize) -> Self {
        self.max_sessions_per_principal = max;
        self
    }

    /// With this much silence before a session ends.
    #[must_use]
    pub fn idle(mut self, limit: Duration) -> Self {
        self.idle = limit;
        self
    }

    /// With this long for refused clients to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = wait;
        self
    }
}
