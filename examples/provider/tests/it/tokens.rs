//! The token endpoint, as clients see it whose server may vanish at any moment.

use mcp_auth_testkit::{Answer, Client, Era};
use serde_json::json;

use super::owner::VERIFIER;

/// What a client was told.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// Here they are.
    Tokens(Tokens),
    /// No, by this error of RFC 6749 §5.2.
    Refused(String),
    /// Nothing, or "try again later".
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Said {
    pub(crate) fn tokens(self) -> Option<Tokens> {
        match self {
            Self::Tokens(tokens) => Some(tokens),
            Self::Refused(_) | Self::Nothing => None,
        }
    }

    fn of<E>(answer: Result<Answer, E>) -> Self {
        match answer {
            Ok(answer) if answer.status() == 200 => {
                let json = answer.json();
                let text = |name: &str| json[name].as_str().unwrap().to_owned();
                Self::Tokens(Tokens { access: text("access_token"), refresh: text("refresh_token") })
            }
            Ok(answer) if answer.status() == 503 => Self::Nothing,
            Ok(answer) => Self::Refused(answer.json()["error"].as_str().unwrap().to_owned()),
            Err(_) => Self::Nothing,
        }
    }
}

pub(crate) async fn redeem(client: &Client, client_id: &str, code: &str) -> Said {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    Said::of(client.post("/token").form(form).try_send().await)
}

pub(crate) async fn refresh(client: &Client, client_id: &str, token: &str) -> Said {
    let form = [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", token)];
    Said::of(client.post("/token").form(form).try_send().await)
}

pub(crate) async fn revoke(client: &Client, client_id: &str, token: &str) {
    let form = [("client_id", client_id), ("token", token)];
    client.post("/revoke").form(form).send().await.expect_status(200);
}

/// Whether a token opens the MCP endpoint.
pub(crate) async fn works(client: &Client, access: &str) -> bool {
    let mcp = client.mcp("/mcp").era(Era::Stateless).bearer(access);
    match mcp.prepare("tools/list", json!({}), Some(1)).send().await.status() {
        200 => true,
        401 => false,
        status => panic!("{status} for a token"),
    }
}
