//! Reading a document that was fetched.

use mcp_core::{ClientId, Timestamp};
use serde_json::Value;
use url::Url;

use super::Inner;
use crate::client::metadata::{Metadata, Method, Rules};
use crate::client::{Client, ClientAuthentication, ClientOrigin};

/// Members that only a server says of a client, or that make no sense for one that everybody knows (attack CI10).
const FORBIDDEN: [&str; 9] = [
    "backchannel_logout_uri",
    "client_id_issued_at",
    "client_secret",
    "client_secret_expires_at",
    "frontchannel_logout_uri",
    "registration_access_token",
    "registration_client_uri",
    "skip_consent",
    "trusted",
];

/// The client that a document at this URL describes.
///
/// # Errors
/// What is wrong with it, in words for its maker.
pub(super) fn client(
    documents: &Inner,
    id: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Client, &'static str> {
    let document = mcp_auth_jwt::strict_json_object(body)
        .ok_or("the metadata document is no JSON object, or has a member twice")?;
    // AUTH-79: simple string comparison, of the text that was fetched.
    if document.get("client_id").and_then(Value::as_str) != Some(id) {
        return Err("the client_id in the metadata document is not its URL");
    }
    if FORBIDDEN.iter().any(|name| document.contains_key(*name)) {
        return Err("the metadata document has a member that none may have");
    }
    let rules = Rules {
        origin: ClientOrigin::MetadataDocument,
        site: &documents.site,
        private_use: documents.private_use,
        key_sets: true,
        loopback: documents.loopback,
    };
    let metadata = Metadata::read(&document, rules).map_err(|error| error.description)?;
    if metadata.name.is_none() {
        return Err("the metadata document has no client_name");
    }
    let authentication = match &metadata.method {
        Method::PrivateKeyJwt { jwks, jwks_uri, algorithm, optional } => {
            if !documents.config.keys_anywhere && jwks_uri.as_deref().is_some_and(|uri| !same_host(id, uri)) {
                return Err("the jwks_uri is on another host than the metadata document");
            }
            ClientAuthentication::PrivateKeyJwt {
                jwks: jwks.clone(),
                jwks_uri: jwks_uri.clone(),
                algorithm: algorithm.clone(),
                optional: *optional,
            }
        }
        Method::None => ClientAuthentication::None,
        Method::Secret { .. } => return Err("a client known by a URL cannot have a secret"),
    };
    Ok(metadata.into_client(ClientId::from(id), ClientOrigin::MetadataDocument, authentication, now))
}

fn same_host(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => {
            one.host() == other.host() && one.port_or_known_default() == other.port_or_known_default()
        }
        _ => false,
    }
}
