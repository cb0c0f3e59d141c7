//! Authorization requests that a client pushed (RFC 9126), until a browser comes with one.
//!
//! The record is in a partition of its own, which the transactions begun with it and the grant inherit. A browser may come with it
//! as often as it is loaded, until one of these transactions has an outcome: that is one commit with a record that says
//! so, and of any number of windows one gets there.

use mcp_core::Timestamp;
use mcp_store::{Batch, Partition, StoreError};
use serde::{Deserialize, Serialize};

use crate::as_text;
use crate::client::Client;
use crate::engine::Engine;
use crate::grant::{answered_name, commit};
use crate::wire::{OAuthError, Params, TokenKind, TokenText};

/// How a `request_uri` of ours begins (RFC 9126 §2.2).
pub(crate) const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";

/// A request that was pushed, as a browser comes with it.
pub(crate) struct PushedRequest {
    pub(crate) params: Params,
    /// Where it is kept.
    pub(crate) partition: Partition,
}

#[derive(Serialize, Deserialize)]
struct Record {
    client: String,
    /// The parameters as they came, without those by which the client proved itself.
    pairs: Vec<(String, String)>,
    #[serde(with = "as_text::millis")]
    expires_at: Timestamp,
}

impl PushedRequest {
    /// Keeps a request that was found right, and gives what stands for it: `request_uri`.
    ///
    /// # Errors
    /// 413 when it is too large to be kept; 503 when the store does not answer.
    pub(crate) async fn keep(
        engine: &Engine,
        client: &Client,
        params: &Params,
    ) -> Result<String, OAuthError> {
        let token = TokenText::new(TokenKind::Pushed, &Partition::random());
        let expires_at = engine.now() + engine.lifetimes.pushed;
        let record = Record { client: client.id.to_string(), pairs: params.pairs().to_vec(), expires_at };
        let length = serde_json::to_vec(&record).map_or(usize::MAX, |bytes| bytes.len());
        if length > mcp_store::Vault::MAX_PLAINTEXT {
            let status = http::StatusCode::PAYLOAD_TOO_LARGE;
            return Err(OAuthError::new(status, "invalid_request", "the request is too large"));
        }
        let batch = Batch::new().put_json(token.name(), &record, Some(expires_at))?;
        // Nothing is required, so it is kept, or nobody can tell.
        commit(engine, token.partition(), batch, &token.name()).await?;
        Ok(format!("{REQUEST_URI}{}", token.expose()))
    }

    /// The request that a `request_uri` stands for: if it is this client's, has not expired and has not been answered.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn find(
        engine: &Engine,
        client_id: &str,
        request_uri: &str,
    ) -> Result<Option<Self>, StoreError> {
        let token = request_uri.strip_prefix(REQUEST_URI);
        let Some(token) = token.and_then(|token| TokenText::parse(TokenKind::Pushed, token)) else {
            return Ok(None);
        };
        let names = [token.name(), answered_name()];
        let mut found = engine.vault.get(token.partition(), &names).await?.into_iter();
        let (Some(Some(record)), Some(None)) = (found.next(), found.next()) else { return Ok(None) };
        let record: Record = record.json()?;
        if record.client != client_id || engine.now() >= record.expires_at {
            return Ok(None);
        }
        Ok(Some(Self { params: Params::from_pairs(record.pairs), partition: token.partition().clone() }))
    }
}
