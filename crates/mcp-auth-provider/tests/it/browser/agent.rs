//! A browser: it keeps cookies, says where its requests come from, and posts forms.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use mcp_auth_testkit::{Answer, Client};

use super::form::Form;

/// Clones share their cookies, as windows of one browser do.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) client: Client,
    pub(crate) cookies: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Agent {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, cookies: Arc::default() }
    }

    /// Opens an address that its user typed, or a program on the device opened.
    pub(crate) async fn open(&self, path: &str) -> Answer {
        self.navigate(path, "none").await
    }

    /// Follows a link or a redirect; `site` is what a browser says of where that was.
    pub(crate) async fn navigate(&self, path: &str, site: &str) -> Answer {
        let request = self.client.get(path).header("sec-fetch-site", site);
        let request = match self.cookie_header() {
            Some(cookies) => request.header("cookie", &cookies),
            None => request,
        };
        self.keep(request.send().await)
    }

    /// Follows the redirects of an answer as long as they stay here.
    pub(crate) async fn follow(&self, mut answer: Answer) -> Answer {
        while let Some(path) = answer.header("location").filter(|location| location.starts_with('/')) {
            let path = path.to_owned();
            answer = self.navigate(&path, "same-origin").await;
        }
        answer
    }

    /// Posts a form of a page of this server.
    pub(crate) async fn post(&self, form: &Form) -> Answer {
        self.post_from(form, "same-origin").await
    }

    /// Posts a form from a page of this site.
    pub(crate) async fn post_from(&self, form: &Form, site: &str) -> Answer {
        let fields = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = self.client.post(&form.action).header("sec-fetch-site", site).form(fields);
        let request = match self.cookie_header() {
            Some(cookies) => request.header("cookie", &cookies),
            None => request,
        };
        self.keep(request.send().await)
    }

    pub(crate) fn cookie_header(&self) -> Option<String> {
        let cookies = self.cookies.lock().unwrap();
        let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    pub(crate) fn cookie(&self, begins: &str) -> Option<String> {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().find(|(name, _)| name.contains(begins)).map(|(_, value)| value.clone())
    }

    fn keep(&self, answer: Answer) -> Answer {
        let mut cookies = self.cookies.lock().unwrap();
        for line in answer.headers().get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (pair, attributes) = line.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        drop(cookies);
        answer
    }
}
