//! Redeeming an authorization code (RFC 6749 §4.1.3).
//!
//! A failed redemption leaves the code as it was. A second valid one within ten seconds is denied and changes nothing, because
//! clients submit twice and races have losers; a later one ends the grant (RFC 6749 §4.1.2, attack AC02).

use std::time::Duration;

use mcp_core::Timestamp;
use mcp_core::audit::Outcome;
use mcp_store::{Batch, Committed, Name, Partition, Revision};

use crate::client::{Client, GrantType};
use crate::dpop::{self, ProvenKey};
use crate::engine::Engine;
use crate::wire::{OAuthError, Params, PkceVerified, TokenKind, TokenText};

use super::answer::TokenAnswer;
use super::key::GrantKey;
use super::mint::{self, Order};
use super::record::{CodeRecord, GrantRecord, grant_name};
use super::{end, target};

/// How long a second valid presentation is taken for a double submit.
pub(super) const DOUBLE_SUBMIT: Duration = Duration::from_secs(10);
/// How long a used code is remembered, to notice its replay.
pub(super) const MEMORY: Duration = Duration::from_secs(3600);

/// Gives the tokens of a code, bound to the key that the client proved.
///
/// # Errors
/// As RFC 6749 §5.2; 503 when the store does not answer.
pub(crate) async fn redeem(
    engine: &Engine,
    client: &Client,
    params: &Params,
    key: Option<&ProvenKey>,
) -> Result<TokenAnswer, OAuthError> {
    if !client.may(GrantType::AuthorizationCode) {
        return Err(OAuthError::unauthorized_client("the client did not register for authorization_code"));
    }
    let code = params.get("code").ok_or_else(|| OAuthError::invalid_request("code is missing"))?;
    let code = TokenText::parse(TokenKind::Code, code).ok_or_else(unknown)?;
    let jkt = key.map(ProvenKey::jkt);
    // Once more after a lost race: then the code is used, and this says so.
    for _ in 0..3 {
        let waiting = read(engine, client, &code).await?;
        let verified = check(&waiting.code, params)?;
        if waiting.code.jkt.as_deref().is_some_and(|bound| Some(bound) != jkt) {
            return Err(OAuthError::invalid_grant("the code is bound to another key"));
        }
        if let Some(used_at) = waiting.code.used_at {
            let used_at = Timestamp::from_millis(used_at);
            if engine.now().since(used_at) > DOUBLE_SUBMIT {
                end(engine, code.partition(), "code_replay").await?;
            }
            let event = engine.event("code_replay", Outcome::Denied).because("the code was redeemed before");
            engine.audit.record(with_grant(event, &waiting.grant));
            return Err(OAuthError::invalid_grant("the code was redeemed before"));
        }
        if let Some(answer) = take(engine, &code, &waiting, (client, params, key), &verified).await? {
            engine.record_allowed("code_redeemed", |event| with_grant(event, &waiting.grant));
            return Ok(answer);
        }
    }
    Err(OAuthError::unavailable(Duration::from_secs(1)))
}

/// A code as it was at one moment.
struct Waiting {
    code: CodeRecord,
    code_at: Revision,
    grant: GrantRecord,
    grant_at: Revision,
}

async fn read(engine: &Engine, client: &Client, code: &TokenText) -> Result<Waiting, OAuthError> {
    let names = [code.name(), grant_name()];
    let mut found = engine.vault.get(code.partition(), &names).await?.into_iter();
    let (Some(Some(record)), Some(Some(grant))) = (found.next(), found.next()) else {
        return Err(unknown());
    };
    let waiting = Waiting {
        code_at: record.revision(),
        code: record.json()?,
        grant_at: grant.revision(),
        grant: grant.json()?,
    };
    if waiting.grant.client != client.id {
        let event = engine.event("code_of_another_client", Outcome::Denied);
        engine.audit.record(with_grant(event, &waiting.grant).doing(client.id.to_string()));
        return Err(unknown());
    }
    if waiting.grant.ended.is_some() {
        return Err(OAuthError::invalid_grant("the grant has ended"));
    }
    Ok(waiting)
}

/// Everything about the presentation but whether it is the first.
fn check(code: &CodeRecord, params: &Params) -> Result<PkceVerified, OAuthError> {
    if params.get("redirect_uri").is_some_and(|uri| uri != code.redirect_uri) {
        return Err(OAuthError::invalid_grant("redirect_uri is not the one of the authorization request"));
    }
    let verifier =
        params.get("code_verifier").ok_or_else(|| OAuthError::invalid_grant("code_verifier is missing"))?;
    code.challenge
        .verify(verifier)
        .ok_or_else(|| OAuthError::invalid_grant("code_verifier does not fit the code_challenge"))
}

/// Takes the code and gives the tokens, in one commit. `None` if somebody else was faster.
async fn take(
    engine: &Engine,
    code: &TokenText,
    waiting: &Waiting,
    (client, params, key): (&Client, &Params, Option<&ProvenKey>),
    _: &PkceVerified,
) -> Result<Option<TokenAnswer>, OAuthError> {
    let Waiting { code: record, grant, .. } = waiting;
    let partition = code.partition();
    let resource = target::resource(engine, params, grant, None)?;
    let scopes = target::scopes(engine, None, grant, &resource)?;
    let now = engine.now();
    let jkt = key.map(ProvenKey::jkt);
    let grant_key = unwrap(&record.key, code.expose(), partition)?;
    let order = Order {
        partition,
        grant,
        key: grant_key.as_ref(),
        scopes,
        resource,
        jkt: jkt.map(str::to_owned),
        now,
    };

    let used = CodeRecord { used_at: Some(now.as_millis()), key: Vec::new(), ..record.clone() };
    let batch = Batch::new()
        .require(code.name(), waiting.code_at)
        .require(grant_name(), waiting.grant_at)
        .put_json(code.name(), &used, Some(now + MEMORY))?
        .put_json(grant_name(), grant, Some(grant.expires_at))?;
    let (batch, access) = mint::access(engine, batch, &order)?;
    let (batch, refresh) = if grant.refreshable {
        let (batch, token) = mint::refresh(engine, batch, &order, mint::binding(client, jkt))?;
        (batch, Some(token))
    } else {
        (batch, None)
    };
    dpop::spend(engine, key).await?;
    if !commit(engine, partition, batch, &code.name()).await? {
        return Ok(None);
    }
    Ok(Some(TokenAnswer {
        access_token: access.text,
        token_type: token_type(jkt).to_owned(),
        expires_at: access.expires_at,
        scope: order.scopes.to_string(),
        refresh_token: refresh.map(|token| token.expose().to_owned()),
        issued_token_type: None,
    }))
}

/// Commits; `false` if something required did not hold. Where the store lost the answer, it is asked what became of it: every
/// batch writes `witness`, and its revision is the batch's.
pub(crate) async fn commit(
    engine: &Engine,
    partition: &Partition,
    batch: Batch,
    witness: &Name,
) -> Result<bool, OAuthError> {
    let revision = batch.revision();
    match engine.vault.commit(partition, batch).await {
        Ok(Committed::Done(_)) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) if error.is_unknown() => {
            let found = engine.vault.get_one(partition, witness).await?;
            if found.is_some_and(|record| record.revision() == revision) {
                Ok(true)
            } else {
                Err(error.into())
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// The grant's key, where there is one. A record that its own token does not open was tampered with.
pub(super) fn unwrap(
    wrapped: &[u8],
    token: &str,
    partition: &Partition,
) -> Result<Option<GrantKey>, OAuthError> {
    if wrapped.is_empty() {
        return Ok(None);
    }
    match GrantKey::unwrap(wrapped, token, partition) {
        Some(key) => Ok(Some(key)),
        None => Err(mcp_store::StoreError::corrupt("a grant's key does not open with its token").into()),
    }
}

/// How a token is presented (RFC 6750, RFC 9449 §5).
pub(super) fn token_type(jkt: Option<&str>) -> &'static str {
    if jkt.is_some() { "DPoP" } else { "Bearer" }
}

/// Names the grant's parties in an event.
pub(super) fn with_grant(
    mut event: mcp_core::audit::AuditEvent,
    grant: &GrantRecord,
) -> mcp_core::audit::AuditEvent {
    event.subject = Some(grant.subject.clone());
    event.client = Some(grant.client.to_string());
    event
}

fn unknown() -> OAuthError {
    OAuthError::invalid_grant("the code is unknown, has expired or is another client's")
}
