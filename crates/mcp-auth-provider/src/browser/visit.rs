//! One request of a browser: what it brings, and the cookies it gets.

use std::net::IpAddr;
use std::time::Duration;

use http::header::{HeaderValue, SET_COOKIE};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use mcp_core::{Body, random_id};

use crate::body::read_form;
use crate::engine::Engine;
use crate::pages::Page;
use crate::sign_in::BrowserRequest;
use crate::wire::Params;

use super::cookies::{self, CookieName};

/// A request, read.
pub(crate) struct Visit {
    pub(crate) head: Parts,
    pub(crate) params: Params,
    pub(crate) address: Option<IpAddr>,
    /// Header values that set cookies, to go with whatever is answered.
    cookies: Vec<String>,
    /// What those cookies are, for what is still done in this request.
    carried: Vec<(String, String)>,
}

impl Visit {
    /// Reads the query, or the form of a POST.
    ///
    /// # Errors
    /// The page that says what is wrong with it.
    pub(crate) async fn read(engine: &Engine, request: Request<Body>) -> Result<Self, Page> {
        let (head, params) = if request.method() == Method::POST {
            read_form(request).await.map_err(|error| unreadable(error.status()))?
        } else {
            let (head, _) = request.into_parts();
            let params = Params::parse(head.uri.query().unwrap_or_default().as_bytes()).map_err(malformed)?;
            (head, params)
        };
        let address = engine.site.client_address(&head.extensions, &head.headers);
        Ok(Self { head, params, address, cookies: Vec::new(), carried: Vec::new() })
    }

    /// The answer, with the cookies that were set meanwhile.
    pub(crate) fn answer(self, mut response: Response<Body>) -> Response<Body> {
        for cookie in &self.cookies {
            if let Ok(value) = HeaderValue::try_from(cookie.as_str()) {
                response.headers_mut().append(SET_COOKIE, value);
            }
        }
        response
    }

    /// Whether it asks for the head of an answer only. Nothing may come of it (attack AZ31).
    pub(crate) fn is_head(&self) -> bool {
        self.head.method == Method::HEAD
    }

    /// Whether the browser says that its user or a program on the device sent it here, or one of our own pages did; and that it
    /// does not only look ahead.
    pub(crate) fn is_unprompted(&self) -> bool {
        let headers = &self.head.headers;
        let site = headers.get("sec-fetch-site");
        site.is_some_and(|site| site == "none" || site == "same-origin")
            && !headers.contains_key("sec-purpose")
    }

    /// The values of a cookie, those that were set just now among them.
    pub(super) fn cookies(&self, engine: &Engine, name: CookieName<'_>) -> Vec<&str> {
        let mut values = cookies::read(&self.head.headers, &engine.url, name);
        let full = name.full(&engine.url);
        values.extend(self.carried.iter().filter(|(own, _)| *own == full).map(|(_, value)| value.as_str()));
        values
    }

    /// The browser's secret; a new one if it has none.
    pub(crate) fn browser_secret(&mut self, engine: &Engine) -> String {
        if let Some(secret) = self.known_browser_secret(engine) {
            return secret;
        }
        let secret = random_id();
        // As long as what is remembered of this browser.
        let age = engine.lifetimes.grant.min(LONGEST);
        self.set(engine, CookieName::Browser, &secret, Some(age));
        secret
    }

    /// The browser's secret, if it has one.
    pub(crate) fn known_browser_secret(&self, engine: &Engine) -> Option<String> {
        let values = self.cookies(engine, CookieName::Browser);
        values.into_iter().find(|value| value.len() == 43).map(str::to_owned)
    }

    /// Sets a cookie with the answer.
    pub(super) fn set(&mut self, engine: &Engine, name: CookieName<'_>, value: &str, age: Option<Duration>) {
        self.cookies.push(cookies::set(&engine.url, name, value, age));
        self.carried.push((name.full(&engine.url), value.to_owned()));
    }

    /// Takes a cookie away with the answer.
    pub(super) fn remove(&mut self, engine: &Engine, name: CookieName<'_>) {
        self.cookies.push(cookies::remove(&engine.url, name));
    }

    /// Takes the cookies of all transactions away.
    pub(super) fn remove_transactions(&mut self, engine: &Engine) {
        for name in cookies::transactions(&self.head.headers, &engine.url) {
            self.cookies.push(cookies::remove(&engine.url, name));
        }
    }

    /// What a sign-in sees when it is asked to begin.
    pub(super) fn beginning(&self, engine: &Engine) -> BrowserRequest {
        BrowserRequest {
            method: Method::GET,
            uri: self.head.uri.clone(),
            path: engine.paths.authorize.clone(),
            headers: self.head.headers.clone(),
            params: Vec::new(),
            address: self.address,
            begins: true,
        }
    }

    /// What a sign-in sees of a request to a route of its own.
    pub(super) fn for_sign_in(&self, path: &str) -> BrowserRequest {
        BrowserRequest {
            method: self.head.method.clone(),
            uri: self.head.uri.clone(),
            path: path.to_owned(),
            headers: self.head.headers.clone(),
            params: self.params.pairs().to_vec(),
            address: self.address,
            begins: false,
        }
    }
}

fn unreadable(status: StatusCode) -> Page {
    Page::message("This form cannot be read", "The browser sent something else than this server expects.")
        .status(status)
}

fn malformed(_: &'static str) -> Page {
    Page::message("This address cannot be read", "The address that led here is damaged or too long.")
        .status(StatusCode::BAD_REQUEST)
}

/// Browsers keep no cookie longer (RFC 6265bis §5.5).
const LONGEST: Duration = Duration::from_secs(400 * 24 * 3600);
