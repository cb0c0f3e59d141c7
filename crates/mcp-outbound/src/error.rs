//! Why there is no answer.

use std::error::Error as StdError;
use std::fmt;

/// An exchange that did not bring a complete answer.
///
/// Neither `Display` nor `Debug` shows a path, a query, a header or a body: URLs carry codes and tokens. They do name
/// the host and, for a refused address, the address: log the error, never send it to a peer, who could map your
/// network with it.
pub struct OutboundError {
    kind: Kind,
    host: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Debug)]
enum Kind {
    InvalidRequest(&'static str),
    Blocked(String),
    Connect,
    Timeout,
    TooLarge,
    Exchange,
}

impl OutboundError {
    /// The request cannot be sent by anyone; `reason` says what is wrong with it. The caller's fault.
    #[must_use]
    pub fn invalid_request(reason: &'static str) -> Self {
        Self::new(Kind::InvalidRequest(reason))
    }

    /// Refused before anything was sent, because of the scheme, the host or its addresses.
    #[must_use]
    pub fn blocked(reason: impl fmt::Display) -> Self {
        Self::new(Kind::Blocked(reason.to_string()))
    }

    /// No connection: the name, TCP or TLS.
    #[must_use]
    pub fn connect(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Connect).because(source)
    }

    /// The time was up.
    #[must_use]
    pub fn timeout() -> Self {
        Self::new(Kind::Timeout)
    }

    /// The answer is larger than allowed. What was read of it is gone.
    #[must_use]
    pub fn too_large() -> Self {
        Self::new(Kind::TooLarge)
    }

    /// The exchange broke off, or the answer was not HTTP.
    #[must_use]
    pub fn exchange(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Exchange).because(source)
    }

    /// Names the host that was asked, without port and path.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    fn new(kind: Kind) -> Self {
        Self { kind, host: None, source: None }
    }

    fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The request itself is wrong and would be wrong again.
    #[must_use]
    pub fn is_invalid_request(&self) -> bool {
        matches!(self.kind, Kind::InvalidRequest(_))
    }

    /// Refused by the guard; trying again does not help unless the name gets other addresses.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        matches!(self.kind, Kind::Blocked(_))
    }

    /// No connection could be made; nothing was sent.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(self.kind, Kind::Connect)
    }

    /// The deadline or the time to connect ran out; the request may have been sent.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::Timeout)
    }

    /// The answer went over a size limit.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self.kind, Kind::TooLarge)
    }

    /// The connection broke or the answer was not HTTP; the request may have been sent.
    #[must_use]
    pub fn is_exchange(&self) -> bool {
        matches!(self.kind, Kind::Exchange)
    }

    /// The host that was asked, if it is known.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }
}

impl fmt::Display for OutboundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}: ")?;
        }
        match &self.kind {
            Kind::InvalidRequest(reason) => write!(f, "request cannot be sent: {reason}"),
            Kind::Blocked(reason) => write!(f, "request refused: {reason}"),
            Kind::Connect => f.write_str("no connection"),
            Kind::Timeout => f.write_str("no complete answer in time"),
            Kind::TooLarge => f.write_str("answer larger than allowed"),
            Kind::Exchange => f.write_str("exchange broke off"),
        }
    }
}

// Without the source: an implementation of somebody else may have put a URL into it.
impl fmt::Debug for OutboundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundError")
            .field("kind", &self.kind)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl StdError for OutboundError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_form_shows_the_source() {
        let error = OutboundError::connect("GET https://idp.example.com/cb?code=hunter2")
            .with_host("idp.example.com");
        assert_eq!(error.to_string(), "idp.example.com: no connection");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert!(error.source().is_some_and(|source| source.to_string().contains("hunter2")));
    }
}
