//! Token exchange (RFC 8693): a service that was called with a user's token gets one to go on with, at another resource of this
//! server, with less.
//!
//! The new token lives in the partition of the old one and so ends with its grant. What is about delegation:
//!
//! | | |
//! |---|---|
//! | who may | confidential clients that the operator let |
//! | what for | access tokens of ours, for access tokens of ours; nothing else |
//! | where | resources of the grant, and those in the client's list of resources |
//! | scopes, lifetime | never more than the subject's token, nor than the actor's lifetime |
//! | `act` | the actor of the actor token, before whoever acted before; at most [`MAX_ACTORS`] |
//! | a bound token | only by its own client, with a proof of the same key |
//!
//! `may_act` is not known here: none of our tokens carries it, so it allows nobody anything.

use mcp_core::Scopes;
use std::time::Duration;

use mcp_core::audit::Outcome;
use mcp_store::{Batch, Revision};
use serde_json::{Value, json};

use crate::client::{Client, GrantType};
use crate::dpop::{self, ProvenKey};
use crate::engine::Engine;
use crate::wire::{OAuthError, Params};

use super::answer::TokenAnswer;
use super::check::{self, TokenPlace, place_of};
use super::mint::{self, Delegation, Order};
use super::record::{AccessRecord, GrantRecord, grant_name};
use super::redeem::{commit, token_type, unwrap, with_grant};
use super::target;

/// How many actors a token names at most, one acting for the other.
const MAX_ACTORS: usize = 4;
/// RFC 8693 §3.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Gives a token for a token.
///
/// # Errors
/// As RFC 8693 §2.2.2: 400 `invalid_request` when a token is no good, `invalid_target`, `invalid_scope`; 503 when the store does
/// not answer.
pub(crate) async fn exchange(
    engine: &Engine,
    client: &Client,
    params: &Params,
    key: Option<&ProvenKey>,
) -> Result<TokenAnswer, OAuthError> {
    if client.is_public() || !client.may(GrantType::TokenExchange) {
        return Err(OAuthError::unauthorized_client("the client may not exchange tokens"));
    }
    if params.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
        return Err(OAuthError::invalid_request("only access tokens are given: requested_token_type"));
    }
    let Some(token) = token_param(params, "subject_token", "subject_token_type")? else {
        return Err(OAuthError::invalid_request("subject_token is missing"));
    };
    let actor = token_param(params, "actor_token", "actor_token_type")?;
    // Once more when the grant changed meanwhile, as it does at some refreshes.
    for _ in 0..3 {
        if let Some(answer) = attempt(engine, client, params, key, (token, actor)).await? {
            return Ok(answer);
        }
    }
    Err(OAuthError::unavailable(Duration::from_secs(1)))
}

/// Everything about tokens and their grants. `None` if these are not as they were read any more.
async fn attempt(
    engine: &Engine,
    client: &Client,
    params: &Params,
    key: Option<&ProvenKey>,
    (token, actor): (&str, Option<&str>),
) -> Result<Option<TokenAnswer>, OAuthError> {
    let subject = held(engine, token, key).await?;
    if subject.access.jkt.is_some() && subject.client() != client.id.as_str() {
        return Err(OAuthError::invalid_request("subject_token is bound to a key of another client"));
    }
    let actor = match actor {
        Some(token) => Some(held(engine, token, key).await?),
        None => None,
    };
    let act = act(client, &subject, actor.as_ref())?;
    let resource = resource(engine, client, params, &subject)?;
    let scopes = scopes(engine, client, params.get("scope"), &subject, &resource)?;

    let partition = &subject.place.partition;
    let grant_key = unwrap(&subject.access.key, token, partition)?;
    let order = Order {
        partition,
        grant: &subject.grant,
        key: grant_key.as_ref(),
        scopes,
        resource,
        jkt: key.map(|key| key.jkt().to_owned()),
        now: engine.now(),
    };
    let until =
        actor.iter().fold(subject.access.expires_at, |until, actor| until.min(actor.access.expires_at));
    let delegation = Delegation { act, client: Some(client.id.to_string()), until: Some(until) };
    // Both are as they were read, or nothing is given: no token comes of a grant that ended meanwhile.
    let batch = Batch::new()
        .require(grant_name(), subject.grant_at)
        .require(subject.place.name.clone(), subject.access_at);
    let (batch, access) = mint::delegated(engine, batch, &order, delegation)?;
    dpop::spend(engine, key).await?;
    if !commit(engine, partition, batch, &access.name).await? {
        return Ok(None);
    }
    let event = engine.event("token_exchanged", Outcome::Allowed).on(order.resource.as_str());
    engine.audit.record(with_grant(event, &subject.grant).doing(client.id.to_string()));
    Ok(Some(TokenAnswer {
        access_token: access.text,
        token_type: token_type(order.jkt.as_deref()).to_owned(),
        expires_at: access.expires_at,
        scope: order.scopes.to_string(),
        refresh_token: None,
        issued_token_type: Some(ACCESS_TOKEN.to_owned()),
    }))
}

/// A token parameter and that of its type, which must both be there or neither (RFC 8693 §2.1).
fn token_param<'a>(params: &'a Params, token: &str, kind: &str) -> Result<Option<&'a str>, OAuthError> {
    match (params.get(token), params.get(kind)) {
        (None, None) => Ok(None),
        (Some(token), Some(ACCESS_TOKEN)) => Ok(Some(token)),
        (Some(_), Some(_)) => {
            Err(OAuthError::invalid_request("only access tokens of this server are exchanged"))
        }
        _ => Err(OAuthError::invalid_request("a token and its type go together")),
    }
}

/// A token that was presented, alive, and the grant it is of.
struct Held {
    place: TokenPlace,
    access: AccessRecord,
    access_at: Revision,
    grant: GrantRecord,
    grant_at: Revision,
}

impl Held {
    fn client(&self) -> &str {
        self.access.client.as_deref().unwrap_or(self.grant.client.as_str())
    }
}

/// Reads a token, past every cache. One that is bound must come with a proof of its key (attack TX06): whoever intercepted it
/// would otherwise get rid of the binding here.
async fn held(engine: &Engine, token: &str, key: Option<&ProvenKey>) -> Result<Held, OAuthError> {
    let dead =
        || OAuthError::invalid_request("a token is unknown, has expired, was revoked or is none of ours");
    let place = place_of(engine, token).map_err(|_| dead())?;
    let Some((access, grant, [access_at, grant_at])) = check::read_at(engine, &place).await? else {
        return Err(dead());
    };
    let held = Held { place, access, access_at, grant, grant_at };
    if engine.now() >= held.access.expires_at {
        return Err(dead());
    }
    if held.access.jkt.is_some() && held.access.jkt.as_deref() != key.map(ProvenKey::jkt) {
        return Err(OAuthError::invalid_request(
            "a token is bound to a key: it needs a DPoP proof with that key",
        ));
    }
    Ok(held)
}

/// Who acts, with the new token (RFC 8693 §4.1): the actor of this request, who acts for those who acted already.
fn act(client: &Client, subject: &Held, actor: Option<&Held>) -> Result<Option<Value>, OAuthError> {
    let before = subject.access.act.clone();
    let Some(actor) = actor else { return Ok(before) };
    if actor.client() != client.id.as_str() {
        return Err(OAuthError::invalid_request("actor_token is another client's"));
    }
    if actor.access.act.is_some() {
        return Err(OAuthError::invalid_request("actor_token is itself for somebody else"));
    }
    let mut act = json!({ "sub": actor.grant.subject, "client_id": client.id.as_str() });
    if let Some(before) = before {
        act["act"] = before;
    }
    if depth(&act) > MAX_ACTORS {
        return Err(OAuthError::invalid_request("too many actors act for each other"));
    }
    Ok(Some(act))
}

/// How many actors an `act` claim names.
pub(super) fn depth(act: &Value) -> usize {
    let mut depth = 0;
    let mut next = Some(act);
    while let Some(act) = next {
        depth += 1;
        next = act.get("act");
    }
    depth
}

/// The one resource it is for: `resource` and `audience` are two words for it (RFC 8693 §2.1); without, the same as before.
fn resource(engine: &Engine, client: &Client, params: &Params, subject: &Held) -> Result<String, OAuthError> {
    let named = target::named(engine, params.all("resource").chain(params.all("audience")))?;
    let resource = named.unwrap_or_else(|| subject.access.resource.clone());
    // Where the operator made no list, the client stays within what the user consented to.
    let of_grant = client.resources.is_none() && subject.grant.resources.contains(&resource);
    let of_list = client.resources.is_some() && target::is_allowed(engine, client, &resource);
    if of_grant || of_list {
        Ok(resource)
    } else {
        Err(OAuthError::invalid_target("the client may not have tokens for this resource"))
    }
}

/// What is asked for, which the subject's token must have; without a word, all that it has. Of these, what the resource knows and
/// the client may have. No token of an exchange is for going on without the user.
fn scopes(
    engine: &Engine,
    client: &Client,
    asked: Option<&str>,
    subject: &Held,
    resource: &str,
) -> Result<Scopes, OAuthError> {
    let held = &subject.access.scopes;
    let scopes = match asked.map(Scopes::parse) {
        Some(asked) if asked.is_empty() || !asked.without(held).is_empty() => {
            return Err(OAuthError::invalid_scope("more is asked for than the subject_token has"));
        }
        Some(asked) => asked,
        None => held.clone(),
    };
    let known = engine.grantable(std::slice::from_ref(&resource.to_owned()));
    let may = |scope: &&mcp_core::Scope| {
        scope.as_str() != "offline_access"
            && known.contains(scope)
            && client.scopes.as_ref().is_none_or(|most| most.contains(scope))
    };
    let kept: Scopes = scopes.iter().filter(may).cloned().collect();
    if asked.is_some() && kept.is_empty() {
        return Err(OAuthError::invalid_scope("the client may have none of these scopes there"));
    }
    Ok(kept)
}
