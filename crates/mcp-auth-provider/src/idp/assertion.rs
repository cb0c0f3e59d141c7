//! What an identity assertion says, beyond what every signed assertion must: decided from its claims, without I/O.

use std::time::Duration;

use mcp_core::{ClientId, Scopes, Timestamp};
use serde_json::{Map, Value};

use super::TrustedIdp;
use crate::grant::subject;

/// The `typ` of an identity assertion (draft-ietf-oauth-identity-assertion-authz-grant §3).
pub(crate) const TYPE: &str = "oauth-id-jag+jwt";

/// Why not, in words for the client.
type Reason = &'static str;

/// What a trusted identity provider said, about a user, of a client, to us.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asserted {
    /// The user's name here.
    pub(crate) subject: String,
    /// What makes it this assertion and no other: issuer, tenant, user, `jti`.
    pub(crate) id: [String; 4],
    pub(crate) expires_at: Timestamp,
    pub(crate) authenticated_at: Timestamp,
    /// The most it allows.
    pub(crate) scopes: Scopes,
    /// The resources it is for, as named; `None` where it may name none.
    pub(crate) resources: Option<Vec<String>>,
    /// The key that has to be proved.
    pub(crate) jkt: Option<String>,
    pub(crate) act: Option<Value>,
    /// What tools may know of the user.
    pub(crate) props: Value,
}

/// How far the provider's clock may be ahead.
const LEEWAY: Duration = Duration::from_secs(30);
/// The longest name of a user or tenant, in bytes. OpenID Connect Core §2 has 255.
const MAX_NAME: usize = 255;
const MAX_RESOURCES: usize = 32;
/// The most actors, and the most bytes an `act` may have.
const MAX_ACTORS: usize = 4;
const MAX_ACT: usize = 4096;
/// What goes to tools as it is, where it is a text, a number or a truth value.
const TOLD: [&str; 5] = ["email", "email_verified", "name", "auth_time", "acr"];

/// Judges verified claims. Signature, type, issuer, audience and `jti` were looked at before.
pub(super) fn judge(
    idp: &TrustedIdp,
    claims: &Map<String, Value>,
    client: &ClientId,
    now: Timestamp,
) -> Result<Asserted, Reason> {
    // Spec EXT-EMA-06: the client that got it, and no other.
    match claims.get("client_id") {
        Some(Value::String(named)) if named == client.as_str() => {}
        _ => return Err("the assertion is about another client, client_id"),
    }
    if !idp.clients.is_empty() && !idp.clients.contains(client) {
        return Err("its issuer is not trusted to speak of this client");
    }
    // Attack EM10: what we cannot honour, nobody may rely on.
    if claims.contains_key("authorization_details") {
        return Err("the assertion has authorization_details, which are not known here");
    }
    let (issued_at, expires_at) = times(idp, claims, now)?;
    let user = name(claims, "sub")?.ok_or("the assertion is about nobody, sub")?;
    let tenant = name(claims, "tenant")?;
    if tenant.is_some_and(|tenant| !idp.tenants.iter().any(|own| own == tenant))
        || tenant.is_none() && !idp.tenants.is_empty()
    {
        return Err("the assertion is about a tenant that is not trusted here");
    }
    let issuer = idp.name().as_str();
    let subject = match &idp.subject {
        Some(map) => {
            map(claims).filter(|subject| !subject.is_empty() && subject::client_of(subject).is_none())
        }
        None => Some(subject::of_idp(issuer, tenant, user)),
    };
    let id = claims.get("jti").and_then(Value::as_str).unwrap_or_default();
    let id = [issuer, tenant.unwrap_or_default(), user, id].map(str::to_owned);
    Ok(Asserted {
        subject: subject.ok_or("the user is not known here")?,
        id,
        expires_at,
        authenticated_at: seconds(claims, "auth_time")?.filter(|at| *at <= now).unwrap_or(issued_at),
        scopes: scopes(idp, claims)?,
        resources: resources(idp, claims)?,
        jkt: thumbprint(claims)?,
        act: act(claims)?,
        props: props(issuer, tenant, user, claims),
    })
}

/// When it was made and when it ends. No leeway at its end: the client gets a new one, and nobody is helped by a longer life.
fn times(
    idp: &TrustedIdp,
    claims: &Map<String, Value>,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), Reason> {
    let issued_at = seconds(claims, "iat")?.ok_or("the assertion does not say when it was made, iat")?;
    let expires_at = seconds(claims, "exp")?.ok_or("the assertion has no end, exp")?;
    if now >= expires_at {
        return Err("the assertion has expired");
    }
    if issued_at > now + LEEWAY {
        return Err("the assertion was made in the future");
    }
    if expires_at.since(issued_at) > idp.max_lifetime_of_assertions() {
        return Err("the assertion lives longer than is allowed here");
    }
    Ok((issued_at, expires_at))
}

fn scopes(idp: &TrustedIdp, claims: &Map<String, Value>) -> Result<Scopes, Reason> {
    match claims.get("scope") {
        None => Ok(idp.scopes.clone()),
        Some(Value::String(text)) => Ok(Scopes::parse(text)),
        Some(_) => Err("the assertion has a scope that is no text"),
    }
}

fn resources(idp: &TrustedIdp, claims: &Map<String, Value>) -> Result<Option<Vec<String>>, Reason> {
    let named: Vec<&Value> = match claims.get("resource") {
        None if idp.any_resource => return Ok(None),
        None => return Err("the assertion names no resource"),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
    };
    if named.is_empty() || named.len() > MAX_RESOURCES {
        return Err("the assertion names no resource, or too many");
    }
    let named: Option<Vec<&str>> = named.into_iter().map(Value::as_str).collect();
    match named {
        // RFC 8707 §2: without a fragment.
        Some(named) if named.iter().all(|one| !one.contains('#')) => {
            Ok(Some(named.into_iter().map(str::to_owned).collect()))
        }
        _ => Err("the assertion names a resource that is no resource"),
    }
}

/// The key that the assertion is bound to, if it is (RFC 7800 §3). Any other way than by DPoP is refused.
fn thumbprint(claims: &Map<String, Value>) -> Result<Option<String>, Reason> {
    let Some(binding) = claims.get("cnf") else { return Ok(None) };
    match binding.as_object().and_then(|binding| binding.get("jkt").filter(|_| binding.len() == 1)) {
        Some(Value::String(jkt)) => Ok(Some(jkt.clone())),
        _ => Err("the assertion is bound to its holder in a way that is not known here, cnf"),
    }
}

/// Who acts for the user already (RFC 8693 §4.1).
fn act(claims: &Map<String, Value>) -> Result<Option<Value>, Reason> {
    let Some(act) = claims.get("act") else { return Ok(None) };
    let mut next = Some(act);
    let mut actors = 0;
    while let Some(act) = next {
        actors += 1;
        let named = act.get("sub").is_some_and(Value::is_string);
        if !named || actors > MAX_ACTORS {
            return Err("the assertion names actors that are none, or too many, act");
        }
        next = act.get("act");
    }
    if act.to_string().len() > MAX_ACT {
        return Err("the assertion says too much of actors, act");
    }
    Ok(Some(act.clone()))
}

fn props(issuer: &str, tenant: Option<&str>, user: &str, claims: &Map<String, Value>) -> Value {
    let mut props = Map::new();
    props.insert("iss".to_owned(), issuer.into());
    props.insert("sub".to_owned(), user.into());
    if let Some(tenant) = tenant {
        props.insert("tenant".to_owned(), tenant.into());
    }
    let is_short = |value: &Value| match value {
        Value::String(text) => text.len() <= 1024,
        value => value.is_boolean() || value.is_number(),
    };
    for name in TOLD {
        if let Some(value) = claims.get(name).filter(|value| is_short(value)) {
            props.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(props)
}

/// A name of bearable length. An error where it is something else.
fn name<'a>(claims: &'a Map<String, Value>, claim: &str) -> Result<Option<&'a str>, Reason> {
    match claims.get(claim) {
        None => Ok(None),
        Some(Value::String(name)) if (1..=MAX_NAME).contains(&name.len()) => Ok(Some(name)),
        Some(_) => Err("the assertion has a name that is none, or too long a one"),
    }
}

/// A `NumericDate` in whole seconds. Anything else is an error, not an absence.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Reason> {
    match claims.get(name).map(Value::as_u64) {
        None => Ok(None),
        Some(Some(seconds)) => Ok(Some(Timestamp::from_secs(seconds))),
        Some(None) => Err("the assertion has a time that is no number of seconds"),
    }
}

#[cfg(test)]
mod tests {
    use mcp_auth_jwt::Keys;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn idp() -> TrustedIdp {
        let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        TrustedIdp::keys("https://idp.test", Keys::jwk(key).unwrap())
    }

    fn with(changes: Value) -> Map<String, Value> {
        let good = json!({
            "iss": "https://idp.test", "sub": "ada", "aud": "https://mcp.test", "client_id": "agent", "jti": "1",
            "iat": 1_800_000_000, "exp": 1_800_000_300, "resource": "https://mcp.test/mcp", "scope": "mcp:read",
        });
        let (Value::Object(mut good), Value::Object(changes)) = (good, changes) else { unreachable!() };
        for (name, value) in changes {
            if value.is_null() {
                good.remove(&name)
            } else {
                good.insert(name, value)
            };
        }
        good
    }

    fn judged(idp: &TrustedIdp, changes: Value) -> Result<Asserted, Reason> {
        judge(idp, &with(changes), &"agent".into(), NOW)
    }

    #[test]
    fn a_good_one_says_who_and_what() {
        let said =
            judged(&idp(), json!({"email": "ada@example.com", "auth_time": 1_799_999_000, "x": {}})).unwrap();
        assert_eq!(said.subject, "idp:https://idp.test|ada");
        assert_eq!(said.authenticated_at, Timestamp::from_secs(1_799_999_000));
        assert_eq!(said.scopes, Scopes::from("mcp:read"));
        assert_eq!(said.resources.as_deref(), Some(["https://mcp.test/mcp".to_owned()].as_slice()));
        let expected = json!({
            "iss": "https://idp.test", "sub": "ada", "email": "ada@example.com", "auth_time": 1_799_999_000,
        });
        assert_eq!(said.props, expected);
    }

    // covers: EM04, EM05, EM06, EM10
    #[test]
    fn anything_wrong_is_refused() {
        let far = 1_800_000_000_u64;
        for changes in [
            json!({"client_id": null}),
            json!({"client_id": "other"}),
            json!({"client_id": ["agent"]}),
            json!({"iat": null}),
            json!({"iat": far + 31}),
            json!({"iat": "1800000000"}),
            json!({"exp": null}),
            json!({"exp": far}),
            json!({"exp": far - 1}),
            json!({"exp": 1_800_000_300.5}),
            json!({"exp": "1800000300"}),
            json!({"exp": far + 3601}),
            json!({"iat": far - 3301, "exp": far + 300}),
            json!({"sub": null}),
            json!({"sub": ""}),
            json!({"sub": 7}),
            json!({"sub": "a".repeat(256)}),
            json!({"tenant": "acme"}),
            json!({"resource": null}),
            json!({"resource": []}),
            json!({"resource": 7}),
            json!({"resource": ["https://mcp.test/mcp", 7]}),
            json!({"resource": "https://mcp.test/mcp#x"}),
            json!({"resource": vec!["https://mcp.test/mcp"; 33]}),
            json!({"scope": ["mcp:read"]}),
            json!({"authorization_details": []}),
            json!({"cnf": {"x5t#S256": "x"}}),
            json!({"cnf": {"jkt": "x", "x5t#S256": "x"}}),
            json!({"cnf": "x"}),
            json!({"act": "x"}),
            json!({"act": {"iss": "x"}}),
            json!({"act": {"sub": "a", "act": {"sub": "b", "act": {"sub": "c", "act": {"sub": "d", "act": {"sub": "e"}}}}}}),
            json!({"act": {"sub": "a".repeat(5000)}}),
            json!({"auth_time": -1}),
        ] {
            assert!(judged(&idp(), changes.clone()).is_err(), "{changes}");
        }
        assert!(judged(&idp(), json!({"iat": far + 30})).is_ok());
        assert!(judged(&idp().client("other"), json!({})).is_err());
        assert!(judged(&idp().client("other").client("agent"), json!({})).is_ok());
        assert!(judged(&idp().max_lifetime(Duration::from_secs(299)), json!({})).is_err());
    }

    // covers: EXT-EMA-13, EM02
    #[test]
    fn tenants_and_users_are_who_the_operator_says() {
        let several = idp().tenant("acme").tenant("umbrella");
        assert!(judged(&several, json!({})).is_err());
        assert!(judged(&several, json!({"tenant": "acm"})).is_err());
        let said = judged(&several, json!({"tenant": "umbrella"})).unwrap();
        assert_eq!(said.subject, "idp:https://idp.test|umbrella|ada");

        let mapped = idp().subject(|claims| claims.get("uid")?.as_str().map(str::to_owned));
        assert_eq!(judged(&mapped, json!({"uid": "42"})).unwrap().subject, "42");
        for uid in [json!(null), json!(""), json!(42), json!("client:agent")] {
            assert!(judged(&mapped, json!({"uid": uid})).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_claims_make_it_panic(name in "(sub|exp|iat|act|cnf|resource|scope|tenant)", text in ".{0,40}", number: i64) {
            for value in [json!(text), json!(number), json!([text]), json!({"sub": text, "act": number}), json!({"jkt": text})] {
                let _ = judged(&idp(), json!({ name.clone(): value }));
            }
        }
    }
}
