//! Which resource a token is for, and with which scopes.

use mcp_core::Scopes;

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
    let mut named: Option<String> = None;
    for identifier in params.all("resource") {
        let Some(resource) = engine.resource(identifier) else {
            return Err(OAuthError::invalid_target("the resource is not one of this server"));
        };
        let identifier = resource.identifier();
        if named.as_deref().is_some_and(|other| other != identifier) {
            return Err(OAuthError::invalid_target("a token is for one resource: ask once for each"));
        }
        named = Some(identifier.to_owned());
    }
    let chosen = named.or_else(|| usual.map(str::to_owned)).or_else(|| match grant.resources.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    });
    match chosen {
        Some(chosen) if grant.resources.contains(&chosen) => Ok(chosen),
        Some(_) => Err(OAuthError::invalid_target("the grant is not for this resource")),
        None => Err(OAuthError::invalid_target("the grant is for several resources: name one")),
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
