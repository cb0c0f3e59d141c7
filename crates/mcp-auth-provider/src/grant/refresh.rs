//! Refreshing (RFC 6749 §6), so that a lost answer logs nobody out and a stolen token does not live.
//!
//! Each refresh rotates the token. For the replay window, and while the successor has not been redeemed itself, the old token
//! with the same scope, resource and key gets the very same answer again: a client whose connection broke, or that asked
//! twice at once, goes on. Any other reuse ends the grant (RFC 9700 §4.14.2, attack RT07). No other client can cause that.

use std::time::Duration;

use mcp_core::Timestamp;
use mcp_core::audit::Outcome;
use mcp_store::{Batch, Name, Revision, StoreError};
use serde_json::Value;

use crate::client::{Client, GrantType};
use crate::dpop::{self, ProvenKey};
use crate::engine::Engine;
use crate::sign_in::Refreshed;
use crate::wire::{OAuthError, Params, TokenKind, TokenText};

use super::answer::TokenAnswer;
use super::end::end_if;
use super::key::{GrantKey, open_answer, seal_answer};
use super::mint::{self, Order};
use super::record::{GrantRecord, RefreshRecord, Rotated, answer_name, grant_name};
use super::redeem::{commit, token_type, unwrap, with_grant};
use super::{end, target};

/// Gives new tokens for a refresh token, bound to the key that the client proved.
///
/// # Errors
/// As RFC 6749 §5.2; 503 when the store or the sign-in does not answer.
pub(crate) async fn refresh(
    engine: &Engine,
    client: &Client,
    params: &Params,
    key: Option<&ProvenKey>,
) -> Result<TokenAnswer, OAuthError> {
    let token = params.get("refresh_token");
    let token = token.ok_or_else(|| OAuthError::invalid_request("refresh_token is missing"))?;
    let token = TokenText::parse(TokenKind::Refresh, token).ok_or_else(unknown)?;
    for _ in 0..8 {
        let held = read(engine, client, &token).await?;
        if !client.may(GrantType::RefreshToken) {
            return Err(OAuthError::unauthorized_client("the client did not register for refresh_token"));
        }
        if held.token.jkt.is_some() && held.token.jkt.as_deref() != key.map(ProvenKey::jkt) {
            return Err(OAuthError::invalid_grant("the refresh token is bound to another key"));
        }
        match &held.token.rotated {
            Some(rotated) => {
                if let Some(answer) = again(engine, &token, &held, rotated, (params, key)).await? {
                    return Ok(answer);
                }
            }
            None => {
                if let Some(answer) = rotate(engine, &token, &held, (client, params, key)).await? {
                    engine.record_allowed("token_refreshed", |event| with_grant(event, &held.grant));
                    return Ok(answer);
                }
            }
        }
    }
    Err(OAuthError::unavailable(Duration::from_secs(1)))
}

/// A refresh token as it was at one moment.
struct Held {
    token: RefreshRecord,
    token_at: Revision,
    token_ends: Option<Timestamp>,
    grant: GrantRecord,
    grant_at: Revision,
}

async fn read(engine: &Engine, client: &Client, token: &TokenText) -> Result<Held, OAuthError> {
    let mut found = engine.vault.get(token.partition(), &[token.name(), grant_name()]).await?.into_iter();
    let (Some(Some(record)), Some(Some(grant))) = (found.next(), found.next()) else {
        return Err(unknown());
    };
    let held = Held {
        token_at: record.revision(),
        token_ends: record.expires_at(),
        token: record.json()?,
        grant_at: grant.revision(),
        grant: grant.json()?,
    };
    if held.grant.client != client.id {
        let event = engine.event("refresh_by_another_client", Outcome::Denied);
        engine.audit.record(with_grant(event, &held.grant).doing(client.id.to_string()));
        return Err(unknown());
    }
    if held.grant.ended.is_some() {
        return Err(OAuthError::invalid_grant("the grant has ended"));
    }
    Ok(held)
}

/// The token was used before: a repetition gets its answer again, everything else ends the grant. `None` if the state moved on
/// meanwhile and must be read anew.
async fn again(
    engine: &Engine,
    token: &TokenText,
    held: &Held,
    rotated: &Rotated,
    (params, key): (&Params, Option<&ProvenKey>),
) -> Result<Option<TokenAnswer>, OAuthError> {
    dpop::spend(engine, key).await?;
    let partition = token.partition();
    let now = engine.now();
    let since = now.since(Timestamp::from_millis(rotated.at));
    let successor =
        Name::new(&rotated.successor).map_err(|_| StoreError::corrupt("a successor has no name"))?;
    let mut found = engine.vault.get(partition, &[successor, answer_name(&token.name())]).await?.into_iter();
    let (successor, answer) = (found.next().flatten(), found.next().flatten());
    let unused = match &successor {
        Some(record) => record.json::<RefreshRecord>()?.rotated.is_none(),
        None => false,
    };
    if since < engine.lifetimes.replay && unused {
        if request_of(engine, params, key) != rotated.request {
            return Err(OAuthError::invalid_grant(
                "the refresh token was used with another scope, resource or key",
            ));
        }
        let Some(answer) = answer else { return Ok(None) };
        let clear = open_answer(token.expose(), partition, answer.value())
            .ok_or_else(|| StoreError::corrupt("an answer does not open with its token"))?;
        let answer =
            serde_json::from_slice(&clear).map_err(|_| StoreError::corrupt("an answer is no JSON"))?;
        let event = engine.event("refresh_repeated", Outcome::Allowed).because("the answer was given again");
        engine.audit.record(with_grant(event, &held.grant));
        return Ok(Some(answer));
    }
    end(engine, partition, "refresh_reuse").await?;
    let event = engine
        .event("refresh_reuse", Outcome::Denied)
        .because("a used refresh token came back: the grant ends");
    engine.audit.record(with_grant(event, &held.grant));
    Err(OAuthError::invalid_grant("the refresh token was used before"))
}

/// Takes the token and gives its successor, in one commit. `None` if somebody else was faster.
async fn rotate(
    engine: &Engine,
    token: &TokenText,
    held: &Held,
    (client, params, proven): (&Client, &Params, Option<&ProvenKey>),
) -> Result<Option<TokenAnswer>, OAuthError> {
    let partition = token.partition();
    // What is wrong with the request is said before the sign-in is asked, which may cost a call elsewhere.
    let resource = target::resource(engine, params, &held.grant, Some(&held.token.resource))?;
    let scopes = target::scopes(engine, params.get("scope"), &held.grant, &resource)?;
    let key = unwrap(&held.token.key, token.expose(), partition)?;
    // Before the sign-in is asked: what that says must not be lost to a proof that was used before.
    dpop::spend(engine, proven).await?;
    let Some(Current { grant, changed, key }) = ask_sign_in(engine, token, held, key).await? else {
        return Ok(None);
    };
    let scopes = match changed.then(|| target::scopes(engine, params.get("scope"), &grant, &resource)) {
        None => scopes,
        Some(Ok(scopes)) => scopes,
        Some(Err(error)) => {
            // The client gets nothing, but what the sign-in has to remember is remembered.
            let batch = Batch::new().require(grant_name(), held.grant_at);
            let batch = batch.put_json(grant_name(), &grant, Some(grant.expires_at))?;
            commit(engine, partition, batch, &grant_name()).await?;
            return Err(error);
        }
    };
    let now = engine.now();
    let jkt = proven.map(ProvenKey::jkt);
    let order = Order {
        partition,
        grant: &grant,
        key: key.as_ref(),
        scopes,
        resource,
        jkt: jkt.map(str::to_owned),
        now,
    };
    let (batch, access) = mint::access(engine, Batch::new(), &order)?;
    // What the client did not name stays as it was: narrowing is for one access token (RFC 6749 §6).
    let usual = Order { resource: held.token.resource.clone(), ..order };
    let (batch, successor) = mint::refresh(engine, batch, &usual, mint::binding(client, jkt))?;
    let answer = TokenAnswer {
        access_token: access.text,
        token_type: token_type(jkt).to_owned(),
        expires_at: access.expires_at,
        scope: usual.scopes.to_string(),
        refresh_token: Some(successor.expose().to_owned()),
        issued_token_type: None,
    };
    let clear = serde_json::to_vec(&answer).map_err(|_| StoreError::invalid("an answer that is no JSON"))?;
    let used = RefreshRecord {
        key: Vec::new(),
        rotated: Some(Rotated {
            at: now.as_millis(),
            successor: successor.name().to_string(),
            request: request_of(engine, params, proven),
        }),
        ..held.token.clone()
    };
    let batch = batch.require(token.name(), held.token_at).require(grant_name(), held.grant_at).put_json(
        token.name(),
        &used,
        held.token_ends,
    )?;
    let batch = if engine.lifetimes.replay.is_zero() {
        batch
    } else {
        let sealed = seal_answer(token.expose(), partition, &clear);
        batch.put(answer_name(&token.name()), sealed, Some(now + engine.lifetimes.replay))
    };
    let batch = if changed { batch.put_json(grant_name(), &grant, Some(grant.expires_at))? } else { batch };
    Ok(commit(engine, partition, batch, &token.name()).await?.then_some(answer))
}

/// A grant after its sign-in was asked.
struct Current {
    grant: GrantRecord,
    changed: bool,
    key: Option<GrantKey>,
}

/// Asks the sign-in whether the user is still one of its own; if not, the grant ends. `None` if the sign-in was asked about what
/// was not so any more: another request was faster, and the sign-in may have said no to the second of two.
async fn ask_sign_in(
    engine: &Engine,
    token: &TokenText,
    held: &Held,
    key: Option<GrantKey>,
) -> Result<Option<Current>, OAuthError> {
    let (partition, grant) = (token.partition(), &held.grant);
    let view = end::view(partition, grant);
    match engine.sign_in.refresh(&view, &grant.memory).await {
        Refreshed::Keep => Ok(Some(Current { grant: grant.clone(), changed: false, key })),
        Refreshed::Changed { props, memory, scopes } => {
            let mut grant = grant.clone();
            let mut key = key;
            match props {
                None => {}
                // The key stays: older tokens must open what comes later.
                Some(Value::Null) => grant.props = Vec::new(),
                Some(props) => {
                    let clear = serde_json::to_vec(&props)
                        .map_err(|_| StoreError::invalid("props that are no JSON"))?;
                    grant.props = key.get_or_insert_with(GrantKey::random).seal(partition, &clear);
                }
            }
            if let Some(memory) = memory {
                grant.memory = memory;
            }
            if let Some(most) = scopes {
                grant.scopes = grant.scopes.iter().filter(|scope| most.contains(scope)).cloned().collect();
            }
            Ok(Some(Current { grant, changed: true, key }))
        }
        Refreshed::Ended => {
            let still = [(token.name(), held.token_at), (grant_name(), held.grant_at)];
            if end_if(engine, partition, "sign_in_ended", &still).await? {
                Err(OAuthError::invalid_grant("the user may not come in any more"))
            } else {
                Ok(None)
            }
        }
        Refreshed::Unavailable => Err(OAuthError::unavailable(Duration::from_secs(5))),
    }
}

/// What a repetition must have in common with the first request, beside token and client.
fn request_of(engine: &Engine, params: &Params, key: Option<&ProvenKey>) -> String {
    let scopes =
        params.get("scope").map(|text| mcp_core::Scopes::parse(text).to_string()).unwrap_or_default();
    let resource = params.get("resource").and_then(|identifier| engine.resource(identifier));
    let resource = resource.map(|resource| resource.identifier()).unwrap_or_default();
    format!("{scopes}\n{resource}\n{}", key.map(ProvenKey::jkt).unwrap_or_default())
}

fn unknown() -> OAuthError {
    OAuthError::invalid_grant("the refresh token is unknown, has expired or is another client's")
}
