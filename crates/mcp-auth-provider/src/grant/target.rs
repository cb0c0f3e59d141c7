//! Which resource a token is for, and with which scopes.

use mcp_core::Scopes;

use crate::client::Client;
use crate::engine::Engine;
use crate::wire::{OAuthError, Params};

use super::record::GrantRecord;

/// The one resource that a token request means (RFC 8707 §2.2): the one it names, which must be of the grant; without a name, the
/// `usual` one, or the only one of the grant.
pub(super) fn resource(
    engine: &Engine,
    params: &Params,
    grant: &GrantRecord,
    usual: Option<&str>,
) -> Result<String, OAuthError> {
    let chosen = named(engine, params.all("resource"))?.or_else(|| usual.map(str::to_owned)).or_else(|| {
        match grant.resources.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    });
    match chosen {
        Some(chosen) if grant.resources.contains(&chosen) => Ok(chosen),
        Some(_) => Err(OAuthError::invalid_target("the grant is not for this resource")),
        None => Err(OAuthError::invalid_target("the grant is for several resources: name one")),
    }
}

/// The one resource that is named, however often; `None` where none is.
pub(super) fn named<'a>(
    engine: &Engine,
    identifiers: impl Iterator<Item = &'a str>,
) -> Result<Option<String>, OAuthError> {
    let mut named: Option<String> = None;
    for identifier in identifiers {
        let Some(resource) = engine.resource(identifier) else {
            return Err(OAuthError::invalid_target("the resource is not one of this server"));
        };
        let identifier = resource.identifier();
        if named.as_deref().is_some_and(|other| other != identifier) {
            return Err(OAuthError::invalid_target("a token is for one resource: ask once for each"));
        }
        named = Some(identifier.to_owned());
    }
    Ok(named)
}

/// Whether a client may have tokens for a resource without a user's consent to it: whether the operator said so, or said
/// nothing.
pub(super) fn is_allowed(engine: &Engine, client: &Client, identifier: &str) -> bool {
    let means = |own: &String| engine.resource(own).is_some_and(|own| own.identifier() == identifier);
    client.resources.as_ref().is_none_or(|list| list.iter().any(means))
}

/// The one resource that a client wants a token for itself for: the one it names; without a name, the first of those it may.
pub(super) fn of_client(engine: &Engine, client: &Client, params: &Params) -> Result<String, OAuthError> {
    let forbidden = || OAuthError::invalid_target("the client may not have tokens for this resource");
    match named(engine, params.all("resource"))? {
        Some(named) if is_allowed(engine, client, &named) => Ok(named),
        Some(_) => Err(forbidden()),
        None => {
            let mut own = engine.resources.iter().map(|resource| resource.identifier());
            own.find(|own| is_allowed(engine, client, own)).map(str::to_owned).ok_or_else(forbidden)
        }
    }
}

/// The scopes of a token for a resource: those asked for, which must be of the grant, or all of the grant; of these, what the
/// resource knows.
pub(super) fn scopes(
    engine: &Engine,
    asked: Option<&str>,
    grant: &GrantRecord,
    resource: &str,
) -> Result<Scopes, OAuthError> {
    let scopes = match asked {
        Some(text) => {
            let asked = Scopes::parse(text);
            if !asked.without(&grant.scopes).is_empty() || asked.is_empty() {
                return Err(OAuthError::invalid_scope("more is asked for than was granted"));
            }
            asked
        }
        None => grant.scopes.clone(),
    };
    let known = engine.grantable(std::slice::from_ref(&resource.to_owned()));
    let keep = |scope: &mcp_core::Scope| known.contains(scope) || scope.as_str() == "offline_access";
    Ok(scopes.iter().filter(|scope| keep(scope)).cloned().collect())
}
