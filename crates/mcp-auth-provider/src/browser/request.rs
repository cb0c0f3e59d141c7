//! Is this authorization request one we can answer, and what does it ask for?
//!
//! What is wrong with the client or its redirect URI is told to the person in front of the browser and to nobody else, because
//! then nobody knows where the answer would go (AUTH-68). Everything else goes back to the client at once. (AUTH-67 would rather
//! have a person signed in before any redirect, for whoever registers here could send people on by way of our name; an
//! error that waits for a sign-in is one that clients never see. What registration lets in decides where people can be
//! sent.)

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mcp_core::{Scope, Scopes, Timestamp};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use crate::as_text;
use crate::client::{Client, ClientError, GrantType, choose_redirect_uri};
use crate::engine::Engine;
use crate::grant::DeviceRecord;
use crate::wire::{CodeChallenge, Params};

use super::redirect::back;

/// What a client asks for, checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    /// What can be granted of what was asked for.
    #[serde(with = "as_text::scopes")]
    pub(crate) scopes: Scopes,
    /// Identifiers of resources of ours.
    pub(crate) resources: Vec<String>,
    /// `None` for a device, to which no code is given.
    pub(crate) challenge: Option<CodeChallenge>,
    /// The device that waits for the answer; then there is no redirect URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<Device>,
    pub(crate) jkt: Option<String>,
    pub(crate) prompt: Prompt,
    /// How many seconds ago the user may have signed in.
    pub(crate) max_age: Option<u64>,
    pub(crate) login_hint: Option<String>,
}

/// A device that waits (RFC 8628).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Device {
    /// As the device shows it.
    pub(crate) user_code: String,
    #[serde(with = "as_text::millis")]
    pub(crate) expires_at: Timestamp,
}

/// What the client wants the user to be asked (OpenID Connect Core §3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Prompt {
    /// Nothing at all.
    pub(crate) none: bool,
    /// To sign in, signed in or not; also for `select_account`.
    pub(crate) login: bool,
    /// For consent, given or not.
    pub(crate) consent: bool,
}

/// A request that can be answered.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) client: Arc<Client>,
    pub(crate) request: AuthorizationRequest,
}

/// What the client is told by redirect (RFC 6749 §4.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AuthorizationError {
    pub(crate) code: &'static str,
    pub(crate) description: &'static str,
}

impl AuthorizationError {
    pub(crate) const fn new(code: &'static str, description: &'static str) -> Self {
        Self { code, description }
    }

    fn invalid(description: &'static str) -> Self {
        Self::new("invalid_request", description)
    }

    /// Where this sends the browser.
    pub(crate) fn location(self, engine: &Engine, redirect_uri: &str, state: Option<&str>) -> String {
        let parameters = [("error", self.code), ("error_description", self.description)];
        back(redirect_uri, engine.issuer.as_str(), state, &parameters)
    }
}

/// Why a request is not answered with a sign-in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Said to the person: nobody can be trusted with an answer.
    Local(&'static str),
    /// Said to the person: we cannot tell whether the client may be answered.
    Unavailable,
    /// Said to the client: the URL to send the browser to, and which error that says.
    Back(String, AuthorizationError),
}

/// Checks a request. Its parameters come from a query, a form, or from where a pushed request was kept (RFC 9126 §4): this
/// is where the two ways meet. `pushed` says which it was, and `address` where it comes from.
pub(crate) async fn check(
    engine: &Engine,
    params: &Params,
    pushed: bool,
    address: Option<IpAddr>,
) -> Result<Checked, Refusal> {
    for name in ["client_id", "redirect_uri"] {
        if params.is_repeated(name) {
            return Err(Refusal::Local("client_id or redirect_uri stands there twice"));
        }
    }
    let id = params.get("client_id").ok_or(Refusal::Local("the client_id is missing"))?;
    let client = engine.clients.find(engine, id, address).await.map_err(|error| match error {
        ClientError::Unknown => Refusal::Local("this server does not know the client_id"),
        ClientError::Invalid(reason) => Refusal::Local(reason),
        ClientError::Unavailable => Refusal::Unavailable,
    })?;
    let redirect_uri =
        choose_redirect_uri(&client, params.get("redirect_uri"), &engine.url).map_err(Refusal::Local)?;
    if !can_carry_an_answer(&redirect_uri) {
        return Err(Refusal::Local("the redirect_uri cannot carry an answer"));
    }
    // Said twice or too long to be carried, it cannot be returned as it was.
    let state = params.get("state").filter(|state| !params.is_repeated("state") && state.len() <= MAX_STATE);
    match read(engine, &client, params, pushed) {
        Ok(asked) => {
            let request = AuthorizationRequest { redirect_uri, state: state.map(str::to_owned), ..asked };
            Ok(Checked { client, request })
        }
        Err(error) => Err(Refusal::Back(error.location(engine, &redirect_uri, state), error)),
    }
}

/// No scheme that runs something, no fragment, and none of the parameters that the answer has (attack AZ36).
fn can_carry_an_answer(redirect_uri: &str) -> bool {
    let scheme = redirect_uri.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let runs = ["javascript", "data", "vbscript", "blob", "file", "about"].contains(&scheme.as_str());
    let query = redirect_uri.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let taken = form_urlencoded::parse(query.as_bytes())
        .any(|(name, _)| ["code", "state", "iss", "error"].contains(&&*name));
    !runs && !taken && !redirect_uri.contains('#') && !redirect_uri.contains(char::is_control)
}

/// Everything that goes back to the client when it is wrong.
fn read(
    engine: &Engine,
    client: &Client,
    params: &Params,
    pushed: bool,
) -> Result<AuthorizationRequest, AuthorizationError> {
    if params.is_any_repeated() {
        return Err(AuthorizationError::invalid("a parameter stands there twice"));
    }
    if params.get("state").is_some_and(|state| state.len() > MAX_STATE) {
        return Err(AuthorizationError::invalid("state is too long"));
    }
    unsupported(params)?;
    if !pushed && (client.require_par || engine.pushed_only) {
        return Err(AuthorizationError::invalid("authorization requests must be pushed"));
    }
    match params.get("response_type") {
        Some("code") => {}
        Some(_) => {
            let text = "response_type must be code";
            return Err(AuthorizationError::new("unsupported_response_type", text));
        }
        None => return Err(AuthorizationError::invalid("response_type is missing")),
    }
    if params.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(AuthorizationError::invalid("response_mode must be query"));
    }
    if !client.may(GrantType::AuthorizationCode) {
        let text = "the client did not register for authorization_code";
        return Err(AuthorizationError::new("unauthorized_client", text));
    }
    let challenge = CodeChallenge::read(params.get("code_challenge"), params.get("code_challenge_method"))
        .map_err(AuthorizationError::invalid)?;
    let (resources, scopes) = access(engine, client, params)?;
    Ok(AuthorizationRequest {
        redirect_uri: String::new(),
        state: None,
        scopes,
        resources,
        challenge: Some(challenge),
        device: None,
        jkt: thumbprint(params)?,
        prompt: prompt(params.get("prompt"))?,
        max_age: max_age(params.get("max_age"))?,
        login_hint: params.get("login_hint").filter(|hint| hint.len() <= MAX_HINT).map(str::to_owned),
    })
}

/// What is asked for, as far as it can be granted, and where: by any client that will ask a user.
pub(crate) fn access(
    engine: &Engine,
    client: &Client,
    params: &Params,
) -> Result<(Vec<String>, Scopes), AuthorizationError> {
    let resources = resources(engine, params)?;
    let scopes = scopes(engine, client, params.get("scope"), &resources)?;
    Ok((resources, scopes))
}

/// What would mean something that this server does not do. What means nothing here is ignored (RFC 6749 §3.1).
fn unsupported(params: &Params) -> Result<(), AuthorizationError> {
    if params.get("request").is_some() {
        let text = "signed requests are not supported";
        return Err(AuthorizationError::new("request_not_supported", text));
    }
    if params.get("request_uri").is_some() {
        let text = "requests by reference are not supported";
        return Err(AuthorizationError::new("request_uri_not_supported", text));
    }
    if params.get("authorization_details").is_some() {
        let text = "authorization_details are not supported";
        return Err(AuthorizationError::new("invalid_authorization_details", text));
    }
    let claims = params.get("claims").map(serde_json::from_str::<serde_json::Map<_, _>>);
    if claims.is_some_and(|claims| claims.is_err()) {
        return Err(AuthorizationError::invalid("claims is no JSON object"));
    }
    Ok(())
}

fn resources(engine: &Engine, params: &Params) -> Result<Vec<String>, AuthorizationError> {
    let mut resources: Vec<String> = Vec::new();
    for identifier in params.all("resource") {
        let Some(resource) = engine.resource(identifier) else {
            let text = "the resource is not one of this server";
            return Err(AuthorizationError::new("invalid_target", text));
        };
        if !resources.iter().any(|own| own == resource.identifier()) {
            resources.push(resource.identifier().to_owned());
        }
    }
    if resources.is_empty() {
        resources.extend(engine.default_resource().map(|resource| resource.identifier().to_owned()));
    }
    Ok(resources)
}

/// What is asked for and can be granted; of what is not known nothing is said until the token answer, which names what was
/// granted (attack AZ19).
fn scopes(
    engine: &Engine,
    client: &Client,
    asked: Option<&str>,
    resources: &[String],
) -> Result<Scopes, AuthorizationError> {
    let invalid = |description| AuthorizationError::new("invalid_scope", description);
    let parts = asked.unwrap_or_default().split(' ').filter(|part| !part.is_empty());
    let asked: Scopes = parts
        .map(Scope::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| invalid("scope has a character that scopes cannot have"))?;
    let ceiling = |scopes: Scopes| match &client.scopes {
        Some(most) => scopes.iter().filter(|scope| most.contains(scope)).cloned().collect(),
        None => scopes,
    };
    let grantable = ceiling(engine.grantable(resources)).for_challenge();
    let named = asked.for_challenge();
    let granted: Scopes = if named.is_empty() {
        let basic = resources.iter().filter_map(|identifier| engine.resource(identifier));
        let basic = ceiling(basic.fold(Scopes::none(), |all, resource| all.union(resource.scopes())));
        if basic.is_empty() { grantable } else { basic }
    } else {
        named.iter().filter(|scope| grantable.contains(scope)).cloned().collect()
    };
    if granted.is_empty() && !named.is_empty() {
        return Err(invalid("none of the scopes can be granted"));
    }
    let offline = asked.has("offline_access") && client.may(GrantType::RefreshToken);
    Ok(if offline { granted.union(&Scopes::from("offline_access")) } else { granted })
}

/// `dpop_jkt` (RFC 9449 §10): a SHA-256 in base64url.
fn thumbprint(params: &Params) -> Result<Option<String>, AuthorizationError> {
    let Some(jkt) = params.get("dpop_jkt") else { return Ok(None) };
    let letters = jkt.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if jkt.len() == 43 && letters {
        return Ok(Some(jkt.to_owned()));
    }
    Err(AuthorizationError::invalid("dpop_jkt is no thumbprint"))
}

fn prompt(text: Option<&str>) -> Result<Prompt, AuthorizationError> {
    let mut prompt = Prompt::default();
    for part in text.unwrap_or_default().split(' ').filter(|part| !part.is_empty()) {
        match part {
            "none" => prompt.none = true,
            "login" | "select_account" => prompt.login = true,
            "consent" => prompt.consent = true,
            _ => return Err(AuthorizationError::invalid("prompt has a value that is not known")),
        }
    }
    if prompt.none && (prompt.login || prompt.consent) {
        return Err(AuthorizationError::invalid("prompt=none goes with no other value"));
    }
    Ok(prompt)
}

fn max_age(text: Option<&str>) -> Result<Option<u64>, AuthorizationError> {
    let Some(text) = text else { return Ok(None) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(seconds) if digits => Ok(Some(seconds)),
        _ => Err(AuthorizationError::invalid("max_age is no number of seconds")),
    }
}

impl AuthorizationRequest {
    /// What a device asked for, which was checked then.
    pub(crate) fn of_device(record: DeviceRecord) -> Self {
        Self {
            redirect_uri: String::new(),
            state: None,
            scopes: record.scopes,
            resources: record.resources,
            challenge: None,
            device: Some(Device { user_code: record.user_code, expires_at: record.expires_at }),
            jkt: None,
            prompt: Prompt::default(),
            max_age: None,
            login_hint: None,
        }
    }

    /// Whether a user who signed in `ago` has to do so again.
    pub(crate) fn is_too_old(&self, ago: Duration) -> bool {
        self.prompt.login || self.max_age.is_some_and(|most| most == 0 || ago > Duration::from_secs(most))
    }
}

/// The most bytes a `state` may have: percent-encoded it still fits into what proxies take for a header.
const MAX_STATE: usize = 4096;
/// The most bytes of a `login_hint` that are looked at.
const MAX_HINT: usize = 320;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // covers: AZ08, AZ36
    #[test]
    fn some_places_cannot_carry_an_answer_whoever_registered_them() {
        for good in ["https://c.test/cb", "https://c.test/cb?tenant=1", "http://127.0.0.1:1/", "com.app:/cb"]
        {
            assert!(can_carry_an_answer(good), "{good}");
        }
        for bad in [
            "https://c.test/cb?code=x",
            "https://c.test/cb?a=1&%73tate=x",
            "https://c.test/cb?iss=",
            "https://c.test/cb?error",
            "https://c.test/cb#",
            "javascript:alert(1)",
            "JAVASCRIPT:alert(1)",
            "data:text/html,x",
            "https://c.test/\r\nx: y",
        ] {
            assert!(!can_carry_an_answer(bad), "{bad}");
        }
    }

    // covers: AZ26, AZ27, AZ28
    #[test]
    fn prompts_and_ages_are_read_strictly() {
        assert_eq!(prompt(None), Ok(Prompt::default()));
        assert_eq!(prompt(Some("login consent")), Ok(Prompt { login: true, consent: true, none: false }));
        assert!(prompt(Some("none login")).is_err() && prompt(Some("None")).is_err());
        assert_eq!(max_age(Some("0")), Ok(Some(0)));
        for bad in ["-1", "+1", "1.0", " 1", "1e3", "18446744073709551616"] {
            assert!(max_age(Some(bad)).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_them_panic(text in ".{0,60}") {
            let _ = (prompt(Some(&text)), max_age(Some(&text)), can_carry_an_answer(&text));
        }
    }
}
