//! Limits for one request, where the client's own are too wide or too narrow.

use std::time::Duration;

/// What one exchange may cost; put it into the request's extensions. What is not set stays as the client has it.
///
/// ```
/// use std::time::Duration;
/// use bytes::Bytes;
/// use mcp_outbound::Limits;
///
/// // A client metadata document: 5 KiB are recommended (spec row AUTH-84).
/// let limits = Limits::new().with_max_body(5 * 1024).with_deadline(Duration::from_secs(5));
/// let request = http::Request::get("https://app.example.com/client.json")
///     .extension(limits)
///     .body(Bytes::new())?;
/// assert_eq!(request.extensions().get(), Some(&limits));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    max_body: Option<usize>,
    deadline: Option<Duration>,
}

impl Limits {
    /// Changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The largest answer body, in bytes as they come over the wire.
    #[must_use]
    pub fn with_max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// The time for the whole exchange, from the call to the last byte of the answer.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The limit set by [`with_max_body`](Self::with_max_body), for implementations of [`HttpClient`](crate::HttpClient).
    #[must_use]
    pub fn max_body(&self) -> Option<usize> {
        self.max_body
    }

    /// The limit set by [`with_deadline`](Self::with_deadline), for implementations of [`HttpClient`](crate::HttpClient).
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }
}
