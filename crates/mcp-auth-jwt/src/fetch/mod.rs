//! Keys that live at a URL.
//!
//! | | |
//! |---|---|
//! | size | 512 KiB for a document, 100 keys; one bad key costs that key |
//! | lifetime | `Cache-Control: max-age` between 1 minute and 1 hour, 10 minutes where it is not said |
//! | refresh | in the background, after 80 % of the lifetime; one fetch at a time |
//! | unknown `kid` | fetches: 3 at once, then 1 per 30 s; remembered as missing for 10 s, 1,000 of them |
//! | issuer down | old keys serve on for 24 hours (configurable), then 503; tries after 1, 2, 4 … 60 s |
//!
//! While the issuer answers, an unknown `kid` is 503 only if the keys were fetched less than 30 s ago. So a key that was
//! published 30 s before it signs is never waited for, whatever strangers send, and any other for 30 s at most.

mod bucket;
mod discovery;
mod document;
mod download;
mod remote;

use std::sync::Arc;

use mcp_core::ConfigError;
use mcp_outbound::{HttpClient, OutboundClient};

pub(crate) use self::remote::RemoteKeys;

/// The client that reaches public https hosts and nothing else.
pub(crate) fn default_client() -> Result<Arc<dyn HttpClient>, ConfigError> {
    match OutboundClient::new() {
        Ok(client) => Ok(Arc::new(client)),
        Err(error) => Err(ConfigError::new(error.to_string()).because(error)),
    }
}
