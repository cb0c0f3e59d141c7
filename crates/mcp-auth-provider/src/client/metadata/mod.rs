//! What a client says of itself (RFC 7591 §2), read strictly: from registrations, from metadata documents, and from what an
//! operator wrote. Only what is understood and allowed goes in; the rest is left out or refused.

mod members;
mod method;
mod text;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64ct::{Base64UrlUnpadded, Encoding};
use mcp_core::{ClientId, PublicUrl, Scopes, Timestamp};
use serde_json::{Map, Value, json};

use self::members::Members;
pub(crate) use self::method::Method;
use super::redirect_uri::{self, MAX_COUNT};
use super::{Client, ClientAuthentication, ClientOrigin, GrantType};

/// Who says it, and what that allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) origin: ClientOrigin,
    pub(crate) site: &'a PublicUrl,
    /// Whether redirect URIs may have schemes like `com.example.app:`.
    pub(crate) private_use: bool,
    /// Whether key sets may be fetched from URLs here.
    pub(crate) key_sets: bool,
    /// Whether they may be on this machine.
    pub(crate) loopback: bool,
}

/// Checked metadata.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    pub(crate) name: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) method: Method,
    pub(crate) grant_types: Vec<GrantType>,
    /// What it wants to ask for; nothing that it gets.
    pub(crate) scope: Option<Scopes>,
    pub(crate) application_type: Option<String>,
    pub(crate) client_uri: Option<String>,
    pub(crate) dpop_bound: bool,
    pub(crate) require_par: bool,
    /// Links, contacts, versions: nothing that decides anything.
    pub(crate) extra: Map<String, Value>,
}

/// Why metadata cannot be used (RFC 7591 §3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MetadataError {
    pub(crate) code: &'static str,
    pub(crate) description: &'static str,
}

impl MetadataError {
    pub(crate) fn invalid(description: &'static str) -> Self {
        Self { code: "invalid_client_metadata", description }
    }

    fn redirect_uri(description: &'static str) -> Self {
        Self { code: "invalid_redirect_uri", description }
    }
}

impl Metadata {
    /// Reads the members of a document.
    ///
    /// # Errors
    /// What is wrong with it, in words for its maker.
    pub(crate) fn read(document: &Map<String, Value>, rules: Rules<'_>) -> Result<Self, MetadataError> {
        let members = Members(document);
        check_statement(members)?;
        let application_type = match members.text("application_type")? {
            None => None,
            Some(kind @ ("native" | "web")) => Some(kind),
            Some(_) => return Err(MetadataError::invalid("application_type is neither native nor web")),
        };
        let grant_types = grant_types(members, rules.origin)?;
        let redirect_uris = redirect_uris(members, rules, application_type)?;
        if grant_types.contains(&GrantType::AuthorizationCode) {
            if redirect_uris.is_empty() {
                return Err(MetadataError::redirect_uri("redirect_uris is missing or empty"));
            }
            // RFC 7591 §2: `code` is what goes with the code grant, and the default.
            if members.texts("response_types")?.is_some_and(|types| !types.contains(&"code")) {
                return Err(MetadataError::invalid("response_types lacks code, the only one there is"));
            }
        }
        let mut extra = Map::new();
        for name in ["logo_uri", "policy_uri", "tos_uri"] {
            if let Some(link) = members.text(name)?.map(text::link).transpose()?.flatten() {
                extra.insert(name.to_owned(), link.into());
            }
        }
        for name in ["software_id", "software_version"] {
            if let Some(text) = members.text(name)? {
                extra.insert(name.to_owned(), text.into());
            }
        }
        if let Some(contacts) = members.texts("contacts")? {
            extra.insert("contacts".to_owned(), contacts.into());
        }
        Ok(Self {
            name: members.text("client_name")?.map(text::name).transpose()?.flatten(),
            redirect_uris,
            method: Method::read(members, rules)?,
            grant_types,
            scope: scope(members)?,
            application_type: application_type.map(str::to_owned),
            client_uri: members.text("client_uri")?.map(text::link).transpose()?.flatten(),
            dpop_bound: members.flag("dpop_bound_access_tokens")?,
            require_par: members.flag("require_pushed_authorization_requests")?,
            extra,
        })
    }

    /// What was read when a client registered, as far as it is kept.
    pub(crate) fn of(client: &Client, scope: Option<&str>) -> Self {
        Self {
            name: client.name.clone(),
            redirect_uris: client.redirect_uris.clone(),
            method: Method::of(&client.authentication),
            grant_types: client.grant_types.clone(),
            scope: scope.map(Scopes::parse),
            application_type: client.application_type.clone(),
            client_uri: client.client_uri.clone(),
            dpop_bound: client.dpop_bound,
            require_par: client.require_par,
            extra: client.extra.clone(),
        }
    }

    /// Everything as it is in effect, in the form it came in (RFC 7591 §3.2.1).
    pub(crate) fn effective(&self) -> Map<String, Value> {
        let mut members = self.extra.clone();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        put("redirect_uris", self.redirect_uris.clone().into());
        put("grant_types", json!(self.grant_types));
        if self.grant_types.contains(&GrantType::AuthorizationCode) {
            put("response_types", json!(["code"]));
        }
        put("token_endpoint_auth_method", self.method.name().into());
        for (name, value) in [
            ("client_name", &self.name),
            ("client_uri", &self.client_uri),
            ("application_type", &self.application_type),
        ] {
            if let Some(text) = value {
                put(name, text.clone().into());
            }
        }
        if let Some(scope) = &self.scope {
            put("scope", scope.to_string().into());
        }
        for (name, flag) in [
            ("dpop_bound_access_tokens", self.dpop_bound),
            ("require_pushed_authorization_requests", self.require_par),
        ] {
            if flag {
                put(name, true.into());
            }
        }
        self.method.describe(&mut members);
        members
    }

    /// A name for exactly this metadata, but for the scope, which decides nothing. The same on every node.
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        let members = self.effective();
        let sorted: BTreeMap<_, _> = members.iter().filter(|(name, _)| *name != "scope").collect();
        serde_json::to_vec(&sorted).unwrap_or_default()
    }

    /// What consent was given for: who it is and where its users go. Keys may change without asking again.
    fn digest(&self) -> String {
        let seen = json!([
            self.name,
            self.redirect_uris,
            self.client_uri,
            self.application_type,
            self.extra.get("logo_uri"),
            self.extra.get("policy_uri"),
            self.extra.get("tos_uri"),
        ]);
        Base64UrlUnpadded::encode_string(digest(&SHA256, seen.to_string().as_bytes()).as_ref())
    }

    /// The client it describes.
    pub(crate) fn into_client(
        self,
        id: ClientId,
        origin: ClientOrigin,
        authentication: ClientAuthentication,
        created_at: Timestamp,
    ) -> Client {
        Client {
            digest: self.digest(),
            id,
            origin,
            authentication,
            created_at,
            name: self.name,
            redirect_uris: self.redirect_uris,
            grant_types: self.grant_types,
            scopes: None,
            resources: None,
            application_type: self.application_type,
            client_uri: self.client_uri,
            dpop_bound: self.dpop_bound,
            require_par: self.require_par,
            extra: self.extra,
        }
    }
}

/// No software statement is approved here, whoever signed it (RFC 7591 §3.2.2, attack DR18).
fn check_statement(members: Members<'_>) -> Result<(), MetadataError> {
    let Some(statement) = members.get("software_statement") else { return Ok(()) };
    let is_jws =
        statement.as_str().is_some_and(|text| text.bytes().filter(|byte| *byte == b'.').count() == 2);
    Err(if is_jws {
        MetadataError {
            code: "unapproved_software_statement",
            description: "this server approves no software statements",
        }
    } else {
        MetadataError {
            code: "invalid_software_statement",
            description: "the software statement is no signed JWT",
        }
    })
}

/// Grants it may use: those it names and may have. What is unknown, and what strangers may not have, is dropped.
fn grant_types(members: Members<'_>, origin: ClientOrigin) -> Result<Vec<GrantType>, MetadataError> {
    let Some(named) = members.texts("grant_types")? else { return Ok(vec![GrantType::AuthorizationCode]) };
    if named.is_empty() && origin == ClientOrigin::Operator {
        return Ok(Vec::new()); // a resource server that introspects, and gets no token itself
    }
    let mut granted = Vec::new();
    for grant in named.into_iter().filter_map(GrantType::from_name) {
        // Everything else gives tokens without a user who was asked, and takes an operator's word.
        let self_service =
            matches!(grant, GrantType::AuthorizationCode | GrantType::RefreshToken | GrantType::DeviceCode);
        if (self_service || origin == ClientOrigin::Operator) && !granted.contains(&grant) {
            granted.push(grant);
        }
    }
    if granted.iter().all(|grant| *grant == GrantType::RefreshToken) {
        return Err(MetadataError::invalid("grant_types has none that this client may use"));
    }
    Ok(granted)
}

fn redirect_uris(
    members: Members<'_>,
    rules: Rules<'_>,
    application_type: Option<&str>,
) -> Result<Vec<String>, MetadataError> {
    let Some(value) = members.get("redirect_uris") else { return Ok(Vec::new()) };
    let Value::Array(list) = value else {
        return Err(MetadataError::redirect_uri("redirect_uris is no list"));
    };
    if list.len() > MAX_COUNT {
        return Err(MetadataError::redirect_uri("there are more than 20 redirect URIs"));
    }
    let rules = redirect_uri::Rules {
        site: rules.site,
        application_type,
        private_use: rules.private_use,
        own_pages: rules.origin == ClientOrigin::Operator,
    };
    let mut checked: Vec<String> = Vec::with_capacity(list.len());
    for item in list {
        let Value::String(uri) = item else {
            return Err(MetadataError::redirect_uri("a redirect URI is no text"));
        };
        redirect_uri::check(uri, rules).map_err(MetadataError::redirect_uri)?;
        if !checked.contains(uri) {
            checked.push(uri.clone());
        }
    }
    Ok(checked)
}

fn scope(members: Members<'_>) -> Result<Option<Scopes>, MetadataError> {
    let Some(text) = members.text("scope")? else { return Ok(None) };
    // Wider than RFC 6749 §3.3 in one thing: several spaces are as good as one.
    let well_formed =
        text.split(' ').filter(|part| !part.is_empty()).all(|part| mcp_core::Scope::parse(part).is_ok());
    if !well_formed {
        return Err(MetadataError::invalid("scope has a character that no scope may have"));
    }
    Ok(Some(Scopes::parse(text)))
}

#[cfg(test)]
mod tests;
