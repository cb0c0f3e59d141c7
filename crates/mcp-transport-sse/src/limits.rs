//! How much a client may ask of the transport, and how long it is waited for.

use std::time::Duration;

/// Bounds of the transport. All of them have a default that suits a public server.
///
/// ```
/// use std::time::Duration;
/// use mcp_transport_sse::SseLimits;
///
/// let limits = SseLimits::default().sessions(500).keep_alive(Duration::from_secs(30));
/// assert_eq!(limits.max_sessions, 500);
/// assert_eq!(limits.max_body, 4 * 1024 * 1024);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SseLimits {
    /// Sessions in all; one more is answered 503. 16,384.
    pub max_sessions: usize,
    /// Sessions of one signed-in principal; one more is answered 429. 64. Anonymous callers cannot be told apart and
    /// count towards [`max_sessions`](Self::max_sessions) alone; where that is reached, one of theirs ends when somebody
    /// who signed in needs the place.
    pub max_sessions_per_principal: usize,
    /// The longest body of a POST, in bytes; a longer one is answered 413. 4 MiB, as in the official SDKs (spec SSE-04).
    pub max_body: usize,
    /// How long a body may take to arrive; one that takes longer is answered 408. 60 s.
    pub body_timeout: Duration,
    /// Messages of a client that wait for the server; one more is answered 503. 128.
    pub max_incoming: usize,
    /// Messages of the server that wait for a slow client. 256.
    pub max_outgoing: usize,
    /// Bytes that may wait in either direction. 4 MiB. One message alone may be larger.
    pub max_waiting_bytes: usize,
    /// How long a sender waits for a client that takes nothing, before the session is closed. 30 s.
    pub slow_reader: Duration,
    /// How long a stream is silent before a comment is sent on it. 15 s.
    pub keep_alive: Duration,
    /// What refused clients are told to wait (`Retry-After`). 5 s.
    pub retry_after: Duration,
}

impl Default for SseLimits {
    fn default() -> Self {
        Self {
            max_sessions: 16_384,
            max_sessions_per_principal: 64,
            max_body: 4 * 1024 * 1024,
            body_timeout: Duration::from_secs(60),
            max_incoming: 128,
            max_outgoing: 256,
            max_waiting_bytes: 4 * 1024 * 1024,
            slow_reader: Duration::from_secs(30),
            keep_alive: Duration::from_secs(15),
            retry_after: Duration::from_secs(5),
        }
    }
}

impl SseLimits {
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

    /// With bodies up to this many bytes.
    #[must_use]
    pub fn body(mut self, max: usize) -> Self {
        self.max_body = max;
        self
    }

    /// With this long for a body to arrive.
    #[must_use]
    pub fn body_timeout(mut self, limit: Duration) -> Self {
        self.body_timeout = limit;
        self
    }

    /// With this many messages and bytes waiting for a slow client.
    #[must_use]
    pub fn outgoing(mut self, messages: usize, bytes: usize) -> Self {
        self.max_outgoing = messages;
        self.max_waiting_bytes = bytes;
        self
    }

    /// With this many messages waiting for the server.
    #[must_use]
    pub fn incoming(mut self, messages: usize) -> Self {
        self.max_incoming = messages;
        self
    }

    /// With this patience for a client that takes nothing.
    #[must_use]
    pub fn slow_reader(mut self, patience: Duration) -> Self {
        self.slow_reader = patience;
        self
    }

    /// With a comment after this much silence.
    #[must_use]
    pub fn keep_alive(mut self, interval: Duration) -> Self {
        self.keep_alive = interval;
        self
    }
}
