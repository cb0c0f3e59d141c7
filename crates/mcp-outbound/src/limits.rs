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
/// let limits = Limits::new().max_body(5 * 1024).deadline(Duration::from_secs(5));
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
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// The time for the whole exchange, from the call to the last byte of the answer.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The limit set by [`max_body`](Self::max_body), for implementations of [`HttpClient`](crate::HttpClient).
    #[must_use]
    pub fn get_max_body(&self) -> Option<usize> {
        self.max_body
    }

    /// The limit set by [`deadline`](Self::deadline), for implementations of [`HttpClient`](crate::HttpClient).
    #[must_use]
    pub fn get_deadline(&self) -> Option<Duration> {
        self.deadline
    }
}
