//! The device grant (RFC 8628), from both its ends.

mod approval;
mod guesses;
mod polling;

use std::time::Duration;

use mcp_auth_provider::{GrantType, OAuthProvider, PreRegistered};
use mcp_auth_testkit::Answer;

use crate::browser::agent::Agent;
use crate::browser::form::Form;
use crate::browser::scripted::Scripted;
use crate::browser::world::{RS, World};

pub(crate) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A server with two public clients for devices, `tv` and `box`; one with a secret, `hub`; and one that is none, `web`.
fn provider(sign_in: Scripted) -> OAuthProvider {
    let grants = [GrantType::DeviceCode, GrantType::RefreshToken];
    let hub = PreRegistered::with_secret("hub", crate::machines::SECRET).unwrap();
    OAuthProvider::new(sign_in)
        .device_grant()
        .client(PreRegistered::public("tv").name("Telly <One>").grants(grants))
        .client(PreRegistered::public("box").grants([GrantType::DeviceCode]))
        .client(hub.grants(grants).secret_in_form())
        .client(PreRegistered::public("web").redirect_uri("https://c.test/cb"))
}

async fn world() -> World {
    World::of(|| provider(Scripted::local())).await
}

/// A device, with what it was given.
#[derive(Clone)]
struct Device {
    client: String,
    code: String,
    user_code: String,
}

impl World {
    async fn begin_with(&self, client: &str, more: &[(&str, &str)]) -> Answer {
        let form = [("client_id", client)].into_iter().chain(more.iter().copied());
        self.client.post("/device_authorization").form(form).send().await
    }

    async fn device(&self, client: &str) -> Device {
        let asked = [("scope", "mcp:read mcp:write"), ("resource", RS)];
        let answer = self.begin_with(client, &asked).await.expect_status(200).json();
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Device { client: client.to_owned(), code: text("device_code"), user_code: text("user_code") }
    }

    async fn poll(&self, device: &Device) -> Answer {
        self.poll_with(device, &[]).await
    }

    async fn poll_with(&self, device: &Device, more: &[(&str, &str)]) -> Answer {
        let form = [("grant_type", GRANT), ("client_id", &*device.client), ("device_code", &*device.code)];
        self.client.post("/token").form(form.into_iter().chain(more.iter().copied())).send().await
    }

    fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// Types a code into the page.
async fn type_in(browser: &Agent, code: &str) -> Answer {
    let page = browser.open("/device").await.expect_status(200);
    browser.post(&Form::of(&page.text()).with("user_code", code)).await
}

/// Types a code in and signs in, up to the consent page.
async fn consent_page(browser: &Agent, code: &str, name: &str) -> String {
    let answer = type_in(browser, code).await.expect_status(303);
    let page = browser.follow(answer).await.expect_status(200).text();
    if page.contains("asks for access") {
        return page;
    }
    let answer = browser.post(&Form::of(&page).with("name", name).with("stay", "on")).await;
    browser.follow(answer).await.expect_status(200).text()
}

/// Says yes or no to a device.
async fn answer_with(browser: &Agent, code: &str, action: &str) -> Answer {
    let form = Form::of(&consent_page(browser, code, "ada").await);
    browser.post(&form.with("action", action)).await
}

#[track_caller]
fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status(), status, "{answer}");
    assert_eq!(answer.json()["error"], error, "{answer}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer}");
}
