//! The owner at a browser that stays signed in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use mcp_auth_testkit::{Answer, Client};
use serde_json::json;
use url::Url;

use super::process::PASSWORD;

const CALLBACK: &str = "http://127.0.0.1/callback";
/// The pair of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A browser. Clones share their cookies, as windows of one browser do.
#[derive(Clone)]
pub(crate) struct Owner {
    client: Client,
    client_id: String,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
}

/// Why there is no code.
#[derive(Debug)]
pub(crate) enum NoCode {
    /// The server went away.
    Gone,
}

impl Owner {
    /// Registers a client, and signs the owner in.
    pub(crate) async fn sign_in(client: &Client) -> Self {
        let metadata = json!({
            "client_name": "Under load", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let registered = client.post("/register").json(&metadata).send().await.expect_status(201).json();
        let client_id = registered["client_id"].as_str().unwrap().to_owned();
        let owner = Self { client: client.clone(), client_id, cookies: Arc::default() };
        owner.code().await.unwrap();
        owner
    }

    /// The client that codes are for.
    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Allows the client in, and gives the code it gets.
    pub(crate) async fn code(&self) -> Result<String, NoCode> {
        let query = [
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", CALLBACK),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("scope", "notes:read notes:write"),
        ];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let mut answer = self.get(&format!("/authorize?{query}")).await?;
        for _ in 0..6 {
            if let Some(location) = answer.header("location").map(str::to_owned) {
                if location.starts_with('/') {
                    answer = self.get(&location).await?;
                    continue;
                }
                let url = Url::parse(&location).unwrap();
                let code = url.query_pairs().find(|(name, _)| name == "code");
                return Ok(code.unwrap_or_else(|| panic!("no code in {url}")).1.into_owned());
            }
            if answer.status() == 503 {
                return Err(NoCode::Gone);
            }
            answer = self.fill_in(answer.expect_status(200)).await?;
        }
        panic!("the sign-in comes to no end: {answer}");
    }

    /// Fills in the form of a page: says the password, ticks everything, and allows.
    async fn fill_in(&self, page: Answer) -> Result<Answer, NoCode> {
        let html = page.text();
        let action = between(&html, "action=\"", "\"").unwrap_or_else(|| panic!("no form: {html}"));
        let action = action.replace("&#x2f;", "/");
        let mut fields: Vec<(String, String)> = vec![("action".to_owned(), "allow".to_owned())];
        for input in html.split("<input ").skip(1) {
            let Some(name) = between(input, "name=\"", "\"") else { continue };
            let value = between(input, "value=\"", "\"").unwrap_or_default();
            let value = if name == "password" { PASSWORD } else { value };
            fields.push((name.to_owned(), value.to_owned()));
        }
        let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = self.client.post(&action).header("sec-fetch-site", "same-origin").form(fields);
        self.keep(request.header("cookie", &self.cookie()).try_send().await)
    }

    async fn get(&self, path: &str) -> Result<Answer, NoCode> {
        let request = self.client.get(path).header("sec-fetch-site", "none");
        self.keep(request.header("cookie", &self.cookie()).try_send().await)
    }

    fn cookie(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { "none=1".to_owned() } else { pairs.join("; ") }
    }

    fn keep<E>(&self, answer: Result<Answer, E>) -> Result<Answer, NoCode> {
        let answer = answer.map_err(|_| NoCode::Gone)?;
        let mut cookies = self.cookies.lock().unwrap();
        for line in answer.headers().get_all("set-cookie") {
            let (pair, _) = line.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            // Those of single sign-ins would pile up: no request needs more than its own.
            if !value.is_empty() {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        drop(cookies);
        Ok(answer)
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}
