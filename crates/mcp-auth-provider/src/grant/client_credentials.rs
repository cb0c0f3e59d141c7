//! Tokens for clients themselves (RFC 6749 §4.4, spec EXT-CC).
//!
//! All tokens of a client live in one partition, which is derived from its identifier, under one grant record, which is made with
//! the first. So a token costs one read and one commit, and the end of that grant is the end of all of them. The next request
//! makes the grant anew: a client that must stay out has to go from the list of clients.

use std::time::Duration;

use mcp_core::{ClientId, Scopes};
use mcp_store::{Batch, Opened, Partition};

use crate::client::{Client, GrantType};
use crate::dpop::{self, ProvenKey};
use crate::engine::Engine;
use crate::wire::{OAuthError, Params};

use super::answer::TokenAnswer;
use super::mint::{self, Order};
use super::record::{GrantKind, GrantRecord, grant_name};
use super::redeem::{commit, token_type, with_grant};
use super::{end, subject, target};

/// Gives a client a token for itself.
///
/// # Errors
/// As RFC 6749 §5.2; 503 when the store does not answer.
pub(crate) async fn client_credentials(
    engine: &Engine,
    client: &Client,
    params: &Params,
    key: Option<&ProvenKey>,
) -> Result<TokenAnswer, OAuthError> {
    // RFC 6749 §4.4: by confidential clients only; whoever knows a public one's identifier could ask as well.
    if client.is_public() || !client.may(GrantType::ClientCredentials) {
        return Err(OAuthError::unauthorized_client("the client may not use client_credentials"));
    }
    let resource = target::of_client(engine, client, params)?;
    let scopes = scopes(engine, client, params.get("scope"), &resource)?;
    let partition = partition(engine, &client.id);
    for _ in 0..8 {
        let found = engine.vault.get_one(&partition, &grant_name()).await?;
        let Some((grant, batch)) = standing(engine, client, &partition, found.as_ref()).await? else {
            continue;
        };
        let order = Order {
            partition: &partition,
            grant: &grant,
            key: None,
            scopes: scopes.clone(),
            resource: resource.clone(),
            jkt: key.map(|key| key.jkt().to_owned()),
            now: engine.now(),
        };
        let (batch, access) = mint::access(engine, batch, &order)?;
        dpop::spend(engine, key).await?;
        if !commit(engine, &partition, batch, &access.name).await? {
            continue; // the grant was made, renewed or ended meanwhile
        }
        engine.record_allowed("client_token", |event| with_grant(event.on(resource), &grant));
        return Ok(TokenAnswer {
            access_token: access.text,
            token_type: token_type(order.jkt.as_deref()).to_owned(),
            expires_at: access.expires_at,
            scope: scopes.to_string(),
            refresh_token: None,
            issued_token_type: None,
        });
    }
    Err(OAuthError::unavailable(Duration::from_secs(1)))
}

/// Where the tokens of a client for itself are. As long as a partition in a token is, of which 132 bits are of the digest.
pub(super) fn partition(engine: &Engine, client: &ClientId) -> Partition {
    let name = engine.vault.keyed_name("client credentials", &[client.as_str().as_bytes()]);
    #[expect(clippy::expect_used, reason = "22 of 43 characters of base64url are a partition")]
    Partition::new(name.get(..22).unwrap_or(&name)).expect("a part of a digest is a partition")
}

/// The client's grant as it is to be, and a batch that holds only if it is so, or makes it so. `None` if what there was had to be
/// cleared away first.
async fn standing(
    engine: &Engine,
    client: &Client,
    partition: &Partition,
    found: Option<&Opened>,
) -> Result<Option<(GrantRecord, Batch)>, OAuthError> {
    let now = engine.now();
    // Long enough that no token is cut short, renewed rarely enough to cost nothing.
    let span = engine.lifetimes.grant.max(engine.lifetimes.access * 4);
    let resources: Vec<String> = engine
        .resources
        .iter()
        .map(|resource| resource.identifier().to_owned())
        .filter(|resource| target::is_allowed(engine, client, resource))
        .collect();
    let mut wanted = GrantRecord {
        kind: GrantKind::Client,
        client: client.id.clone(),
        client_name: client.name.clone(),
        subject: subject::of_client(&client.id),
        scopes: resources.iter().fold(Scopes::none(), |all, one| all.union(&ceiling(engine, client, one))),
        resources,
        created_at: now,
        authenticated_at: now,
        expires_at: now + span,
        refreshable: false,
        props: Vec::new(),
        memory: serde_json::Value::Null,
        ended: None,
    };
    let Some(found) = found else {
        let batch = Batch::new().require_absent(grant_name());
        let batch = batch.put_json(grant_name(), &wanted, Some(wanted.expires_at))?;
        return Ok(Some((wanted, batch)));
    };
    let grant: GrantRecord = found.json()?;
    if grant.ended.is_some() {
        // Whoever ended it has not cleared away its tokens yet, or never will. They must be gone before there is a grant again.
        end::clean(engine, partition, &grant, found.revision()).await?;
        return Ok(None);
    }
    let batch = Batch::new().require(grant_name(), found.revision());
    let is_as_wanted = (&grant.client_name, &grant.scopes, &grant.resources)
        == (&wanted.client_name, &wanted.scopes, &wanted.resources);
    if is_as_wanted && grant.expires_at >= now + span / 2 {
        return Ok(Some((grant, batch)));
    }
    wanted.created_at = grant.created_at;
    let batch = batch.put_json(grant_name(), &wanted, Some(wanted.expires_at))?;
    Ok(Some((wanted, batch)))
}

/// The most a client may have for itself at a resource. Nothing that is about users (attack TK29).
fn ceiling(engine: &Engine, client: &Client, resource: &str) -> Scopes {
    let known = engine.grantable(std::slice::from_ref(&resource.to_owned()));
    let of_users = |scope: &str| scope == "offline_access" || scope == "openid";
    let may = |scope: &mcp_core::Scope| {
        !of_users(scope.as_str()) && client.scopes.as_ref().is_none_or(|most| most.contains(scope))
    };
    known.iter().filter(|scope| may(scope)).cloned().collect()
}

/// What is asked for, all of which it must be allowed; without a word, all that it is.
fn scopes(
    engine: &Engine,
    client: &Client,
    asked: Option<&str>,
    resource: &str,
) -> Result<Scopes, OAuthError> {
    let most = ceiling(engine, client, resource);
    let Some(asked) = asked else { return Ok(most) };
    let asked = Scopes::parse(asked);
    if asked.is_empty() || !asked.without(&most).is_empty() {
        return Err(OAuthError::invalid_scope("the client may not have all of these scopes for itself"));
    }
    Ok(asked)
}
