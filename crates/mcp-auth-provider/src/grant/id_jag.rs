//! Tokens for identity assertions (RFC 7523 §2.1 with ID-JAG, spec EXT-EMA).
//!
//! The partition of the token is derived from what makes the assertion this one: issuer, tenant, user and `jti`. So burning the
//! assertion and giving the token are one commit, which only the first gets; and whatever is wrong with a request burns nothing.
//! An assertion that comes again is refused also when the grant it gave has ended.

use mcp_core::Scopes;
use mcp_core::audit::Outcome;
use mcp_store::{Batch, Name, Partition, StoreError};

use crate::client::{Client, GrantType};
use crate::dpop::{self, ProvenKey};
use crate::engine::Engine;
use crate::idp::{Asserted, TYPE};
use crate::wire::{OAuthError, Params};

use super::answer::TokenAnswer;
use super::key::GrantKey;
use super::mint::{self, Delegation, Order};
use super::record::{GrantKind, GrantRecord, grant_name};
use super::redeem::{commit, token_type, with_grant};
use super::{index, target};

/// How long a used assertion is remembered beyond its end: clocks are read again by the commit, and nodes disagree a little.
const MARGIN: std::time::Duration = std::time::Duration::from_secs(120);

/// Whether a request of this grant is one that could ever be answered: said before its client is asked for, because other
/// profiles of the grant have none (spec EXT-WIF-01).
///
/// # Errors
/// `invalid_request` without an assertion; `invalid_grant` when it is of another profile.
pub(crate) fn is_profile_known(params: &Params) -> Result<(), OAuthError> {
    let text = params.get("assertion").ok_or_else(|| OAuthError::invalid_request("assertion is missing"))?;
    match mcp_auth_jwt::assertion::UnverifiedAssertion::read(text) {
        Ok(assertion) if assertion.is_typed(TYPE) => Ok(()),
        Ok(_) => Err(OAuthError::invalid_grant("the assertion is no identity assertion grant, typ")),
        Err(error) => Err(OAuthError::invalid_grant(error.reason())),
    }
}

/// Gives a token for an assertion.
///
/// # Errors
/// As RFC 6749 §5.2 and RFC 7523 §3.1; 503 when the store or the keys of the issuer cannot be had.
pub(crate) async fn id_jag(
    engine: &Engine,
    client: &Client,
    params: &Params,
    key: Option<&ProvenKey>,
) -> Result<TokenAnswer, OAuthError> {
    if !has_proved(client, params) || !client.may(GrantType::JwtBearer) {
        return Err(OAuthError::unauthorized_client("the client may not use identity assertions"));
    }
    let text = params.get("assertion").ok_or_else(|| OAuthError::invalid_request("assertion is missing"))?;
    let result = give(engine, client, params, key, text).await;
    if let Err(error) = &result
        && error.status().is_client_error()
    {
        let mut event = engine.event("assertion_refused", Outcome::Denied).because(error.description());
        event.client = Some(client.id.to_string());
        engine.audit.record(event);
    }
    result
}

/// Whether the client proved who it is with this very request. Some may, and may also come without (attack CI12); what they
/// presented was checked in any case.
fn has_proved(client: &Client, params: &Params) -> bool {
    !client.is_public() || params.get("client_assertion").is_some()
}

async fn give(
    engine: &Engine,
    client: &Client,
    params: &Params,
    key: Option<&ProvenKey>,
    text: &str,
) -> Result<TokenAnswer, OAuthError> {
    let said = engine.idps.judge(text, &engine.issuer, &client.id, engine.now()).await?;
    if said.jkt.is_some() && said.jkt.as_deref() != key.map(ProvenKey::jkt) {
        return Err(OAuthError::invalid_grant(
            "the assertion is bound to a key: it needs a DPoP proof with that key",
        ));
    }
    let resource = resource(engine, client, params, &said)?;
    let scopes = scopes(engine, client, params.get("scope"), &said, &resource)?;
    let partition = partition(engine, &said);
    let again = || OAuthError::invalid_grant("the assertion was used before");
    if engine.vault.get_one(&partition, &used()).await?.is_some() {
        return Err(again());
    }

    let now = engine.now();
    let grant_key = GrantKey::random();
    let props = serde_json::to_vec(&said.props).map_err(|_| StoreError::invalid("props that are no JSON"))?;
    let grant = GrantRecord {
        kind: GrantKind::Assertion,
        client: client.id.clone(),
        client_name: client.name.clone(),
        subject: said.subject.clone(),
        scopes: scopes.clone(),
        resources: vec![resource.clone()],
        created_at: now,
        authenticated_at: said.authenticated_at,
        expires_at: now + engine.lifetimes.access,
        refreshable: false,
        props: grant_key.seal(&partition, &props),
        memory: serde_json::Value::Null,
        ended: None,
    };
    let order = Order {
        partition: &partition,
        grant: &grant,
        key: Some(&grant_key),
        scopes,
        resource,
        jkt: key.map(|key| key.jkt().to_owned()),
        now,
    };
    let batch = Batch::new()
        .require_absent(used())
        .put(used(), "", Some(said.expires_at + MARGIN))
        .require_absent(grant_name())
        .put_json(grant_name(), &grant, Some(grant.expires_at))?;
    let delegation = Delegation { act: said.act.clone(), ..Delegation::default() };
    let (batch, access) = mint::delegated(engine, batch, &order, delegation)?;
    // The lists first: a crash in between leaves an entry that leads nowhere, never a grant that nobody can find.
    index::add(engine, &grant, &partition).await?;
    dpop::spend(engine, key).await?;
    if !commit(engine, &partition, batch, &used()).await? {
        return Err(again());
    }
    let event = engine.event("assertion_accepted", Outcome::Allowed).on(order.resource.as_str());
    engine.audit.record(with_grant(event, &grant));
    Ok(TokenAnswer {
        access_token: access.text,
        token_type: token_type(order.jkt.as_deref()).to_owned(),
        expires_at: access.expires_at,
        scope: order.scopes.to_string(),
        refresh_token: None,
        issued_token_type: None,
    })
}

/// Where its token is, and that it was used.
fn partition(engine: &Engine, said: &Asserted) -> Partition {
    let [issuer, tenant, user, id] = &said.id;
    let parts = [issuer.as_bytes(), tenant.as_bytes(), user.as_bytes(), id.as_bytes()];
    let name = engine.vault.keyed_name("identity assertion", &parts);
    #[expect(clippy::expect_used, reason = "22 of 43 characters of base64url are a partition")]
    Partition::new(name.get(..22).unwrap_or(&name)).expect("a part of a digest is a partition")
}

fn used() -> Name {
    #[expect(clippy::expect_used, reason = "a word is a name")]
    Name::new("assertion").expect("a word is a name")
}

/// The one resource it is for: one that the assertion names and that is ours (spec EXT-EMA-07).
fn resource(
    engine: &Engine,
    client: &Client,
    params: &Params,
    said: &Asserted,
) -> Result<String, OAuthError> {
    let asked = target::named(engine, params.all("resource"))?;
    let Some(named) = &said.resources else {
        return match asked {
            Some(asked) if !target::is_allowed(engine, client, &asked) => {
                Err(OAuthError::invalid_target("the client may not have tokens for this resource"))
            }
            Some(asked) => Ok(asked),
            None => target::of_client(engine, client, params),
        };
    };
    let mut ours: Vec<&str> =
        named.iter().filter_map(|one| engine.resource(one)).map(|resource| resource.identifier()).collect();
    ours.sort_unstable();
    ours.dedup();
    let chosen = match (asked, ours.as_slice()) {
        (_, []) => return Err(OAuthError::invalid_target("the assertion is for no resource of this server")),
        (Some(asked), ours) if ours.contains(&asked.as_str()) => asked,
        (Some(_), _) => return Err(OAuthError::invalid_target("the assertion is not for this resource")),
        (None, [only]) => (*only).to_owned(),
        (None, _) => {
            return Err(OAuthError::invalid_target("the assertion is for several resources: name one"));
        }
    };
    if target::is_allowed(engine, client, &chosen) {
        Ok(chosen)
    } else {
        Err(OAuthError::invalid_target("the client may not have tokens for this resource"))
    }
}

/// What is both asserted and asked for (spec EXT-EMA-08), and known at the resource, and within what the client may have.
fn scopes(
    engine: &Engine,
    client: &Client,
    asked: Option<&str>,
    said: &Asserted,
    resource: &str,
) -> Result<Scopes, OAuthError> {
    let asked = asked.map(Scopes::parse);
    let known = engine.grantable(std::slice::from_ref(&resource.to_owned()));
    let may = |scope: &&mcp_core::Scope| {
        scope.as_str() != "offline_access"
            && known.contains(scope)
            && asked.as_ref().is_none_or(|asked| asked.contains(scope))
            && client.scopes.as_ref().is_none_or(|most| most.contains(scope))
    };
    let scopes: Scopes = said.scopes.iter().filter(may).cloned().collect();
    if asked.is_some() && scopes.is_empty() {
        return Err(OAuthError::invalid_scope("none of these scopes is asserted for the user"));
    }
    Ok(scopes)
}
